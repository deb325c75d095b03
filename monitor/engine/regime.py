"""Correlation regime: calm, concentration or breakdown, with hysteresis; it decides which k of model P is in force.

Judged at each whole minute of market time that brought a return, on the matrices in force, of the coins that move:

| regime | entered | left |
|---|---|---|
| breakdown | distance above 0.25, or absorption ratio up by more than 0.15 within an hour | both below half of that |
| concentration | absorption ratio above 0.85 for an hour | absorption ratio below 0.80 |
| calm | when the others are left | when one of them is entered |

The distance is the root mean square of fast minus slow correlations over pairs, the absorption ratio the largest
eigenvalue of the fast matrix over the number of coins. A breakdown is entered at once from anywhere; what is entered
lasts an hour of market time at least. A ratio is compared only with those of the same coins: a coin that comes or goes
moves it without any correlation having moved. Minutes without returns, and fewer than two coins that move, end nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from monitor.engine.correlation import CorrelationView
from monitor.engine.minutes import MINUTE_US, Minute
from schemas.records import Regime

ENTER_DISTANCE, LEAVE_DISTANCE = 0.25, 0.125
ENTER_RISE, LEAVE_RISE = 0.15, 0.075
ENTER_CONCENTRATION, LEAVE_CONCENTRATION = 0.85, 0.80
HOUR_US = 60 * MINUTE_US
RISE_US = HOUR_US  # within which the ratio has to rise
CONCENTRATED_US = HOUR_US  # for which it has to stay above
DWELL_US = HOUR_US  # least stay in a regime; calm can be left at once

_REGIMES: Final[dict[Regime, Regime]] = {name: name for name in get_args(Regime)}

Trigger = Literal["distance", "absorption_rise", "concentration", "over"]


@dataclass(frozen=True, slots=True)
class RegimeView:
    """The regime in force since `since_us` (0: from the beginning), and what it was last judged by.

    `rise` is by how much the absorption ratio stands above its lowest of the last hour. `stale` are coins with a place
    in the estimator whose index was held at the last whole minute, by name: such a minute gives them no return.
    """

    regime: Regime = "calm"
    since_us: int = 0
    distance: float = 0.0
    absorption_ratio: float = 0.0
    rise: float = 0.0
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class RegimeTransition:
    """A change of regime at a whole minute: from what, why, to what, on which published matrices."""

    left: Regime
    trigger: Trigger
    entered: RegimeView
    view: CorrelationView


class RegimeDetector:
    """Takes whole minutes with the correlations in force, gives the regime and its transitions."""

    __slots__ = ("_above_us", "_moving", "_ratios", "regime")

    def __init__(self) -> None:
        self.regime = RegimeView()
        self._above_us = 0  # since when the ratio is above `ENTER_CONCENTRATION`; 0: it is not
        self._moving: tuple[str, ...] = ()  # the coins of the ratios
        self._ratios: deque[tuple[int, float]] = deque()  # of the last hour, by minute

    def take(self, minute: Minute, view: CorrelationView, coins: Mapping[str, object]) -> RegimeTransition | None:
        """Take a minute that brought a return; `coins` are those with a place in the estimator."""
        if view.moving < 2:
            self.note_stale(minute, coins)
            return None
        moving = tuple(name for name in view.underlyings if name not in view.quiet)
        time_us, ratio = minute.time_us, view.absorption_ratio
        if moving != self._moving:
            self._moving = moving
            self._ratios.clear()
        while self._ratios and self._ratios[0][0] < time_us - RISE_US:
            self._ratios.popleft()
        self._ratios.append((time_us, ratio))
        # Rounded as the ratio is, so that a difference of two decimals is the decimal.
        rise = round(ratio - min(one for _, one in self._ratios), 6)
        if ratio <= ENTER_CONCENTRATION:
            self._above_us = 0
        elif not self._above_us:
            self._above_us = time_us
        before = self.regime
        regime, trigger = self._judge(time_us, view.distance, ratio, rise)
        since_us = before.since_us if trigger is None else time_us
        self.regime = RegimeView(regime, since_us, view.distance, ratio, rise, _stale(minute, coins))
        return None if trigger is None else RegimeTransition(before.regime, trigger, self.regime, view)

    def note_stale(self, minute: Minute, coins: Mapping[str, object]) -> None:
        """Take a minute that is not judged."""
        stale = _stale(minute, coins)
        now = self.regime
        if stale != now.stale:
            self.regime = RegimeView(now.regime, now.since_us, now.distance, now.absorption_ratio, now.rise, stale)

    def _judge(self, time_us: int, distance: float, ratio: float, rise: float) -> tuple[Regime, Trigger | None]:
        """Return the regime that follows, and why if it is another."""
        regime = self.regime.regime
        if regime != "breakdown":
            if distance > ENTER_DISTANCE:
                return "breakdown", "distance"
            if rise > ENTER_RISE:
                return "breakdown", "absorption_rise"
        concentrated = self._above_us and time_us - self._above_us >= CONCENTRATED_US
        if regime == "calm":
            return ("concentration", "concentration") if concentrated else ("calm", None)
        if time_us - self.regime.since_us < DWELL_US:
            return regime, None
        if regime == "concentration":
            return ("calm", "over") if ratio < LEAVE_CONCENTRATION else (regime, None)
        if distance < LEAVE_DISTANCE and rise < LEAVE_RISE:
            return ("concentration" if concentrated else "calm"), "over"
        return regime, None

    def snapshot(self) -> dict[str, Any]:
        """Return the detector as plain JSON values."""
        now = self.regime
        return {
            "regime": [now.regime, now.since_us, now.distance, now.absorption_ratio, now.rise, list(now.stale)],
            "above_us": self._above_us,
            "moving": list(self._moving),
            "ratios": [list(one) for one in self._ratios],
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> RegimeDetector:
        """Rebuild a detector from its snapshot."""
        detector = cls()
        regime, since_us, distance, ratio, rise, stale = state["regime"]
        # Encoders leave a field out that *is* its default: an equal string that is another object makes another event.
        detector.regime = RegimeView(_interned(regime), since_us, distance, ratio, rise, tuple(stale))
        detector._above_us = state["above_us"]
        detector._moving = tuple(state["moving"])
        detector._ratios.extend((time_us, ratio) for time_us, ratio in state["ratios"])
        return detector


def _interned(regime: Regime) -> Regime:
    """Return the one string that stands for a regime in this process."""
    return _REGIMES[regime]


def _stale(minute: Minute, coins: Mapping[str, object]) -> tuple[str, ...]:
    """Return the coins that could not have a return at a minute, by name."""
    return tuple(sorted(name for name in coins if name in minute.samples and minute.samples[name].held))
