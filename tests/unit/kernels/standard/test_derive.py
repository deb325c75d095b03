"""Derive's standard manager: parts by name, unknown prices, and what its rule does at the edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels.standard import derive
from kernels.standard.derive_expiry import expiry_margins

RATES = derive.OptionRates(0.15, 0.10, 0.075, 0.075, 0.075, 1.2, 1.1, 1.05)
PARAMETERS = derive.Parameters(RATES, derive.OracleRates(0.55, 0.55, 0.55, 0.4), 0.1, 0.065, 0.8, 0.9375, 0.99, 2.0)
EMPTY = derive.Market(1_500.0, 1.0, 0.0, 0.0, math.nan, math.nan, math.nan, [])


def option(strike: float, amount: float, *, is_call: bool = True, **changes: Any) -> derive.Option:
    given = derive.Option(500_400.0, strike, is_call, amount, 1.0, 1.0, 1_500.0, 1.0)
    return given._replace(**changes)


def margin(market: derive.Market, cash: float = 0.0, stable: float = 1.0) -> Any:
    return derive.standard_manager(cash, stable, {"ETH": (market, PARAMETERS)})


def test_parts_have_names_and_add_up() -> None:
    """Every charge is a part of its own, and the parts are the net margin."""
    market = EMPTY._replace(
        base=2.0, perp_position=-3.0, perp_price=1_505.0, perp_confidence=0.5, perp_unrealised=-15.0,
        options=[option(1_600.0, -1.0, vol_confidence=0.25)],
    )  # fmt: skip
    found = margin(market, cash=5_000.0, stable=0.98)
    assert found.im_components["perpetual ETH"] == pytest.approx(-451.5, rel=1e-14)
    assert found.mm_components["perpetual ETH"] == pytest.approx(-293.475, rel=1e-14)
    assert found.im_components["unrealised ETH"] == -15.0
    assert found.im_components["coins ETH"] == pytest.approx(2_250.0, rel=1e-14)
    assert found.im_components["depeg ETH"] == pytest.approx(-0.02 * 1_500 * 4, rel=1e-12)
    assert found.im_components["oracle perpetual ETH"] == pytest.approx(-0.5 * 0.4 * 1_500 * 3, rel=1e-14)
    assert found.im_components["oracle options ETH"] == pytest.approx(-0.75 * 0.4 * 1_500, rel=1e-14)
    assert found.im_components["oracle coins ETH"] == 0.0
    for excess, parts in ((found.im_excess, found.im_components), (found.mm_excess, found.mm_components)):
        assert excess == math.fsum(parts.values())
    assert found.im_requirement == found.equity - found.im_excess > found.mm_requirement > 0.0
    assert all(found.mm_components[f"{part} ETH"] == 0.0 for part in ("depeg", "oracle perpetual", "oracle options"))


def test_coins_that_count_for_nothing_carry_no_charge() -> None:
    """A factor of zero makes coins worthless for margin and their oracle irrelevant."""
    market = EMPTY._replace(base=2.0, spot_confidence=0.1)
    worthless = PARAMETERS._replace(base_margin_factor=0.0)
    found = derive.standard_manager(0.0, 1.0, {"ETH": (market, worthless)})
    assert (found.im_excess, found.mm_excess, found.equity) == (0.0, 0.0, 3_000.0)
    assert margin(market).im_components["oracle coins ETH"] == pytest.approx(-0.9 * 0.4 * 3_000, rel=1e-14)


def test_options_that_cancel_are_no_position() -> None:
    """A buy and a sale of one option leave no margin, no depeg charge and no doubt."""
    market = EMPTY._replace(options=[option(1_600.0, -1.0, vol_confidence=0.1), option(1_600.0, 1.0)])
    assert margin(market, cash=7.0, stable=0.9)[:5] == (7.0, 0.0, 0.0, 7.0, 7.0)


def test_a_far_call_bought_can_raise_the_requirement() -> None:
    """The payoff is looked at on strikes only, so a strike far away shows a loss that the rule did not see before."""
    book = [option(1_200.0, 1.0), option(1_000.0, -1.0), option(2_500.0, -0.1)]
    before = margin(EMPTY._replace(options=book)).im_excess
    after = margin(EMPTY._replace(options=[*book, option(20_000.0, 0.1)])).im_excess
    assert before == pytest.approx(-200 - 1.2 * 1_500 * 0.1, rel=1e-12)
    assert after < before - 300.0


@pytest.mark.parametrize(
    "market",
    [
        EMPTY._replace(perp_position=1.0, perp_unrealised=0.0),
        EMPTY._replace(spot=math.nan, base=1.0),
        EMPTY._replace(options=[option(1_600.0, -1.0, vol=math.nan)]),
        EMPTY._replace(options=[option(1_600.0, -1.0, is_call=False, vol=math.nan)]),
        EMPTY._replace(options=[option(1_600.0, -1.0, forward=math.nan)]),
        EMPTY._replace(spot=math.nan, options=[option(1_600.0, -1.0)]),
    ],
)
def test_a_holding_without_a_price_makes_the_margin_unknown(market: derive.Market) -> None:
    """Requirements are NaN, never zero."""
    found = margin(market)
    assert math.isnan(found.im_requirement)
    assert math.isnan(found.im_excess)


def test_what_nobody_holds_needs_no_price() -> None:
    """An empty market has no margin, whatever its prices are."""
    assert margin(EMPTY._replace(spot=math.nan))[:5] == (0.0, 0.0, 0.0, 0.0, 0.0)
    assert derive.standard_manager(3.0, 1.0, {})[:5] == (3.0, 0.0, 0.0, 3.0, 3.0)


def test_an_unknown_confidence_is_none() -> None:
    """A confidence that is not a number counts as zero."""
    market = EMPTY._replace(options=[option(1_600.0, -1.0, forward_confidence=math.nan)])
    assert margin(market).im_components["oracle options ETH"] == pytest.approx(-0.4 * 1_500, rel=1e-14)


def test_impossible_inputs_are_refused() -> None:
    """A stable coin without a price and coins borrowed raise."""
    for stable in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="stable"):
            margin(EMPTY, stable=stable)
    with pytest.raises(ValueError, match="coins"):
        margin(EMPTY._replace(base=-1.0))


def test_the_worst_price_is_told() -> None:
    """A put sold is worst at zero, a bull spread sold at its upper strike; both rules' numbers are kept."""
    put, spread = derive.expiries(
        EMPTY._replace(
            options=[
                option(1_400.0, -1.0, is_call=False), option(1_500.0, -1.0, seconds=9e6),
                option(1_700.0, 1.0, seconds=9e6),
            ]
        ),
        RATES,
    )  # fmt: skip
    assert (put.worst_price, put.bounded) == (0.0, (-1_400.0, -1_400.0))
    assert (spread.worst_price, spread.bounded) == (1_700.0, (-200.0, -200.0))
    assert spread.margin(0) == -200.0
    assert put.margin(1) == put.isolated[1] > -1_400.0


@pytest.mark.parametrize("change", [{"rows": 3}, {"last": 5}, {"columns": 3}, {"order": (0, 3, 2, 4)}])
def test_shapes_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    """Columns, expiries and outputs of other lengths raise."""
    n, expiries = 4, 3 if "order" in change else 2
    indptr = np.array(change.get("order", (0, 2, change.get("last", n))), dtype=np.int64)
    column, columns = np.ones(n), change.get("columns", expiries)
    with pytest.raises(ValueError, match=r"length|cover|outputs|overlap"):
        expiry_margins(
            indptr, np.ones(n, dtype=np.bool_), np.ones(change.get("rows", n)), column, column, np.ones(expiries), 1.0,
            0.15, 0.1, 0.075, 0.075, 0.075, 1.2, 1.1, 1.05, np.empty((2, columns)), np.empty((2, columns)),
            np.empty(columns),
        )  # fmt: skip
