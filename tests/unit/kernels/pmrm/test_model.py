"""Model B on portfolios whose numbers can be followed by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels.pmrm import contingencies, model, pnl, values
from kernels.pmrm.contingencies import Basis, Charges
from kernels.pmrm.pnl import Discounting
from monitor.models.pmrm import scenarios_of, terms_of
from schemas.pmrm import PmrmMargin, PmrmOther, PmrmParameters
from tests.unit.kernels.pmrm.books import Book, Collateral, Expiry, Option

CHARGES = Charges(0.99, 4.0, 0.55, 1.0, 0.03, 0.01, 0.003, 0.002)
NAKED = Book(options=[Option(0, "call", 2_500.0, -1.0)])


def test_nothing_held_needs_nothing() -> None:
    """An empty portfolio has no equity and no requirement, and its worst is the basis contingency, zero."""
    got = Book().margin()
    assert (got.equity_usd, got.im_requirement_usd, got.mm_requirement_usd) == (0.0, 0.0, 0.0)
    assert got.worst_scenario == 33
    assert set(got.components.values()) == {0.0}
    assert not any(math.copysign(1.0, x) < 0 for x in got.components.values())
    assert got.unusable == got.warnings == ()


def test_a_perpetual_loses_its_move() -> None:
    """A long perpetual loses 18 % of its own price in scenario 22, plus notional charges at spot."""
    got = Book(perp=1.0, unrealised=-25.0).margin()
    assert got.worst_scenario == 22
    assert got.worst_pnl_usd == pytest.approx(-0.18 * 2_004.0, rel=1e-15)
    assert got.mm_requirement_usd == pytest.approx(0.8 * 0.18 * 2_004.0 + 0.03 * 2_000.0, rel=1e-15)
    assert got.im_requirement_usd == pytest.approx(0.18 * 2_004.0 + 0.04 * 2_000.0, rel=1e-15)
    assert got.im_excess_usd == -25.0 - got.im_requirement_usd


def test_a_requirement_is_the_sum_of_its_components() -> None:
    """Initial and maintenance requirement and equity are the sums that the components' names say."""
    book = Book(
        cash=100.0, perp=-0.5, unrealised=3.0, stable_price=0.95, perp_confidence=0.3, options=NAKED.options,
        collaterals=[Collateral(1.0, 1_990.0), Collateral(50.0, 1.0, cancels=False)],
    )  # fmt: skip
    got = book.margin()
    of = got.components
    mm = sum(of[f"mm_{part}_usd"] for part in ("perp", "option", "collateral"))
    im = sum(of[f"im_{part}_usd"] for part in ("perp", "option", "collateral")) + of["confidence_usd"]
    assert got.mm_requirement_usd == pytest.approx(of["scan_mm_usd"] + mm, rel=1e-15)
    assert got.im_requirement_usd == pytest.approx(of["scan_im_usd"] + of["depeg_usd"] + mm + im, rel=1e-15)
    held = sum(of[f"{part}_usd"] for part in ("cash", "perp_unrealised", "option_mtm", "collateral"))
    assert got.equity_usd == pytest.approx(held, rel=1e-15)
    assert min(of["depeg_usd"], of["confidence_usd"], of["im_collateral_usd"], of["mm_option_usd"]) > 0.0
    assert got.warnings == ("low_confidence", "depeg")


def test_collateral_that_does_not_cancel_risk_stands_still() -> None:
    """Only risk-cancelling collateral has scenario P&L; both have haircuts."""
    got = Book(collaterals=[Collateral(1.0, 2_000.0, cancels=False)]).margin()
    assert not got.scenario_pnl_usd.any()
    assert got.mm_requirement_usd == pytest.approx(80.0, rel=1e-15)
    moving = Book(collaterals=[Collateral(1.0, 2_000.0)]).margin()
    assert moving.worst_pnl_usd == pytest.approx(-360.0, rel=1e-15)


def test_skew_scenarios_take_the_worse_turn_of_each_expiry() -> None:
    """In the two skew scenarios a portfolio and its mirror image both lose, before discounts of sign."""
    flat = PmrmMargin(long_rate_add=0.0, short_rate_add=0.0, long_static_discount=1.0, short_static_discount=1.0)
    book = replace(NAKED, parameters=PmrmParameters(margin=flat))
    one, other = book.margin().scenario_pnl_usd, book.scaled(-1.0).margin().scenario_pnl_usd
    assert one[-1] < 0.0
    assert one[-2:].tolist() == pytest.approx(other[-2:].tolist(), rel=1e-14)


