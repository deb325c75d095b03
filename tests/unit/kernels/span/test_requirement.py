"""Model C by hand: scan, spreads, option minimum and requirement."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels.span.requirement import CALL, NO_OPTION, NO_TIER, PUT, Commodity, Contracts, SpanMargin, requirement
from kernels.span.scenarios import scan, worst
from kernels.span.spreads import (
    CAPPED,
    LONG,
    NORMAL,
    SCAN_RANGE,
    SHORT,
    CalendarSpread,
    InterSpread,
    Leg,
    adjacent_spreads,
    calendar_charge,
    inter_credits,
)

PAIR = (Leg(0, LONG, 1.0), Leg(1, SHORT, 1.0))


def future_pnl(price: float, price_range: float) -> list[float]:
    thirds = [0, 0, 1, 1, -1, -1, 2, 2, -2, -2, 3, 3, -3, -3]
    return [price * price_range * x / 3 for x in thirds] + [0.7 * price * price_range, -0.7 * price * price_range]


def contracts(*rows: dict[str, Any]) -> Contracts:
    def column(name: str, missing: Any) -> Any:
        return np.array([row.get(name, missing) for row in rows], dtype=np.array(missing).dtype)

    return Contracts(
        np.array([row["pnl"] for row in rows], dtype=np.float64).reshape(len(rows), 16), column("value", 0.0),
        column("delta", 1.0), column("commodity", 0), column("tier", 0), column("option", NO_OPTION),
        column("premium", True), column("size", 1.0),
    )  # fmt: skip


def margin(
    quantity: list[float], rows: Contracts, *commodities: Commodity, inter: tuple[InterSpread, ...] = (),
    larger_side: bool = False, mm_factor: float = 0.8,
) -> SpanMargin:  # fmt: skip
    return requirement(np.array(quantity), rows, commodities, inter, larger_side=larger_side, mm_factor=mm_factor)


FUTURE = {"pnl": future_pnl(100.0, 0.3)}
OTHER = {"pnl": future_pnl(50.0, 0.4), "commodity": 1}
ONE, TWO = Commodity(100.0, 0.3, 1), Commodity(50.0, 0.4, 1)


def test_a_long_future_loses_one_scan_range() -> None:
    """30 USD of scan, scenario 13 as the lower of the two equal ones, all of it due to the price."""
    got = margin([1.0], contracts(FUTURE), ONE)
    (one,) = got.commodities
    assert (one.scan_usd, one.scenario, one.price_risk_usd) == (30.0, 13, 30.0)
    assert (got.im_requirement_usd, got.mm_requirement_usd) == (30.0, 24.0)


def test_ties_take_the_lowest_number() -> None:
    """Of equal losses the lowest scenario is named; a gain everywhere is no risk."""
    assert worst(np.array([3.0, -1.0, 2.0, -1.0])) == (1.0, 2)
    assert worst(np.array([3.0, 1.0, 1.0])) == (0.0, 2)
    assert scan(np.zeros(16)) == (0.0, 1, 0.0)


def test_volatility_and_time_leave_the_price_risk() -> None:
    """Loss 50 with twin 30 and 8 of time: volatility 10, time 8, price 32; an extreme is its own twin."""
    pnl = np.zeros(16)
    pnl[:2], pnl[10:12], pnl[14] = (-12.0, -4.0), (-50.0, -30.0), -40.0
    assert scan(pnl) == (50.0, 11, 32.0)
    pnl[14] = -60.0
    assert scan(pnl) == (60.0, 15, 52.0)


@pytest.mark.parametrize("place", [0, 7, 15])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_a_number_is_no_small_loss(place: int, bad: float) -> None:
    """A scenario that is not a number makes the scan so, with scenario 0."""
    pnl = np.ones(16)
    pnl[place] = bad
    got = scan(pnl)
    assert (got.scenario, math.isnan(got.risk_usd), math.isnan(got.price_risk_usd)) == (0, True, True)


def test_a_scan_needs_sixteen_scenarios() -> None:
    """A table of another length has no twins."""
    with pytest.raises(ValueError, match="16"):
        scan(np.zeros(9))


def test_calendar_spreads_by_priority() -> None:
    """+10, -4, -9: the first spread takes 4, the second what is left of the first leg, each at its own rate."""
    spreads = (CalendarSpread(0, 1, 1.0, 1.0, 5.0), CalendarSpread(0, 2, 1.0, 1.0, 7.0))
    charge, left = calendar_charge(np.array([10.0, -4.0, -9.0]), spreads)
    assert (charge, left.tolist()) == (4 * 5.0 + 6 * 7.0, [0.0, 0.0, -3.0])
    charge, left = calendar_charge(np.array([10.0, -4.0, -9.0]), spreads[::-1])
    assert (charge, left.tolist()) == (9 * 7.0 + 1 * 5.0, [0.0, -3.0, 0.0])


def test_calendar_spreads_by_ratio() -> None:
    """Two coins of the one against three of the other: 10 and 6 form two spreads."""
    charge, left = calendar_charge(np.array([10.0, -6.0]), [CalendarSpread(0, 1, 2.0, 3.0, 1.0)])
    assert (charge, left.tolist()) == (2.0, [6.0, 0.0])


@pytest.mark.parametrize("delta", [[3.0, 2.0], [-3.0, -2.0], [3.0, 0.0], [0.0, 0.0]])
def test_expiries_of_one_sign_form_no_spread(delta: list[float]) -> None:
    """Two longs or two shorts cost nothing and keep their deltas, and so does one alone."""
    charge, left = calendar_charge(np.array(delta), [CalendarSpread(0, 1, 1.0, 1.0, 1.0)])
    assert (charge, left.tolist()) == (0.0, delta)


def test_a_delta_that_is_not_a_number_has_no_charge_of_nothing() -> None:
    """One tier that is not a number makes the charge and all that is left so."""
    charge, left = calendar_charge(np.array([math.nan, 1.0, -1.0]), [CalendarSpread(1, 2, 1.0, 1.0, 1.0)])
    assert math.isnan(charge)
    assert np.isnan(left).all()


def test_neighbours_are_spread_first() -> None:
    """Without a list every two expiries spread, neighbours before others, near before far, at the far price."""
    got = adjacent_spreads((100.0, 110.0, 120.0), 0.02)
    assert [(s.tier_a, s.tier_b) for s in got] == [(0, 1), (1, 2), (0, 2)]
    assert [s.rate_usd for s in got] == pytest.approx([2.2, 2.4, 2.4])


def test_a_calendar_spread_is_charged_beside_the_scan() -> None:
    """Ten near against ten far scan to nothing and cost ten spreads."""
    rows = contracts(FUTURE, {**FUTURE, "tier": 1})
    got = margin([10.0, -10.0], rows, Commodity(100.0, 0.3, 2, adjacent_spreads((100.0, 100.0), 0.0175)))
    assert got.commodities[0].scan_usd == 0.0
    assert got.im_requirement_usd == pytest.approx(17.5)


@pytest.mark.parametrize(
    ("method", "credits_usd"),
    [
        # 100 USD of delta against 50; price risk of one dollar 0.3 and 0.4, by their own loss or by the range.
        (NORMAL, (50 * 0.3 * 0.8, 50 * 0.4 * 0.8)), (CAPPED, (50 * 0.3 * 0.8, 50 * 0.4 * 0.8)),
        (SCAN_RANGE, (50 * 0.3 * 0.8, 50 * 0.4 * 0.8)),
    ],
)  # fmt: skip
def test_a_hedge_in_another_commodity_is_credited(method: int, credits_usd: tuple[float, float]) -> None:
    """80 % of the price risk of what is matched comes off either leg, and the rest stays."""
    got = margin([1.0, -1.0], contracts(FUTURE, OTHER), ONE, TWO, inter=(InterSpread(PAIR, 0.8, method),))
    assert [one.credit_usd for one in got.commodities] == pytest.approx(credits_usd)
    assert got.im_requirement_usd == pytest.approx(30.0 + 20.0 - sum(credits_usd))


def test_the_methods_differ_where_price_risk_is_not_the_scan_range() -> None:
    """By its own loss, that under a cap of 0.3, and 0.3: a dollar of delta that risks 0.5, and one that risks 0.1."""
    delta, ranges = np.array([100.0, -100.0]), np.array([0.3, 0.3])
    got = [
        inter_credits(delta, delta, np.array([50.0, 10.0]), ranges, [InterSpread(PAIR, 1.0, method)]).tolist()
        for method in (NORMAL, CAPPED, SCAN_RANGE)
    ]
    assert got == [pytest.approx(x) for x in ([50.0, 10.0], [30.0, 10.0], [30.0, 30.0])]


def test_deltas_serve_one_spread_only() -> None:
    """The first definition uses up the delta that the second one would need."""
    delta = np.array([100.0, -60.0, -100.0])
    spreads = [
        InterSpread(PAIR, 0.5, SCAN_RANGE),
        InterSpread((Leg(0, LONG, 1.0), Leg(2, SHORT, 1.0)), 1.0, SCAN_RANGE),
    ]
    got = inter_credits(delta, delta, np.zeros(3), np.array([0.1, 0.1, 0.1]), spreads)
    assert got.tolist() == pytest.approx([60 * 0.05 + 40 * 0.1, 60 * 0.05, 40 * 0.1])


def test_deltas_of_one_sign_form_no_spread() -> None:
    """Two longs hedge nothing, and neither does a leg without delta."""
    for delta in (np.array([100.0, 60.0]), np.array([100.0, 0.0]), np.array([0.0, 0.0])):
        credits_usd = inter_credits(delta, delta, np.ones(2), np.ones(2), [InterSpread(PAIR, 1.0, NORMAL)])
        assert credits_usd.tolist() == [0.0, 0.0]


def test_what_calendar_spreads_leave_beyond_the_net_delta_earns_nothing() -> None:
    """Price risk belongs to the net delta, so nothing beyond it is credited, and nothing of the other sign."""
    price_risk, spread = np.array([10.0, 50.0]), [InterSpread(PAIR, 1.0, NORMAL)]
    net = np.array([20.0, -500.0])
    assert inter_credits(np.array([90.0, -500.0]), net, price_risk, np.ones(2), spread)[0] == pytest.approx(10.0)
    assert inter_credits(np.array([-90.0, -500.0]), net, price_risk, np.ones(2), spread)[0] == 0.0


def test_the_short_option_minimum() -> None:
    """Options that scan to nothing cost their minimum: both sides together, or the larger one."""
    flat = {"pnl": [0.0] * 16, "delta": 0.0, "size": 0.5}
    rows = contracts({**flat, "option": CALL}, {**flat, "option": PUT}, {**flat, "option": PUT})
    commodity = Commodity(100.0, 0.3, 1, short_option_usd=2.0)
    assert margin([-4.0, -6.0, 9.0], rows, commodity).im_requirement_usd == (2.0 + 3.0) * 2.0
    assert margin([-4.0, -6.0, 9.0], rows, commodity, larger_side=True).im_requirement_usd == 3.0 * 2.0
    assert margin([4.0, 6.0, 9.0], rows, commodity).im_requirement_usd == 0.0


def test_net_option_value_counts_for_premiums_only() -> None:
    """A long option's value covers risk, a short one's adds to it; options settled daily have no say."""
    row = {**FUTURE, "option": CALL, "value": 12.0}
    assert margin([1.0], contracts(row), ONE).im_requirement_usd == 18.0
    assert margin([-1.0], contracts(row), ONE).im_requirement_usd == 42.0
    assert margin([1.0], contracts({**row, "premium": False}), ONE).im_requirement_usd == 30.0


def test_option_value_beyond_the_risk_covers_no_other_commodity() -> None:
    """A requirement is at least zero by commodity."""
    got = margin([1.0, 1.0], contracts({**FUTURE, "option": CALL, "value": 99.0}, OTHER), ONE, TWO)
    assert [one.requirement_usd for one in got.commodities] == [0.0, pytest.approx(20.0)]


def test_a_delivery_charge_is_part_of_the_risk() -> None:
    """What delivery costs is added before the option value is taken off."""
    assert margin([1.0], contracts(FUTURE), Commodity(100.0, 0.3, 1, delivery_usd=4.0)).im_requirement_usd == 34.0


def test_nothing_held_needs_nothing() -> None:
    """An account without positions, and one of quantities 0 of what has no price, need nothing."""
    assert margin([], contracts(), ONE).im_requirement_usd == 0.0
    assert margin([0.0], contracts({"pnl": [math.nan] * 16, "delta": math.nan, "value": math.nan}), ONE)[0] == 0.0


def test_what_has_no_price_makes_the_account_not_a_number() -> None:
    """One held row that is not a number spoils its commodity and the account, and no other commodity."""
    rows = contracts({"pnl": [math.nan] * 16, "delta": math.nan}, OTHER)
    got = margin([1.0, 1.0], rows, ONE, TWO)
    assert got.commodities[0].scenario == 0
    assert math.isnan(got.im_requirement_usd)
    assert math.isnan(got.mm_requirement_usd)
    assert got.commodities[1].requirement_usd == pytest.approx(20.0)
    credited = margin([1.0, -1.0], rows, ONE, TWO, inter=(InterSpread(PAIR, 0.8, NORMAL),))
    assert math.isnan(credited.commodities[1].requirement_usd)


@pytest.mark.parametrize(
    "spreads",
    [
        [CalendarSpread(0, 2, 1.0, 1.0, 1.0)], [CalendarSpread(0, 0, 1.0, 1.0, 1.0)],
        [CalendarSpread(0, 1, 0.0, 1.0, 1.0)], [CalendarSpread(0, 1, 1.0, 1.0, -1.0)],
    ],
)  # fmt: skip
def test_calendar_spreads_that_are_none_are_refused(spreads: list[CalendarSpread]) -> None:
    """A tier that does not exist or stands against itself, a ratio of nothing, a negative charge."""
    with pytest.raises(ValueError, match="calendar spread"):
        calendar_charge(np.array([1.0, -1.0]), spreads)


@pytest.mark.parametrize(
    "spread",
    [
        InterSpread((Leg(0, LONG, 1.0), Leg(1, LONG, 1.0)), 0.5, NORMAL), InterSpread((), 0.5, NORMAL),
        InterSpread((Leg(0, LONG, 1.0), Leg(0, SHORT, 1.0)), 0.5, NORMAL),
        InterSpread((Leg(0, LONG, 1.0), Leg(2, SHORT, 1.0)), 0.5, NORMAL),
        InterSpread((Leg(0, LONG, 0.0), Leg(1, SHORT, 1.0)), 0.5, NORMAL),
        InterSpread(PAIR, 1.5, NORMAL), InterSpread(PAIR, math.nan, NORMAL), InterSpread(PAIR, 0.5, 7),
    ],
)  # fmt: skip
def test_credits_that_are_none_are_refused(spread: InterSpread) -> None:
    """One side only, a commodity twice or unknown, a ratio of nothing, a rate or method out of range."""
    with pytest.raises(ValueError, match=r"spread|leg|credit"):
        inter_credits(np.ones(2), np.ones(2), np.ones(2), np.ones(2), [spread])


@pytest.mark.parametrize("change", [{"commodity": 1}, {"commodity": -1}, {"tier": 1}, {"tier": NO_TIER - 1}])
def test_names_that_do_not_exist_are_refused(change: dict[str, int]) -> None:
    """A contract of no commodity or no tier is an error."""
    with pytest.raises(ValueError, match="does not exist"):
        margin([1.0], contracts({**FUTURE, **change}), ONE)


def test_columns_and_factors_that_do_not_fit_are_refused() -> None:
    """Another number of rows, or maintenance of nothing, is an error."""
    with pytest.raises(ValueError, match="one length"):
        margin([1.0, 2.0], contracts(FUTURE), ONE)
    for factor in (0.0, 1.1, math.nan):
        with pytest.raises(ValueError, match="maintenance"):
            margin([1.0], contracts(FUTURE), ONE, mm_factor=factor)
