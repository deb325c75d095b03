"""The ladder of price ranges: when it steps, when it does not, and how far it reaches from a set's own range."""

from __future__ import annotations

import pytest

from monitor.engine.ranges import DAY_RETURNS, MAX_REACH, Ladder, RangeView, in_force, rounded_up, wanted_range


def ladder_at(*wanted: float) -> Ladder:
    """Return a ladder after these."""
    ladder = Ladder()
    for value in wanted:
        ladder.take(value)
    return ladder


def days(ladder: Ladder, wanted: float, count: float = 1.0) -> list[RangeView]:
    """Let a ladder take the same again; return what it published."""
    return [ladder.view() for _ in range(round(count * DAY_RETURNS)) if ladder.take(wanted)]


@pytest.mark.parametrize(
    ("price_range", "step"),
    [(0.001, 0.05), (0.05, 0.05), (0.15, 0.15), (0.16, 0.20), (0.18, 0.20), (0.25, 0.25), (0.5, 0.5), (0.6, 0.6)],
)
def test_a_range_is_rounded_up_to_a_step(price_range: float, step: float) -> None:
    """Whole steps stay, others go up; above the cap a set's own range is left alone."""
    assert rounded_up(price_range) == step


@pytest.mark.parametrize(
    ("annual", "wanted"), [(0.0, 0.093), (0.2, 0.093), (0.45, 0.199863), (0.9, 0.399726), (1.2, 0.5), (50.0, 0.5)]
)
def test_six_deviations_over_two_days_within_floor_and_cap(annual: float, wanted: float) -> None:
    """6 x sigma x sqrt(2/365), by hand: 0.45 a year is 0.0333 in two days."""
    assert wanted_range(annual) == pytest.approx(wanted, abs=1e-6)


def test_up_at_once() -> None:
    """The first return that wants more than the step takes it, as far as it is."""
    ladder = ladder_at(0.19)
    assert ladder.view() == RangeView(1, 0.20, 1)
    assert not ladder.take(0.2)
    assert ladder.take(0.2001)
    assert ladder.view() == RangeView(2, 0.25, 1)
    assert ladder.take(0.41)
    assert ladder.view() == RangeView(3, 0.45, 1)


def test_down_after_a_day_to_what_covers_the_day() -> None:
    """1,440 returns that all want less than the next step down, and then the largest of them decides."""
    ladder = ladder_at(0.48)
    assert [view.price_range for view in days(ladder, 0.33, 1.0)[:-1]] == []
    assert ladder.view().price_range == 0.35
    ladder.take(0.22)
    assert days(ladder, 0.11, 1.0)[-1].price_range == 0.25  # 0.22 was among them
    assert days(ladder, 0.11, 1.0)[-1].price_range == 0.15


def test_one_return_that_wants_the_step_starts_the_day_anew() -> None:
    """The day below is without a break."""
    ladder = ladder_at(0.24)
    days(ladder, 0.17, 0.99)
    ladder.take(0.21)  # rounds up to the step
    days(ladder, 0.17, 0.99)
    assert ladder.view().price_range == 0.25
    days(ladder, 0.17, 0.02)
    assert ladder.view().price_range == 0.20


def test_the_cap_is_left_below_nine_tenths() -> None:
    """From 0.50 the next step is 0.45, and 0.9 of the step is the same number: just below it counts, at it does not."""
    ladder = ladder_at(0.5)
    days(ladder, 0.45, 2.0)
    assert ladder.view().price_range == 0.50
    days(ladder, 0.4499, 1.0)
    assert ladder.view().price_range == 0.45


def test_reach_grows_by_a_step_a_day_and_ends() -> None:
    """The first estimate reaches one step, each day of returns adds one and is a version, nine times."""
    ladder = ladder_at(0.48)
    published = days(ladder, 0.48, 12.0)
    assert [view.reach for view in published] == list(range(2, MAX_REACH + 1))
    assert [view.version for view in published] == list(range(2, MAX_REACH + 1))


@pytest.mark.parametrize(
    ("own", "view", "expected"),
    [
        (0.16, None, 0.20),
        (0.25, RangeView(1, 0.50, 1), 0.30),
        (0.25, RangeView(2, 0.50, 2), 0.35),
        (0.25, RangeView(2, 0.30, 2), 0.30),
        (0.25, RangeView(1, 0.10, 1), 0.25),
        (0.25, RangeView(2, 0.10, 2), 0.10),
        (0.05, RangeView(10, 0.50, 9), 0.50),
        (0.16, RangeView(1, 0.20, 1), 0.20),
        (0.60, RangeView(1, 0.50, 1), 0.60),
        (0.60, RangeView(2, 0.50, 2), 0.50),
    ],
)
def test_the_range_in_force(own: float, view: RangeView | None, expected: float) -> None:
    """The set's own range rounded up, until the ladder reaches above it, and below it from the second day on."""
    assert in_force(view, own) == expected


@pytest.mark.parametrize("own", [0.16, 0.18, 0.20, 0.25, 0.30, 0.40])
def test_whoever_met_his_initial_requirement_is_called_before_he_is_liquidated(own: float) -> None:
    """A step at the beginning of a history raises a linear book's IM by at most 1.25, so MM stays within equity."""
    equity = rounded_up(own)
    assert 0.8 * in_force(RangeView(1, 0.50, 1), own) <= equity
