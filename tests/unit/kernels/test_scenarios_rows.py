"""Option rows of a risk array: vectors and the cell-by-cell form give the same, whatever stands beside a row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels import black76, scenarios

INDEX = 65_000.0
EXTENDED = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
SHOCKS = (0.5, 0.25, 0.5, 0.3, 0.13, 1.0)
COLUMNS = ("kind", "is_call", "size", "strike", "price", "fixed", "funding", "years", "vol")


def book(n: int) -> dict[str, Any]:
    """Options of both kinds over several expiries, a third of them inside their window."""
    rng = np.random.default_rng(11)
    price = INDEX * rng.uniform(0.9, 1.1, n)
    years, vol = rng.choice([1e-6, 1e-3, 0.02, 0.3, 1.5], n), rng.uniform(0.3, 2.0, n)
    return {
        "kind": rng.choice([scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION], n),
        "is_call": rng.random(n) < 0.5,
        "size": rng.choice([0.1, 1.0, 10.0], n),
        "strike": price * np.exp(rng.normal(0.0, 2.0, n) * vol * np.sqrt(years)),
        "price": price,
        "fixed": np.where(rng.random(n) < 0.33, price * rng.random(n), 0.0),
        "funding": np.zeros(n),
        "years": years,
        "vol": vol,
    }


def risk(rows: dict[str, Any], table: Any) -> tuple[Any, Any]:
    """P&L of every row and scenario; value, delta and market delta."""
    n = len(rows["kind"])
    pnl, others = np.empty((n, len(table.move))), np.empty((3, n))
    compute: Any = scenarios.risk_array
    compute(*(rows[name] for name in COLUMNS), INDEX, *table, *SHOCKS, pnl, *others)
    return pnl, others


def cell(rows: dict[str, Any], i: int, table: Any, s: int) -> float:
    """P&L of one cell by two scalar prices."""
    f, fixed, strike, t = (float(rows[name][i]) for name in ("price", "fixed", "strike", "years"))
    is_call, vol, m = bool(rows["is_call"][i]), float(rows["vol"][i]), float(table.move[s])
    shocked = scenarios.shocked_vol(vol, int(table.vol_direction[s]), t, *SHOCKS)
    moved_forward = fixed + (f - fixed) * (1.0 + m)
    in_coins = rows["kind"][i] == scenarios.INVERSE_OPTION
    now = black76.price(is_call, f, strike, vol * math.sqrt(t), 1.0) * (INDEX / f if in_coins else 1.0)
    moved = black76.price(is_call, moved_forward, strike, shocked * math.sqrt(t), 1.0)
    moved *= INDEX * (1.0 + m) / moved_forward if in_coins else 1.0
    return float(table.weight[s] * rows["size"][i] * (moved - now))


@pytest.mark.parametrize("buckets", [1, 4, 7])
def test_every_cell_is_the_difference_of_two_prices(buckets: int) -> None:
    """Hoisting and vectors change no cell by more than 4e-15 of its largest price, inside windows too."""
    rows, table = book(90), scenarios.scenario_table(0.16, buckets, EXTENDED)
    pnl, _ = risk(rows, table)
    for i in range(90):
        for s in range(len(table.move)):
            largest = rows["size"][i] * max(INDEX, rows["price"][i], rows["strike"][i]) * (1.0 + abs(table.move[s]))
            assert abs(pnl[i, s] - cell(rows, i, table, s)) <= 4e-15 * largest, (i, s)


def test_a_row_is_the_same_wherever_it_stands() -> None:
    """No bit of a row depends on its place, on the number of rows or on what is beside it."""
    rows, table = book(150), scenarios.scenario_table(0.16, 4, EXTENDED)
    pnl, others = risk(rows, table)
    order = np.random.default_rng(12).permutation(150)
    again, others_again = risk({name: column[order] for name, column in rows.items()}, table)
    np.testing.assert_array_equal(again, pnl[order])
    np.testing.assert_array_equal(others_again, others[:, order])
    for n in (0, 1, 2, 3, 29, 30):
        part, part_others = risk({name: column[:n].copy() for name, column in rows.items()}, table)
        np.testing.assert_array_equal(part, pnl[:n])
        np.testing.assert_array_equal(part_others, others[:, :n])
    rows["vol"][::7] = math.nan
    rows["years"][3::11] = 0.0
    rows["strike"][5::13] = 0.0
    kept = np.isfinite(rows["vol"]) & (rows["years"] > 0.0) & (rows["strike"] > 0.0)
    damaged, _ = risk(rows, table)
    np.testing.assert_array_equal(damaged[kept], pnl[kept])
    assert np.isnan(damaged[~np.isfinite(rows["vol"])]).all()
    assert np.isfinite(damaged[np.isfinite(rows["vol"])]).all()


@pytest.mark.parametrize("move", [-1.0, -1.5, 1e12])
def test_a_move_without_a_logarithm_is_priced_by_cells(move: float) -> None:
    """A table that takes the forward to zero, below it or out of scale still gives each cell its decided price."""
    rows, table = book(6), scenarios.scenario_table(0.16, 1, ())
    rows["fixed"][:] = 0.0
    moved = table.move.copy()
    moved[0] = move
    wide = table._replace(move=moved)
    pnl, _ = risk(rows, wide)
    for i in range(6):
        f, strike, is_call = float(rows["price"][i]), float(rows["strike"][i]), bool(rows["is_call"][i])
        root = math.sqrt(float(rows["years"][i]))
        up = scenarios.shocked_vol(float(rows["vol"][i]), scenarios.UP, root * root, *SHOCKS)
        unit = float(rows["size"][i]) * (INDEX / f if rows["kind"][i] == scenarios.INVERSE_OPTION else 1.0)
        now = black76.price(is_call, f, strike, float(rows["vol"][i]) * root, 1.0)
        want = unit * (black76.price(is_call, f * (1.0 + move), strike, up * root, 1.0) - now)
        assert pnl[i, 0] == pytest.approx(want, rel=1e-14, abs=1e-9)


def test_without_scenarios_there_are_still_values() -> None:
    """An empty table gives no cell, and the values of every row."""
    rows = book(5)
    empty = scenarios.ScenarioTable(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64), np.empty(0))
    pnl, others = risk(rows, empty)
    assert pnl.shape == (5, 0)
    np.testing.assert_array_equal(others, risk(rows, scenarios.scenario_table(0.16, 4, EXTENDED))[1])