@pytest.mark.parametrize(
    ("calls", "puts", "naked"),
    [(-2.0, 0.0, 2.0), (0.0, -1.5, 1.5), (-2.0, 1.5, 0.5), (-2.0, 3.0, 0.0), (-2.0, -1.0, 3.0), (2.0, 1.0, 0.0)],
)
def test_naked_shorts_by_strike(calls: float, puts: float, naked: float) -> None:
    """Longs of the other type at the same strike cover shorts; two shorts at one strike are both naked."""
    options = [Option(0, "call", 2_500.0, calls), Option(0, "put", 2_500.0, puts)]
    got = Book(options=[o for o in options if o.amount]).margin()
    assert got.components["mm_option_usd"] == pytest.approx(naked * 2_000.0 * 0.003, rel=1e-14)
    assert contingencies.naked_shorts([calls + puts]) == naked


def test_no_cover_across_strikes_or_expiries() -> None:
    """A long at another strike, or at another expiry, leaves a short naked."""
    for cover in (Option(0, "put", 2_400.0, 1.0), Option(1, "put", 2_500.0, 1.0)):
        got = replace(NAKED, options=[*NAKED.options, cover]).margin()
        assert got.components["mm_option_usd"] == pytest.approx(6.0, rel=1e-15)


def test_lots_of_one_option_are_one_position() -> None:
    """Two rows of an option are their sum, and rows that cancel are nothing, in the sizes for confidence too."""
    lots = Book(options=[Option(0, "call", 2_500.0, -3.0), Option(0, "call", 2_500.0, 2.0)]).margin()
    assert lots.im_requirement_usd == NAKED.margin().im_requirement_usd
    gone = Book(spot_confidence=0.1, options=[Option(0, "put", 1_500.0, a) for a in (2.0, -2.0)]).margin()
    assert gone.im_requirement_usd == gone.equity_usd == 0.0


def test_one_option_has_one_volatility() -> None:
    """Two volatilities of the same option are refused."""
    options = [Option(0, "call", 2_500.0, 1.0, 0.5), Option(0, "call", 2_500.0, 1.0, 0.6)]
    with pytest.raises(ValueError, match="two volatilities"):
        Book(options=options).margin()


def test_only_the_variable_part_of_a_forward_moves() -> None:
    """An expiry whose forward is fixed has no P&L from spot, in scenarios and basis contingency."""
    expiry = Expiry(0.0, 2_100.0, fixed=2_100.0, rate=0.0)
    flat = PmrmMargin(long_static_discount=1.0, short_static_discount=1.0)
    book = replace(NAKED, options=[Option(0, "call", 2_000.0, -1.0)], expiries=[expiry],
                   parameters=PmrmParameters(margin=flat))  # fmt: skip
    got = book.margin()
    assert not got.scenario_pnl_usd.any()
    assert got.basis_contingency_usd == 0.0
    moving = replace(book, expiries=[replace(expiry, fixed=0.0)]).margin()
    assert moving.worst_scenario == 0
    assert moving.worst_pnl_usd == pytest.approx(-2_100.0 * 0.18, rel=1e-13)


def test_basis_contingency_may_be_the_worst() -> None:
    """With one harmless scenario the basis contingency is the worst, and is named by the number of scenarios."""
    book = replace(NAKED, parameters=PmrmParameters(scenarios=((0.9, "none", 0.1),)))
    got = book.margin()
    assert got.worst_scenario == 1
    assert got.worst_pnl_usd == got.basis_contingency_usd < 0.0


def test_basis_contingency_is_the_worse_side_scaled_by_time() -> None:
    """min(up - now, down - now, 0) times add + mult T; a gain on both sides charges nothing."""
    by = Basis(1.045, 0.955, 0.5, 2.0)
    assert contingencies.basis_contingency(10.0, 4.0, 7.0, 0.25, by) == -6.0
    assert contingencies.basis_contingency(10.0, 12.0, 11.0, 0.25, by) == 0.0


def test_confidence_is_charged_below_its_threshold_only() -> None:
    """(1 - c) of notional below the threshold, nothing at it."""
    assert contingencies.confidence_charge(0.55, 1_000.0, CHARGES) == 0.0
    assert contingencies.confidence_charge(0.5, 1_000.0, CHARGES) == 500.0


