"""Black-76 prices over arrays, without Greeks: the loops of `kernels.black76_loops` over blocks.

As in `kernels.black76_arrays`, a row that is not regular is written once more by the scalar function.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import black76
from kernels import black76_formulas as formulas
from kernels._jit import Bools, Floats, kernel
from kernels.black76_loops import BLOCK, STRIDE, log_ratios, time_values


@kernel("f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def _price_distances(forward: Floats, strike: Floats, total_stdev: Floats, a: Floats, b: Floats, low: Floats) -> bool:
    """Turn the logarithms in a into a and b, and write low; return whether all deviations are regular."""
    regular = True
    for i in range(a.shape[0]):
        s = total_stdev[i]
        inverse = 1.0 / s
        a[i], b[i] = formulas.distances(a[i], s, inverse)
        low[i] = min(forward[i], strike[i])
        regular &= formulas.has_regular_levels(s, 1.0, s, inverse, 0.0)
    return regular


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def _price_rows(
    is_call: Bools, forward: Floats, strike: Floats, discount: Floats, time_value: Floats, out: Floats
) -> bool:
    """Write prices of regular rows; return whether all discounts are regular."""
    regular = True
    for i in range(out.shape[0]):
        out[i] = discount[i] * formulas.with_intrinsic(is_call[i], forward[i], strike[i], time_value[i])
        regular &= (discount[i] >= 0.0) & (discount[i] < math.inf)
    return regular


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def _write_prices(
    is_call: Bools, forward: Floats, strike: Floats, total_stdev: Floats, discount: Floats, out: Floats
) -> None:
    """Write the prices of one block."""
    n, work = out.shape[0], np.empty(3 * STRIDE)
    a, b, low = work[:n], work[STRIDE : STRIDE + n], work[2 * STRIDE : 2 * STRIDE + n]
    regular = log_ratios(forward, strike, a)
    regular &= _price_distances(forward, strike, total_stdev, a, b, low)
    time_values(a, b, low)
    regular &= _price_rows(is_call, forward, strike, discount, a, out)
    if not regular:
        for i in range(n):
            lower, higher = formulas.ordered(forward[i], strike[i])
            s = total_stdev[i]
            if not (formulas.is_regular(lower, higher, s, 1.0, s, 1.0 / s, 0.0) and 0.0 <= discount[i] < math.inf):
                out[i] = black76.price(is_call[i], forward[i], strike[i], s, discount[i])


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def price_array(
    is_call: Bools, forward: Floats, strike: Floats, total_stdev: Floats, discount: Floats, out: Floats
) -> None:
    """Write `black76.price` of n options into out, which overlaps no input; ValueError unless all have n elements."""
    n = out.shape[0]
    if not (is_call.shape[0] == forward.shape[0] == strike.shape[0] == total_stdev.shape[0] == discount.shape[0] == n):
        raise ValueError("arrays of one price call must have one length")
    for start in range(0, n, BLOCK):
        end = min(n, start + BLOCK)
        _write_prices(
            is_call[start:end], forward[start:end], strike[start:end], total_stdev[start:end], discount[start:end],
            out[start:end],
        )  # fmt: skip
