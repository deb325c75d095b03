"""From model A's USD block to the venue's coins."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from kernels import scenarios
from kernels._jit import Floats
from monitor.vectors.deribit import in_coins
from monitor.vectors.registry import CALLABLES
from schemas.records import RiskMatrixParameters
from tests.unit.vectors.second import mp, price

INDEX, FORWARD, PERPETUAL = 65_000.0, 65_650.0, 65_065.0
STRIKE, YEARS, VOL = 70_000.0, 30 / 365, 0.6
P = RiskMatrixParameters()
TABLE = scenarios.scenario_table(P.price_range, P.buckets_each_side, P.extended_moves)
STANDARD = 27
# The account of model A's page: half a coin beside half a coin of entry, 3,000 inverse perpetuals, short linear ones
# and calls.
QUANTITY = np.array([1.0, 3_000.0, -0.4, -2.0])


@pytest.fixture(scope="module")
def unit_rows() -> tuple[Floats, Floats]:
    """P&L and value in USD of one coin, inverse and linear perpetual, and inverse call."""
    n = len(QUANTITY)
    pnl, value, delta, market_delta = np.empty((n, len(TABLE.move))), np.empty(n), np.empty(n), np.empty(n)
    kind = np.array([scenarios.COIN, scenarios.INVERSE, scenarios.LINEAR, scenarios.INVERSE_OPTION])
    one, none = np.ones(n), np.zeros(n)
    scenarios.risk_array(
        kind, np.ones(n, dtype=np.bool_), np.array([1.0, 10.0, 1.0, 1.0]), one * STRIKE,
        np.array([np.nan, PERPETUAL, PERPETUAL, FORWARD]), none, none, one * YEARS, one * VOL, INDEX, *TABLE,
        P.volatility_range_up, P.volatility_range_down, P.min_volatility_for_shock_up, P.short_term_vega_power,
        P.long_term_vega_power, P.dte_floor_days, pnl, value, delta, market_delta,
    )  # fmt: skip
    return pnl, value


def venue_coins(cell: int) -> list[Any]:
    """P&L in coins of one of each contract, by the contracts' own terms; a linear one pays USD, exchanged then."""
    move = mp.mpf(float(TABLE.move[cell]))
    vol = {0: mp.mpf(VOL), 1: max(mp.mpf(VOL) * mp.mpf("1.5"), mp.mpf("0.5")), -1: mp.mpf(VOL) * mp.mpf("0.75")}[
        int(TABLE.vol_direction[cell])
    ]
    root, moved = mp.sqrt(mp.mpf(YEARS)), mp.mpf(FORWARD) * (1 + move)
    call = [price("call", f, STRIKE, v * root, 1) / f for f, v in ((mp.mpf(FORWARD), mp.mpf(VOL)), (moved, vol))]
    return [
        mp.mpf(0),
        10 * (1 / mp.mpf(PERPETUAL) - 1 / (mp.mpf(PERPETUAL) * (1 + move))),
        mp.mpf(PERPETUAL) * (1 + move) / (mp.mpf(INDEX) * (1 + move)) - mp.mpf(PERPETUAL) / mp.mpf(INDEX),
        call[1] - call[0],
    ]


def test_a_row_in_coins_is_the_pnl_of_its_contract(unit_rows: tuple[Floats, Floats]) -> None:
    """A coin has no P&L in coins, an inverse future n (1/p - 1/p'), an inverse option V'/F' - V/F, to 1e-15 coins.

    The linear perpetual is worth a number of coins at every move: its mark over the index does not change.
    """
    coins = in_coins(TABLE, *unit_rows, INDEX)
    assert set(coins[0]) == {0.0}
    for cell in range(STANDARD):
        for got, want in zip(coins[:, cell], venue_coins(cell), strict=True):
            assert abs(got - float(want)) <= 1e-15


def test_the_account_of_the_page_has_one_equity_in_both_numeraires(unit_rows: tuple[Floats, Floats]) -> None:
    """USD equity after a shock over the shocked index is coin equity now and coin P&L: one account, one bankruptcy."""
    pnl, value = unit_rows
    coins = in_coins(TABLE, pnl, value, INDEX)
    for quantity in (QUANTITY, 25 * QUANTITY - np.array([24.9, 0.0, 0.0, 0.0])):
        usd = (quantity @ value + quantity @ pnl)[:STANDARD]
        then = usd / (INDEX * (1.0 + TABLE.move[:STANDARD]))
        now = quantity @ value / INDEX + (quantity @ coins)[:STANDARD]
        assert then == pytest.approx(now, rel=1e-12, abs=1e-12)
        assert np.array_equal(usd < 0.0, now < 0.0)


def test_requirements_of_the_two_numeraires_differ_by_the_collateral(unit_rows: tuple[Floats, Floats]) -> None:
    """A coin alone is charged its fall in USD and not in coins; hedged by its perpetual it is the other way round."""
    pnl, value = unit_rows
    coins = in_coins(TABLE, pnl, value, INDEX)
    alone = np.array([1.0, 0.0, 0.0, 0.0])
    assert (-(alone @ pnl).min(), -(alone @ coins).min()) == (pytest.approx(0.16 * INDEX, rel=1e-15), 0.0)
    hedged = np.array([1.0, -PERPETUAL / 10.0, 0.0, 0.0])  # a coin, and one short at the mark: entry of -1 coin
    hedged[0] -= 1.0
    assert -(hedged @ pnl).min() == pytest.approx(0.0, abs=1e-9)
    assert -(hedged @ coins).min() == pytest.approx(0.16 / 1.16, rel=1e-14)


def test_the_perpetuals_of_the_page_by_hand() -> None:
    """3,000 inverse perpetuals of 10 USD at 65,065: coin P&L by the contract's terms, and what the USD block loses."""
    base = 3_000 * 10 / PERPETUAL
    got = CALLABLES["deribit_pme"]({
        "contract": "inverse, settled in BTC", "index_price": INDEX, "mark_prices": {"BTC-PERPETUAL": PERPETUAL},
        "positions_base": {"BTC-PERPETUAL": base},
        "params": {
            "price_range": 0.16, "buckets_each_side": 4, "min_annualised_move": 0.01, "annualised_move_risk": 0.075,
            "m_inc": 5e-5, "delta_total_liq_shock_threshold_usd": 20e6, "max_delta_shock": 0.1, "mm_factor": 0.8,
        },
    })  # fmt: skip
    moves = [mpmath.mpf(i) / 25 for i in range(-4, 5)]
    want = [30_000 * (1 / mpmath.mpf(PERPETUAL) - 1 / (mpmath.mpf(PERPETUAL) * (1 + m))) for m in moves]
    assert got["initial_vector_standard_by_bucket"]["BTC-PERPETUAL"] == pytest.approx(
        [float(x) for x in want], abs=1e-15
    )
    assert got["worst_case"] * INDEX * 0.84 == pytest.approx(30_000 * INDEX / PERPETUAL * 0.16, rel=1e-14)
    assert got["roll_shock"] == pytest.approx(base * 0.01, rel=1e-15)
