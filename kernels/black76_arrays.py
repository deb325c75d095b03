"""Black-76 over arrays: the formulas of `kernels.black76_formulas` as vectors, irregular rows by `kernels.black76`.

Rows go through in blocks of some kilobytes, in six short loops each (`kernels.black76_loops`): one long loop would keep
a CPU waiting for its own results. What is between the loops is in one array. A row that is not regular
(`formulas.is_regular`) is then written once more by the scalar function: outputs must not overlap inputs.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import black76, contracts
from kernels import black76_formulas as formulas
from kernels._jit import Bools, Floats, kernel
from kernels.black76_loops import BLOCK, STRIDE, densities, exponentials, log_ratios, mills
from kernels.black76_prices import price_array

__all__ = [
    "DELTA", "FIRST_GREEKS", "GAMMA", "GREEKS", "PRICE", "RHO", "SPEED", "THETA", "VANNA", "VEGA", "VOLGA",
    "first_greeks_array", "greeks_array", "inverse_greeks_array", "price_array",
]  # fmt: skip

# Rows of the outputs: the first five of `first_greeks_array`, the others of `second_greeks_array`.
PRICE, DELTA, GAMMA, VEGA, THETA, VANNA, VOLGA, RHO, SPEED = range(9)
FIRST_GREEKS, GREEKS = 5, 9


# Where a block's intermediate results begin in one array.
A, B, ROOT, INVERSE, DISCOUNT, DENSITY, ABOVE_A, ABOVE_B, UNDER_A, UNDER_B, END = range(0, 11 * STRIDE, STRIDE)


@kernel("f8[::1], f8[::1], f8[::1], f8[::1]")
def _distances(vol: Floats, years: Floats, rate: Floats, work: Floats) -> bool:
    """Write a and b, sqrt(T), 1/s and ln D; return whether all rows are regular."""
    regular = True
    for i in range(vol.shape[0]):
        root = math.sqrt(years[i])
        s = vol[i] * root
        inverse = 1.0 / s
        log_discount = -rate[i] * years[i]
        a, b = formulas.distances(work[A + i], s, inverse)
        work[A + i], work[B + i] = a, b
        work[ROOT + i], work[INVERSE + i], work[DISCOUNT + i] = root, inverse, log_discount
        regular &= formulas.has_regular_levels(vol[i], years[i], s, inverse, log_discount)
    return regular


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def _first_order(
    is_call: Bools, forward: Floats, strike: Floats, vol: Floats, rate: Floats, work: Floats,
    price: Floats, delta: Floats, gamma: Floats, vega: Floats, theta: Floats,
) -> None:  # fmt: skip
    """Write price, delta, gamma, vega and theta of regular rows."""
    for i in range(price.shape[0]):
        price[i], delta[i], gamma[i], vega[i], theta[i] = formulas.first_order(
            is_call[i], forward[i], strike[i], vol[i], rate[i],
            work[ROOT + i], work[INVERSE + i], work[DISCOUNT + i], work[A + i], work[B + i],
            min(forward[i], strike[i]) * work[DENSITY + i],
            (work[ABOVE_A + i], work[UNDER_A + i]), (work[ABOVE_B + i], work[UNDER_B + i]),
        )  # fmt: skip


@kernel("f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def _second_order(
    forward: Floats, strike: Floats, years: Floats, price: Floats, work: Floats,
    vanna: Floats, volga: Floats, rho: Floats, speed: Floats,
) -> None:  # fmt: skip
    """Write vanna, volga, rho and speed of regular rows."""
    for i in range(vanna.shape[0]):
        vanna[i], volga[i], speed[i] = formulas.second_order(
            forward[i], strike[i], work[ROOT + i], work[INVERSE + i], work[DISCOUNT + i], work[A + i], work[B + i],
            min(forward[i], strike[i]) * work[DENSITY + i],
        )  # fmt: skip
        rho[i] = -years[i] * price[i]


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], i8")
def _check(is_call: Bools, forward: Floats, strike: Floats, vol: Floats, years: Floats, rate: Floats, n: int) -> None:
    if not (is_call.shape[0] == forward.shape[0] == strike.shape[0] == vol.shape[0] == years.shape[0] == n):
        raise ValueError("arrays of one greeks call must have one length")
    if rate.shape[0] != n:
        raise ValueError("arrays of one greeks call must have one length")


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], i8, i8, f8[:, ::1]")
def _repair(
    is_call: Bools, forward: Floats, strike: Floats, vol: Floats, years: Floats, rate: Floats,
    start: int, end: int, out: Floats,
) -> None:  # fmt: skip
    """Write the rows again that are not regular."""
    for i in range(start, end):
        low, high = formulas.ordered(forward[i], strike[i])
        s = vol[i] * math.sqrt(years[i])
        if not formulas.is_regular(low, high, vol[i], years[i], s, 1.0 / s, -rate[i] * years[i]):
            g = black76.greeks(is_call[i], forward[i], strike[i], vol[i], years[i], rate[i])
            out[PRICE, i], out[DELTA, i], out[GAMMA, i], out[VEGA, i], out[THETA, i] = g[:FIRST_GREEKS]
            if out.shape[0] == GREEKS:
                out[VANNA, i], out[VOLGA, i], out[RHO, i], out[SPEED, i] = g[FIRST_GREEKS:]


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1]")
def _write(
    is_call: Bools, forward: Floats, strike: Floats, vol: Floats, years: Floats, rate: Floats, out: Floats
) -> None:
    """Write five or nine rows, block by block."""
    n = out.shape[1]
    work = np.empty(END)
    for start in range(0, n, BLOCK):
        end = min(n, start + BLOCK)
        f, k, v, t, r = forward[start:end], strike[start:end], vol[start:end], years[start:end], rate[start:end]
        rows = end - start
        regular = log_ratios(f, k, work[A : A + rows]) & _distances(v, t, r, work)
        exponentials(work[DISCOUNT : DISCOUNT + rows])
        densities(work[A : A + rows], work[DENSITY : DENSITY + rows])
        mills(work[A : A + rows], work[ABOVE_A : ABOVE_A + rows], work[UNDER_A : UNDER_A + rows])
        mills(work[B : B + rows], work[ABOVE_B : ABOVE_B + rows], work[UNDER_B : UNDER_B + rows])
        price, delta, gamma = out[PRICE, start:end], out[DELTA, start:end], out[GAMMA, start:end]
        vega, theta = out[VEGA, start:end], out[THETA, start:end]
        _first_order(is_call[start:end], f, k, v, r, work, price, delta, gamma, vega, theta)
        if out.shape[0] == GREEKS:
            _second_order(
                f, k, t, price, work,
                out[VANNA, start:end], out[VOLGA, start:end], out[RHO, start:end], out[SPEED, start:end],
            )  # fmt: skip
        if not regular:
            _repair(is_call, forward, strike, vol, years, rate, start, end, out)


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1]")
def first_greeks_array(
    is_call: Bools, forward: Floats, strike: Floats, vol: Floats, years: Floats, rate: Floats, out: Floats
) -> None:
    """Write price, delta, gamma, vega and theta of n options into out: float64[5, n], rows `PRICE` .. `THETA`.

    Inputs, units and degenerate ones as of `black76.greeks`; out overlaps none of them. Raises ValueError on shapes.
    """
    if out.shape[0] != FIRST_GREEKS:
        raise ValueError("the output of first_greeks_array has five rows")
    _check(is_call, forward, strike, vol, years, rate, out.shape[1])
    _write(is_call, forward, strike, vol, years, rate, out)


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1]")
def greeks_array(
    is_call: Bools, forward: Floats, strike: Floats, vol: Floats, years: Floats, rate: Floats, out: Floats
) -> None:
    """Write `black76.greeks` of n options into out: float64[9, n], rows `PRICE` .. `SPEED`, overlapping no input.

    Raises ValueError on shapes.
    """
    if out.shape[0] != GREEKS:
        raise ValueError("the output of greeks_array has nine rows")
    _check(is_call, forward, strike, vol, years, rate, out.shape[1])
    _write(is_call, forward, strike, vol, years, rate, out)


@kernel("f8[:, ::1], f8[::1], f8[:, ::1]")
def inverse_greeks_array(greeks: Floats, forward: Floats, out: Floats) -> None:
    """Write `contracts.inverse_greeks` of n options into out: float64[5, n], rows `PRICE` .. `THETA`, in coins.

    greeks is an undiscounted result of `first_greeks_array` or `greeks_array`. Raises ValueError on shapes.
    """
    n = forward.shape[0]
    if not (greeks.shape[0] >= FIRST_GREEKS and out.shape[0] == FIRST_GREEKS and greeks.shape[1] == out.shape[1] == n):
        raise ValueError("arrays of one inverse_greeks call must have one length and five rows")
    for i in range(n):
        out[PRICE, i], out[DELTA, i], out[GAMMA, i], out[VEGA, i], out[THETA, i] = contracts.inverse_greeks(
            greeks[PRICE, i], greeks[DELTA, i], greeks[GAMMA, i], greeks[VEGA, i], greeks[THETA, i], forward[i]
        )
