"""Arrays of options: whatever is wrong with a row stays in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels import black76, black76_arrays, contracts

N = 3_000  # three blocks, the last one in part
GREEKS: Any = black76_arrays.greeks_array
FIRST: Any = black76_arrays.first_greeks_array
PRICES: Any = black76_arrays.price_array
INVERSE: Any = contracts.inverse_greeks
BAD = (math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 5e-324, 1e-300, 1e300, 1.7e308)


def book(n: int, seed: int = 1) -> list[Any]:
    """Regular inputs of n options: is_call, forward, strike, vol, years, rate."""
    rng = np.random.default_rng(seed)
    forward, vol, years = (
        10.0 ** rng.uniform(-3.0, 5.0, n),
        rng.uniform(0.05, 3.0, n),
        10.0 ** rng.uniform(-5.0, 0.5, n),
    )
    strike = forward * np.exp(rng.normal(0.0, 3.0, n) * vol * np.sqrt(years))
    return [rng.random(n) < 0.5, forward, strike, vol, years, rng.uniform(-0.1, 0.2, n)]


def array(inputs: list[Any], rows: int = black76_arrays.GREEKS) -> Any:
    """All Greeks, or the first five."""
    out = np.full((rows, len(inputs[0])), 123.0)
    compute = GREEKS if rows == black76_arrays.GREEKS else FIRST
    compute(*inputs, out)
    return out


def scalars(inputs: list[Any]) -> Any:
    """The same, option by option."""
    return np.array([black76.greeks(*row) for row in zip(*(column.tolist() for column in inputs), strict=True)]).T


def test_a_row_is_the_same_wherever_it_stands() -> None:
    """The result of an option does not depend on its place in an array or on the array's length, in any bit."""
    inputs = book(N)
    whole = array(inputs)
    np.testing.assert_array_equal(whole, scalars(inputs))
    order = np.random.default_rng(2).permutation(N)
    np.testing.assert_array_equal(array([column[order] for column in inputs]), whole[:, order])
    for n in [*range(40), 1_023, 1_024, 1_025]:
        np.testing.assert_array_equal(array([column[:n].copy() for column in inputs]), whole[:, :n])


def test_the_first_greeks_are_those_of_the_whole() -> None:
    """Five rows alone are the first five of nine."""
    inputs = book(N)
    np.testing.assert_array_equal(array(inputs, 5), array(inputs)[:5])


@pytest.mark.parametrize("column", range(1, 6))
@pytest.mark.parametrize("bad", BAD)
def test_irregular_rows_equal_the_scalar_and_touch_no_other(column: int, bad: float) -> None:
    """Every degenerate number gives what the table of `kernels.black76` says; its neighbours keep all their bits."""
    inputs = book(70)
    before = array(inputs)
    broken = [a.copy() for a in inputs]
    places = [0, 5, 31, 64, 69]
    broken[column][places] = bad
    after = array(broken)
    np.testing.assert_array_equal(after, scalars(broken))
    np.testing.assert_array_equal(np.delete(after, places, axis=1), np.delete(before, places, axis=1))
    np.testing.assert_array_equal(array(broken, 5), after[:5])


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("bad", BAD)
def test_irregular_prices_equal_the_scalar(position: int, bad: float) -> None:
    """The same holds for prices alone, of forward, strike, deviation and discount."""
    is_call, forward, strike, vol, years, _ = book(70)
    numbers = [forward, strike, vol * np.sqrt(years), np.full(70, 0.9)]
    numbers[position][[0, 33, 69]] = bad
    out = np.empty(70)
    PRICES(is_call, *numbers, out)
    rows = zip(is_call.tolist(), *(column.tolist() for column in numbers), strict=True)
    np.testing.assert_array_equal(out, [black76.price(*row) for row in rows])


def test_both_sides_of_every_limit_agree() -> None:
    """Where the vectors hand over to the scalar form, at a deviation of 24, price and delta do not jump."""
    s = np.array([23.999, 24.0 - 1e-9, math.nextafter(24.0, 0.0), 24.0])
    ones, out = np.ones(4), np.empty((black76_arrays.GREEKS, 4))
    GREEKS(ones > 0.0, 80.0 * ones, 100.0 * ones, s, ones, 0.0 * ones, out)
    assert out[black76_arrays.PRICE] == pytest.approx(80.0, rel=1e-15)
    assert out[black76_arrays.DELTA] == pytest.approx(1.0, rel=1e-15)


def test_inverse_greeks_of_arrays_are_premium_adjusted() -> None:
    """Each column is the scalar form of `kernels.contracts`: c = V/F, F dc/dF = V' - c."""
    inputs = book(50)
    inputs[5][:] = 0.0
    greeks, coins = array(inputs), np.empty((5, 50))
    black76_arrays.inverse_greeks_array(greeks, inputs[1], coins)
    expected = [INVERSE(*greeks[:5, i], inputs[1][i]) for i in range(50)]
    np.testing.assert_array_equal(coins.T, expected)
    np.testing.assert_allclose(coins[1], greeks[1] - greeks[0] / inputs[1], rtol=0.0, atol=1e-15)
    with pytest.raises(ValueError, match="one length"):
        black76_arrays.inverse_greeks_array(greeks[:4].copy(), inputs[1], coins)
    with pytest.raises(ValueError, match="one length"):
        black76_arrays.inverse_greeks_array(greeks, inputs[1][:49].copy(), coins)


def test_first_greeks_refuse_other_shapes() -> None:
    """An output of other than five rows, or of another length, is a ValueError."""
    inputs = book(3)
    with pytest.raises(ValueError, match="five rows"):
        FIRST(*inputs, np.empty((9, 3)))
    with pytest.raises(ValueError, match="one length"):
        FIRST(*inputs, np.empty((5, 4)))
