"""Sums in registers against exact arithmetic, in every shape that the loop has."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from fractions import Fraction

import llvmlite.binding
import numpy as np
import pytest

from kernels import blocks, move_losses, netted_bounds, segment_tables
from tests.support import ROOT

FUSED = bool(llvmlite.binding.get_host_cpu_features().get("fma"))
WIDTHS = [1, 7, 8, 9, 35, 45, 56, 57, 64, 107, 113, 250]


def book(rng: np.random.Generator, lengths: list[int], rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segments of given lengths."""
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return indptr, rng.integers(0, rows, indptr[-1]), rng.normal(size=indptr[-1]) * 10.0 ** rng.integers(-3, 6)


def rounded(q: float, x: float, total: float) -> float:
    """Return q x + total, rounded as this machine's multiply-add rounds: once if it is fused, else after each step."""
    if FUSED:
        return float(Fraction(q) * Fraction(x) + Fraction(total))
    return q * x + total


@pytest.mark.parametrize("scenarios", WIDTHS)
def test_every_width_sums_in_the_order_of_the_positions(scenarios: int) -> None:
    """Each sum is the chain of multiply-adds over its segment's positions, rounded exactly, for every column count."""
    rng = np.random.default_rng(scenarios)
    indptr, row, quantity = book(rng, [0, 1, 2, 5, 0, 3], 6)
    pnl = rng.normal(size=(6, scenarios))
    out = np.full((6, scenarios), 99.0)
    blocks.blocks(indptr, row, quantity, pnl, out)
    for a in range(6):
        for s in range(scenarios):
            total = 0.0
            for k in range(indptr[a], indptr[a + 1]):
                total = rounded(float(quantity[k]), float(pnl[row[k], s]), total)
            assert out[a, s] == total


