"""Revaluation of rows under moves of index, basis and volatility against the formulas in plain Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels import scenarios
from kernels.joint import paths
from kernels.joint.paths import Book, Moves
from kernels.joint.revaluation import NO_BASIS, revalue

INDEX = 50_000.0
# Kind, call, size, strike, price, fixed part, funding, years, volatility.
ROWS: list[tuple[Any, ...]] = [
    (scenarios.COIN, False, 1.0, 0.0, INDEX, 0.0, 0.0, 0.0, math.nan),
    (scenarios.LINEAR, False, 0.1, 0.0, 50_400.0, 0.0, 12.0, 0.0, math.nan),
    (scenarios.LINEAR, False, 1.0, 0.0, 50_400.0, 20_000.0, 0.0, 1e-5, math.nan),
    (scenarios.INVERSE, False, 10.0, 0.0, 50_400.0, 0.0, 2e-6, 0.0, math.nan),
    (scenarios.INVERSE, False, 10.0, 0.0, 49_000.0, 0.0, 0.0, 0.25, math.nan),
    (scenarios.INVERSE, False, 10.0, 0.0, 49_000.0, 10_000.0, 0.0, 1e-5, math.nan),
    (scenarios.LINEAR_OPTION, True, 0.1, 52_000.0, 50_500.0, 0.0, 0.0, 0.1, 0.6),
    (scenarios.LINEAR_OPTION, False, 1.0, 45_000.0, 50_500.0, 0.0, 0.0, 0.1, 0.6),
    (scenarios.LINEAR_OPTION, True, 1.0, 50_000.0, 50_000.0, 30_000.0, 0.0, 2e-5, 0.6),
    (scenarios.INVERSE_OPTION, True, 1.0, 52_000.0, 50_500.0, 0.0, 0.0, 0.02, 0.8),
    (scenarios.INVERSE_OPTION, False, 1.0, 60_000.0, 50_500.0, 0.0, 0.0, 0.5, 0.5),
    (scenarios.INVERSE_OPTION, True, 1.0, 50_000.0, 50_500.0, 30_000.0, 0.0, 2e-5, 0.6),
]
SCALE = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9, 0.9, 1.5, 1.2, 0.7, 1.5]
PATHS = 700  # more than two strips, and not a whole number of them
RANDOM = np.random.default_rng(8)
MOVES = np.maximum(0.08 * RANDOM.standard_t(4, PATHS), -0.99)
BASES = 0.01 * RANDOM.normal(size=(2, PATHS))
VOL_MOVES = 0.6 * RANDOM.standard_t(4, PATHS)  # some of them below -1


def option_usd(is_call: bool, forward: float, strike: float, stdev: float) -> float:
    """Return Black's price, undiscounted."""
    sign = 1.0 if is_call else -1.0
    if stdev == 0.0:
        return max(0.0, sign * (forward - strike))
    d1 = math.log(forward / strike) / stdev + stdev / 2.0

    def cdf(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2.0))

    return sign * (forward * cdf(sign * d1) - strike * cdf(sign * (d1 - stdev)))


def pnl_usd(row: tuple[Any, ...], scale: float, m: float, b: float, v: float, left: float = 1.0) -> float:
    """Return the value of one contract after the moves, `left` of its time later, less that before."""
    kind, is_call, size, strike, price, fixed, funding, years, vol = row

    def value(index: float, own: float, moved_vol: float, time: float) -> float:
        if kind == scenarios.COIN:
            return float(size * index)
        if kind == scenarios.LINEAR:
            return float(size * (own - funding))
        if kind == scenarios.INVERSE:
            return float(-size * index * (1.0 / own + funding))
        usd = option_usd(is_call, own, strike, moved_vol * math.sqrt(time))
        return float(size * usd * (index / own if kind == scenarios.INVERSE_OPTION else 1.0))

    moved = fixed + (price - fixed) * (1.0 + m) * (1.0 + b)
    return value(INDEX * (1.0 + m), moved, max(vol * (1.0 + scale * v), 0.0), left * years) - value(
        INDEX, price, vol, years
    )


def book(
    rows: list[tuple[Any, ...]], quantity: list[float], bucket: list[int], scale: list[float], left: float = 1.0
) -> Book:
    kind, is_call, size, strike, price, fixed, funding, years, vol = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return Book(
        kind, is_call, size, strike, price, fixed, funding, years, vol, left * years, np.array(scale),
        np.array(bucket, dtype=np.int64), np.array(quantity), INDEX,
    )  # fmt: skip


@pytest.mark.parametrize("left", [1.0, 0.7, 0.0])
@pytest.mark.parametrize("i", range(len(ROWS)))
def test_a_row_is_worth_what_its_formula_says(i: int, left: float) -> None:
    """Value after less value before, of every kind, in and out of a settlement window, with a basis that moves."""
    bucket = NO_BASIS if i == 0 else i % 2
    out = np.empty(PATHS)
    revalue(*book([ROWS[i]], [-3.0], [bucket], [SCALE[i]], left), MOVES, BASES, VOL_MOVES, out)
    expected = [
        -3.0 * pnl_usd(ROWS[i], SCALE[i], m, 0.0 if bucket < 0 else b, v, left)
        for m, b, v in zip(MOVES.tolist(), BASES[i % 2].tolist(), VOL_MOVES.tolist(), strict=True)
    ]
    assert out == pytest.approx(expected, rel=1e-11, abs=1e-8)