@pytest.mark.parametrize(
    ("change", "charged"),
    [
        ({"spot_confidence": 0.5}, 0.5 * (2_000.0 + 2_000.0 + 1_990.0)),
        ({"perp_confidence": 0.4}, 0.6 * (2_000.0 + 2_000.0)),
        ({"expiries": [Expiry(0.1, 2_010.0, confidence=0.2)]}, 0.8 * 2_000.0),
        ({"collaterals": [Collateral(1.0, 1_990.0, confidence=0.0)]}, 1_990.0),
        ({"perp": 0.0, "perp_confidence": 0.0}, 0.0),
    ],
)
def test_whose_confidence_counts_for_what(change: dict[str, Any], charged: float) -> None:
    """Spot counts for everything, a held perpetual for itself and all expiries, the others for themselves."""
    book = Book(perp=1.0, options=NAKED.options, collaterals=[Collateral(1.0, 1_990.0)])
    got = replace(book, **change).margin()
    assert got.components["confidence_usd"] == pytest.approx(charged, rel=1e-15)
    assert ("low_confidence" in got.warnings) == (charged > 0.0)


def test_a_depeg_raises_initial_margin_alone() -> None:
    """Five cents under a dollar raise the factor by 4 x (0.99 - 0.95) = 0.16, of the worst loss."""
    book = Book(perp=1.0)
    before, after = book.margin(), replace(book, stable_price=0.95).margin()
    assert after.components["depeg_usd"] == pytest.approx(0.16 * 0.18 * 2_004.0, rel=1e-13)
    assert after.mm_requirement_usd == before.mm_requirement_usd
    assert after.im_requirement_usd - before.im_requirement_usd == pytest.approx(after.components["depeg_usd"])


def test_static_discounts_and_their_cap() -> None:
    """Positive values shrink with time, negative ones grow, at most by what the prices' own discount took."""
    by = Discounting(1.0, 0.08, 0.5, 0.08, 0.95, 1.04)
    long, short = pnl.static_discounts(0.5, 0.1, by)
    assert long == pytest.approx(0.95 * math.exp(-0.09), rel=1e-15)
    assert short == pytest.approx(math.exp(0.05), rel=1e-15)
    assert pnl.static_discounts(0.5, 0.9, by)[1] == pytest.approx(1.04 * math.exp(0.265), rel=1e-15)


@pytest.mark.parametrize(
    ("factors", "warned"),
    [((0.95, 1.04), False), ((1.0, 1.0), False), ((1.05, 0.95), True), ((1.05, 1.2), True), ((0.96, 0.95), True)],
)
def test_a_rewarding_discount_is_named_in_the_result(factors: tuple[float, float], warned: bool) -> None:
    """A long base above the short one or above 1 is a warning value, whatever is held."""
    long, short = factors
    by = PmrmMargin(long_static_discount=long, short_static_discount=short)
    book = replace(NAKED, parameters=PmrmParameters(margin=by, allow_imprudent=True))
    assert ("rewarding_discount" in book.margin().warnings) == warned
    assert ("rewarding_discount" in replace(book, options=()).margin().warnings) == warned


def test_an_initial_factor_below_the_maintenance_one_is_named() -> None:
    """Initial margin that is easier than maintenance is a warning value."""
    book = replace(NAKED, parameters=PmrmParameters(margin=PmrmMargin(im_factor=0.7), allow_imprudent=True))
    assert book.margin().warnings == ("initial_below_maintenance",)


OPTION_BOOK = replace(NAKED, perp=1.0, collaterals=[Collateral(1.0, 1_990.0)])
NAN = math.nan


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"spot": NAN}, "spot"),
        ({"spot": 0.0}, "spot"),
        ({"stable_price": 0.0}, "stable_price"),
        ({"stable_price": math.inf}, "stable_price"),
        ({"perp_price": NAN}, "perp_price"),
        ({"unrealised": NAN}, "perp_unrealised_usd"),
        ({"spot_confidence": NAN}, "spot_confidence"),
        ({"perp_confidence": -0.1}, "perp_confidence"),
        ({"options": [Option(0, "call", 2_500.0, -1.0, NAN)]}, "vol[0]"),
        ({"expiries": [Expiry(NAN, 2_010.0)]}, "years[0]"),
        ({"expiries": [Expiry(0.1, 0.0)]}, "forward[0]"),
        ({"expiries": [Expiry(0.1, 2_010.0, rate=NAN)]}, "rate[0]"),
        ({"expiries": [Expiry(0.1, 2_010.0, confidence=NAN)]}, "expiry_confidence[0]"),
        ({"collaterals": [Collateral(1.0, NAN)]}, "collateral_price[0]"),
        ({"collaterals": [Collateral(1.0, 1.0, confidence=NAN)]}, "collateral_confidence[0]"),
    ],
)
def test_what_cannot_be_used_is_named_and_gives_no_number(change: dict[str, Any], name: str) -> None:
    """Missing or senseless input of something held gives NaN everywhere and its name, never a zero."""
    got = replace(OPTION_BOOK, **change).margin()
    assert name in got.unusable
    figures = [got.equity_usd, got.im_requirement_usd, got.mm_excess_usd, *got.components.values()]
    assert all(math.isnan(x) for x in figures)
    assert np.isnan(got.scenario_pnl_usd).all()
    assert got.worst_scenario == -1


