"""States from the topics of a deployment, read as `verify` reads them: inputs and the account's own events."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from monitor.asking.subject import Asked, Subject, view_at, view_in
from monitor.brokers.endpoint import endpoint
from monitor.engine import State, collect, confirm, new_state, open_shard, step
from monitor.errors import UsageError
from monitor.verify import recompute
from monitor.verify.inputs import READ_ERRORS, Records, Topics, partitions_of
from monitor.verify.run import Deployment, ReadFailed
from monitor.worker.log_view import LogView
from monitor.worker.options import WorkerOptions
from schemas.codec import encode
from schemas.records import AccountEvent
from schemas.topics import ACCOUNT_TOPICS, MARKET_TOPICS, SEQUENCED

if TYPE_CHECKING:
    from monitor.answers.view import View
    from monitor.asking.options import Where
    from monitor.config import Settings
    from monitor.engine.baseline import Baseline
    from monitor.engine.state import Outgoing
    from monitor.verify.recompute import Stamped

BATCH = 5_000
T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most so many items."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def deployment(settings: Settings, where: Where) -> Deployment:
    """Return the deployment that a question is about."""
    prefix = settings.topic_prefix if where.prefix is None else where.prefix
    return Deployment(endpoint(settings, where.broker), prefix, settings.sequence_prefix, settings.order)


async def asked_of(
    subject: Subject, where: Deployment, *, also: Iterable[str] = (), history: bool | None = None
) -> Asked:  # fmt: skip
    """Return what is asked: at the ends of the topics, or of an event at its own positions.

    Raises UsageError for an event on no topic, or an account that has no record, BrokerError if the broker fails.
    """
    async with _reading(where) as (topics, options):
        return await _asked(subject, topics, options, where, also, history=history)


async def state_of(where: Deployment) -> State:
    """Return the state of all accounts at the ends of the topics, each evaluated; raises BrokerError."""
    async with _reading(where) as (topics, options):
        partitions = range(options.partitions)
        if where.order == "strict":
            parts = [await topics.sequence(None, partition) for partition in partitions]
            merged = heapq.merge(*(items for part in parts for items in part.by_topic.values()), key=_by_ordinal)
        else:
            by_topic = []
            for partition in partitions:
                reached = await topics.last_positions(partition)
                names = ACCOUNT_TOPICS if partition else (*MARKET_TOPICS, *ACCOUNT_TOPICS)  # the market once
                wanted = {topic.name: reached[topic.name] for topic in names if topic.name in reached}
                by_topic += list((await topics.records(wanted, partition)).by_topic.values())
            merged = heapq.merge(*by_topic, key=recompute.by_event_time)
        state = new_state(certificates=False)
        for partition in partitions:
            open_shard(state, partition, None, [], partitions=options.partitions, epoch=1)
        for batch in batched((item.source for item in merged), BATCH):
            step(state, batch, conflate=True)  # what is asked is where all stand at the end
            confirm(state, collect(state))
            state.rejected.clear()
        return state


def _by_ordinal(item: Stamped) -> int:
    return item.source.offset


@asynccontextmanager
async def _reading(where: Deployment) -> AsyncIterator[tuple[Topics, WorkerOptions]]:
    """Connect for some reading; raises ReadFailed for what the broker does not give."""
    try:
        options = WorkerOptions(
            broker=where.address, partitions=await partitions_of(where.address, where.prefix), prefix=where.prefix,
            sequence_prefix=where.sequence_prefix,
        )  # fmt: skip
        view = LogView(where.address, f"{where.prefix}asking")
        try:
            await view.start()
            yield Topics(view, options), options
        finally:
            await view.stop()
    except READ_ERRORS as error:
        raise ReadFailed(
            f"the broker at {where.address} did not give its records ({error!r})", "check its health"
        ) from error


async def _asked(
    subject: Subject, topics: Topics, options: WorkerOptions, where: Deployment, also: Iterable[str],
    *, history: bool | None,
) -> Asked:  # fmt: skip
    event, strict = subject.event, where.order == "strict"
    if subject.identity:
        found = await topics.find(subject.identity)
        records = [claim.record for claim in found.claims]
        event = event or next((one for one in records if isinstance(one, AccountEvent)), None)
        strict = strict if found.strict is None else found.strict
        if event is None:
            raise UsageError(f"no account's event has the id {subject.identity}", "check the id and --prefix")
    account = subject.account if event is None else event.account
    partition = options.partition_of(account.encode())
    before = await topics.events_of(account) if event is None else await topics.earlier(event)
    wanted = b"" if event is None else encode(event)
    exact: list[View] = []
    like: list[View] = []

    def told(state: State, one: Outgoing, base: Baseline | None) -> None:
        if event is not None and one.id == event.id:
            same = one.body.encode() == wanted
            (exact if same else like).append(view_at(state, account, base, also, history=history))

    if strict:
        run = _in_sequence(account, event, await _sequence(topics, event, partition), partition, options, told)
    else:
        reached = await topics.last_positions(partition) if event is None else event.positions
        inputs = (await topics.records(reached, partition)).by_topic
        path = recompute.NO_PATH if event is None else await topics.path(event, partition)
        anchors = before if event is None else [*before, event]
        for tried in recompute.ORDERS.values():  # of an event the first that gives it; of now any
            run = recompute.run_through(
                account, anchors, inputs, tried, partition, options.partitions, path, to_end=event is None, told=told
            )
            if event is None or exact:
                break
    if event is not None and not (exact or like):
        raise UsageError(f"the topics do not give the event {event.id} again", "see what `liqmon verify` says of it")
    view = next(iter([*exact, *like]), None) or view_in(run.state, account, also, history=history)
    return Asked(view, tuple(before), event)


async def _sequence(topics: Topics, event: AccountEvent | None, partition: int) -> Records:
    last = None if event is None else max((offset for offset, _ in event.positions.values()), default=-1)
    return await topics.sequence(last, partition)


def _in_sequence(
    account: str, event: AccountEvent | None, records: Records, partition: int, options: WorkerOptions,
    told: recompute.TakesMoment,
) -> recompute.Run:  # fmt: skip
    run = recompute.Run(account, partition, options.partitions, told)
    for item in records.by_topic[SEQUENCED.name]:
        run.take([item.source])
        if event is not None and event.sequence in run.said:
            break
    return run
