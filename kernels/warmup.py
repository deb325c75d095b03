"""Loads every kernel before the first record.

Explicit signatures compile when a module is imported, or load from numba's cache beside it. What is left is the
machinery of a first call; it is paid here, not by the first tick.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from kernels import accounts, black76, blocks, contracts, correlation, risk_matrix, scenarios, surface


def warm_up() -> float:
    """Call every public kernel once on tiny arrays; return the seconds it took."""
    start = perf_counter()
    _pricing()
    _contracts()
    _portfolio()
    _accounts()
    _correlation()
    return perf_counter() - start


def _pricing() -> None:
    call, one, out = np.ones(1, dtype=np.bool_), np.ones(1), np.empty(1)
    black76.normal_cdf(0.0)
    black76.log_ratio(1.0, 1.0)
    black76.price(True, 1.0, 1.0, 0.1, 1.0)
    black76.delta(True, 1.0, 1.0, 0.1, 1.0)
    black76.greeks(True, 1.0, 1.0, 0.5, 0.1, 0.0)
    black76.price_array(call, one, one, one, one, out)
    black76.greeks_array(call, one, one, one, one, one, np.empty((black76.GREEKS, 1)))
    surface.volatility(surface.CONSTANT, 0.5, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0, 1.0, 1.0, 0.1)
    code = np.array([surface.CONSTANT], dtype=np.int64)
    surface.volatilities(code, np.ones((1, surface.PARAMETERS)), -one, one, one, one, one, out)


def _contracts() -> None:
    contracts.linear_pnl_usd(1.0, 1.0, 1.0, 1.0)
    contracts.inverse_pnl_coins(1.0, 1.0, 1.0, 1.0)
    contracts.spot_greeks(1.0, 0.5, 0.1, 0.0, 0.0, 1.0, 1.0, 0.1, 0.0, 0.0)
    contracts.inverse_greeks(0.1, 0.5, 1.0, 1.0, -1.0, 1.0)
    contracts.settlement_forward(1.0, 1.0, 1.0, 1800.0)


def _portfolio() -> None:
    table = scenarios.scenario_table(0.16, 1, (1.0,))
    kind, call, one = np.array([scenarios.LINEAR], dtype=np.int64), np.ones(1, dtype=np.bool_), np.ones(1)
    pnl, value, delta, market = np.empty((1, len(table.move))), np.empty(1), np.empty(1), np.empty(1)
    scenarios.shocked_vol(0.5, scenarios.UP, 0.1, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0)
    scenarios.risk_array(
        kind, call, one, one, one, one, one, 1.0, *table, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0, pnl, value, delta, market
    )
    indptr, row = np.array([0, 1], dtype=np.int64), np.zeros(1, dtype=np.int64)
    group, worst = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    blocks.check_segments(indptr, row, one, 1)
    blocks.blocks(indptr, row, one, pnl, np.empty_like(pnl))
    blocks.linear_sum(indptr, row, one, value, np.empty(1))
    risk_matrix.delta_shock(1.0, 1.0, 0.0, 0.0, 0.1)
    net_value, scan, roll, shock, net_delta = np.empty((5, 1))
    risk_matrix.evaluate(
        indptr, row, one, pnl, value, delta, market, group, one, 1.0, 0.0, 0.0, 0.1,
        net_value, scan, worst, roll, shock, net_delta,
    )  # fmt: skip


def _accounts() -> None:
    no_rows, one_row = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    money, part = np.zeros(1), np.zeros((1, 1))
    yes, active = np.zeros(1, dtype=np.bool_), np.zeros((1, 1), dtype=np.bool_)
    thresholds, bits = np.ones((1, accounts.THRESHOLDS)), np.ones(8, dtype=np.int64)
    accounts.scatter(no_rows, 0, money, money, 0.8, part, part, part)
    accounts.ratio_conditions(1.0, 0.0, 0.0, thresholds[0], bits)
    accounts.conditions(1.0, 0.0, 0.0, False, False, thresholds[0], bits)
    accounts.refresh_totals(
        no_rows, money, part, part, part, active, yes, one_row, yes, yes,
        one_row, thresholds, bits, money, money, money, one_row, one_row,
    )  # fmt: skip


def _correlation() -> None:
    matrix, out = np.eye(2), np.empty((2, 2))
    correlation.is_above(matrix, 0.0)
    correlation.eigen(matrix.copy(), np.empty(2), out)
    correlation.repair(matrix, 0.0, out)