def test_what_is_not_held_need_not_be_known() -> None:
    """Prices of a perpetual, an expiry and a collateral that nobody holds may be missing."""
    book = replace(NAKED, expiries=[NAKED.expiries[0], Expiry(NAN, NAN, rate=NAN)], perp_price=NAN, perp_confidence=NAN,
                   collaterals=[Collateral(0.0, NAN, confidence=NAN)])  # fmt: skip
    got = book.margin()
    assert got.unusable == ()
    assert got.im_requirement_usd == NAKED.margin().im_requirement_usd
    assert Book(cash=5.0, spot=NAN, spot_confidence=NAN).margin().equity_usd == 5.0


@pytest.mark.parametrize(
    "change",
    [
        {"cash": NAN}, {"perp": math.inf}, {"options": [Option(0, "call", 0.0, 1.0)]},
        {"options": [Option(5, "call", 10.0, 1.0)]}, {"options": [Option(-1, "call", 10.0, 1.0)]},
        {"options": [Option(0, "call", 10.0, NAN)]}, {"collaterals": [Collateral(-1.0, 1.0)]},
    ],
)  # fmt: skip
def test_what_no_portfolio_can_be_is_refused(change: dict[str, Any]) -> None:
    """Amounts that are no numbers, strikes that are not positive, expiries that are not there, borrowed collateral."""
    with pytest.raises(ValueError, match="must be"):
        replace(NAKED, **change).margin()


def test_columns_of_different_lengths_are_refused() -> None:
    """A column that lost a row is refused before anything is computed."""
    portfolio, market, haircuts = NAKED.columns()
    with pytest.raises(ValueError, match="as long as"):
        model.margin(portfolio, market._replace(vol=np.ones(2)), haircuts, scenarios_of(NAKED.parameters),
                     terms_of(NAKED.parameters))  # fmt: skip


@pytest.mark.parametrize(
    "rows", [[], [(1.0, "sideways", 1.0)], [(0.0, "up", 1.0)], [(math.inf, "up", 1.0)], [(1.0, "up", -0.1)],
             [(1.0, "up", NAN)]],
)  # fmt: skip
def test_scenarios_that_mean_nothing_are_refused(rows: list[tuple[float, str, float]]) -> None:
    """No scenarios, unknown directions, factors and dampings out of range raise ValueError."""
    with pytest.raises(ValueError, match=r"scenario|direction|factor|damping"):
        values.scenario_table(rows)


def test_basis_scenarios_judge_a_trade_that_lowers_risk() -> None:
    """The three scenarios of the basis range alone need less than all of them."""
    portfolio, market, haircuts = NAKED.columns()
    terms = terms_of(NAKED.parameters)
    few = model.margin(portfolio, market, haircuts, model.basis_scenarios(terms.basis), terms)
    assert len(few.scenario_pnl_usd) == 3
    assert few.mm_requirement_usd < NAKED.margin().mm_requirement_usd


def test_an_expired_option_is_worth_its_intrinsic() -> None:
    """With no time left scenarios revalue the intrinsic, and tenor and skew shocks stay finite."""
    got = Book(options=[Option(0, "put", 2_100.0, 1.0)], expiries=[Expiry(0.0, 2_000.0)]).margin()
    assert got.equity_usd == pytest.approx(100.0, rel=1e-13)
    assert np.isfinite(got.scenario_pnl_usd).all()


def test_a_default_charge_is_what_the_venue_deploys() -> None:
    """The contingencies' defaults are those of the deployment script."""
    assert Charges(*[getattr(PmrmOther(), name) for name in Charges._fields]) == CHARGES
