"""Settlement prices: time-weighted averages of the index over the half hour before an expiry."""

from __future__ import annotations

import json
import random
from fractions import Fraction

import pytest

from monitor.engine.settlement import MEMORY_MINUTES, MINUTE_US, WINDOW_US, Averages

START_US = 1_760_000_040_000_000
EXPIRY_US = START_US + 2 * 3_600_000_000
SECOND_US = 1_000_000
Path = list[tuple[int, float, bool]]


def averages_of(path: Path) -> Averages:
    averages = Averages()
    for time_us, price, good in path:
        averages.change("BTC", price, good, time_us)
    return averages


def exact(path: Path, start_us: int, stop_us: int) -> tuple[Fraction, int]:
    """Integral and good time of a step path, in exact fractions and without minutes."""
    integral, good_us = Fraction(0), 0
    ends = [time_us for time_us, _, _ in path[1:]] + [stop_us]
    for (time_us, price, good), end_us in zip(path, ends, strict=True):
        weight = min(end_us, stop_us) - max(time_us, start_us)
        if good and weight > 0:
            integral += Fraction(price) * weight
            good_us += weight
    return integral, good_us


def random_path(seed: int, changes: int = 400) -> Path:
    draw = random.Random(seed)
    gaps = (1, 250_000, 5 * SECOND_US, 59 * SECOND_US, MINUTE_US, 400 * SECOND_US)
    time_us, path = START_US + draw.randrange(MINUTE_US), []
    for _ in range(changes):
        path.append((time_us, 100_000.0 * (1.0 + draw.gauss(0.0, 0.02)), draw.random() < 0.9))
        time_us += draw.choice(gaps)
    return path


def test_a_constant_index_settles_at_itself() -> None:
    """One price all along is the settlement price to the last bit, however long ago it came."""
    for price in (0.07, 123.45, 1e5):
        settled = averages_of([(START_US, price, True)]).settlement("BTC", EXPIRY_US, EXPIRY_US)
        assert settled is not None
        assert settled.price_usd == pytest.approx(price, rel=1e-15)
        assert settled.covered == 1.0


def test_the_average_weighs_prices_by_the_time_they_held() -> None:
    """A third of the window at 120 and two thirds at 90 settle at 100, whatever was ticked inside."""
    path = [(START_US, 120.0, True), (EXPIRY_US - 1_200 * SECOND_US, 90.0, True)]
    path += [(EXPIRY_US - k * SECOND_US, 90.0, True) for k in range(1_000, 0, -7)]
    settled = averages_of(path).settlement("BTC", EXPIRY_US, EXPIRY_US)
    assert settled is not None
    assert settled.price_usd == pytest.approx(100.0, rel=1e-14)


