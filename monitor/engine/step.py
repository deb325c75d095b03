"""`step(state, records) -> events`: the only function that changes the engine's state.

Each record is folded or applied, every account that it can concern is evaluated, and the accounts whose conditions
changed go through the status machine. Time is market time; there is no clock, no randomness, no Kafka here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from monitor.engine import conflation, expiry, funding, ledger
from monitor.engine.book import Book
from monitor.engine.change import UNCHANGED, MarketChange
from monitor.engine.composite import RejectedTick
from monitor.engine.conflation import Due
from monitor.engine.evaluation import Evaluation
from monitor.engine.events import regime_outgoing, step_outgoing
from monitor.engine.expiries import Expiries
from monitor.engine.ledger import RejectedRecord
from monitor.engine.listing import RejectedInstrument
from monitor.engine.market import TICKS, Market
from monitor.engine.own import OwnRecords, cause_of
from monitor.engine.parameters import RejectedParameters
from monitor.engine.pricing import PRICING_GRID_US
from monitor.engine.state import Account, Marker, Outgoing, Rejected, Shard, Sourced, State
from monitor.engine.surface import RejectedVolatility
from monitor.engine.transitions import (
    conditions_changed,
    find_next_deadline,
    fire_timers,
    keep_figures,
    keep_requirements,
    push_timer,
    take_figures,
)
from schemas.records import (
    START,
    AccountConfig,
    Cause,
    Funding,
    Heartbeat,
    Input,
    Instrument,
    ParameterSet,
    PriceTick,
    Trade,
    Transfer,
)
from schemas.topics import ACCOUNT_TOPICS, MARKET_TOPICS

EXPIRY_CAUSE = Cause(topic="expiry")
TIME_CAUSE = Cause(topic="time")
RECOVERY_CAUSE = Cause(topic="recovery")

REGIME_PARTITION = 0  # its owner writes changes of the correlation regime

MAX_SILENCE_US = 86_400_000_000  # as much as heartbeats can be missed without being a new beginning

BREATH: Final = 256  # accounts that are opened between two breaths: a tenth of a second

OWN: Final = (Trade, Transfer, AccountConfig)

_IS_MARKET = {topic.name: True for topic in MARKET_TOPICS} | {topic.name: False for topic in ACCOUNT_TOPICS}
REJECTIONS = (RejectedTick, RejectedVolatility, RejectedInstrument, RejectedParameters, RejectedRecord)


def new_state(*, certificates: bool = True) -> State:
    """Return the state before any record: an empty market and no shards.

    Without `certificates` every record evaluates every account that it can concern; the events are the same.
    """
    return State(market=Market(), book=Book(certificates=certificates))


def open_shard(
    state: State, partition: int, marker: Marker | None, accounts: Iterable[Account], *, partitions: int, epoch: int
) -> None:
    """Take over a partition with what recovery found: its marker (None: a new shard) and its accounts.

    The shard is evaluated once the market has reached the marker's positions. Raises ValueError if the marker was
    written for another number of partitions: accounts would be looked for in the wrong place.
    """
    if marker is None:
        marker = Marker(partition=partition, partitions=partitions)
    if marker.partitions != partitions:
        raise ValueError(f"state was written for {marker.partitions} partitions, this deployment has {partitions}")
    shard = Shard(marker=marker)
    for account in accounts:
        shard.accounts[account.name] = account
        if account.flush <= marker.published_flush:
            account.outbox, account.points = [], []
        # A flush whose marker was lost must not give its number to another one.
        marker.flush = max(marker.flush, account.flush)
        state.partition_of[account.name] = partition
    marker.epoch = epoch
    state.shards[partition] = shard
    _open_gates(state, RECOVERY_CAUSE, [])


def close_shard(state: State, partition: int) -> None:
    """Give up a partition."""
    shard = state.shards.pop(partition)
    for name, account in shard.accounts.items():
        state.book.remove(name)
        state.expiries.forget(name, account.holdings)
        del state.partition_of[name]
    find_next_deadline(state)


def gate_open(state: State, partition: int) -> bool:
    """Return whether the market has reached the shard's positions, so that its inputs may be applied."""
    return state.shards[partition].open


