"""The fold through the minute bars of 2026-02-02 to 08: correlations, regime, ranges, requirements, estimators.

In one file, so that the week is folded once.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.crash import estimates as est
from benchmarks.crash.__main__ import books_of
from benchmarks.crash.books import parts, requirements
from benchmarks.crash.estimates import inputs_of, mean_correlation
from benchmarks.crash.forces import at_constant_ranges, not_held_back, published
from benchmarks.crash.recording import Recording, record
from monitor.engine.parameters import DEFAULT_ACTIVE
from tests.recorded import (
    DATA,
    DAY_US,
    HOUR_US,
    alternating,
    asked,
    asked_by_the_floor,
    at,
    charges,
    ladders,
    mean_among,
    midnight_us,
)  # fmt: skip

COINS = ("ALGO", "AVAX", "DOT", "FIL", "LINK", "LTC", "NEAR")

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no historical data beside the checkout (../shared/data)"),
]


@pytest.fixture(scope="module")
def week() -> Recording:
    return record((DATA / "crash-2026-02-05" / "binance_um_perp_1m.csv.gz",))


def test_the_week_is_concentrated_and_never_breaks_down(week: Recording) -> None:
    """Concentration is entered at 02:42 of the first day and lasts; the estimate stays far from a breakdown."""
    assert [(one.left, one.entered.regime, one.trigger) for one in week.changes] == [
        ("calm", "concentration", "concentration")
    ]
    assert week.changes[0].entered.since_us - midnight_us(week) == 162 * 60_000_000
    assert max(one.distance for one in week.regimes) == pytest.approx(0.1014, abs=0.002)
    assert max(one.rise for one in week.regimes) == pytest.approx(0.0627, abs=0.004)


def test_k_follows_the_regime(week: Recording) -> None:
    """It doubles with the minute that enters concentration: hedged books are asked for 24 % more, longs for 0.1 %."""
    first = at(week, 2, 30)
    forces = at_constant_ranges(published(week, COINS, first, DEFAULT_ACTIVE))
    enters = at(week, 2, 42) - first
    assert set(forces.k[:enters]) == {0.10}
    assert set(forces.k[enters:]) == {0.20}
    for w, rise in ((np.ones(len(COINS)), 0.001), (alternating(len(COINS)), 0.237)):
        values = requirements(forces, np.broadcast_to(w, (len(forces.k), len(w))))
        assert values[enters] / values[enters - 1] - 1.0 == pytest.approx(rise, abs=0.002)


def test_a_hedged_book_asks_what_the_floor_asks(week: Recording) -> None:
    """Long and short by turns, the floor is the worst matrix at every minute; the estimates alone would ask less."""
    w = alternating(len(COINS))
    np.testing.assert_allclose(asked(week.views, COINS, w), asked_by_the_floor(w), rtol=1e-12)
    full = [view for view in week.views if len(view.underlyings) == len(COINS)]
    alone = asked(full, COINS, w, floor=False)
    assert alone.min() == pytest.approx(0.347, abs=0.002)
    assert alone.max() == pytest.approx(0.380, abs=0.002)


def test_the_sell_off_is_one_factor(week: Recording) -> None:
    """Seven perpetuals are estimated after 102 minutes and their mean correlation stays between 0.77 and 0.98."""
    assert len(week.minutes) == 7 * 1_440 - 1
    full = [view for view in week.views if len(view.underlyings) == 7]
    assert len(week.minutes) - len(full) == at(week, 1, 42)
    means = [mean_among(view.fast, view.underlyings, view.underlyings) for view in full]
    assert min(means) == pytest.approx(0.769, abs=0.003)
    assert max(means) == pytest.approx(0.977, abs=0.003)
    assert all(np.linalg.eigvalsh(view.fast)[0] > 1e-4 for view in full[::60])


def test_a_wild_week_enters_a_step_a_day(week: Recording) -> None:
    """Every ladder begins at the cap at noon of the first day; the range in force climbs to it in five days."""
    found = charges(week)
    assert sorted(found) == list(COINS)
    for points in found.values():
        start_us = points[1][0]
        assert 0 < start_us - (midnight_us(week) + 12 * HOUR_US) < HOUR_US
        days = [value for us, value in points[1:] if (us - start_us) % DAY_US == 0]
        assert days[:5] == pytest.approx([0.30, 0.35, 0.40, 0.45, 0.50])


def test_a_ladder_steps_down_after_a_quiet_day(week: Recording) -> None:
    """LTC wants less than 0.45 for a day after the first sell-off, and 0.50 again with the second."""
    points = ladders(week)["LTC"]
    assert [value for value, _ in itertools.groupby(value for _, value in points)] == [0.50, 0.45, 0.50]
    down_us = next(us for us, value in points if value == 0.45)
    assert down_us - points[0][0] >= DAY_US


def test_only_ranges_and_prices_move_constant_books(week: Recording) -> None:
    """From 5 February on ranges add a quarter, the history that enters, and correlation nothing at all."""
    first = at(week, 24)
    forces = published(week, COINS, first, DEFAULT_ACTIVE)
    mark = at(week, 84) - first
    for exposures in books_of(week.last_prices(COINS)[first:]).values():
        values = requirements(forces, exposures)
        found = parts(forces, exposures, mark, len(values) - 1)
        assert found.ranges / values[mark] == pytest.approx(0.25, abs=1e-9)
        assert found.prices / values[mark] == pytest.approx(-0.045, abs=0.003)
        assert abs(found.correlation) / values[mark] < 1e-9


def test_a_ladder_that_nothing_holds_back_is_at_the_cap(week: Recording) -> None:
    """From 3 February on only LTC is ever below 50 %, at 45 % until the sell-off of the 5th."""
    first = at(week, 24)
    ranges = not_held_back(week, COINS, first, DEFAULT_ACTIVE).ranges
    of_ltc = COINS.index("LTC")
    np.testing.assert_array_equal(np.delete(ranges, of_ltc, axis=1), 0.5)
    assert set(ranges[:, of_ltc]) == {0.45, 0.5}
    assert set(ranges[at(week, 84, 26) - first :, of_ltc]) == {0.5}


def test_bars_that_end_together_say_the_same_by_every_sampling(week: Recording) -> None:
    """Refresh times and Hayashi-Yoshida are the naive estimate there; it peaks at 0.97 in the sell-off."""
    one = inputs_of(week, COINS, week.busiest(COINS))
    for row in range(200, len(week.minutes), 977):
        naive = est.naive(one, row)
        assert naive is not None
        for other in (est.refresh(one, row), est.overlapping(one, row)):
            assert other is not None
            np.testing.assert_allclose(other, naive, rtol=0.0, atol=1e-12)
    assert mean_correlation(est.naive(one, at(week, 96), 1_440)) == pytest.approx(0.92, abs=0.006)
    assert mean_correlation(est.naive(one, at(week, 96, 30))) == pytest.approx(0.97, abs=0.005)