@pytest.mark.parametrize("moves", [3, 7, 9, 15, 17, 33])
@pytest.mark.parametrize("extended", [0, 8])
def test_accounts_evaluated_together_or_alone_are_equal_to_the_bit(moves: int, extended: int) -> None:
    """A segment's curve, value and delta do not depend on the segments around it, nor on how many there are."""
    rng = np.random.default_rng(moves)
    lengths = [int(x) for x in rng.integers(0, 9, 150)]
    indptr, row, quantity = book(rng, lengths, 40)
    pnl, value, delta = rng.normal(size=(40, 3 * moves + extended)), rng.normal(size=40), rng.normal(size=40)
    side = np.array([-1, 1] * (extended // 2), dtype=np.int64)
    together = np.empty(150), np.empty(150), np.empty((150, moves))
    move_losses.evaluate(indptr, row, quantity, pnl, value, delta, side, *together)
    block = np.empty((150, pnl.shape[1]))
    blocks.blocks(indptr, row, quantity, pnl, block)
    for a in range(150):
        part = slice(indptr[a], indptr[a + 1])
        alone = np.empty(1), np.empty(1), np.empty((1, moves))
        move_losses.evaluate(
            np.array([0, lengths[a]]), row[part].copy(), quantity[part].copy(), pnl, value, delta, side, *alone
        )
        for whole, one in zip(together, alone, strict=True):
            assert np.array_equal(whole[a : a + 1], one)
        curve = -block[a, : 3 * moves].reshape(moves, 3).min(axis=1)
        if extended:
            curve[0] = max(curve[0], -block[a, 3 * moves :: 2].min())
            curve[-1] = max(curve[-1], -block[a, 3 * moves + 1 :: 2].min())
        assert np.array_equal(together[2][a], curve)


@pytest.mark.parametrize("moves", [3, 9, 15])
@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_one_cell_that_is_not_finite_makes_the_whole_curve_nan(moves: int, broken: float) -> None:
    """NaN or infinity in any single cell, standard or extended, spoils every move of its holder and of nobody else."""
    side = np.array([-1, 1], dtype=np.int64)
    for cell in range(3 * moves + 2):
        pnl = np.ones((2, 3 * moves + 2))
        pnl[1, cell] = broken
        losses = np.empty((2, moves))
        indptr, row = np.array([0, 2, 3], dtype=np.int64), np.array([0, 1, 0], dtype=np.int64)
        move_losses.move_losses(indptr, row, np.ones(3), pnl, side, losses)
        assert np.isnan(losses[0]).all()
        assert (losses[1] == -1.0).all()


@pytest.mark.parametrize("row", [-1, 3, 2**62, -(2**63)])
@pytest.mark.parametrize("positions", [1, 200])
def test_a_row_that_does_not_exist_is_refused(row: int, positions: int) -> None:
    """A row outside the instruments is a ValueError wherever it stands, in short calls and in long ones."""
    rows = np.zeros(positions, dtype=np.int64)
    rows[-1] = row
    with pytest.raises(ValueError, match="exist"):
        blocks.blocks(np.array([0, positions]), rows, np.ones(positions), np.ones((3, 4)), np.empty((1, 4)))


def test_positions_before_the_first_segment_are_not_read() -> None:
    """Rows and quantities that no segment names may hold anything."""
    out = np.empty((1, 1))
    blocks.blocks(np.array([1, 2]), np.array([-7, 2]), np.array([math.nan, 3.0]), np.arange(9.0).reshape(9, 1), out)
    assert out[0, 0] == 6.0


def test_the_envelope_is_the_highest_chord() -> None:
    """The envelope at a mean move is the largest chord over it, of all pairs of moves, and NaN for a NaN loss."""
    rng = np.random.default_rng(3)
    for n in (3, 9, 15, 33):
        moves = np.linspace(-1.0, 1.0, n)
        for case in range(60):
            curve = rng.normal(size=n) if case % 2 else np.round(rng.normal(size=n))
            for mean in (*rng.uniform(-1.0, 1.0, 5), -1.0, 1.0, float(moves[n // 3])):
                best = max(
                    curve[i] if i == j else curve[i] + (mean - moves[i]) / (moves[j] - moves[i]) * (curve[j] - curve[i])
                    for i in range(n)
                    for j in range(i, n)
                    if moves[i] - 1e-15 <= mean <= moves[j] + 1e-15
                )
                height, left, right, share = netted_bounds.mixture(curve, n, mean)
                assert height == pytest.approx(best, rel=1e-12, abs=1e-12)
                assert curve[left] + share * (curve[right] - curve[left]) == height
                assert moves[left] + share * (moves[right] - moves[left]) == pytest.approx(mean, abs=1e-14)
        curve[n - 1] = math.nan
        assert math.isnan(netted_bounds.mixture(curve, n, 0.0)[0])


def test_the_envelope_of_a_curve_that_is_straight_but_for_rounding() -> None:
    """Straight lines, and two that meet, have the envelopes of exact ones: rounding keeps no search turning."""
    rng = np.random.default_rng(8)
    for n in (9, 17, 33):
        moves = np.linspace(-1.0, 1.0, n)
        for _ in range(2_000):
            slope = rng.normal() * 10.0 ** rng.uniform(0, 6)
            straight = slope * moves / 3.0 * (1.0 + rng.integers(-2, 3, n) * 2.0**-53)
            mean = rng.uniform(-1.0, 1.0)
            for curve, wanted in (
                (straight, slope * mean / 3.0),
                (-np.abs(straight), -abs(slope * mean) / 3.0),
                (np.abs(straight), abs(slope) / 3.0),
            ):
                assert netted_bounds.mixture(curve, n, mean)[0] == pytest.approx(wanted, abs=1e-14 * abs(slope))


def test_tables_begin_at_a_cache_line() -> None:
    """Every table row begins where no vector crosses a cache line."""
    for columns in WIDTHS:
        assert segment_tables.empty_table(3, columns).ctypes.data % 64 == 0


def test_the_plain_form_gives_the_same_sums() -> None:
    """Without compilation the same kernels give the same curves within rounding, for a debugger."""
    program = (
        "import numpy as np; from kernels import move_losses;"
        "rng = np.random.default_rng(5); indptr = np.arange(0, 81, 4); row = rng.integers(0, 9, 80);"
        "out = np.empty((20, 9)); move_losses.move_losses("
        "indptr, row, rng.normal(size=80), rng.normal(size=(9, 29)), np.array([-1, 1]), out); print(out.tolist())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    compiled, plain = (
        eval(
            subprocess.run(
                [sys.executable, "-c", program], env={**environment, **more}, check=True, capture_output=True, text=True
            ).stdout
        )
        for more in ({}, {"NUMBA_DISABLE_JIT": "1"})
    )
    np.testing.assert_allclose(plain, compiled, rtol=1e-12, atol=1e-13)
