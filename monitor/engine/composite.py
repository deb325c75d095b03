"""Ticks fold: sources, composite index per underlying, basis per instrument, market time.

The index of an underlying is taken from its fresh index sources (at market time, a source is fresh for its
`max_age_ms` after its newest event time):

| fresh sources | index | held |
|---|---|---|
| fewer than min(2, sources known) | keeps its last value, `stale` | yes |
| 1, and no other is known | its price, `single_source`; keeps its last value during a `jump` | during a `jump` |
| 2 within 2 % | mean | no |
| 2 farther apart | median of the two and the last index that was not `dispersed` | after 60 s without a break |
| 3 or more | median; `dispersed` if fewer than two lie within 2 % of it | after 60 s without a break |

A held index must not liquidate anybody. What changes by the passing of time alone changes when market time first
exceeds its deadline, a microsecond later and not with the record that comes next (`advance`). Once a minute the
indices are sampled (`minutes`) for what is computed per minute; `settlement` averages them by time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.engine.basis import Basis, BasisKind
from monitor.engine.change import LATE, UNCHANGED, MarketChange
from monitor.engine.clock import DAY_US, ClockGuard
from monitor.engine.correlation import CorrelationView
from monitor.engine.correlation_estimator import CorrelationEstimator
from monitor.engine.funding import FundingIndex, FundingRates
from monitor.engine.history import History
from monitor.engine.index import FAR_US, MAX_SOURCES, Index, IndexView
from monitor.engine.minutes import Minute, boundary_after, minutes_between, untold_before
from monitor.engine.ranges import Ranges, RangeView
from monitor.engine.regime import RegimeView
from monitor.engine.settlement import Averages
from monitor.engine.volatility import Volatilities
from schemas.records import Funding, Heartbeat, PriceTick, RangeStep, Tick

DEFAULT_MAX_AGE_MS = 180_000  # three one-minute bars. On 2025-10-10 the major coins' quiet venue then counts as stale
# for 0.1 to 2.4 % of the day; at 60 s for 5 to 15 %, at 300 s a price of before the cascade would still rule in it.
MAX_UNDERLYINGS = 2_000  # a publisher of random names must not fill the memory
MAX_INSTRUMENTS = 20_000  # with prices, per underlying
FAR_PRICE = 1e15  # records bound prices far below
IDLE_US = 7 * DAY_US  # an instrument without prices for a week has expired or is delisted
MAX_LEAP_US = DAY_US  # heartbeats come every second: a day of silence has an operator's attention
LAYOUT = 7


class RejectedTick(ValueError):
    """A tick the fold refuses; `kind` is for counting, `text` for people."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class MinuteListener(Protocol):
    """Part of the fold that is computed once a minute."""

    def on_minute(self, minute: Minute) -> None:
        """Take a whole minute that is over; each comes once, in order."""


class _Entry:
    """One underlying: its index, the bases of its instruments, and when the earliest fresh mark gets stale."""

    __slots__ = ("alone", "bases", "index", "marks_until_us")

    def __init__(self, index: Index) -> None:
        self.index = index
        self.bases: dict[str, Basis] = {}
        self.marks_until_us = FAR_US  # never later than the true one
        names = (index.underlying,)
        self.alone = MarketChange(names), MarketChange(names, index_only=True)  # by whether it is the index that moved


