"""The correlation regime: entered and left at its levels, and nothing else moves it."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.engine.correlation import CorrelationView, view_of
from monitor.engine.minutes import MINUTE_US, Minute, Sample
from monitor.engine.netting import stress_in
from monitor.engine.regime import RegimeDetector, RegimeTransition
from schemas.records import NettingParameters, Regime
from tests.engine_market import START_US

COINS = {"A": None, "B": None}


def view(fast: float, slow: float, names: tuple[str, ...] = ("A", "B"), quiet: tuple[str, ...] = ()) -> CorrelationView:
    """Return a view whose coins all have one correlation: of two, distance |fast - slow| and ratio (1 + |fast|)/2."""
    moving = [k for k, name in enumerate(names) if name not in quiet]
    found: list[np.ndarray] = []
    for value in (fast, slow):
        micros = np.diag(np.full(len(names), 1_000_000, dtype=np.int64))
        for i in moving:
            for j in moving:
                if i != j:
                    micros[i, j] = round(1e6 * value)
        found.append(micros)
    return view_of(1, START_US, names, quiet, found[0], found[1])


class Run:
    """A detector, minute by minute."""

    def __init__(self) -> None:
        self.detector = RegimeDetector()
        self.k = 0
        self.said: list[tuple[int, Regime, str, Regime]] = []

    def take(self, found: CorrelationView, minutes: int = 1, held: tuple[str, ...] = ()) -> Regime:
        """Take the same view for some minutes; `said` has minute, regime left, why, and regime entered."""
        for _ in range(minutes):
            time_us = START_US + self.k * MINUTE_US
            samples = {name: Sample(1.0, name in held, name in held, time_us) for name in ("A", "B")}
            transition = self.detector.take(Minute(time_us, samples), found, COINS)
            if transition is not None:
                self._note(transition)
            self.k += 1
        return self.detector.regime.regime

    def _note(self, transition: RegimeTransition) -> None:
        assert transition.entered is self.detector.regime
        assert transition.entered.since_us == START_US + self.k * MINUTE_US
        self.said.append((self.k, transition.left, transition.trigger, transition.entered.regime))


@pytest.mark.parametrize(("fast", "slow", "regime"), [(0.0, 0.25, "calm"), (0.0, 0.250001, "breakdown"),
                                                      (0.5, 0.249, "breakdown"), (-0.1, 0.2, "breakdown")])  # fmt: skip
def test_a_distance_above_a_quarter_is_a_breakdown(fast: float, slow: float, regime: Regime) -> None:
    """At once, in both directions, and not at the level itself."""
    run = Run()
    assert run.take(view(fast, slow)) == regime
    assert run.said == ([] if regime == "calm" else [(0, "calm", "distance", "breakdown")])


@pytest.mark.parametrize(("minutes", "rise", "regime"), [(60, 0.16, "breakdown"), (61, 0.16, "calm"),
                                                         (1, 0.15, "calm"), (30, 0.150002, "breakdown")])  # fmt: skip
def test_a_rise_within_an_hour_is_a_breakdown(minutes: int, rise: float, regime: Regime) -> None:
    """Sixty minutes after the lowest ratio its rise still counts, a minute later no more."""
    run = Run()
    run.take(view(0.2, 0.2))
    run.take(view(0.3, 0.3), minutes - 1)
    assert run.take(view(0.2 + 2.0 * rise, 0.2 + 2.0 * rise)) == regime


def test_a_breakdown_lasts_until_both_are_below_half_and_an_hour_at_least() -> None:
    """Neither a distance that is still above half of its level nor the first calm minute ends it."""
    run = Run()
    run.take(view(0.0, 0.3))
    assert run.take(view(0.1, 0.1), 59) == "breakdown"
    assert run.take(view(0.1, 0.1)) == "calm"
    run = Run()
    run.take(view(0.0, 0.3))
    assert run.take(view(0.0, 0.13), 300) == "breakdown"
    assert run.take(view(0.0, 0.125)) == "breakdown"
    assert run.take(view(0.0, 0.124)) == "calm"
    assert run.said == [(0, "calm", "distance", "breakdown"), (302, "breakdown", "over", "calm")]


def test_a_rise_keeps_a_breakdown_until_it_is_an_hour_old() -> None:
    """After a step the ratio stands, and its rise ends with the last minute of before the step."""
    run = Run()
    run.take(view(0.1, 0.1), 30)
    assert run.take(view(0.5, 0.5)) == "breakdown"
    assert run.take(view(0.5, 0.5), 59) == "breakdown"
    assert run.take(view(0.5, 0.5)) == "calm"


def test_concentration_takes_an_hour_above_its_level_and_ends_below_a_lower_one() -> None:
    """A minute at the level begins the hour again; between the two levels nothing changes."""
    run = Run()
    run.take(view(0.72, 0.72), 60)
    run.take(view(0.70, 0.70))
    assert run.take(view(0.72, 0.72), 60) == "calm"
    assert run.take(view(0.72, 0.72)) == "concentration"
    assert run.take(view(0.61, 0.61), 500) == "concentration"
    assert run.take(view(0.59, 0.59)) == "calm"
    assert [entry[1:] for entry in run.said] == [
        ("calm", "concentration", "concentration"), ("concentration", "over", "calm")
    ]  # fmt: skip


def test_concentration_lasts_an_hour() -> None:
    """Even if the ratio falls at once."""
    run = Run()
    run.take(view(0.8, 0.8), 61)
    assert run.take(view(0.6, 0.6), 1) == "concentration"
    assert run.take(view(0.55, 0.55), 58) == "concentration"
    assert run.take(view(0.55, 0.55)) == "calm"


def test_a_breakdown_is_entered_from_concentration_and_may_end_in_it() -> None:
    """What went on meanwhile counts: the ratio has been above its level for an hour when the breakdown ends."""
    run = Run()
    run.take(view(0.8, 0.8), 61)
    run.take(view(0.8, 0.5))
    assert run.take(view(0.8, 0.8), 60) == "concentration"
    assert [entry[1:] for entry in run.said] == [
        ("calm", "concentration", "concentration"), ("concentration", "distance", "breakdown"),
        ("breakdown", "over", "concentration"),
    ]  # fmt: skip


def test_ratios_of_other_coins_are_no_rise() -> None:
    """Ten coins have another ratio than two at the same correlation; the hour begins again with the set of coins."""
    ten = tuple(f"C{k}" for k in range(10))
    run = Run()
    run.take(view(0.5, 0.5, ten))
    assert view(0.5, 0.5, ten).absorption_ratio < view(0.5, 0.5).absorption_ratio - 0.15
    assert run.take(view(0.5, 0.5), 30) == "calm"
    assert run.take(view(0.5, 0.5, (*ten, "USDX"), ("USDX",)), 30) == "calm"
    assert run.said == []


def test_fewer_than_two_coins_that_move_end_nothing() -> None:
    """One coin always is all of its own variance: nothing is judged, and what was in force stays."""
    run = Run()
    assert run.take(view(1.0, 1.0, ("A",)), 200) == "calm"
    run.take(view(0.0, 0.3))
    assert run.take(view(0.0, 0.0, ("A", "USDX"), ("USDX",)), 200) == "breakdown"


def test_held_coins_are_named() -> None:
    """A coin whose index is held gives no return, and the regime says so."""
    run = Run()
    run.take(view(0.0, 0.3), held=("B",))
    stale = [run.detector.regime.stale]
    run.take(view(1.0, 1.0, ("A",)))
    assert [*stale, run.detector.regime.stale] == [("B",), ()]


@pytest.mark.parametrize(
    ("regime", "expected"), [("calm", 0.1), ("concentration", 0.2), ("breakdown", 0.5)]
)  # fmt: skip
def test_each_regime_has_its_k(regime: Regime, expected: float) -> None:
    """And none has less than calm times: a set that nets nothing nets nothing in a concentration either."""
    assert stress_in(regime, NettingParameters()) == expected
    assert stress_in(regime, NettingParameters(correlation_stress=1.0)) == 1.0
