"""Volatility fold: the newest volatility of each option and each expiry, and the forward basis of each expiry.

An option's volatility is the newer, by event time, of its own and of its expiry's slice (at equal times its own). An
expiry that nobody quotes takes the shape of the nearest quoted one (at equal distance the earlier), scaled to the
at-the-money level: between two quoted expiries total variance at the money is linear in time, before the first and
after the last the volatility at the money is that of the nearest. Times to expiry are measured from the newer event
time of the slices used, so that a row is a function of what was folded and not of when it is asked for.

Refused: a smile that leaves [`MIN_VOL`, `MAX_VOL`] anywhere in its range, wings steeper than Lee's bound
b (1 + |rho|) <= 2 (R. Lee, 2004), and a slice with butterfly arbitrage, which is a negative implied density by the
criterion of Gatheral and Jacquier (2014), g(k) >= 0, anywhere on a grid over its range.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from kernels.surface import CONSTANT, NO_VOLATILITY, SMILE, SVI
from monitor.engine.butterfly import refusal_of_smile, refusal_of_svi
from monitor.engine.clock import DAY_US, ClockGuard
from schemas.records import ExpiryVolatility, Instrument, InstrumentVolatility, SviVolatility, VolatilityUpdate

if TYPE_CHECKING:
    from collections.abc import Sequence

KEEP_EXPIRED_US = 7 * DAY_US  # for positions that are settled late
MAX_INSTRUMENTS = 20_000  # per underlying: ten times the largest chain
MAX_EXPIRIES = 500
MAX_LEAP_US = 30 * DAY_US  # volatilities may be published once a day or once a week
LAYOUT = 1
KEPT_TOUCHES = 256  # per underlying: who has not read for longer reads all

Slice = ExpiryVolatility | SviVolatility


class RejectedVolatility(ValueError):
    """An update the fold refuses; `kind` is for counting, `text` for people."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class SurfaceRow(NamedTuple):
    """What `kernels.surface` needs of one option: code, five parameters, and the range they hold in."""

    code: int
    p0: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    p3: float = 0.0
    p4: float = 0.0
    lo: float = 0.0
    hi: float = 0.0


NO_ROW = SurfaceRow(NO_VOLATILITY)
NO_SLICE_US = -(1 << 62)  # before every event


class _Own(NamedTuple):
    """An option's own volatility; expiry 0 if the record did not say."""

    vol_annual: float
    event_time_us: int
    expiry_us: int


class Touch(NamedTuple):
    """What an update changed: an instrument's own volatility, else the slice of an expiry; and its `basis`, or not."""

    expiry_us: int
    instrument: str | None
    basis: bool


class Reading(NamedTuple):
    """How far somebody has read an underlying's surface."""

    surface: object = None
    touches: int = 0


class _Surface:
    """One underlying: own volatilities by instrument; slices and bases by expiry, each with its sorted expiries.

    `touches` are the latest of `touched` in all.
    """

    __slots__ = ("bases", "basis_expiries", "expiries", "own", "slices", "touched", "touches")

    def __init__(self) -> None:
        self.touches: deque[Touch] = deque(maxlen=KEPT_TOUCHES)
        self.touched = 0
        self.own: dict[str, _Own] = {}
        self.slices: dict[int, Slice] = {}
        self.bases: dict[int, tuple[float, int]] = {}  # basis, event time
        self.expiries: list[int] = []
        self.basis_expiries: list[int] = []