class TicksFold:
    """Folds `market.ticks`; `late_ticks` and `off_index` count what had no effect."""

    __slots__ = (
        "_averages", "_bases", "_clock", "_correlation", "_deadline_us", "_entries", "_funding", "_history",
        "_listeners", "_minute_us", "_ranges", "_volatilities", "late_ticks", "off_index",
    )  # fmt: skip

    def __init__(self) -> None:
        self._clock = ClockGuard(MAX_LEAP_US)
        self._entries: dict[str, _Entry] = {}
        self._bases: dict[str, Basis] = {}
        self._deadline_us = FAR_US  # never later than the earliest time-driven change
        self._minute_us = 0  # the next whole minute, never before market time; 0: before any
        self._correlation = CorrelationEstimator()
        self._volatilities = Volatilities()
        self._ranges = Ranges(self._volatilities)
        self._history = History(self._volatilities)
        self._listeners = self._in_order()
        self._averages = Averages()
        self._funding = FundingRates()
        self.late_ticks = 0
        self.off_index = 0

    @property
    def time_us(self) -> int:
        """Market time: the largest event time accepted, heartbeats included (0 before any)."""
        return self._clock.time_us

    def _in_order(self) -> tuple[MinuteListener, ...]:
        return (self._correlation, self._volatilities, self._ranges, self._history)

    def index(self, underlying: str) -> IndexView | None:
        """Return the composite index, None before its first fresh price."""
        entry = self._entries.get(underlying)
        return None if entry is None or not entry.index.price_usd else entry.index.view()

    def basis(self, instrument: str) -> float:
        """Return price/index - 1 of an instrument, 0 before any (`basis_kind` says what it rests on)."""
        basis = self._bases.get(instrument)
        return 0.0 if basis is None else basis.value

    def basis_kind(self, instrument: str) -> BasisKind:
        """Return whether a basis rests on a fresh mark, on the average, or on nothing yet."""
        basis = self._bases.get(instrument)
        return "none" if basis is None else basis.kind()

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Underlyings with any record, sorted."""
        return tuple(sorted(self._entries))

    @property
    def correlation(self) -> CorrelationView:
        """Correlation matrices as last published (version 0 before any)."""
        return self._correlation.view

    def annual_volatility(self, underlying: str) -> float | None:
        """Return the slow volatility of an index as published, a year, decimal; None before there is enough of it."""
        return self._volatilities.annual(underlying)

    def range_step(self, underlying: str) -> RangeView | None:
        """Return the price range of an underlying as last published, None before the first."""
        return self._ranges.view(underlying)

    def history(self, underlyings: Sequence[str]) -> NDArray[np.float64]:
        """Return standardised returns over ten minutes, oldest first, float64[T, U], NaN where there was none."""
        return self._history.of(underlyings)

    @property
    def regime(self) -> RegimeView:
        """The correlation regime in force (calm from the beginning)."""
        return self._correlation.regime

    def funding(self, instrument: str) -> FundingIndex:
        """Return the cumulative funding of a perpetual, zero before any rate."""
        return self._funding.index(instrument)

    def funding_stale(self, instrument: str) -> bool:
        """Return whether a perpetual had a funding rate that is too old to be believed."""
        return self._funding.stale(instrument)

    def funding_rate_8h(self, instrument: str) -> float:
        """Return a perpetual's rate for eight hours as a fraction of its notional, NaN without one in force."""
        return self._funding.rate_8h(instrument)

    @property
    def funding_us(self) -> int:
        """The newest whole minute at which any cumulative funding changed (0 before any)."""
        return self._funding.changed_us

    @property
    def averages(self) -> Averages:
        """Averages of the indices, for settlement prices."""
        return self._averages

    @property
    def change_us(self) -> int:
        """The next moment at which time alone may change anything: a deadline or a whole minute is exceeded."""
        return min(self._deadline_us, self._minute_us) + 1

    @property
    def quiet_us(self) -> int:
        """A moment before which time alone changes nothing and passes no whole minute."""
        return self._minute_us if self._minute_us <= self._deadline_us else self._deadline_us + 1

    def check(self, tick: Tick) -> None:
        """Raise `RejectedTick` if `apply` would refuse the tick."""
        if isinstance(tick, Heartbeat):
            self._check_heartbeat(tick)
        elif isinstance(tick, Funding):
            self._check_funding(tick)
        else:
            self._checked_price(tick)
            self._check_room(tick, self._entries.get(tick.underlying))

    def apply(self, tick: Tick) -> MarketChange:
        """Fold one tick or heartbeat; raises `RejectedTick` and then changes nothing but the memory of refusals."""
        clock = self._clock
        time_us = tick.event_time_us
        if time_us > self._minute_us or time_us > self._deadline_us:
            return self._apply_across(tick)
        if not isinstance(tick, PriceTick):
            return self._apply_unpriced(tick)
        price_usd = self._checked_price(tick)
        entry = self._entries.get(tick.underlying) or self._new_entry(tick)
        if tick.index_source:
            index = entry.index
            source = index.sources.get(tick.source)
            if source is None:
                self._check_room(tick, entry)
                source = index.add(tick.source)
            elif time_us < source.time_us:
                return self._late()
            clock.advance(time_us)
            now_us = clock.time_us
            index.take(source, price_usd, time_us, 1_000 * (tick.max_age_ms or DEFAULT_MAX_AGE_MS))
            changed = index.settle(now_us)
            if changed:
                self._averages.change(tick.underlying, index.price_usd, not index.held, now_us)
            if index.deadline_us < self._deadline_us:  # noqa: PLR1730 - min() would be a twentieth of the tick
                self._deadline_us = index.deadline_us
        else:
            basis = self._basis_of(entry, tick)
            if basis is not None and _is_late(basis, tick):
                return self._late()
            clock.advance(time_us)
            changed = basis is not None and self._observe(entry, basis, tick, price_usd)
        if clock.time_us > self._deadline_us:
            return self._pass_time(entry, changed)
        return entry.alone[tick.index_source] if changed else UNCHANGED

    def advance(self, to_us: int) -> MarketChange:
        """Let market time pass to `to_us`, because an accepted record has come that is not earlier.

        What changes by time alone changes at its own moment, and minutes end, in order; so neither the records that
        happen to come in between nor the number of calls makes a difference. A time that has passed changes nothing.
        """
        clock = self._clock
        names: dict[str, None] = {}
        steps: list[RangeStep] = []
        version = self._correlation.view.version
        if not self._minute_us:
            self._minute_us = boundary_after(to_us)
        untold_us = untold_before(to_us)
        while self._minute_us < to_us or self._deadline_us < to_us:
            change_us = min(self._deadline_us + 1, to_us)
            if self._minute_us < change_us and change_us > untold_us:
                indices = (entry.index for entry in self._entries.values())
                for minute in minutes_between(self._minute_us, change_us, indices):
                    clock.advance(minute.time_us)
                    self._funding.end_minute(minute, self._bases)
                    for listener in self._listeners:
                        listener.on_minute(minute)
                names.update(dict.fromkeys(self._funding.take_changed()))
                names.update(dict.fromkeys(self._volatilities.take_changed()))
                steps += self._ranges.take_changed()
                self._minute_us = boundary_after(change_us)
            if self._deadline_us < to_us:
                clock.advance(change_us)
                names.update(dict.fromkeys(self._pass_time(None, False).underlyings))
        clock.advance(to_us)
        published = self._correlation.view.version != version
        names.update(dict.fromkeys(step.underlying for step in steps))
        regimes = self._correlation.take_transitions()
        if not (names or published or regimes):
            return UNCHANGED
        return MarketChange(tuple(names), correlation=published, steps=tuple(steps), regimes=regimes)

    def _apply_across(self, tick: Tick) -> MarketChange:
        """Fold a record that is later than a minute or a deadline: those first, then the record."""
        self.check(tick)
        passed = self.advance(max(tick.event_time_us, self._clock.time_us))
        change = self.apply(tick)
        if passed is UNCHANGED:
            return change
        names = dict.fromkeys((*passed.underlyings, *change.underlyings))
        return MarketChange(
            tuple(names), correlation=passed.correlation, steps=passed.steps, regimes=passed.regimes, late=change.late
        )

    def _apply_unpriced(self, tick: Heartbeat | Funding) -> MarketChange:
        clock = self._clock
        if isinstance(tick, Heartbeat):
            self._check_heartbeat(tick)
            clock.heartbeat(tick.event_time_us)
            return UNCHANGED
        self._check_funding(tick)
        clock.advance(tick.event_time_us)
        if not self._funding.take(tick, clock.time_us):
            return self._late()
        return MarketChange(self._funding.take_changed())

    def _check_heartbeat(self, tick: Heartbeat) -> None:
        refusal = self._clock.heartbeat_refusal(tick.event_time_us, tick.source)
        if refusal:
            raise RejectedTick("clock_ahead", refusal)

    def _check_funding(self, tick: Funding) -> None:
        refusal = self._clock.refusal(tick.event_time_us, tick.received_time_us, tick.source)
        if refusal:
            raise RejectedTick("clock_ahead", refusal)
        misplaced = self._funding.refusal(tick)
        if misplaced is not None:
            raise RejectedTick(*misplaced)

    def _checked_price(self, tick: PriceTick) -> float:
        """Return the price of a tick whose time and price are believed."""
        price_usd = tick.price
        if price_usd is None:
            price_usd = tick.value_usd
        if not 0.0 < price_usd < FAR_PRICE:
            raise RejectedTick("bad_price", f"{price_usd} is no price")
        time_us, received_us = tick.event_time_us, tick.received_time_us
        # Most ticks pass on one comparison; the guard judges the others.
        if time_us > self._clock.time_us or (received_us is not None and time_us > received_us):
            refusal = self._clock.refusal(time_us, received_us, tick.source)
            if refusal:
                raise RejectedTick("clock_ahead", refusal)
        return price_usd

    def _new_entry(self, tick: PriceTick) -> _Entry:
        self._check_room(tick, None)
        entry = self._entries[tick.underlying] = _Entry(Index(tick.underlying))
        return entry

    def _late(self) -> MarketChange:
        self.late_ticks += 1
        return LATE

    def _basis_of(self, entry: _Entry, tick: PriceTick) -> Basis | None:
        """Return the basis that a tick bears on, None if it is an index price that is no source."""
        name = tick.instrument
        if name is None or tick.price_kind == "index":
            return None
        basis = entry.bases.get(name)
        if basis is None:
            self._check_room(tick, entry)
            basis = entry.bases[name] = self._bases[name] = Basis()
        return basis

    def _observe(self, entry: _Entry, basis: Basis, tick: PriceTick, price_usd: float) -> bool:
        """Take a price of an instrument against the index; a held index says nothing about a basis."""
        index = entry.index
        marked = basis.expires_us != 0
        mark = tick.price_kind == "mark"
        if mark:
            basis.mark_us = tick.event_time_us
        else:
            basis.traded_us = tick.event_time_us
        if index.held or not index.price_usd:
            return False
        observed = basis.observe(price_usd, index.price_usd, tick.event_time_us)
        if observed is None:
            self.off_index += 1
            return False
        if mark:
            basis.set_mark(observed, 1_000 * (tick.max_age_ms or DEFAULT_MAX_AGE_MS))
            if basis.expires_us < entry.marks_until_us:
                entry.marks_until_us = basis.expires_us
                self._deadline_us = min(self._deadline_us, basis.expires_us)
        return basis.settle(self._clock.time_us) or marked != (basis.expires_us != 0)

    def _pass_time(self, applied: _Entry | None, changed: bool) -> MarketChange:
        """Settle every underlying whose deadline has passed, and find the next deadline."""
        now_us = self._clock.time_us
        names: list[str] = []
        deadline_us = FAR_US
        for name, entry in self._entries.items():
            moved = changed and entry is applied
            index = entry.index
            if index.deadline_us < now_us and index.settle(now_us):
                self._averages.change(name, index.price_usd, not index.held, now_us)
                moved = True
            if entry.marks_until_us < now_us and self._settle_marks(entry, now_us):
                moved = True
            if moved:
                names.append(name)
            deadline_us = min(deadline_us, entry.index.deadline_us, entry.marks_until_us)
        self._deadline_us = deadline_us
        return MarketChange(tuple(names)) if names else UNCHANGED

    def _settle_marks(self, entry: _Entry, now_us: int) -> bool:
        """Let stale marks give way to averages, and forget instruments without prices for a week."""
        moved = False
        until_us = FAR_US
        idle: list[str] = []
        for name, basis in entry.bases.items():
            marked = basis.expires_us != 0
            if basis.settle(now_us) or marked != (basis.expires_us != 0):
                moved = True  # inside a settlement window it matters what a basis rests on
            if basis.expires_us:
                until_us = min(until_us, basis.expires_us)
            elif max(basis.mark_us, basis.traded_us) + IDLE_US < now_us:
                idle.append(name)
        for name in idle:
            del entry.bases[name], self._bases[name]
        entry.marks_until_us = until_us
        return moved or bool(idle)

    def _check_room(self, tick: PriceTick, entry: _Entry | None) -> None:
        """Refuse what would make the state grow without bound, or an instrument under a second underlying."""
        if entry is None and len(self._entries) >= MAX_UNDERLYINGS:
            raise RejectedTick("too_many", f"more than {MAX_UNDERLYINGS} underlyings")
        if tick.index_source:
            sources = entry.index.sources if entry is not None else {}
            if tick.source not in sources and len(sources) >= MAX_SOURCES:
                raise RejectedTick("too_many", f"more than {MAX_SOURCES} index sources of {tick.underlying}")
            return
        if tick.instrument is None or (entry is not None and tick.instrument in entry.bases):
            return
        if tick.instrument in self._bases:
            raise RejectedTick("other_underlying", f"{tick.instrument} has prices under another underlying")
        if entry is not None and len(entry.bases) >= MAX_INSTRUMENTS:
            raise RejectedTick("too_many", f"more than {MAX_INSTRUMENTS} instruments of {tick.underlying}")

    def snapshot(self) -> dict[str, Any]:
        """Return the fold as plain JSON values; lists, because order is part of the state."""
        return {
            "layout": LAYOUT,
            "clock": self._clock.snapshot(),
            "deadline_us": self._deadline_us,
            "minute_us": self._minute_us,
            "late_ticks": self.late_ticks,
            "off_index": self.off_index,
            "averages": self._averages.snapshot(),
            "funding": self._funding.snapshot(),
            "correlation": self._correlation.snapshot(),
            "volatilities": self._volatilities.snapshot(),
            "ranges": self._ranges.snapshot(),
            "history": self._history.snapshot(),
            "underlyings": [
                {
                    "index": entry.index.snapshot(),
                    "bases": [[name, basis.snapshot()] for name, basis in entry.bases.items()],
                    "marks_until_us": entry.marks_until_us,
                }
                for entry in self._entries.values()
            ],
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> TicksFold:
        """Rebuild a fold from its snapshot; raises ValueError for another layout."""
        if state["layout"] != LAYOUT:
            raise ValueError(f"ticks snapshot has layout {state['layout']}, this build reads {LAYOUT}")
        fold = cls()
        fold._clock = ClockGuard.restore(state["clock"], MAX_LEAP_US)
        fold._deadline_us = state["deadline_us"]
        fold._minute_us = state["minute_us"]
        fold.late_ticks = state["late_ticks"]
        fold.off_index = state["off_index"]
        fold._averages = Averages.restore(state["averages"])
        fold._funding = FundingRates.restore(state["funding"])
        fold._correlation = CorrelationEstimator.restore(state["correlation"])
        fold._volatilities = Volatilities.restore(state["volatilities"])
        fold._ranges = Ranges.restore(state["ranges"], fold._volatilities)
        fold._history = History.restore(state["history"], fold._volatilities)
        fold._listeners = fold._in_order()
        for item in state["underlyings"]:
            entry = _Entry(Index.restore(item["index"]))
            entry.bases = {name: Basis.restore(values) for name, values in item["bases"]}
            entry.marks_until_us = item["marks_until_us"]
            fold._entries[entry.index.underlying] = entry
            fold._bases.update(entry.bases)
        return fold


def _is_late(basis: Basis, tick: PriceTick) -> bool:
    """Return whether the instrument has a newer price of the tick's kind."""
    newest_us = basis.mark_us if tick.price_kind == "mark" else basis.traded_us
    return tick.event_time_us < newest_us