def test_without_moves_of_basis_it_is_the_risk_array() -> None:
    """Where bases stay and volatilities too, a scenario is one of model A's."""
    table = scenarios.scenario_table(0.16, 2, ())
    same = table.vol_direction == 0
    columns = book(ROWS, [1.0] * len(ROWS), [NO_BASIS] * len(ROWS), SCALE)
    n, unit = len(ROWS), np.empty((3, len(ROWS)))
    pnl = np.empty((n, len(table.move)))
    scenarios.risk_array(*columns[:9], INDEX, *table, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0, pnl, *unit)
    move = np.ascontiguousarray(table.move[same])
    for i in range(n):
        out = np.empty(move.size)
        nothing = np.zeros(move.size)
        revalue(*book([ROWS[i]], [1.0], [NO_BASIS], [1.0]), move, np.zeros((0, move.size)), nothing, out)
        assert out == pytest.approx(pnl[i, same], rel=1e-10, abs=1e-9)


def test_an_inverse_future_alone_is_flat_where_its_basis_stays() -> None:
    """What its coins gain on the index they lose on its price, exactly."""
    out = np.empty(PATHS)
    row = (scenarios.INVERSE, False, 10.0, 0.0, 49_123.4, 0.0, 0.0, 0.25, math.nan)
    revalue(*book([row], [7.0], [0], [0.0]), MOVES, np.zeros((1, PATHS)), VOL_MOVES, out)
    assert (out == 0.0).all()


def test_rows_are_summed_in_their_order() -> None:
    """The P&L of a book is that of its rows, one after the other, and rows of nothing do not count."""
    quantity = [2.0, -1.0, 0.5, 300.0, -20.0, 4.0, 1.0, -2.0, 0.5, 3.0, -1.0, 2.0]
    bucket = [NO_BASIS, *(i % 2 for i in range(1, len(ROWS)))]
    expected, one = np.zeros(PATHS), np.empty(PATHS)
    for row, q, b, s in zip(ROWS, quantity, bucket, SCALE, strict=True):
        revalue(*book([row], [q], [b], [s]), MOVES, BASES, VOL_MOVES, one)
        expected += one
    missing = (scenarios.LINEAR, False, 1.0, 0.0, math.nan, 0.0, 0.0, 0.0, math.nan)
    whole = book([*ROWS, missing], [*quantity, 0.0], [*bucket, 0], [*SCALE, 0.0])
    moves = Moves(MOVES[np.newaxis], VOL_MOVES[np.newaxis], (BASES,))
    parts = paths.results([whole], moves)
    assert parts[0] == pytest.approx(expected, rel=1e-13, abs=1e-9)
    assert paths.total(parts).tolist() == parts[0].tolist()


@pytest.mark.parametrize(
    "missing",
    [
        (scenarios.LINEAR, False, 1.0, 0.0, math.nan, 0.0, 0.0, 0.0, math.nan),
        (scenarios.INVERSE, False, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, math.nan),
        (scenarios.LINEAR_OPTION, True, 1.0, 100.0, 100.0, 0.0, 0.0, 0.1, math.nan),
        (scenarios.INVERSE_OPTION, True, 1.0, 100.0, 100.0, 0.0, 0.0, math.nan, 0.5),
        (9, True, 1.0, 100.0, 100.0, 0.0, 0.0, 0.1, 0.5),
    ],
)
def test_a_row_that_misses_something_is_not_a_number(missing: tuple[Any, ...]) -> None:
    """Nor is the book that holds it."""
    out = np.empty(PATHS)
    revalue(*book([ROWS[0], missing], [1.0, 1.0], [NO_BASIS, 0], [0.0, 0.0]), MOVES, BASES, VOL_MOVES, out)
    assert np.isnan(out).all()


def test_what_does_not_fit_is_refused() -> None:
    """Compiled loops read whatever lies behind an array."""
    good = book(ROWS[:2], [1.0, 1.0], [NO_BASIS, 0], [0.0, 0.0])
    for bad in (
        good._replace(quantity=np.ones(3)),
        good._replace(vol_scale=np.ones(1)),
        good._replace(strike=np.ones(1)),
        good._replace(bucket=np.array([NO_BASIS, 2])),
    ):
        with pytest.raises(ValueError, match=r"one length|bucket"):
            revalue(*bad, MOVES, BASES, VOL_MOVES, np.empty(PATHS))
    with pytest.raises(ValueError, match="one length"):
        revalue(*good, MOVES[:9].copy(), BASES, VOL_MOVES, np.empty(PATHS))


def test_moves_are_deviations_held_above_the_loss_of_everything() -> None:
    """A draw of minus thirty deviations of 5 % moves an index by the least move."""
    found = paths.index_moves(np.array([[-30.0, 1.0], [2.0, 0.0]]), np.array([0.05, 0.1]), -0.99)
    assert found.tolist() == [[-0.99, 0.05], [0.2, 0.0]]


def test_volatility_rises_on_both_sides_and_by_itself() -> None:
    """Falls and rises of the index have a slope each."""
    index = np.array([[-0.1, 0.2, 0.0]])
    assert paths.volatility_moves(index, np.array([[0.0, 0.0, -0.3]]), 3.0, 1.0) == pytest.approx(
        np.array([[0.3, 0.2, -0.3]])
    )


def test_short_options_move_more() -> None:
    """A volatility of 7.5 days moves by 4^0.3 of a month's, of 120 days by 1/4^0.13, within a day as at one."""
    scale = paths.volatility_scale(np.array([7.5, 30.0, 120.0, 0.1]) / 365.0, 0.3, 0.13, 1.0)
    assert scale == pytest.approx([4.0**0.3, 1.0, 0.25**0.13, 30.0**0.3])