class VolatilityFold:
    """Folds `market.volatility`; `late_updates` counts those older than what they would replace."""

    __slots__ = ("_clock", "_next_expiry_us", "_surfaces", "late_updates")

    def __init__(self) -> None:
        self._clock = ClockGuard(MAX_LEAP_US)
        self._surfaces: dict[str, _Surface] = {}
        self._next_expiry_us = 0  # the earliest expiry known, 0: none
        self.late_updates = 0

    @property
    def time_us(self) -> int:
        """The largest event time accepted (0 before any)."""
        return self._clock.time_us

    def apply(self, update: VolatilityUpdate) -> tuple[str, ...]:
        """Fold one update and return the underlyings whose surface it changed.

        Raises `RejectedVolatility`. An update older than what it would replace changes nothing and is counted.
        """
        self._check(update)
        surface = self._surfaces.get(update.underlying)
        if surface is None:
            surface = self._surfaces[update.underlying] = _Surface()
        if isinstance(update, InstrumentVolatility):
            changed = self._own(surface, update)
        else:
            changed = self._slice(surface, update)
        if not changed:
            self.late_updates += 1
            return ()
        self._clock.advance(update.event_time_us)
        if self._next_expiry_us and self._clock.time_us > self._next_expiry_us + KEEP_EXPIRED_US:
            return tuple(dict.fromkeys((update.underlying, *self._forget_expired())))
        return (update.underlying,)

    def since(self, underlying: str, before: Reading) -> tuple[Reading, Sequence[Touch] | None]:
        """Return where the surface is now, and what was touched since it was read; None if all has to be read."""
        surface = self._surfaces.get(underlying)
        if surface is None:
            return Reading(), None
        now = Reading(surface, surface.touched)
        missed = surface.touched - before.touches
        if before.surface is not surface or missed > len(surface.touches):
            return now, None
        return now, tuple(islice(surface.touches, len(surface.touches) - missed, None))

    def row(self, instrument: Instrument) -> SurfaceRow:
        """Return the surface row of an option; code -1 if nobody quotes its volatility."""
        if instrument.expiry_us is None:
            return NO_ROW
        row, slice_us = self.expiry_row(instrument.underlying, instrument.expiry_us)
        own = self.own(instrument.underlying, instrument.instrument)
        return SurfaceRow(CONSTANT, own[0]) if own is not None and own[1] >= slice_us else row

    def own(self, underlying: str, instrument: str) -> tuple[float, int] | None:
        """Return an option's own volatility and its event time; in force where no newer slice of its expiry is."""
        surface = self._surfaces.get(underlying)
        own = None if surface is None else surface.own.get(instrument)
        return None if own is None else own[:2]

    def expiry_row(self, underlying: str, expiry_us: int) -> tuple[SurfaceRow, int]:
        """Return the surface row of an expiry, and the event time of its slice: NO_SLICE_US if it has none."""
        surface = self._surfaces.get(underlying)
        if surface is None:
            return NO_ROW, NO_SLICE_US
        exact = surface.slices.get(expiry_us)
        if exact is None:
            return _between(surface, expiry_us), NO_SLICE_US
        return _row(exact, 1.0), exact.event_time_us

    def forward_basis(self, underlying: str, expiry_us: int) -> float | None:
        """Return F/S - 1 of an expiry: linear between known expiries, the nearest outside, None if none is known."""
        surface = self._surfaces.get(underlying)
        if surface is None or not surface.bases:
            return None
        known = surface.bases.get(expiry_us)
        if known is not None:
            return known[0]
        expiries = surface.basis_expiries
        k = bisect_left(expiries, expiry_us)
        if k == 0 or k == len(expiries):
            return surface.bases[expiries[min(k, len(expiries) - 1)]][0]
        before, after = expiries[k - 1], expiries[k]
        weight = (expiry_us - before) / (after - before)
        return (1.0 - weight) * surface.bases[before][0] + weight * surface.bases[after][0]

    # --- folding --------------------------------------------------------------------------------

    def _check(self, update: VolatilityUpdate) -> None:
        refusal = self._clock.refusal(update.event_time_us, update.received_time_us, update.source)
        if refusal:
            raise RejectedVolatility("clock_ahead", refusal)
        expiry_us = update.expiry_us
        if expiry_us is not None and expiry_us <= update.event_time_us:
            raise RejectedVolatility("expired", "the expiry is not after the event time")
        surface = self._surfaces.get(update.underlying)
        if isinstance(update, InstrumentVolatility):
            if not 0.0 < update.vol_annual <= 5.0:
                raise RejectedVolatility("bad_volatility", f"{update.vol_annual} is no volatility")
            if surface is not None and update.instrument not in surface.own and len(surface.own) >= MAX_INSTRUMENTS:
                raise RejectedVolatility("too_many", f"more than {MAX_INSTRUMENTS} options of {update.underlying}")
            return
        if surface is not None and update.expiry_us not in surface.slices and len(surface.slices) >= MAX_EXPIRIES:
            raise RejectedVolatility("too_many", f"more than {MAX_EXPIRIES} expiries of {update.underlying}")
        refused = refusal_of_smile(update) if isinstance(update, ExpiryVolatility) else refusal_of_svi(update)
        if refused is not None:
            raise RejectedVolatility(*refused)

    def _own(self, surface: _Surface, update: InstrumentVolatility) -> bool:
        known = surface.own.get(update.instrument)
        if known is not None and update.event_time_us < known.event_time_us:
            return False
        expiry_us = update.expiry_us or 0
        surface.own[update.instrument] = _Own(update.vol_annual, update.event_time_us, expiry_us)
        self._touch(surface, Touch(expiry_us, update.instrument, self._take_basis(surface, expiry_us, update)))
        return True

    def _slice(self, surface: _Surface, update: Slice) -> bool:
        known = surface.slices.get(update.expiry_us)
        if known is not None and update.event_time_us < known.event_time_us:
            return False
        surface.slices[update.expiry_us] = update
        if known is None:
            surface.expiries = sorted(surface.slices)
        self._touch(surface, Touch(update.expiry_us, None, self._take_basis(surface, update.expiry_us, update)))
        return True

    @staticmethod
    def _touch(surface: _Surface, touch: Touch) -> None:
        surface.touches.append(touch)
        surface.touched += 1

    def _take_basis(self, surface: _Surface, expiry_us: int, update: VolatilityUpdate) -> bool:
        """Take the forward basis that an update has; return whether it is another one."""
        if not expiry_us:
            return False
        self._next_expiry_us = min(self._next_expiry_us, expiry_us) if self._next_expiry_us else expiry_us
        if update.forward_basis is None:
            return False
        known = surface.bases.get(expiry_us)
        if known is not None and update.event_time_us < known[1]:
            return False
        surface.bases[expiry_us] = (update.forward_basis, update.event_time_us)
        if known is None:
            surface.basis_expiries = sorted(surface.bases)
        return known is None or known[0] != update.forward_basis

    def _forget_expired(self) -> list[str]:
        """Drop what expired more than a week ago; return the underlyings that lost something."""
        gone_us = self._clock.time_us - KEEP_EXPIRED_US
        names: list[str] = []
        left: list[int] = []
        for name, surface in self._surfaces.items():
            size = len(surface.own) + len(surface.slices) + len(surface.bases)
            surface.own = {k: own for k, own in surface.own.items() if not 0 < own.expiry_us < gone_us}
            surface.slices = {expiry: one for expiry, one in surface.slices.items() if expiry >= gone_us}
            surface.bases = {expiry: basis for expiry, basis in surface.bases.items() if expiry >= gone_us}
            surface.expiries = sorted(surface.slices)
            surface.basis_expiries = sorted(surface.bases)
            if size != len(surface.own) + len(surface.slices) + len(surface.bases):
                names.append(name)
                surface.touches.clear()  # all has to be read
                surface.touched += 1
            left += surface.expiries + surface.basis_expiries
            left += [own.expiry_us for own in surface.own.values() if own.expiry_us]
        self._next_expiry_us = min(left, default=0)
        return names

    # --- snapshots ------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the fold as plain JSON values; lists, because order is part of the state."""
        return {
            "layout": LAYOUT,
            "clock": self._clock.snapshot(),
            "next_expiry_us": self._next_expiry_us,
            "late_updates": self.late_updates,
            "underlyings": [
                {
                    "underlying": name,
                    "own": [[instrument, *own] for instrument, own in surface.own.items()],
                    "slices": [msgspec.to_builtins(one) for one in surface.slices.values()],
                    "bases": [[expiry, *basis] for expiry, basis in surface.bases.items()],
                }
                for name, surface in self._surfaces.items()
            ],
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> VolatilityFold:
        """Rebuild a fold from its snapshot; raises ValueError for another layout."""
        if state["layout"] != LAYOUT:
            raise ValueError(f"volatility snapshot has layout {state['layout']}, this build reads {LAYOUT}")
        fold = cls()
        fold._clock = ClockGuard.restore(state["clock"], MAX_LEAP_US)
        fold._next_expiry_us = state["next_expiry_us"]
        fold.late_updates = state["late_updates"]
        for item in state["underlyings"]:
            surface = fold._surfaces[item["underlying"]] = _Surface()
            surface.own = {name: _Own(*values) for name, *values in item["own"]}
            for plain in item["slices"]:
                one: Slice = msgspec.convert(plain, ExpiryVolatility | SviVolatility)
                surface.slices[one.expiry_us] = one
            surface.bases = {expiry: (basis, time_us) for expiry, basis, time_us in item["bases"]}
            surface.expiries = sorted(surface.slices)
            surface.basis_expiries = sorted(surface.bases)
        return fold


# --- rows -----------------------------------------------------------------------------------------


def _between(surface: _Surface, expiry_us: int) -> SurfaceRow:
    """Return the row of an expiry without a slice, from its neighbours."""
    expiries = surface.expiries
    if not expiries:
        return NO_ROW
    k = bisect_left(expiries, expiry_us)
    before = surface.slices[expiries[k - 1]] if k > 0 else None
    after = surface.slices[expiries[k]] if k < len(expiries) else None
    if before is None or after is None:
        nearest = before or after
        assert nearest is not None
        level = _atm_variance(nearest)
        start_us = nearest.event_time_us
    else:
        nearest = before if expiry_us - before.expiry_us <= after.expiry_us - expiry_us else after
        start_us = max(before.event_time_us, after.event_time_us)
        near, far = before.expiry_us - start_us, after.expiry_us - start_us
        # Weights of the variances in a total variance that is linear in time; a slice already expired counts no more.
        weight = (after.expiry_us - expiry_us) / (after.expiry_us - before.expiry_us) * max(near, 0)
        other = (expiry_us - before.expiry_us) / (after.expiry_us - before.expiry_us) * far
        level = (weight * _atm_variance(before) + other * _atm_variance(after)) / (weight + other)
    if isinstance(nearest, ExpiryVolatility):
        return _row(nearest, math.sqrt(level / _atm_variance(nearest)))
    years = _years(nearest.expiry_us - nearest.event_time_us)
    return _row(nearest, level * _years(max(expiry_us - start_us, 1)) / (_atm_variance(nearest) * years))


def _row(one: Slice, scale: float) -> SurfaceRow:
    """Return the row of a slice; `scale` multiplies a smile's volatility or an SVI slice's total variance."""
    if isinstance(one, ExpiryVolatility):
        level, slope, curvature = one.atm_vol_annual * scale, one.slope * scale, one.curvature * scale
        return SurfaceRow(SMILE, level, slope, curvature, lo=one.x_min, hi=one.x_max)
    return SurfaceRow(SVI, one.a * scale, one.b * scale, one.rho, one.m, one.sigma, one.k_min, one.k_max)


def _atm_variance(one: Slice) -> float:
    """Return the annual variance at the forward."""
    if isinstance(one, ExpiryVolatility):
        return one.atm_vol_annual * one.atm_vol_annual
    total = one.a + one.b * (math.hypot(one.m, one.sigma) - one.rho * one.m)
    return total / _years(one.expiry_us - one.event_time_us)


def _years(duration_us: int) -> float:
    return duration_us / 31_536_000_000_000
