"""Model P's pieces on cases worked by hand, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels import move_losses, netting, netting_solve, scenarios

HALF = np.array([[[1.0, 0.5], [0.5, 1.0]]])


def solve(losses: Any, matrices: Any = HALF, k: float = 0.0, tolerance: float = 1e-9) -> Any:
    """Solution, hedge, mixtures and matrix weights of one account whose curves have one length."""
    curves = np.array(losses, dtype=np.float64)
    counts = np.full(len(curves), curves.shape[1], dtype=np.int64)
    w, duals, weight = np.empty(len(curves)), np.empty_like(curves), np.empty(len(matrices))
    solution = netting_solve.solve(curves, counts, np.array(matrices), k, tolerance, w, duals, weight)
    return solution, w, duals, weight


def test_two_hedged_perpetuals() -> None:
    """Long 3 and short 4 at correlation one half need sqrt(9 + 16 - 12), at one quarter of k more."""
    losses = [[3.0, 0.0, -3.0], [-4.0, 0.0, 4.0]]
    assert solve(losses)[0].requirement == pytest.approx(math.sqrt(13.0), rel=1e-9)
    assert solve(losses, k=0.25)[0].requirement == pytest.approx(math.sqrt(0.75 * 13.0 + 0.25 * 49.0), rel=1e-9)


def test_the_screen_of_lines_is_their_size() -> None:
    """The screen of a perpetual is its signed loss at the end of the range."""
    w = np.empty(2)
    netting.screen(np.array([[3.0, 0.0, -3.0], [-4.0, 0.0, 4.0]]), np.array([3, 3]), w)
    assert w.tolist() == [3.0, -4.0]


def test_nan_is_told() -> None:
    """One NaN makes the whole solution NaN with its status."""
    solution, w, duals, weight = solve([[3.0, 0.0, -3.0], [-4.0, math.nan, 4.0]])
    assert solution.status == netting_solve.NOT_A_NUMBER
    assert np.isnan([solution.requirement, solution.lower_bound, *w, *duals.ravel(), *weight]).all()


@pytest.mark.parametrize("matrices", [np.zeros((0, 2, 2)), np.eye(3)[np.newaxis], HALF * 2.0, HALF * math.nan])
def test_matrices_that_are_no_correlations_are_refused(matrices: Any) -> None:
    """No matrix, another size, another diagonal and NaN raise ValueError."""
    with pytest.raises(ValueError, match="matri"):
        solve([[3.0, 0.0, -3.0], [-4.0, 0.0, 4.0]], matrices)


def test_extended_losses_count_at_their_end() -> None:
    """A standard move has its worst volatility cell; a crash counts at -1, a rally at +1."""
    table = scenarios.scenario_table(0.15, 1, (-0.66, 0.5))
    side = move_losses.extended_sides(table, 1)
    assert side.tolist() == [-1, 1]
    pnl = np.array([[1.0, 2.0, 3.0, 0.0, 0.0, -1.0, 4.0, -2.0, 6.0, -5.0, 1.0]])
    losses, scenario = np.empty((2, 3)), np.empty(3, dtype=np.int64)
    move_losses.move_losses(np.array([0, 1, 1]), np.array([0]), np.array([2.0]), pnl, side, losses)
    assert losses.tolist() == [[10.0, 2.0, 4.0], [0.0, 0.0, 0.0]]
    move_losses.worst_scenarios(pnl[0], side, scenario)
    assert scenario.tolist() == [9, 5, 7]
