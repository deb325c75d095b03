"""One engine on its way through a sequence: its state, what it said, and what it counted.

A replay has one lane, or several over one pass of the data: under other settings, or for a part of the accounts. Lanes
share the records and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, Any

import msgspec
from msgspec import Struct

from monitor.engine import Sourced, State, collect, confirm, new_state, open_shard, step
from monitor.engine.state import Outgoing
from schemas.records import AccountConfig, AccountEvent, MarginModel, RangeStep, RegimeRecord, Trade, Transfer
from schemas.topics import REGIMES

COLLECT_EVERY = 20_000  # records between two collections of what the shell would have stored
OWN_RECORDS = (Trade, Transfer, AccountConfig)
REGIME_PARTITION = 0  # its lane tells changes of regimes and ranges, and counts refused market records


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


@dataclass(frozen=True, slots=True)
class Settings:
    """What a lane gives every account instead of its own: a model, a parameter set (None: the account's own)."""

    name: str = ""
    model: MarginModel | None = None
    parameter_set: str | None = None

    def of(self, config: AccountConfig) -> AccountConfig:
        """Return the settings of an account in this lane."""
        if self.model is None and self.parameter_set is None:
            return config
        changes = {"margin_model": self.model, "parameter_set": self.parameter_set}
        return msgspec.structs.replace(config, **{name: value for name, value in changes.items() if value is not None})


OWN = Settings()


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

    def take(self, other: AccountTime) -> None:
        """Add the time of other accounts."""
        self._since |= other._since
        for status, spent in other._spent.items():
            self._spent[status] = self._spent.get(status, 0) + spent
        self._held += other._held
        self.touched |= other.touched

    def kept(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {"since": self._since, "spent": self._spent, "held": self._held, "touched": sorted(self.touched)}

    @classmethod
    def of_kept(cls, values: dict[str, Any]) -> AccountTime:
        """Return what was kept."""
        found = cls()
        found._since = {account: (status, held, at_us) for account, (status, held, at_us) in values["since"].items()}
        found._spent, found._held = dict(values["spent"]), values["held"]
        found.touched = set(values["touched"])
        return found

    def _leave(self, account: str, at_us: int) -> None:
        if account not in self._since:
            return
        status, held, since_us = self._since[account]
        spent = max(0, at_us - since_us)
        self._spent[status] = self._spent.get(status, 0) + spent
        self._held += spent if held else 0


_decode_event = msgspec.json.Decoder(AccountEvent).decode
_decode_regime = msgspec.json.Decoder(RegimeRecord).decode


class Lane:
    """An engine, where its events go, and its counts.

    `mine` are the partitions whose accounts it has (None: all). The market is folded by each lane for itself.
    """

    def __init__(
        self, out: IO[bytes] | None = None, *, partitions: int = 1, mine: Iterable[int] | None = None,
        settings: Settings = OWN, state: State | None = None, opened: bool = False,
    ) -> None:  # fmt: skip
        self.out = out
        self.settings = settings
        self.partitions = partitions
        self.mine = frozenset(range(partitions) if mine is None else mine)
        self.state = state or new_state()
        self.summary = Summary()
        self.account_time = AccountTime()
        self.done = 0
        self._collected = 0
        if not opened:
            for partition in sorted(self.mine):
                open_shard(self.state, partition, None, [], partitions=partitions, epoch=1)

    def take(self, records: list[Sourced]) -> None:
        """Step through the next records of the sequence; those of accounts elsewhere are left out."""
        self.done += len(records)
        records = self._ours(records)
        for outgoing in step(self.state, records):
            self._count(outgoing)
            if self.out is not None:
                self.out.write(outgoing.body.encode() + b"\n")
        for source in records:
            if type(source.record) is AccountConfig:
                self.account_time.opened(source.record)
        if self.done >= self._collected + COLLECT_EVERY:
            self.collect()

    def collect(self) -> None:
        """Take what a worker would store and drop it, so that nothing piles up; count what the engine refused."""
        self._collected = self.done
        flush = collect(self.state)
        for rejected in flush.rejected:
            if REGIME_PARTITION in self.mine or isinstance(rejected.source.record, OWN_RECORDS):
                kind = rejected.error_kind
                self.summary.rejected[kind] = self.summary.rejected.get(kind, 0) + 1
        confirm(self.state, flush)

    def finish_counts(self) -> None:
        """Count what is left to count; the time of accounts stays open."""
        self.collect()
        self.summary.last_us = self.state.market.time_us

    def finish(self) -> Summary:
        """Return what the lane counted, with the time of its accounts closed."""
        self.finish_counts()
        self.account_time.finish(self.summary.last_us, self.summary)
        return self.summary

    def _ours(self, records: list[Sourced]) -> list[Sourced]:
        settings = self.settings
        if len(self.mine) == self.partitions and settings.model is None and settings.parameter_set is None:
            return records
        ours = []
        for source in records:
            record = source.record
            if isinstance(record, OWN_RECORDS):
                if source.partition not in self.mine:
                    continue
                if isinstance(record, AccountConfig):
                    ours.append(msgspec.structs.replace(source, record=settings.of(record)))
                    continue
            ours.append(source)
        return ours

    def _count(self, outgoing: Outgoing) -> None:
        summary = self.summary
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
        self.account_time.event(event)
