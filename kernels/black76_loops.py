"""The loops that take most of a Black-76 price, over numbers in the nearest caches.

Each is one short chain and nothing else: few registers, no division behind a square root behind a polynomial, and so
few instructions that a CPU works at many rows at a time instead of waiting for the results of one
(`docs/decisions/0133-short-loops-over-blocks.md`). Callers cut their rows into blocks of `BLOCK`; what is between two
loops is in one array, `STRIDE` numbers of each kind.
"""

from __future__ import annotations

import numpy as np

from kernels import black76_formulas as formulas
from kernels import polynomials
from kernels._jit import Floats, kernel

BLOCK = 1024
STRIDE = BLOCK + 8  # a cache line more: rows a power of two apart would share one place of the first cache

ABOVE_A, ABOVE_B, UNDER_A, UNDER_B, DENSITY, END = range(0, 6 * STRIDE, STRIDE)


@kernel("f8[::1], f8[::1], f8[::1]")
def log_ratios(forward: Floats, strike: Floats, out: Floats) -> bool:
    """Write ln(low/high) of forwards and strikes; return whether all of them are regular."""
    regular = True
    for i in range(forward.shape[0]):
        low, high = formulas.ordered(forward[i], strike[i])
        out[i] = polynomials.log_ratio(low, high)
        regular &= formulas.has_regular_prices(low, high)
    return regular


@kernel("f8[::1]")
def exponentials(x: Floats) -> None:
    """Replace each x of -708 to 709 by e^x."""
    for i in range(x.shape[0]):
        x[i] = polynomials.exp(x[i])


@kernel("f8[::1], f8[::1]")
def densities(a: Floats, out: Floats) -> None:
    """Write n(a), or zero beyond 37 deviations."""
    for i in range(a.shape[0]):
        out[i] = polynomials.exp_or_zero(formulas.log_density(a[i]))


@kernel("f8[::1], f8[::1], f8[::1]")
def mills(x: Floats, above: Floats, under: Floats) -> None:
    """Write numerators and denominators of the Mills ratios at |x| (`formulas.mills_parts`)."""
    for i in range(x.shape[0]):
        above[i], under[i] = formulas.mills_parts(x[i])


@kernel("f8[::1], f8[::1], f8[::1]")
def _time_values(low: Floats, work: Floats, a: Floats) -> None:
    for i in range(a.shape[0]):
        under_a, under_b = work[UNDER_A + i], work[UNDER_B + i]
        a[i] = formulas.time_value(
            low[i], a[i], work[ABOVE_A + i] * under_b, work[ABOVE_B + i] * under_a,
            low[i] * work[DENSITY + i] / (under_a * under_b),
        )  # fmt: skip


@kernel("f8[::1], f8[::1], f8[::1]")
def time_values(a: Floats, b: Floats, low: Floats) -> None:
    """Turn distances a into the undiscounted prices of what is out of the money; all three have one length."""
    work = np.empty(END)
    for start in range(0, a.shape[0], BLOCK):
        end = min(a.shape[0], start + BLOCK)
        rows, near = end - start, a[start:end]
        densities(near, work[DENSITY : DENSITY + rows])
        mills(near, work[ABOVE_A : ABOVE_A + rows], work[UNDER_A : UNDER_A + rows])
        mills(b[start:end], work[ABOVE_B : ABOVE_B + rows], work[UNDER_B : UNDER_B + rows])
        _time_values(low[start:end], work, near)
