"""Run a replay straight through the engine: no broker, the same merge and the same step.

The records and their positions are those of `sequence`, which strict order sends through topics: the events are the
same, byte for byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import IO

import msgspec
from msgspec import Struct

from monitor.engine import Sourced, State, collect, confirm, new_state, open_shard, step
from monitor.engine.state import Outgoing
from monitor.replay.ahead import Ahead, reading_ahead
from monitor.replay.arrival import Merged
from monitor.replay.progress import OnStep, Step, ignore
from monitor.replay.sequence import Sequence
from schemas.records import AccountConfig, AccountEvent, RangeStep, RegimeRecord
from schemas.topics import REGIMES

BATCH = 256  # records a step: the engine takes them one by one, so this changes nothing but the overhead
COLLECT_EVERY = 20_000  # records between two collections of what the shell would have stored
STEP_EVERY_S = 0.25


class First(Struct, frozen=True):
    """The first event of a kind."""

    account: str
    event_time_us: int
    reason: str


@dataclass(slots=True)
class Summary:
    """What a run did: records by topic, events by kind with the first of each, regimes, range steps, time by status."""

    records: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    late: int = 0
    accounts: int = 0
    events: dict[str, int] = field(default_factory=dict)
    regimes: dict[str, int] = field(default_factory=dict)
    ranges: int = 0
    first: dict[str, First] = field(default_factory=dict)
    touched: int = 0
    status_share: dict[str, float] = field(default_factory=dict)
    data_hold_share: float = 0.0
    first_us: int = 0
    last_us: int = 0
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Records of all topics."""
        return sum(self.records.values())


def run(
    stream: Merged, out: IO[bytes] | None = None, *, partitions: int = 1, batch: int = BATCH,
    on_step: OnStep = ignore, clock: Callable[[], float] = time.monotonic, state: State | None = None,
    ahead: bool = False,
) -> Summary:  # fmt: skip
    """Step a merged stream through a new engine; write each event's canonical body to `out`, one a line.

    `batch` records are given to one step; the events do not depend on it, nor on reading `ahead` in another process.
    `state` is a new engine's, for a caller who wants to look at it afterwards. Raises what the sources raise.
    """
    state = state or new_state()
    for partition in range(partitions):
        open_shard(state, partition, None, [], partitions=partitions, epoch=1)
    start_s = clock()
    with reading_ahead(stream, partitions) if ahead else nullcontext(Sequence(stream, partitions)) as sequence:
        summary = _step_through(state, sequence, out, batch, on_step, lambda: clock() - start_s)
    summary.first_us = stream.first_us or 0
    summary.seconds = clock() - start_s
    return summary


def _step_through(
    state: State, sequence: Sequence | Ahead, out: IO[bytes] | None, batch: int, on_step: OnStep,
    elapsed: Callable[[], float],
) -> Summary:  # fmt: skip
    account_time = AccountTime()
    summary = Summary()
    next_step_s = 0.0
    records: list[Sourced] = []
    done = collected = 0
    for item in sequence:
        records.append(item)
        if len(records) < batch:
            continue
        _apply(state, records, account_time, summary, out)
        done += len(records)
        records = []
        if done >= collected + COLLECT_EVERY:
            _discard_stored(state, summary)
            collected = done
        elapsed_s = elapsed()
        if elapsed_s >= next_step_s:
            next_step_s = elapsed_s + STEP_EVERY_S
            on_step(Step(done, sequence.fraction, state.market.time_us, done / max(elapsed_s, 1e-9)))
    _apply(state, records, account_time, summary, out)
    _discard_stored(state, summary)
    summary.late = sequence.late
    summary.records = sequence.counts
    summary.last_us = state.market.time_us
    account_time.finish(state.market.time_us, summary)
    return summary


class AccountTime:
    """How long accounts were in each status, between their settings and the end, by event time."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[str, bool, int]] = {}
        self._spent: dict[str, int] = {}
        self._held = 0
        self.touched: set[str] = set()

    def opened(self, config: AccountConfig) -> None:
        """Take the first settings of an account: healthy from then on."""
        self._since.setdefault(config.account, ("healthy", False, config.event_time_us))

    def event(self, event: AccountEvent) -> None:
        """Take a transition."""
        self._leave(event.account, event.event_time_us)
        self._since[event.account] = (event.state_to, event.data_hold, event.event_time_us)
        if event.kind in ("margin_call", "liquidation", "bankrupt"):
            self.touched.add(event.account)

    def finish(self, end_us: int, summary: Summary) -> None:
        """Close every interval and write the shares."""
        for account in self._since:
            self._leave(account, end_us)
        total = sum(self._spent.values())
        summary.accounts = len(self._since)
        summary.touched = len(self.touched)
        if total:
            summary.status_share = {status: spent / total for status, spent in sorted(self._spent.items())}
            summary.data_hold_share = self._held / total

    def _leave(self, account: str, at_us: int) -> None:
        if account not in self._since:
            return
        status, held, since_us = self._since[account]
        spent = max(0, at_us - since_us)
        self._spent[status] = self._spent.get(status, 0) + spent
        self._held += spent if held else 0


_decode_event = msgspec.json.Decoder(AccountEvent).decode
_decode_regime = msgspec.json.Decoder(RegimeRecord).decode


def _apply(
    state: State, batch: list[Sourced], account_time: AccountTime, summary: Summary, out: IO[bytes] | None
) -> None:
    for outgoing in step(state, batch):
        _count(outgoing, account_time, summary)
        if out is not None:
            out.write(outgoing.body.encode() + b"\n")
    for source in batch:
        if isinstance(source.record, AccountConfig):
            account_time.opened(source.record)


def _count(outgoing: Outgoing, account_time: AccountTime, summary: Summary) -> None:
    if outgoing.topic == REGIMES.name:
        record = _decode_regime(outgoing.body)
        if isinstance(record, RangeStep):
            summary.ranges += 1
        else:
            summary.regimes[record.regime] = summary.regimes.get(record.regime, 0) + 1
        return
    event = _decode_event(outgoing.body)
    summary.events[event.kind] = summary.events.get(event.kind, 0) + 1
    if event.kind not in summary.first:
        summary.first[event.kind] = First(event.account, event.event_time_us, event.reason)
    account_time.event(event)


def _discard_stored(state: State, summary: Summary) -> None:
    """Take what a worker would store and drop it, so that nothing piles up; count what the engine refused."""
    flush = collect(state)
    for rejected in flush.rejected:
        summary.rejected[rejected.error_kind] = summary.rejected.get(rejected.error_kind, 0) + 1
    confirm(state, flush)
