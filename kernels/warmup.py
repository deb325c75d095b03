"""Loads every kernel before the first record.

Explicit signatures compile when a module is imported, or load from numba's cache beside it. What is left is the
machinery of a first call; it is paid here, not by the first tick.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from kernels import (
    accounts,
    black76,
    blocks,
    contracts,
    correlation,
    curves,
    move_losses,
    netted_accounts,
    netted_bounds,
    netting,
    netting_cone,
    netting_descent,
    netting_hull,
    netting_interior,
    netting_solve,
    risk_matrix,
    scenarios,
    segment_sums,
    segment_tables,
    surface,
)


def warm_up() -> float:
    """Call every public kernel once on tiny arrays; return the seconds it took."""
    start = perf_counter()
    _pricing()
    _contracts()
    _portfolio()
    _accounts()
    _correlation()
    _netting()
    _netting_parts()
    _netting_descent()
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
    nothing = np.zeros(1)
    scenarios.risk_array(
        kind, call, one, one, one, nothing, nothing, one, one, 1.0, *table, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0,
        pnl, value, delta, market,
    )  # fmt: skip
    indptr, row = np.array([0, 1], dtype=np.int64), np.zeros(1, dtype=np.int64)
    group, worst = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    segment_tables.check_segments(indptr, row, one, 1)
    blocks.blocks(indptr, row, one, pnl, np.empty_like(pnl))
    risk_matrix.delta_shock(1.0, 1.0, 0.0, 0.0, 0.1)
    net_value, scan, roll, shock, net_delta = np.empty((5, 1))
    risk_matrix.evaluate(
        indptr, row, one, pnl, value, delta, market, group, one, 1.0, 0.0, 0.0, 0.1,
        net_value, scan, worst, roll, shock, net_delta,
    )  # fmt: skip


def _accounts() -> None:
    no_rows, one_row = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    money, part = np.zeros(1), np.zeros((1, 1))
    yes, places = np.zeros(1, dtype=np.bool_), np.zeros((1, 1), dtype=np.int64)
    thresholds, bits = np.ones((1, accounts.THRESHOLDS)), np.ones(8, dtype=np.int64)
    accounts.scatter(no_rows, no_rows, money, money, 0.8, part, part, part)
    accounts.conditions(1.0, 0.0, 0.0, False, False, thresholds[0], bits)
    accounts.refresh_totals(
        no_rows, money, part, part, part, one_row, places, yes, yes, yes, yes, yes, money, part, money, money,
        one_row, thresholds, bits, money, money, money, one_row, one_row, one_row, np.zeros(2, dtype=np.int64),
    )  # fmt: skip
    matrices = np.ones((1, 1, 1, 1))
    netted_bounds.envelope(np.zeros(3), 3, 0.0)
    netted_bounds.store_losses(no_rows, no_rows, np.zeros((0, 3)), places, part, part, part, yes)
    netted_bounds.lower_bounds(no_rows, one_row, places, places, one_row, part, part, money)
    netted_bounds.sweep(
        one_row, no_rows, np.zeros(0), np.zeros((0, 9)), np.zeros(0), no_rows, no_rows, no_rows, places, 3,
        np.zeros((1, 3)), part, part, part, yes,
    )  # fmt: skip
    netted_accounts.take_matrices(
        no_rows, yes, one_row, places, one_row, one_row, matrices, money, part, part, money, yes
    )
    netted_accounts.solve_rows(
        no_rows, one_row, places, places, one_row, one_row, one_row, matrices, money, part, part, part, part, money,
        money, yes,
    )  # fmt: skip


def _correlation() -> None:
    matrix, out = np.eye(2), np.empty((2, 2))
    correlation.is_above(matrix, 0.0)
    correlation.eigen(matrix.copy(), np.empty(2), out)
    correlation.repair(matrix, 0.0, out)
    correlation.largest_eigenvalue(matrix)


def _netting() -> None:
    side, moves = np.array([-1, 1], dtype=np.int64), np.array([3, 3])
    block, scenario, curve = np.zeros((1, 11)), np.empty(3, dtype=np.int64), np.array([[1.0, 0.0, -1.0]] * 2)
    move_losses.move_losses(np.array([0, 1]), np.array([0]), np.ones(1), block, side, np.empty((1, 3)))
    move_losses.worst_scenarios(block[0], side, scenario)
    place, positions = segment_tables.table_rows(np.array([0, 1]), np.array([0]), 1)
    table, _ = move_losses.curve_table(np.array([0, 1]), place, np.ones(1), block, np.ones(1), np.ones(1), side, 3)
    segment_sums.sum_segments(
        np.array([0, 1]), positions, np.ones(1), table, 16, 0, 1, segment_tables.empty_table(1, 16)
    )
    unit, curve_out = np.ones(1), np.empty((1, 3))
    curves.reduce_curves(np.zeros(16), 16, 1, 3, 1, 1, np.empty(3), 0)
    move_losses.evaluate(np.array([0, 1]), place, unit, block, unit, unit, side, np.empty(1), np.empty(1), curve_out)
    w, mean, weight, duals, matrices = np.zeros(2), np.zeros(2), np.zeros(1), np.zeros((2, 3)), np.eye(2)[np.newaxis]
    netting.norm(w, matrices, 0.1)
    netting.residual(curve[0], 0.0)
    netting.screen_hedge(curve[0])
    netting.check_curves(curve, moves)
    netting.screen(curve, moves, w)
    netting.gather(matrices, np.array([1, 0]), np.empty((1, 2, 2)))
    netting_solve.check_matrices(matrices, 2)
    netting_solve.closed(1.0, 1.0, 1e-9)
    netting_solve.solve(curve, moves, matrices, 0.1, 1e-9, w, duals, weight)
    vertex, vertices = np.zeros((2, 3), dtype=np.int64), np.zeros(2, dtype=np.int64)
    netting_hull.hulls(curve, moves, vertex, vertices)
    netting_interior.interior(curve, moves, vertex, vertices, matrices, 0.1, 1e-9, w, mean, weight, duals)


def _netting_parts() -> None:
    curve, vertex, moves = np.array([1.0, 0.5, -1.0]), np.zeros(3, dtype=np.int64), np.array([3])
    netting_hull.grid_move(0, 3)
    count = netting_hull.upper_hull(curve, vertex)
    netting_hull.breakpoint_at(curve, vertex, 0)
    netting_hull.hull_residual(curve, vertex, count, 0.0)
    netting_hull.mixture(curve, vertex, count, 0.0, np.empty(3))
    one, vertices = np.ones(1), np.array([count])
    netting_hull.residuals(curve[np.newaxis], moves, vertex[np.newaxis], vertices, one)
    netting_hull.mixtures(curve[np.newaxis], moves, vertex[np.newaxis], vertices, one, np.empty((1, 3)))
    point, matrix, v, beta = np.array([[2.0, 1.0]]), np.eye(2), np.empty((1, 2)), np.empty(1)
    netting_cone.factor(matrix[np.newaxis], np.empty((1, 2, 2)))
    netting_cone.cholesky(matrix)
    netting_cone.cholesky_solve(matrix, point[0].copy())
    netting_cone.cone_gap(point[0])
    netting_cone.scaling(one, one, point, point, np.empty(1), np.empty(1), v, beta, np.empty((1, 2)))
    netting_cone.scale(v[0], 1.0, point[0], np.empty(2))
    netting_cone.unscale(v[0], 1.0, point[0], np.empty(2))
    netting_cone.divide(point[0], point[0], np.empty(2))
    netting_cone.reach(point[0], -point[0])


def _netting_descent() -> None:
    curve, moves, w, mean = np.array([[1.0, 0.0, -1.0]] * 2), np.array([3, 3]), np.zeros(2), np.zeros(2)
    vertex, vertices = np.array([[0, 2, 0]] * 2), np.array([2, 2])
    b, e, place, matrices, y = (
        np.zeros(1),
        np.ones(1),
        np.zeros(2, dtype=np.int64),
        np.eye(2)[np.newaxis],
        np.zeros((1, 2)),
    )
    netting_descent.line_slope(b, e, 0.1, 0.0, 1.0, True)
    netting_descent.line_minimum(curve[0], vertex[0], 2, b, e, 0.1, 0.0)
    netting_descent.products(matrices, w, y)
    netting_descent.descend(curve, moves, vertex, vertices, matrices, 0.1, 2, w, place, y, b, e)
    netting_descent.suggest(moves, vertex, 0.1, w, place, y, np.ones(1), mean)
    netting_descent.tie_share(moves, vertex, 0.1, w, place, y, 0, 0)
    netting_descent.weigh(moves, vertex, 0.1, w, place, y, b, np.ones(1))
    netting_descent.nearest_worst(curve, moves, vertex, vertices, mean)
    netting_descent.within(mean, matrices[0], 0.1, np.empty((2, 2)), np.empty(2))
