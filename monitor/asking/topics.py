"""States from the topics of a deployment, read as `verify` reads them: inputs and the account's own events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from monitor.asking.subject import Asked, Subject, view_in
from monitor.brokers.endpoint import endpoint
from monitor.errors import UsageError
from monitor.verify import recompute
from monitor.verify.inputs import READ_ERRORS, Records, Topics, partitions_of
from monitor.verify.run import Deployment, ReadFailed
from monitor.worker.log_view import LogView
from monitor.worker.options import WorkerOptions
from schemas.records import AccountEvent
from schemas.topics import SEQUENCED

if TYPE_CHECKING:
    from monitor.asking.options import Where
    from monitor.config import Settings


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
    try:
        options = WorkerOptions(
            broker=where.address, partitions=await partitions_of(where.address, where.prefix), prefix=where.prefix,
            sequence_prefix=where.sequence_prefix,
        )  # fmt: skip
        view = LogView(where.address, f"{where.prefix}asking")
        try:
            await view.start()
            return await _asked(subject, Topics(view, options), options, where, also, history=history)
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
    if strict:
        run = _in_sequence(account, event, await _sequence(topics, event, partition), partition, options)
    else:
        reached = await topics.last_positions(partition) if event is None else event.positions
        inputs = (await topics.records(reached, partition)).by_topic
        anchors = before if event is None else [*before, event]
        run = recompute.run_through(
            account, anchors, inputs, recompute.by_event_time, partition, options.partitions, to_end=event is None
        )
    base = None if event is None else run.base
    return Asked(view_in(run.state, account, base, also, history=history), tuple(before), event)


async def _sequence(topics: Topics, event: AccountEvent | None, partition: int) -> Records:
    last = None if event is None else max((offset for offset, _ in event.positions.values()), default=-1)
    return await topics.sequence(last, partition)


def _in_sequence(
    account: str, event: AccountEvent | None, records: Records, partition: int, options: WorkerOptions
) -> recompute.Run:
    run = recompute.Run(account, partition, options.partitions)
    for item in records.by_topic[SEQUENCED.name]:
        run.take([item.source])
        if event is not None and event.sequence in run.said:
            break
    return run
