"""Gets the machine code of every kernel that Python calls before the first record, and tells what that took.

A kernel is compiled or loaded at its first call; that and the rest of a first call's machinery is paid here, not by the
first tick. Kernels that only kernels call are part of their callers' code.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from kernels import (
    accounts,
    added_sweep,
    black76,
    black76_arrays,
    blocks,
    contracts,
    correlation,
    move_losses,
    netted_accounts,
    netted_bounds,
    netted_rows,
    netting,
    netting_distance,
    netting_solve,
    risk_matrix,
    scenarios,
    segment_tables,
    slice_density,
    surface,
)
from kernels._jit import TALLY
from kernels.certificates import added, book, drift_rows, joint, places, renew, shared, standard, watch


class WarmUp(NamedTuple):
    """Kernels that this process compiled and that it found in the cache, the seconds of that and of the first calls."""

    compiled: int
    loaded: int
    load_s: float
    first_calls_s: float


def warm_up() -> WarmUp:
    """Call every kernel that Python calls once on tiny arrays; return what that and earlier first calls took."""
    start, before = perf_counter(), TALLY.seconds
    _pricing()
    _contracts()
    _portfolio()
    _accounts()
    _netted_accounts()
    _certificates()
    _correlation()
    calls_s = perf_counter() - start - (TALLY.seconds - before)
    return WarmUp(TALLY.compiled, TALLY.loaded, TALLY.seconds, calls_s)


def _pricing() -> None:
    call, one, out = np.ones(1, dtype=np.bool_), np.ones(1), np.empty(1)
    black76.price(True, 1.0, 1.0, 0.1, 1.0)
    black76.delta(True, 1.0, 1.0, 0.1, 1.0)
    black76.greeks(True, 1.0, 1.0, 0.5, 0.1, 0.0)
    black76_arrays.price_array(call, one, one, one, one, out)
    black76_arrays.greeks_array(call, one, one, one, one, one, np.empty((black76_arrays.GREEKS, 1)))
    slice_density.of_smile(0.5, 0.0, 0.0, -1.0, 1.0, 1.0)
    slice_density.of_svi(0.04, 0.1, 0.0, 0.0, 0.1, -1.0, 1.0, 0.0, 1.0)
    surface.volatility(surface.CONSTANT, 0.5, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0, 1.0, 1.0, 0.1)
    code = np.array([surface.CONSTANT], dtype=np.int64)
    surface.volatilities(code, np.ones((1, surface.PARAMETERS)), -one, one, one, one, one, out)


def _contracts() -> None:
    contracts.spot_greeks(1.0, 0.5, 0.1, 0.0, 0.0, 1.0, 1.0, 0.1, 0.0, 0.0)
    contracts.settlement_forward(1.0, 1.0, 1.0, 1800.0)


def _portfolio() -> None:
    table = scenarios.scenario_table(0.16, 1, (1.0,))
    kind, call, one = np.array([scenarios.LINEAR], dtype=np.int64), np.ones(1, dtype=np.bool_), np.ones(1)
    pnl, value, delta, market = np.empty((1, len(table.move))), np.empty(1), np.empty(1), np.empty(1)
    nothing = np.zeros(1)
    scenarios.risk_array(
        kind, call, one, one, one, nothing, nothing, one, one, 1.0, *table, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0,
        pnl, value, delta, market,
    )  # fmt: skip
    indptr, row = np.array([0, 1], dtype=np.int64), np.zeros(1, dtype=np.int64)
    group, worst = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    blocks.blocks(indptr, row, one, pnl, np.empty_like(pnl))
    stride = risk_matrix.table_stride(len(table.move), 1)
    risk_matrix.fill_table(row, pnl, value, delta, market, group, stride, np.zeros(stride))
    net_value, scan, roll, shock, net_delta = np.empty((5, 1))
    risk_matrix.evaluate(
        indptr, row, one, pnl, value, delta, market, group, one, 1.0, 0.0, 0.0, 0.1,
        net_value, scan, worst, roll, shock, net_delta,
    )  # fmt: skip


def _accounts() -> None:
    nobody, one, money = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(1)
    record = np.zeros((1, 16))
    figures: tuple[Any, Any] = (record, record.view(np.int16))
    thresholds, bits = np.ones((1, accounts.THRESHOLDS)), np.ones(8, dtype=np.int64)
    limits: tuple[Any, Any, Any] = (money, thresholds, bits)
    counts = np.zeros(2, dtype=np.int64)
    accounts.judge_rows(nobody, *figures, *limits, one, one, counts)
    accounts.totals(0, *figures)
    yes, shorts = np.zeros(1, dtype=np.bool_), np.zeros(1, dtype=np.int16)
    pages: tuple[Any, Any] = (nobody, nobody)
    positions: tuple[Any, Any, Any, Any] = (one, one, one, money)
    added_sweep.sweep(
        *pages, *positions, money, 1, money, 1.0, 0.0, 0.0, 0.0, 1.0, False, True, one, one, yes, *figures,
        *limits, one, counts,
    )  # fmt: skip
    netted_bounds.sweep(
        *pages, *positions, money, 3, 0, 0, False, True, one, one, money, shorts, shorts, money, yes, *figures,
        *limits, one, one, counts,
    )  # fmt: skip
    segment_tables.empty_table(1, 1)
    slot, columns = np.zeros((1, 1), dtype=np.int64), np.zeros((1, netted_accounts.COLUMN_FIELDS), dtype=np.int64)
    matrices: Any = np.ones((1, 1, 1, 1))
    mixtures: tuple[Any, Any, Any, Any] = (money, shorts, shorts, money)
    netted_accounts.shrinkage(matrices[0], matrices[0], 0.1, 0.1)
    netted_accounts.take_matrices(nobody, slot, one, columns, *mixtures, *figures, matrices, money, money)
    open_cases: tuple[Any, Any, Any] = (one, nobody, counts)
    of_rows: tuple[Any, ...] = (*positions, *mixtures, *figures, matrices, money, *limits, *open_cases)
    netted_rows.judge_by_tables(nobody, nobody, slot, one, columns, money, *of_rows)
    netted_rows.judge_by_descent(nobody, slot, one, columns, money, *of_rows)
    netted_accounts.solve_rows(
        nobody, True, slot, one, columns, money, *positions, *mixtures, *figures, matrices, money, *limits,
        money, one, counts,
    )  # fmt: skip


def _netted_accounts() -> None:
    curves, moves, w = np.array([[1.0, 0.0, -1.0]] * 2), np.array([3, 3]), np.zeros(2)
    unlike = np.eye(2)[np.newaxis]
    netting_solve.solve(curves, moves, unlike, 0.1, 1e-9, w, np.zeros((2, 3)), np.zeros(1))
    netting.norm(w, unlike, 0.1)
    netting_distance.plain_sum(curves, moves)
    netting_distance.frozen_distance(curves, moves, unlike, w, 1.5)
    netting_distance.distance(curves, moves, unlike, 1.5, 1e-9)
    netting_distance.correlation_part(curves, moves, unlike, 0.1, unlike, 0.2, 1e-9)
    side = np.array([-1, 1], dtype=np.int64)
    block, scenario = np.zeros((1, 11)), np.empty(3, dtype=np.int64)
    unit = np.ones(1)
    layout = move_losses.columns_of(3, side)
    move_losses.fill_curves(np.array([0]), block, unit, unit, layout, np.zeros(len(layout)))
    move_losses.evaluate(
        np.array([0, 1]), np.array([0]), unit, block, unit, unit, side, np.empty(1), np.empty(1), np.empty((1, 3))
    )
    move_losses.move_losses(np.array([0, 1]), np.array([0]), unit, block, side, np.empty((1, 3)))
    move_losses.worst_scenarios(block[0], side, scenario)


def _certificates() -> None:
    nobody, one, money = np.zeros(0, dtype=np.int64), np.zeros(64, dtype=np.int64), np.zeros(64)
    slot, columns = np.zeros((1, 1), dtype=np.int64), np.zeros((1, netted_accounts.COLUMN_FIELDS), dtype=np.int64)
    record = np.zeros((1, 16))
    figures: tuple[Any, Any] = (record, record.view(np.int16))
    curves, boxes = np.zeros((64, joint.CURVE_FIELDS)), np.zeros((joint.BOXES, 64, joint.BOX))
    covers, extremes = np.zeros((1, joint.COVER_FIELDS)), watch.nothing(64)
    contracts_now, now, market = np.zeros((1, book.FIELDS)), np.zeros((1, joint.NOW_FIELDS)), np.zeros((1, book.MARKET))
    matrices: Any = np.ones((1, 1, 1, 1))
    short = np.zeros(64, dtype=np.int16)
    netted_accounts.shrinkage_by(0.0, 0.1, 0.1)
    places.move_numbers(3, nobody, np.empty(9))
    joint.void(0, curves, boxes)
    watch.take_all_extremes(nobody, nobody, boxes, one, extremes)
    watch.leavers(nobody, nobody, now[0], watch.EVERYTHING, boxes, one, extremes, nobody)
    watch.review_rows(
        nobody, 0, 0.0, now, slot, one, columns, curves, boxes, covers, figures[1], matrices, money, extremes, nobody
    )  # fmt: skip
    watch.void_rows(nobody, slot, figures[1], curves, boxes, covers, extremes)
    drift_rows.part_level(contracts_now, nobody, 0.0)
    drift_rows.part_drift(contracts_now, contracts_now, one[:1], np.ones(1, dtype=np.int64), 1.0, 1.0, np.ones(6), 0.0)
    book.write_surface(nobody, money, one, np.zeros((1, 5)), money, money, contracts_now)
    shared.forget(nobody, money, 0, 1)
    renew.renew(
        nobody, nobody, True, renew.KEEP, slot, one, columns, one, one, one, money, money, short, short, money,
        *figures, matrices, money, money, np.ones((1, accounts.THRESHOLDS)), np.ones(8, dtype=np.int64), contracts_now,
        money, market, now, 0.0, curves, boxes, covers, extremes, money, one, np.zeros((1, shared.CENTERS)),
        np.zeros((1, 2)), money, one, np.zeros(2, dtype=np.int64),
    )  # fmt: skip
    thresholds = np.ones((1, accounts.THRESHOLDS))
    standard.certify(
        nobody, nobody, nobody, np.zeros((0, 1)), slot, one, columns, one, one, one, money, *figures, thresholds,
        contracts_now, market, now, np.zeros((1, standard.RATES)), curves, covers, nobody,
    )  # fmt: skip
    added.certify(
        nobody, nobody, slot, one, columns, one, one, one, money, *figures, thresholds, contracts_now, money, market,
        now, np.zeros((1, added.TERMS)), curves, covers, nobody,
    )  # fmt: skip


def _correlation() -> None:
    matrix, out = np.eye(2), np.empty((2, 2))
    correlation.is_above(matrix, 0.0)
    correlation.repair(matrix, 0.0, out)
    correlation.largest_eigenvalue(matrix)
