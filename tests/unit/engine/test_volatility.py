"""Slow volatility of an index: which returns count, how much, and how fast it may rise."""

from __future__ import annotations

import math
import random

import pytest

from monitor.engine.minutes import MINUTE_US, Minute, Sample
from monitor.engine.volatility import DECAY, MIN_RETURNS, Volatilities, Volatility
from tests.unit.engine.market_records import at

START_US = at(0)


class Series:
    """One coin, minute by minute."""

    def __init__(self) -> None:
        self.series = Volatility()
        self.k = -1

    def take(self, price: float, held: bool = False, tick_age_min: float = 0.0) -> float | None:
        self.k += 1
        time_us = START_US + self.k * MINUTE_US
        return self.series.take(time_us, Sample(price, held, False, time_us - round(tick_age_min * MINUTE_US)))

    def alternate(self, minutes: int, size: float = 0.004) -> None:
        """Prices that go up and down every ten minutes, so that each return is of one size."""
        for k in range(self.k + 1, self.k + 1 + minutes):
            self.take(100.0 * math.exp(size * (k // 10 % 2)))


def settled(minutes: int = 14_400) -> Series:
    """A coin of ten days, returns of 0.4 %."""
    series = Series()
    series.alternate(minutes)
    return series


def test_returns_of_one_size_are_the_volatility() -> None:
    """A coin that moves by 0.4 % in every ten minutes has 0.4 % times the root of the ten minutes of a year."""
    series = Series()
    series.alternate(1_000)
    assert series.series.scale == pytest.approx(0.004, rel=1e-12)
    assert series.series.annual == pytest.approx(0.004 * math.sqrt(6 * 24 * 365), rel=1e-12)


def test_a_day_ago_weighs_half() -> None:
    """After a day of other returns the mean square is two parts of them in three, for the first day is young, too."""
    series = Series()
    series.alternate(1_440 + 10)
    series.k += 10 - (series.k + 1) % 10  # the next return begins with its block
    for _ in range(9):
        series.take(100.0)
    before = series.series.total
    first = series.series.weight
    series.alternate(1_440, size=0.006)
    weight = series.series.weight
    assert weight == pytest.approx(first * 0.5 + (1.0 - 0.5) / (1.0 - DECAY), rel=0.02)
    assert series.series.total == pytest.approx(0.5 * before + 0.006**2 * (weight - 0.5 * first), rel=0.02)


def test_what_returns_are_worth() -> None:
    """720 returns' worth takes a little more than 12 hours; in the long run it is (1 + lambda)/(1 - lambda)."""
    series = Series()
    series.alternate(10 + 720)
    assert series.series.returns < MIN_RETURNS
    series.alternate(10)
    assert series.series.returns >= MIN_RETURNS
    assert settled(40_000).series.returns == pytest.approx((1.0 + DECAY) / (1.0 - DECAY), rel=1e-3)


def test_a_jump_counts_as_three_standard_deviations() -> None:
    """However large a return is, its square adds nine times the mean before it."""
    totals = []
    for move in (0.013, 0.5):
        series = settled()
        mean, weight, total = series.series.scale**2, series.series.weight, series.series.total
        series.take(series.series.prices[1] * math.exp(move))
        assert series.series.total == pytest.approx(DECAY * total + 9.0 * mean, rel=1e-12)
        assert series.series.weight == pytest.approx(DECAY * weight + 1.0, rel=1e-12)
        totals.append(series.series.total)
    assert totals[0] == totals[1]


@pytest.mark.parametrize(("days", "most"), [(1, 1.27), (10, 1.125)])
def test_an_hour_raises_it_by_a_bounded_factor(days: int, most: float) -> None:
    """A price that collapses through a whole hour raises an established volatility by 12 %, that of a day by 26 %."""
    series = settled(1_440 * days)
    before = series.series.scale
    for k in range(60):
        series.take(100.0 * math.exp(-0.2 * (k + 1)))
    assert most - 0.03 < series.series.scale / before < most


def test_the_first_hour_is_counted_in_full() -> None:
    """With less than an hour's worth there is no scale to call a return large by."""
    series = Series()
    series.alternate(40, size=1e-4)
    series.take(200.0)
    assert series.series.scale > 0.05


def test_a_price_that_stood_still_can_move_again() -> None:
    """A volatility of zero is no prison: half a day of 1 % moves takes a dollar token's to more than 21 % a year."""
    series = Series()
    for _ in range(3_000):
        series.take(1.0)
    assert series.series.annual == 0.0
    series.alternate(720, size=0.01)
    assert series.series.annual > 0.21


def test_held_and_silent_minutes_give_no_return() -> None:
    """A held index ends and begins none, and the newest tick has to be younger than ten minutes."""
    series = settled(100)
    state = series.series.snapshot()[1:]
    assert series.take(50.0, held=True) is None
    assert series.take(50.0, tick_age_min=10.0) is None
    assert series.series.snapshot()[1:] == state
    found = [series.take(100.0 + k) is not None for k in range(12)]
    assert [k for k, one in enumerate(found) if not one] == [8]  # ten minutes after the hold; the other was no hold


def test_others_are_told_when_it_has_moved() -> None:
    """From 12 hours' worth on, and then when it is more than 2 % from what was told; each time the coin is named."""
    volatilities = Volatilities()
    draw = random.Random(2)
    told: list[float] = []
    price, named = 100.0, 0
    for k in range(4_000):
        price *= math.exp(draw.gauss(0.0, 1e-3 if k < 2_000 else 3e-3))
        time_us = START_US + k * MINUTE_US
        volatilities.on_minute(Minute(time_us, {"X": Sample(price, False, False, time_us)}))
        changed, annual, series = volatilities.take_changed(), volatilities.annual("X"), volatilities.series["X"]
        assert (annual is None) == (not told and series.returns < MIN_RETURNS)
        if annual is not None:
            assert annual == pytest.approx(series.annual, rel=0.0205)
            assert (changed == ["X"]) == (not told or told[-1] != annual)
            named += len(changed)
            told.append(annual)
    assert 50 < named < 200
    assert volatilities.take_changed() == []


def test_a_leap_begins_prices_anew_and_keeps_the_volatility() -> None:
    """After minutes that were not told the first return needs eleven prices; the volatility is what it was."""
    volatilities = Volatilities()
    draw = random.Random(1)
    price = 100.0
    for k in range(100):
        price *= math.exp(draw.gauss(0.0, 1e-3))
        time_us = START_US + k * MINUTE_US
        volatilities.on_minute(Minute(time_us, {"X": Sample(price, False, False, time_us)}))
    before = volatilities.series["X"].scale
    for k in range(5_000, 5_010):
        time_us = START_US + k * MINUTE_US
        sample = Sample(2.0 * price, False, False, time_us)
        volatilities.on_minute(Minute(time_us, {"X": sample}, skipped=4_900 if k == 5_000 else 0))
        assert volatilities.latest == {}
    assert volatilities.series["X"].scale == before
    assert volatilities.annual("X") is None  # 90 returns
    assert volatilities.annual("Y") is None