def step(state: State, records: Sequence[Sourced], *, conflate: bool = False) -> list[Outgoing]:
    """Apply records in order; return the events they cause (also kept in their accounts' outboxes).

    Refused records are appended to `state.rejected`. Records at or below the positions already reached are skipped.
    With `conflate` every record is folded, but accounts are evaluated only before whatever else can act on them, and
    at the end: docs/overload.md. Raises KeyError for a record of a partition that is not open here, or of an unknown
    topic.
    """
    events: list[Outgoing] = []
    due = Due() if conflate else None
    own = OwnRecords(state, events)
    if conflate and not state.conflating:
        conflation.begin(state)
    state.conflating = conflate
    for source in records:
        if _IS_MARKET[source.topic]:
            own.apply()
            due = _market_record(state, source, events, due)
        else:
            if due:
                due = _evaluate_due(state, due, events)
            own.take(source)
    own.apply()
    if due:
        _evaluate_due(state, due, events)
    keep_requirements(state)
    return events


def evaluate_account(state: State, name: str) -> Evaluation:
    """Evaluate one account at present prices; raises KeyError if it is not here."""
    account = state.shards[state.partition_of[name]].accounts[name]
    return state.book.evaluation(account, state.market)


# --- market records -------------------------------------------------------------------------------


def _market_record(state: State, source: Sourced, events: list[Outgoing], due: Due | None) -> Due | None:
    """Fold a record and evaluate what it moved, or leave that `due`; return what is due then."""
    market, position = state.market, source.position
    if position <= market.positions[source.topic]:
        return due
    record = source.record
    if due and _acts_at_once(state, record):
        due = _evaluate_due(state, due, events)  # before the record: at the positions that events name
    market.positions[source.topic] = position  # a refused record is dealt with, too
    held = _held(market, record) if due is not None else False
    change = _fold(state, source, events)
    if due is not None and not _acts_at_once(state, record):
        if change.underlyings:
            due.take(source, change.underlyings, surface=change.surface)
        else:
            due.pass_by()
        return due if held == _held(market, record) else _evaluate_due(state, due, events)
    if change is not UNCHANGED:
        if change.regimes or change.steps:
            _tell_regimes(state, change, events)
        # No record crosses a point of the pricing grid: time has passed it before.
        names = _re_evaluate(state, change, at_grid=False)
        if names:
            cause = cause_of(source)
            for name in names:
                conditions_changed(state, name, cause, events)
    if state.gated:
        _open_gates(state, cause_of(source), events)
    return due


def _fold(state: State, source: Sourced, events: list[Outgoing]) -> MarketChange:
    """Fold a record, after what time does before it; return what moved."""
    market, record = state.market, source.record
    try:
        if (
            type(record) is PriceTick or type(record) is Heartbeat or type(record) is Funding
        ) and not _is_quiet(state, record.event_time_us):  # fmt: skip
            market.ticks.check(record)  # a refused tick must not move time
            _pass_time(state, record.event_time_us, events)
        return market.apply(record)
    except REJECTIONS as refusal:
        state.rejected.append(Rejected(source, refusal.kind, refusal.text))
        return UNCHANGED


# --- conflation -----------------------------------------------------------------------------------


def _acts_at_once(state: State, record: Input) -> bool:
    """Whether more can follow from a market record, or from the time up to it, than other prices."""
    if state.gated or isinstance(record, Instrument | ParameterSet):
        return True
    return type(record) in TICKS and not _is_quiet(state, record.event_time_us)


def _held(market: Market, record: Input) -> bool:
    """Whether the index that a tick bears on is doubtful: what becomes of a danger hangs on it."""
    view = market.ticks.index(record.underlying) if isinstance(record, PriceTick) else None
    return view is not None and view.held


