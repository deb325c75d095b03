"""What stands on the topics after a run, and what the engine alone says to the same input."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from aiokafka import TopicPartition

from monitor.engine import Sourced, new_state, open_shard, step
from monitor.engine.state import Account
from monitor.verify import recompute
from monitor.verify.inputs import Records, Topics
from monitor.worker.changelog import RecoveredState
from monitor.worker.log_view import LogView
from monitor.worker.options import WorkerOptions
from schemas.fields import MAX_FRAME_ROWS
from schemas.headers import EPOCH
from schemas.records import AccountEvent
from schemas.topics import ACCOUNT_TOPICS, LIQUIDATIONS, MARGIN_CALLS, MARKET_TOPICS, REGIMES
from tests.faults.feed import P
from tests.faults.judge import Said, Verdict, recomputed
from tests.integration.worker.support import Read, read_all
from tests.simulator.check import _essence

STEPS = 150_000  # records applied at most to compute events of one run again
ENGINE_BATCH = 1_000

_read_event = msgspec.json.Decoder(AccountEvent).decode


@dataclass
class Evidence:
    """Messages of the event topics, stored accounts, and when each partition's state was written."""

    said: list[Said]
    accounts: dict[str, Account]
    stamps_ms: dict[int, list[int]] = field(default_factory=dict)

    @property
    def alerts(self) -> list[Said]:
        """What bots read."""
        return [one for one in self.said if one.topic != REGIMES.name]


@dataclass
class Reference:
    """Event bodies by id and stored accounts of a run without workers."""

    events: dict[str, bytes]
    accounts: dict[str, bytes]


def read(broker: str, prefix: str, changelog: str) -> Evidence:
    """Read events with processes that share no code with the project, and state as its next owner would."""
    topics = (MARGIN_CALLS, LIQUIDATIONS, REGIMES)
    with ThreadPoolExecutor(len(topics)) as pool:
        events = pool.map(lambda topic: read_all(broker, f"{prefix}{topic.name}"), topics)
        said = [_said(topic.name, one) for topic, messages in zip(topics, events, strict=True) for one in messages]
    return Evidence(said, *asyncio.run(_stored(broker, changelog)))


async def _stored(broker: str, changelog: str) -> tuple[dict[str, Account], dict[int, list[int]]]:
    """Return stored accounts by name, and the times of each partition's records, milliseconds."""
    state, stamps = RecoveredState(changelog), defaultdict[int, list[int]](list)
    view = LogView(broker, changelog, exact_ends=True)
    await view.start()
    try:
        async for record in view.read_all(TopicPartition(changelog, partition) for partition in range(P)):
            state.add(record.partition, record.offset, record.key, record.value)
            stamps[record.partition].append(record.timestamp)
    finally:
        await view.stop()
    return {account.name: account for partition in range(P) for account in state.take(partition).accounts}, stamps


def _said(topic: str, message: Read) -> Said:
    body = json.loads(message.value or b"")
    return Said(
        topic, message.partition, int(message.headers[EPOCH]), body["id"], body.get("account", ""),
        body.get("sequence", 0), message.value or b"",
    )  # fmt: skip


def reference(items: Iterable[Sourced]) -> Reference:
    """Run the sequence through the engine alone."""
    state = new_state()
    for partition in range(P):
        open_shard(state, partition, None, [], partitions=P, epoch=1)
    events: dict[str, bytes] = {}
    batch: list[Sourced] = []
    for item in items:
        batch.append(item)
        if len(batch) == ENGINE_BATCH:
            events |= {out.id: out.body.encode() for out in step(state, batch)}
            batch = []
    events |= {out.id: out.body.encode() for out in step(state, batch)}
    accounts = {name: account for shard in state.shards.values() for name, account in shard.accounts.items()}
    return Reference(events, essences(accounts))


def essences(accounts: Mapping[str, Account]) -> dict[str, bytes]:
    """Return what of stored accounts is theirs, and not of the write."""
    return {name: _essence(account) for name, account in accounts.items()}


def digests(bodies: Mapping[str, bytes]) -> dict[str, str]:
    """Return SHA-256 of event bodies by id."""
    return {name: hashlib.sha256(body).hexdigest() for name, body in bodies.items()}


async def recompute_some(
    broker: str, prefix: str, said: Iterable[Said], steps: int = STEPS, keep: Path | None = None
) -> Verdict:  # fmt: skip
    """Compute events again from the topics, account by account, until `steps` records were applied for it.

    What does not recompute is written down in a folder, if there is one to `keep` it, to be looked at.
    """
    if not steps:
        return Verdict()
    by_account: dict[str, dict[int, bytes]] = defaultdict(dict)
    for one in said:
        if one.account:
            by_account[one.account][one.sequence] = one.body
    options = WorkerOptions(broker=broker, partitions=P, prefix=prefix)
    view = LogView(broker, f"{prefix}faults", exact_ends=True)
    await view.start()
    verdict, left = Verdict(), steps
    try:
        records: dict[int, Records] = {}
        for account, bodies in sorted(by_account.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest()):
            partition = options.partition_of(account.encode())
            if partition not in records:
                records[partition] = await _inputs(view, options, partition)
            events = _within([_read_event(body) for _, body in sorted(bodies.items())], records[partition], left)
            if not events:
                break
            path = await Topics(view, options).path(events[-1], partition)
            of_account, applied = _again(account, events, bodies, records[partition], partition, path)
            verdict.add(of_account)
            if keep is not None and of_account.broken:
                kept = (account, events, bodies, records[partition], partition, path)
                (keep / f"{prefix}{account}.pickle").write_bytes(pickle.dumps(kept))
            left -= applied
            if left <= 0:
                break
    finally:
        await view.stop()
    return verdict


def _within(events: list[AccountEvent], records: Records, steps: int) -> list[AccountEvent]:
    """Return the events, from the first on, that are computed again with at most that many records."""
    sizes = [
        sum(item.source.position <= event.positions.get(topic, (-1, 0)) for topic, items in records.by_topic.items()
            for item in items)
        for event in events[-1:]
    ]  # fmt: skip
    if not sizes or sizes[0] <= steps:
        return events
    return events[: len(events) * steps // sizes[0]]


def _again(
    account: str, events: list[AccountEvent], bodies: Mapping[int, bytes], records: Records, partition: int,
    path: recompute.Path,
) -> tuple[Verdict, int]:  # fmt: skip
    """Compute an account's events again, in a second order of what has none only if the first does not give them."""
    wanted = {event.sequence: bodies[event.sequence] for event in events}
    found: list[Mapping[int, bytes]] = []
    applied = 0
    for tried in recompute.ORDERS.values():
        run = recompute.run_through(account, events, records.by_topic, tried, partition, P, path)
        found.append(run.said)
        applied += run.applied
        if all(run.said.get(number) == body for number, body in wanted.items()):
            break
    verdict = recomputed(wanted, found)
    verdict.notes = [f"{account}: {note}" for note in verdict.notes]
    return verdict, applied


async def _inputs(view: LogView, options: WorkerOptions, partition: int) -> Records:
    """Return all records of a partition and of the market, with their times of arrival."""
    ends = {}
    for topic in (*MARKET_TOPICS, *ACCOUNT_TOPICS):
        place = TopicPartition(options.topic(topic), 0 if topic in MARKET_TOPICS else partition)
        ends[topic.name] = ((await view.ends([place]))[place] - 1, MAX_FRAME_ROWS)
    return await Topics(view, options).records(ends, partition)


def by_id(bodies: Iterable[bytes]) -> dict[str, bytes]:
    """Return event bodies by their id."""
    return {json.loads(body)["id"]: body for body in bodies}
