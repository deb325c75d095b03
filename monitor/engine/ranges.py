"""Price ranges of model P on a ladder of 5 % steps, from the volatility of each composite index.

    wanted = clip(z sigma_1d sqrt(h), floor, cap),   z 6, h 2 days, floor 9.3 %, cap 50 %

rounded up to a step. Up at the first return that wants more; down when for 24 h of returns everything wanted lay below
0.9 of the step, to the smallest step that covers those 24 h. Time is counted in minutes with a return, so an index that
is held or silent moves nothing.

A ladder that begins must not liquidate anybody because a history began. The first estimate needs 12 h worth of returns,
and says how far it may differ from the range of a parameter set (`reach`): one step above it on the first day, two on
the second, and below it not before the second. Whoever met his initial requirement at 20 % or more is then called by
a step before he is liquidated: 25/20 is 1/0.8.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from kernels.span.ranges import price_scan_range
from monitor.engine.minutes import Minute
from monitor.engine.volatility import MIN_RETURNS, Volatilities
from schemas.ids import range_id
from schemas.records import RangeStep

SIGMAS = 6.0
HORIZON_DAYS = 2.0
LEAST_RANGE = 0.093
STEPS = 20  # of a whole; every range is a whole number of twentieths, so that no rounding piles up
MAX_STEP = 10  # 50 %
CALM = 0.9
DAY_RETURNS = 1_440  # one a minute
MAX_REACH = MAX_STEP  # one step and these are beyond the cap: from there on the ladder rules alone
DOWN_REACH = 2  # the ladder has been there for a day
_ROUNDING = 1e-9  # 0.15 is no more than three twentieths


class RangeView(NamedTuple):
    """The range of one underlying as last published; `version` counts from 1."""

    version: int
    price_range: float
    reach: int
    """By how many steps model P may go beyond the range of a parameter set; below it from 2 on."""


def rounded_up(price_range: float) -> float:
    """Return the smallest step of the ladder that is not below a range; a range above the cap stays as it is."""
    if price_range > MAX_STEP / STEPS:
        return price_range
    return step_of(price_range) / STEPS


def step_of(price_range: float) -> int:
    """Return the number of the smallest step that is not below a range."""
    return math.ceil(price_range * STEPS - _ROUNDING)


def wanted_range(annual_volatility: float) -> float:
    """Return z sigma_1d sqrt(h) within floor and cap, before it is rounded up."""
    return price_scan_range(annual_volatility, SIGMAS, HORIZON_DAYS, LEAST_RANGE, MAX_STEP / STEPS)


def in_force(view: RangeView | None, own: float) -> float:
    """Return model P's range: the ladder's, as far as it reaches from `own`, the range of the parameter set.

    `own` is rounded up to a step, too; before any estimate it is the range in force.
    """
    base = rounded_up(own)
    if view is None:
        return base
    if view.price_range <= base:
        return view.price_range if view.reach >= DOWN_REACH else base
    return min(view.price_range, (round(base * STEPS) + view.reach) / STEPS)


class Ladder:
    """One underlying: its step, and the returns since it began and since the last that did not want less."""

    __slots__ = ("age", "calm", "calm_max", "step", "version")

    def __init__(self) -> None:
        self.step = 0  # none yet
        self.version = 0
        self.age = 0  # returns since the first estimate; stops where it says nothing new
        self.calm = 0  # returns in a row that wanted a lower step
        self.calm_max = 0.0  # the largest range they wanted

    @property
    def reach(self) -> int:
        """Steps that the ladder may go beyond the range of a set: one more each day."""
        return min(1 + self.age // DAY_RETURNS, MAX_REACH)

    def take(self, wanted: float) -> bool:
        """Take what a return makes of the range; return whether there is something to publish."""
        before = (self.step, self.reach)
        if not self.step:
            self.step = step_of(wanted)
        else:
            self.age = min(self.age + 1, MAX_REACH * DAY_RETURNS)
            self._move(wanted)
        if self.version and before == (self.step, self.reach):
            return False
        self.version += 1
        return True

    def _move(self, wanted: float) -> None:
        step = step_of(wanted)
        if step > self.step:
            self.step, self.calm, self.calm_max = step, 0, 0.0
        elif step < self.step and wanted < CALM * self.step / STEPS:
            self.calm += 1
            self.calm_max = max(self.calm_max, wanted)
            if self.calm == DAY_RETURNS:
                self.step, self.calm, self.calm_max = step_of(self.calm_max), 0, 0.0
        else:
            self.calm, self.calm_max = 0, 0.0

    def view(self) -> RangeView:
        """Return the ladder as published."""
        return RangeView(self.version, self.step / STEPS, self.reach)

    def snapshot(self) -> list[Any]:
        """Return the ladder as plain JSON values."""
        return [self.step, self.version, self.age, self.calm, self.calm_max]

    @classmethod
    def restore(cls, state: list[Any]) -> Ladder:
        """Rebuild a ladder from its snapshot."""
        ladder = cls()
        ladder.step, ladder.version, ladder.age, ladder.calm, ladder.calm_max = state
        return ladder


class Ranges:
    """Takes whole minutes after the volatilities; gives the steps in force and what changed."""

    __slots__ = ("_changed", "_ladders", "_volatilities")

    def __init__(self, volatilities: Volatilities) -> None:
        self._volatilities = volatilities
        self._ladders: dict[str, Ladder] = {}
        self._changed: list[RangeStep] = []

    def view(self, underlying: str) -> RangeView | None:
        """Return the range of an underlying, None before its first estimate."""
        ladder = self._ladders.get(underlying)
        return None if ladder is None else ladder.view()

    def on_minute(self, minute: Minute) -> None:
        """Let every underlying that has a return at this minute take its step."""
        for name in self._volatilities.latest:
            series = self._volatilities.series[name]
            ladder = self._ladders.get(name)
            if ladder is None:
                if series.returns < MIN_RETURNS:
                    continue
                ladder = self._ladders[name] = Ladder()
            annual = series.annual
            if ladder.take(wanted_range(annual)):
                self._changed.append(_published(name, ladder, minute.time_us, annual, series.returns))

    def take_changed(self) -> list[RangeStep]:
        """Return the steps published since the last call, in order."""
        changed, self._changed = self._changed, []
        return changed

    def snapshot(self) -> list[Any]:
        """Return all ladders as plain JSON values."""
        return [[name, *ladder.snapshot()] for name, ladder in self._ladders.items()]

    @classmethod
    def restore(cls, state: list[Any], volatilities: Volatilities) -> Ranges:
        """Rebuild from a snapshot, on restored volatilities."""
        ranges = cls(volatilities)
        ranges._ladders = {name: Ladder.restore(values) for name, *values in state}
        return ranges


def _published(name: str, ladder: Ladder, time_us: int, annual: float, returns: float) -> RangeStep:
    # Rounded: the last digits of a logarithm differ between machines, and nobody sets a margin by them.
    return RangeStep(
        id=range_id(name, time_us, ladder.version), underlying=name,
        version=ladder.version, price_range=ladder.step / STEPS, reach=ladder.reach,
        annual_volatility=round(annual, 6), returns=round(returns, 1), event_time_us=time_us, v=1,
    )  # fmt: skip
