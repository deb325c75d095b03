"""Records of accounts, applied and evaluated together: as many as come between two records of the market.

Accounts do not see each other, and while nothing else acts nothing moves that an evaluation rests on. So the first
records of all accounts are applied and their accounts evaluated at once, then the second ones, and so on: every record
has an evaluation of its own, with the result that it would have had in its turn. What follows from it follows in the
order of the records, and at the positions of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from monitor.engine import expiry, funding, ledger
from monitor.engine.ledger import RejectedRecord
from monitor.engine.state import MAX_POINTS, Account, Outgoing, Rejected, Shard, Sourced, State, positions_of
from monitor.engine.status import is_at_rest
from monitor.engine.transitions import conditions_changed, keep_figures, note_baseline, note_baselines
from schemas.records import START, AccountConfig, Cause, Instrument, Position, Trade, Transfer

if TYPE_CHECKING:
    from monitor.engine.book import Taken

OWN: Final = (Trade, Transfer, AccountConfig)

Own = Trade | Transfer | AccountConfig


class _Waiting(Struct, frozen=True, gc=False):
    """A record that is not applied yet, its number among them, its position, and the positions of its shard at it."""

    number: int
    shard: Shard
    source: Sourced
    record: Own
    position: Position
    positions: dict[str, Position]


class OwnRecords:
    """Applies records of accounts to a state, and appends what follows from them to `events`."""

    def __init__(self, state: State, events: list[Outgoing]) -> None:
        self._state = state
        self._events = events
        self._waiting: list[_Waiting] = []
        self._told: list[tuple[int, Outgoing]] = []  # events by the number of their record
        self._refused: list[tuple[int, Rejected]] = []

    def take(self, source: Sourced) -> None:
        """Let a record wait, unless it was applied before; raises KeyError if its partition is not here."""
        shard = self._state.shards[source.partition]
        now, topic, position = shard.marker.positions, source.topic, source.position
        if position > now.get(topic, START):
            now[topic] = position
            record = source.record
            assert isinstance(record, OWN)
            self._waiting.append(_Waiting(len(self._waiting), shard, source, record, position, now.copy()))

    def apply(self) -> None:
        """Apply all records that wait."""
        waiting = self._waiting
        if not waiting:
            return
        self._waiting = []
        while waiting:
            waiting = self._apply_first(waiting)
        if self._told:
            self._events += [event for _, event in sorted(self._told, key=_number)]
            self._told.clear()
        if self._refused:
            self._state.rejected += [rejected for _, rejected in sorted(self._refused, key=_number)]
            self._refused.clear()

    def _apply_first(self, waiting: list[_Waiting]) -> list[_Waiting]:
        """Apply the first record of each account, and evaluate the accounts; return the others."""
        state, listing = self._state, self._state.market.instruments
        met: set[str] = set()
        others: list[_Waiting] = []
        taken: list[tuple[_Waiting, Account]] = []
        rows: list[int] = []  # in the book, of these
        for one in waiting:
            record = one.record
            name = record.account
            if name in met:
                others.append(one)
                continue
            met.add(name)
            # A function of the record alone, whatever the first records of others do.
            instrument = listing.get(record.instrument) if isinstance(record, Trade) else None
            account = self._apply_one(one, instrument)
            if account is None:
                continue
            row = _take_record(state, account, record, instrument)
            if row is None:
                self._set_account(one, account)
            else:
                taken.append((one, account))
                rows.append(row)
        if rows:
            self._evaluate(taken, rows)
        return others

    def _apply_one(self, one: _Waiting, instrument: Instrument | None) -> Account | None:
        """Apply a record; return its account if that has to be evaluated. A refused record is noted."""
        state, shard, source, record = self._state, one.shard, one.source, one.record
        name = record.account
        account = shard.accounts.get(name)
        if account is not None and one.position <= account.positions.get(source.topic, START):
            return None  # recovered ahead of its shard's marker
        new = account is None
        if account is None:
            account = Account(config=AccountConfig(account=name, event_time_us=record.event_time_us))
        waiting = name in shard.waiting
        if not waiting:  # refused or not: at another place it might be otherwise
            points = account.points
            points.append(positions_of(state, shard, account, one.positions))
            if len(points) > MAX_POINTS:
                del points[:-MAX_POINTS]
        try:
            applied = _apply(state, account, record, instrument)
        except RejectedRecord as refusal:
            self._refused.append((one.number, Rejected(source, refusal.kind, refusal.text)))
            return None
        if not applied:
            return None
        if new:
            shard.accounts[name] = account
            state.partition_of[name] = source.partition
        account.positions[source.topic] = one.position
        shard.changed[name] = None
        if waiting:
            account.kept = None  # of other holdings
            return None  # evaluated when the market has caught up with it
        return account

    def _set_account(self, one: _Waiting, account: Account) -> None:
        """Take and evaluate a whole account."""
        state = self._state
        state.book.set_account(account, state.market)
        taken = state.book.taken(account.name)
        if self._follow(one, account, taken):
            note_baseline(state, account, taken[1][1])

    def _evaluate(self, accounts: list[tuple[_Waiting, Account]], rows: list[int]) -> None:
        """Evaluate accounts of which the book has taken what their records changed."""
        state = self._state
        found = state.book.evaluate_rows(rows, state.market)
        if len(found) == 1:
            one, account = accounts[0]
            if self._follow(one, account, found[0]):
                note_baseline(state, account, found[0][1][1])
            return
        noted: list[tuple[Account, float]] = []
        for (one, account), taken in zip(accounts, found, strict=True):
            if self._follow(one, account, taken):
                noted.append((account, taken[1][1]))
        note_baselines(state, noted)

    def _follow(self, one: _Waiting, account: Account, taken: Taken) -> bool:
        """Do what follows from an evaluation; return whether the account wants a baseline."""
        bits, figures = taken
        keep_figures(account, figures)
        if not is_at_rest(account, bits):  # asked here as well: most records end here
            record, marker, events = one.record, one.shard.marker, list[Outgoing]()
            deposit = isinstance(record, Transfer) and record.amount > 0.0
            now, marker.positions = marker.positions, one.positions  # events name them
            conditions_changed(self._state, account.name, cause_of(one.source), events, deposit=deposit)
            marker.positions = now
            self._told += [(one.number, event) for event in events]
        return account.sequence == 0


def _number(one: tuple[int, object]) -> int:
    return one[0]


def cause_of(source: Sourced) -> Cause:
    """Return what an event names as its cause."""
    return Cause(topic=source.topic, partition=source.partition, offset=source.offset, index=source.index)


def _apply(state: State, account: Account, record: Own, instrument: Instrument | None) -> bool:
    """Apply an input to an account; return whether it changed anything (a duplicate does not)."""
    if isinstance(record, Trade):
        market = state.market
        if instrument is None:
            raise RejectedRecord("unknown_instrument", f"{record.instrument} is not listed")
        if instrument.expiry_us is not None:
            if expiry.is_forgotten(instrument, market) and not ledger.is_duplicate(account, record):
                expiry.refuse_forgotten(instrument)
            return ledger.apply_trade(account, record, instrument)
        return ledger.apply_trade(account, record, instrument, funding.index_of(instrument, market.ticks))
    if isinstance(record, Transfer):
        return ledger.apply_transfer(account, record)
    applied = ledger.apply_config(account, record)
    if applied:
        account.kept = None  # of another model, perhaps
    return applied


def _take_record(state: State, account: Account, record: Own, instrument: Instrument | None) -> int | None:
    """Let the book take what a record changed; return the account's row, None if the whole account has to be taken."""
    market, book = state.market, state.book
    if isinstance(record, Trade):
        assert instrument is not None, "a trade in what is not listed is refused"
        expiry_us, expiries = instrument.expiry_us, state.expiries
        if expiry_us is not None:
            settled = expiry.take_one(account, instrument, expiry_us, market, expiries)
            state.next_deadline_us = min(state.next_deadline_us, expiries.next_us)
            if settled:
                return None
        return book.take_record(account, market, instrument, ledger.assets_of(instrument))
    if isinstance(record, Transfer):
        return book.take_record(account, market, None, (record.asset,))
    return None
