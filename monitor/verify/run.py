"""`verify`: an event against the topics it was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from monitor.brokers.interface import BrokerError
from monitor.config import Order
from monitor.connection import Address
from monitor.errors import UsageError
from monitor.verify import recompute
from monitor.verify.claim import Claim, Difference, differences, given_claim
from monitor.verify.inputs import READ_ERRORS, Records, Topics, Unverifiable, partitions_of
from monitor.worker.log_view import LogView
from monitor.worker.options import WorkerOptions
from schemas.records import AccountEvent
from schemas.topics import SEQUENCED, TICKS

Outcome = Literal["equal", "differs", "unverifiable"]


class ReadFailed(BrokerError):
    """The broker did not give what is on a topic."""


class Deployment(NamedTuple):
    """Where the topics are: broker address, prefix, that of the sequence, and the order (None: as the event says)."""

    address: Address
    prefix: str = ""
    sequence_prefix: str | None = None
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of one content of an event.

    `differences` are empty when it is equal; `applied` records were read for it, in `order`; `cause` says why it could
    not be verified.
    """

    id: str
    outcome: Outcome
    place: str = ""
    account: str = ""
    sequence: int = 0
    kind: str = ""
    order: str = ""
    applied: int = 0
    differences: tuple[Difference, ...] = ()
    cause: str = ""


async def verify(
    where: Deployment, identity: str | None = None, given: tuple[bytes, str] | None = None
) -> list[Verified]:  # fmt: skip
    """Compute an event again, named by its id or `given` as (JSON, where from); return one result for each content.

    An id with two contents has two results, and at most one of them can be equal. Raises UsageError for what is no
    event, or is on no topic, BrokerError if the broker fails.
    """
    try:
        options = WorkerOptions(
            broker=where.address, partitions=await partitions_of(where.address, where.prefix), prefix=where.prefix,
            sequence_prefix=where.sequence_prefix,
        )  # fmt: skip
        view = LogView(where.address, f"{where.prefix}verify")
        try:
            await view.start()
            return await _verify(Topics(view, options), options, where, identity, given)
        finally:
            await view.stop()
    except READ_ERRORS as error:
        raise ReadFailed(
            f"the broker at {where.address} did not give its records ({error!r})", "check its health"
        ) from error


async def _verify(
    topics: Topics, options: WorkerOptions, where: Deployment, identity: str | None, given: tuple[bytes, str] | None
) -> list[Verified]:
    claim = given_claim(*given) if given is not None else None
    wanted = claim.id if claim is not None else identity or ""
    found = await topics.find(wanted)
    claims = (claim,) if claim is not None else found.claims
    if not claims:
        raise UsageError(f"no event has the id {wanted}", "check the id and --prefix; events are kept for 30 days")
    strict = where.order == "strict" if where.order else bool(found.strict)
    return [await _verify_one(topics, options, one, strict=strict) for one in claims]


async def _verify_one(topics: Topics, options: WorkerOptions, claim: Claim, *, strict: bool) -> Verified:
    try:
        if isinstance(claim.record, AccountEvent):
            return await _account_event(topics, options, claim, claim.record, strict=strict)
        return await _regime(topics, options, claim, strict=strict)
    except Unverifiable as error:
        record = claim.record
        about = (record.account, record.sequence, record.kind) if isinstance(record, AccountEvent) else ("", 0, "")
        return Verified(claim.id, "unverifiable", claim.place, *about, cause=str(error))


async def _account_event(
    topics: Topics, options: WorkerOptions, claim: Claim, event: AccountEvent, *, strict: bool
) -> Verified:  # fmt: skip
    partition = options.partition_of(event.account.encode())
    computed: dict[str, bytes | None] = {}
    if strict:
        last = max((offset for offset, _ in event.positions.values()), default=-1)
        records = await topics.sequence(last, partition)
        items = records.by_topic[SEQUENCED.name]
        computed["sequence"] = recompute.in_sequence(event, items, partition, options.partitions)
    else:
        before = await topics.earlier(event)
        records = await topics.records(event.positions, partition)
        path = await topics.path(event, partition)
        for name, tried in recompute.ORDERS.items():
            body = recompute.from_topics(event, before, records.by_topic, tried, partition, options.partitions, path)
            computed[name] = body
            if body == claim.body:
                break
    return _judge(claim, records, computed)


async def _regime(topics: Topics, options: WorkerOptions, claim: Claim, *, strict: bool) -> Verified:
    if strict:
        records = await topics.sequence(None, 0)
    else:
        records = await topics.records(await topics.last_position(TICKS), 0)
    items = records.by_topic[SEQUENCED.name if strict else TICKS.name]
    return _judge(claim, records, {"ticks": recompute.change_of_regime(claim.id, items, options.partitions)})


def _judge(claim: Claim, records: Records, computed: Mapping[str, bytes | None]) -> Verified:
    """Compare with what was computed, in several orders perhaps, and say what the nearest of them differs in."""
    applied = sum(map(len, records.by_topic.values()))
    record = claim.record
    about = (record.account, record.sequence, record.kind) if isinstance(record, AccountEvent) else ("", 0, "")
    found = {order: differences(claim.body, body) for order, body in computed.items() if body is not None}
    if not found:
        nothing = (Difference("", "an event", None),)
        return Verified(claim.id, "differs", claim.place, *about, "", applied, nothing, "the topics give no such event")
    order = min(found, key=lambda name: len(found[name]))
    if found[order] and records.holes:
        return Verified(
            claim.id, "unverifiable", claim.place, *about, order, applied, tuple(found[order]),
            f"compaction has removed {records.holes} messages of settings or listings that may have counted",
        )  # fmt: skip
    outcome: Outcome = "differs" if found[order] else "equal"
    return Verified(claim.id, outcome, claim.place, *about, order, applied, tuple(found[order]))