def _evaluate_due(state: State, due: Due | None, events: list[Outgoing]) -> Due | None:
    """Evaluate the accounts of all that moved at the present market; return that nothing is due any more."""
    if not due:
        return due
    market, book = state.market, state.book
    changed = book.refresh(due.underlyings(surface=False), market)
    # Last, so that slow models, which follow a surface, see every price.
    changed = sorted({*changed, *book.refresh(due.underlyings(surface=True), market, surface=True)})
    state.conflated += due.left_out
    for name in changed:
        account = state.shards[state.partition_of[name]].accounts[name]
        source, skipped = due.behind(ledger.exposures(account, market.instruments).rows)
        conditions_changed(state, name, cause_of(source), events, conflated=skipped)
    return Due()


# --- time -----------------------------------------------------------------------------------------


def _is_quiet(state: State, to_us: int) -> bool:
    """Return whether time alone does nothing up to a moment; the points of the pricing grid are whole minutes."""
    return to_us < state.market.ticks.quiet_us and to_us < state.next_deadline_us


def _next_grid(time_us: int) -> int:
    """Return the first moment of the pricing grid after a time."""
    return (time_us // PRICING_GRID_US + 1) * PRICING_GRID_US


def _pass_time(state: State, to_us: int, events: list[Outgoing]) -> None:
    """Let everything act that time alone moves before a record of `to_us`, each at its own moment.

    The market changes, and options lose time value, before the records of a microsecond; expiries and timers act after
    them. So it makes no difference which records happen to come in between. Of a silence of more than a day (or the
    time before the first record) only the end is told.
    """
    market = state.market
    if to_us > market.time_us + MAX_SILENCE_US:
        _move_market(state, to_us, events)
    while True:
        change_us = min(market.ticks.change_us, _next_grid(market.time_us))
        due_us = state.next_deadline_us
        if change_us <= min(due_us, to_us):
            _move_market(state, change_us, events)
        elif due_us < to_us:
            market.advance(due_us)
            _settle_expired(state, due_us, events)
            fire_timers(state, due_us, events)
        else:
            return


def _move_market(state: State, to_us: int, events: list[Outgoing]) -> None:
    """Let market time pass to a moment at which something changes, and evaluate what that concerns."""
    before_us = state.market.time_us
    change = state.market.advance(to_us)
    at_grid = state.market.time_us // PRICING_GRID_US != before_us // PRICING_GRID_US
    if change.regimes or change.steps:
        _tell_regimes(state, change, events)
    for name in _re_evaluate(state, change, at_grid=at_grid):
        conditions_changed(state, name, TIME_CAUSE, events)
    if at_grid:
        _restate(state)


def _settle_expired(state: State, at_us: int, events: list[Outgoing]) -> None:
    """Settle what expires at `at_us`, account by account in order of their names."""
    for name, instruments in state.expiries.due(at_us).items():
        shard = state.shards[state.partition_of[name]]
        account = shard.accounts[name]
        held = len(account.holdings)
        flags = expiry.settle(account, instruments, state.market, state.expiries)
        state.book.set_account(account, state.market)
        if len(account.holdings) != held:
            shard.changed[name] = None
            take_figures(state, account)
        conditions_changed(state, name, EXPIRY_CAUSE, events, flags=flags)


def _tell_regimes(state: State, change: MarketChange, events: list[Outgoing]) -> None:
    """Write down changes of the correlation regime and steps of ranges, each once, if partition 0 is here.

    They follow from the ticks alone, at minutes that only grow, all of a minute at once: what was written down before
    is known by its minute, whether the market is folded again from its beginning or the shard's gate is still closed.
    """
    shard = state.shards.get(REGIME_PARTITION)
    if shard is None:
        return
    told = [(one.entered.since_us, regime_outgoing(one)) for one in change.regimes]
    told += [(one.event_time_us, step_outgoing(one)) for one in change.steps]
    new = sorted(((at_us, one) for at_us, one in told if at_us > shard.marker.regime_us), key=lambda one: one[0])
    for at_us, outgoing in new:
        shard.marker.regime_us = at_us
        shard.marker.regimes.append(outgoing)
        shard.events += 1
        events.append(outgoing)


def _re_evaluate(state: State, change: MarketChange, *, at_grid: bool) -> list[str]:
    """Evaluate what a change concerns, everything `at_grid`; return the names whose conditions changed."""
    market, book = state.market, state.book
    correlation = change.correlation or bool(change.regimes)
    if change.steps:
        book.take_ranges(step.underlying for step in change.steps)
    if at_grid:
        names = book.refresh_all(market)
        return sorted({*names, *book.refresh_correlations(market)}) if correlation else names
    if change.sets:
        return book.refresh_parameters(change.sets, market)
    names = []
    if change.underlyings:
        names = book.refresh(change.underlyings, market, surface=change.surface, index_only=change.index_only)
    if correlation:
        names = sorted({*names, *book.refresh_correlations(market)})
    return names


def _restate(state: State) -> None:
    """Publish the figures of accounts in trouble again, once a pricing interval."""
    for shard in state.shards.values():
        if shard.open:
            accounts = [one for one in shard.accounts.values() if one.status != "healthy" and one.name in state.book]
            names = [account.name for account in accounts]
            for account, figures in zip(accounts, state.book.figures_of(names), strict=True):
                keep_figures(account, figures)
                shard.restated[account.name] = None


# --- gates ----------------------------------------------------------------------------------------


def rewind(state: State, market: Market | None = None) -> None:
    """Forget the market, to fold it again; shards keep their positions and wait for them.

    It is folded from its first record, or on from `market`, which is not beyond any of the shards.

    This is what a worker does when it takes over a shard that is behind its market: no record is skipped for the
    new shard, and none acts twice on the others.
    """
    for shard in state.shards.values():
        if shard.open:
            shard.marker.positions.update(state.market.positions)
        for name, account in shard.accounts.items():
            if name in state.book:
                for topic, position in state.market.positions.items():
                    account.positions[topic] = max(position, account.positions.get(topic, START))
                state.book.remove(name)
        shard.open = False
        shard.waiting = {}
    state.market = market or Market()
    state.book = Book(certificates=state.book.certifying)
    state.expiries = Expiries()
    state.gated = bool(state.shards)
    find_next_deadline(state)


def _open_gates(state: State, cause: Cause, events: list[Outgoing]) -> None:
    """Open every shard, and evaluate every waiting account, that the market has caught up with."""
    state.gated = False
    for shard in state.shards.values():
        names: list[str] = []
        if not shard.open and state.market.reached(shard.marker.positions):
            shard.open, shard.conflated = True, state.conflated
            names = sorted(shard.accounts)
        elif shard.open and shard.waiting:
            names = list(shard.waiting)
        shard.waiting = {}
        for number, name in enumerate(names):
            if state.breathe is not None and number % BREATH == 0:
                state.breathe()
            _start_evaluating(state, shard, shard.accounts[name], cause, events)
        state.gated |= not shard.open or bool(shard.waiting)
    keep_requirements(state)
    find_next_deadline(state)


def _start_evaluating(state: State, shard: Shard, account: Account, cause: Cause, events: list[Outgoing]) -> None:
    if not state.market.reached(account.positions):
        shard.waiting[account.name] = None
        return
    if funding.begin_again(account, state.market):
        shard.changed[account.name] = None
    if expiry.take(account, sorted(account.holdings), state.market, state.expiries):
        shard.changed[account.name] = None
    state.book.set_account(account, state.market, resumed=True)
    push_timer(state, shard, account)
    conditions_changed(state, account.name, cause, events)
