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


def test_rounding_does_not_choose_the_moves() -> None:
    """Curves that differ in their last bits have their worst mixtures on the same moves, straight ones too."""
    rng = np.random.default_rng(5)
    moves = np.linspace(-1.0, 1.0, 17)
    for _ in range(300):
        slope, strike = rng.normal(0.0, 1e4, 2), rng.uniform(-1.0, 1.0, 2)
        kinked = slope[1] * np.minimum(moves, strike[1])
        for curves in ([slope[0] * moves, kinked], [np.maximum(slope[0] * moves, 0.0) - 50.0]):
            named = set()
            for _ in range(4):
                rounded = np.array(curves) * (1.0 + rng.integers(-3, 4, (len(curves), 17)) * 2.0**-53)
                _, _, duals, _ = solve(rounded, HALF[:, : len(curves), : len(curves)])
                named.add(str([np.flatnonzero(dual > 1e-12).tolist() for dual in duals]))
            assert len(named) == 1


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


def test_a_cell_that_is_not_a_number_hides_the_curve() -> None:
    """NaN or infinity in any cell of a held instrument makes the whole curve NaN and leaves no worst scenario."""
    side = np.array([-1, 1])
    for bad in (math.nan, math.inf):
        for cell in (0, 4, 8, 9, 10):
            pnl, losses, scenario = np.ones((2, 11)), np.empty((2, 3)), np.empty(3, dtype=np.int64)
            pnl[1, cell] = bad
            move_losses.move_losses(
                np.array([0, 1, 3]), np.array([0, 0, 1]), np.array([1.0, 1.0, 0.5]), pnl, side, losses
            )
            assert losses[0].tolist() == [-1.0, -1.0, -1.0]
            assert np.isnan(losses[1]).all()
            move_losses.worst_scenarios(pnl[1], side, scenario)
            assert scenario.tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("width", "scenarios_count", "sides"), [(4, 14, [-1, 1]), (1, 5, [-1, 1]), (3, 12, [-1, 1]), (3, 11, [-1, 0])]
)
def test_layouts_that_do_not_fit_are_refused(width: int, scenarios_count: int, sides: list[int]) -> None:
    """An even or too small count of moves, a missing scenario and a side of zero raise ValueError."""
    pnl = np.zeros((1, scenarios_count))
    with pytest.raises(ValueError, match=r"moves|scenario"):
        move_losses.move_losses(np.array([0, 1]), np.array([0]), np.ones(1), pnl, np.array(sides), np.empty((1, width)))


@pytest.mark.parametrize("counts", [[3, 4], [3, 1], [3, 5], [3]])
def test_counts_that_do_not_fit_are_refused(counts: list[int]) -> None:
    """Even counts, single moves, counts beyond the row and missing counts raise ValueError."""
    with pytest.raises(ValueError, match="count"):
        netting.screen(np.zeros((2, 3)), np.array(counts), np.empty(2))


@pytest.mark.parametrize("k", [-0.1, 1.1, math.nan])
def test_a_weight_outside_its_range_is_refused(k: float) -> None:
    """A k that is no share raises ValueError."""
    with pytest.raises(ValueError, match="k must lie"):
        solve([[3.0, 0.0, -3.0], [-4.0, 0.0, 4.0]], k=k)


def test_an_account_that_cannot_lose_needs_nothing() -> None:
    """Zero curves and curves below zero at every move need 0, with one underlying and with two."""
    for curve in ([0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]):
        for count in (1, 2):
            solution = solve([curve] * count, HALF[:, :count, :count].copy())[0]
            assert solution.requirement == 0.0
            assert solution.lower_bound <= 0.0
            assert solution.status == netting_solve.SOLVED


def test_curves_of_different_grids_stand_side_by_side() -> None:
    """Cells beyond a curve's own count are not read, even if they are no numbers."""
    losses = np.array([[3.0, 0.0, -3.0, math.nan, math.nan], [-4.0, -2.0, 0.0, 2.0, 4.0]])
    w, duals, weight = np.empty(2), np.empty((2, 5)), np.empty(1)
    found = netting_solve.solve(losses, np.array([3, 5]), HALF, 0.0, 1e-9, w, duals, weight)
    assert found.requirement == pytest.approx(math.sqrt(13.0), rel=1e-9)
    assert duals[0, 3:].tolist() == [0.0, 0.0]


def test_sticking_points_of_descent_are_left() -> None:
    """Two books whose worst moves, each inside the range, cannot happen together: less than the sum is needed."""
    peak = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]  # at 0.75
    solution, w, _, weight = solve([peak, peak[::-1]], np.array([[[1.0, 0.9], [0.9, 1.0]], [[1.0, 0.8], [0.8, 1.0]]]))
    # x' R^-1 x <= 1 with x = (t, -t): t^2 <= (1 - rho)/2 at the lower correlation, and the hull is a line from -1.
    t = math.sqrt((1.0 - 0.8) / 2.0)
    assert solution.requirement == pytest.approx(2.0 * (1.0 + t) / 1.75, rel=1e-9)
    assert w[0] == pytest.approx(-w[1], rel=1e-6)
    assert weight == pytest.approx([0.0, 1.0], abs=1e-6)


def test_gather_takes_rows_and_columns() -> None:
    """Chosen underlyings in any order; one that has no correlation is refused."""
    matrices, out = np.arange(18.0).reshape(2, 3, 3), np.empty((2, 2, 2))
    netting.gather(matrices, np.array([2, 0]), out)
    assert out.tolist() == [[[8.0, 6.0], [2.0, 0.0]], [[17.0, 15.0], [11.0, 9.0]]]
    with pytest.raises(ValueError, match="no correlation"):
        netting.gather(matrices, np.array([3, 0]), out)


def test_the_pieces_keep_nan() -> None:
    """Norm, residual and screen of something that is not a number are none either."""
    assert math.isnan(netting.norm(np.array([1.0, math.nan]), HALF, 0.1))
    for place in range(3):
        curve = np.array([3.0, 0.0, -3.0])
        curve[place] = math.nan
        assert math.isnan(netting.residual(curve, 1.0))
        assert math.isnan(netting.screen_hedge(curve))