@pytest.mark.parametrize("seed", range(8))
def test_random_paths_agree_with_exact_integrals(seed: int) -> None:
    """Any path of prices and holds gives the exact time-weighted mean of its good time."""
    path = random_path(seed)
    averages = averages_of(path)
    checked = 0
    for minute in range(31, (path[-1][0] - START_US) // MINUTE_US, 13):
        expiry_us = START_US + minute * MINUTE_US
        integral, good_us = exact(path, expiry_us - WINDOW_US, expiry_us)
        settled = averages.settlement("BTC", expiry_us, path[-1][0])
        if good_us:
            assert settled is not None
            assert settled.price_usd == pytest.approx(float(integral / good_us), rel=1e-13)
            assert settled.covered == pytest.approx(good_us / WINDOW_US, rel=1e-15)
            checked += 1
    assert checked > 10


@pytest.mark.parametrize("seed", range(4))
def test_the_price_is_the_same_bits_whenever_it_is_asked(seed: int) -> None:
    """Asked at the expiry or any time later, after more ticks and a snapshot, the price is the same double."""
    path = random_path(seed)
    expiry_us = START_US + 60 * MINUTE_US
    prices = set()
    first = next(length for length, item in enumerate(path) if item[0] >= expiry_us)
    for length in range(first, first + 40):
        averages = averages_of(path[: length + 1])
        again = Averages.restore(json.loads(json.dumps(averages.snapshot())))
        now_us = path[length][0]
        assert again.settlement("BTC", expiry_us, now_us) == averages.settlement("BTC", expiry_us, now_us)
        prices.add(averages.settlement("BTC", expiry_us, now_us))
    before = [item for item in path if item[0] <= expiry_us]
    prices.add(averages_of(before).settlement("BTC", expiry_us, expiry_us))
    assert len(prices) == 1
    assert None not in prices


def test_held_time_has_no_weight() -> None:
    """What the index says while it is held does not move the settlement, and the coverage says so."""
    path = [
        (START_US, 100.0, True),
        (EXPIRY_US - 900 * SECOND_US, 50.0, False),
        (EXPIRY_US - 600 * SECOND_US, 110.0, True),
    ]
    settled = averages_of(path).settlement("BTC", EXPIRY_US, EXPIRY_US)
    assert settled is not None
    assert settled.price_usd == pytest.approx((900 * 100.0 + 600 * 110.0) / 1_500)
    assert settled.covered == pytest.approx(1_500 / 1_800)


def test_without_a_good_price_the_first_good_minute_after_the_expiry_settles() -> None:
    """A window that was held all along waits, and takes the mean of the first minute that is good again."""
    path = [(START_US, 100.0, True), (EXPIRY_US - 2_000 * SECOND_US, 100.0, False)]
    averages = averages_of(path)
    assert averages.settlement("BTC", EXPIRY_US, EXPIRY_US) is None
    assert averages.settlement("BTC", EXPIRY_US, EXPIRY_US + 3_600 * SECOND_US) is None
    good_us = EXPIRY_US + 3_630 * SECOND_US
    averages.change("BTC", 80.0, True, good_us)
    averages.change("BTC", 100.0, True, good_us + 15 * SECOND_US)
    assert averages.settlement("BTC", EXPIRY_US, good_us + 29 * SECOND_US) is None
    settled = averages.settlement("BTC", EXPIRY_US, good_us + 30 * SECOND_US)
    assert settled == (90.0, 0.0)
    averages.change("BTC", 70.0, True, good_us + 7_200 * SECOND_US)
    assert averages.settlement("BTC", EXPIRY_US, good_us + 7_200 * SECOND_US) == settled


def test_memory_is_bounded_and_says_what_it_forgot() -> None:
    """A day of minutes is kept, through any silence; an older expiry is forgotten, never settled by what is left."""
    averages = averages_of([(START_US, 100.0, True)])
    assert not averages.forgotten("BTC", EXPIRY_US)
    late_us = EXPIRY_US + (MEMORY_MINUTES - 40) * MINUTE_US
    averages.change("BTC", 200.0, True, late_us)
    assert averages.settlement("BTC", EXPIRY_US, late_us) == (100.0, 1.0)
    for step in range(1, 50):
        averages.change("BTC", 200.0 + step, True, late_us + step * MINUTE_US)
    assert averages.forgotten("BTC", EXPIRY_US)
    assert averages.settlement("BTC", EXPIRY_US, late_us + 50 * MINUTE_US) is None
    averages.change("BTC", 300.0, True, late_us + 10 * MEMORY_MINUTES * MINUTE_US)
    (snapshot,) = averages.snapshot()
    assert len(snapshot[2]) == len(snapshot[3]) == MEMORY_MINUTES
    settled = averages.settlement("BTC", late_us + 9 * MEMORY_MINUTES * MINUTE_US + 35 * MINUTE_US, 1 << 60)
    assert settled == (249.0, 1.0)


def test_an_underlying_that_appears_inside_the_window_has_forgotten_nothing() -> None:
    """Minutes before the first price are known to have had none."""
    averages = averages_of([(EXPIRY_US - 60 * SECOND_US, 40.0, True)])
    assert not averages.forgotten("BTC", EXPIRY_US)
    assert averages.settlement("BTC", EXPIRY_US, EXPIRY_US) == (40.0, 1 / 30)
    assert averages.settlement("ETH", EXPIRY_US, EXPIRY_US) is None
    assert not averages.forgotten("ETH", EXPIRY_US)


def test_the_average_so_far_becomes_the_settlement() -> None:
    """Inside the window average, good time and time left are those of the minutes passed; at its end, the price."""
    path = random_path(3)
    averages = averages_of(path)
    expiry_us = START_US + 60 * MINUTE_US
    assert averages.so_far("BTC", expiry_us, expiry_us - WINDOW_US) is None
    for minute in range(31, 61):
        at_us = START_US + minute * MINUTE_US
        average = averages.so_far("BTC", expiry_us, at_us)
        integral, good_us = exact(path, expiry_us - WINDOW_US, at_us)
        assert average is not None
        assert average[1:] == (good_us, expiry_us - at_us)
        if good_us:
            assert average.price_usd == pytest.approx(float(integral / good_us), rel=1e-13)
    settled = averages.settlement("BTC", expiry_us, path[-1][0])
    assert settled is not None
    assert average is not None
    assert average.price_usd == settled.price_usd
    assert averages.so_far("BTC", expiry_us, expiry_us + MINUTE_US) is None


def test_before_the_expiry_there_is_nothing_to_ask() -> None:
    """Asking early is a mistake of the caller, not a price."""
    with pytest.raises(ValueError, match="is after"):
        averages_of([(START_US, 1.0, True)]).settlement("BTC", EXPIRY_US, EXPIRY_US - 1)
