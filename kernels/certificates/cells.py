"""Slopes and curvature bounds of options' cells, as vectors: the cells of many rows form one long array.

Per cell, with F' = F (1 + m), l = ln(F'/K), y = ln(1 + x) for |x| <= X, and s(y) on its path
(`kernels.certificates.smile`):

    slope  F' (N(d1) + n(d1) ds/dy), of a put with -N(-d1)
    above  F'/((1 - X) s_low) (n + 2 steep D1 + steep^2 (D2 + s_high D1) + s_high (bend + steep) n)
    below  F'/(1 - X) (steep^2 D1 + (bend + steep) n)
    kink   F' (1 + X)/(1 - X) kink n

n, D1, D2: bounds of n(d1), |d2| n(d1), d2^2 n(d1) over the interval. Proof: `docs/certificates.md`.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Bools, Floats, Ints, inlined, kernel
from kernels.black76_loops import densities, mills
from kernels.certificates import smile
from kernels.scenarios_options import of_direction

# Columns of a row's cells, float64[CELL, S].
SLOPE, ABOVE, BELOW, KINK = range(4)
CELL = 4

# sup |d| n(d) = n(1) and sup d^2 n(d) = 2 n(sqrt 2), rounded up.
MOST_FIRST, MOST_SECOND = 0.24197073, 0.29352533
FARTHEST = 1e4  # of d1: no density is left at 40


@inlined()
def _ends(low: float, high: float, least: float, most: float) -> tuple[float, float]:
    """Return bounds of d1 for ln(F/K) in [low, high] and s in [least, most]."""
    first = low / (most if low > 0.0 else least) + 0.5 * least
    last = high / (least if high > 0.0 else most) + 0.5 * most
    return max(first, -FARTHEST), min(last, FARTHEST)


@kernel("f8, f8, f8, f8[:, ::1], f8[::1], i8[::1], f8[::1], f8[::1]")
def _distances(
    moneyness: float, down: float, up: float, path: Floats, log_move: Floats, direction: Ints, now: Floats, near: Floats
) -> None:
    """Write d1 of one row's cells now, and its nearest to 0 while y goes from down to up."""
    up_now, same_now, down_now = path[0, smile.NOW], path[1, smile.NOW], path[2, smile.NOW]
    up_low, same_low, down_low = path[0, smile.LOW], path[1, smile.LOW], path[2, smile.LOW]
    up_high, same_high, down_high = path[0, smile.HIGH], path[1, smile.HIGH], path[2, smile.HIGH]
    for s in range(log_move.shape[0]):
        at = moneyness + log_move[s]
        stdev = of_direction(direction[s], up_now, same_now, down_now)
        least = of_direction(direction[s], up_low, same_low, down_low)
        most = of_direction(direction[s], up_high, same_high, down_high)
        first, last = _ends(at + down, at + up, least, most)
        now[s] = min(max(at / stdev + 0.5 * stdev, -FARTHEST), FARTHEST)
        near[s] = min(max(0.0, first), last)


@kernel("b1, f8, f8[:, ::1], f8[::1], i8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def _slopes(
    call: bool, forward: float, path: Floats, move: Floats, direction: Ints, now: Floats, density: Floats,
    above: Floats, under: Floats, out: Floats,
) -> None:  # fmt: skip
    """Write the slope of one row's cells by x; above/under is the Mills ratio at |d1|."""
    base = 0.0 if call else 1.0
    up, same, down = path[0, smile.SLOPE], path[1, smile.SLOPE], path[2, smile.SLOPE]
    for s in range(move.shape[0]):
        tail = density[s] * above[s] / under[s]
        share = (tail if now[s] < 0.0 else 1.0 - tail) - base
        out[s] = forward * (1.0 + move[s]) * (share + density[s] * of_direction(direction[s], up, same, down))


@kernel("f8, f8, f8[:, ::1], f8[::1], i8[::1], f8[::1], f8[::1]")
def _convexity(
    forward: float, lowest: float, path: Floats, move: Floats, direction: Ints, density: Floats, out: Floats
) -> None:
    """Write `above` of one row's cells where volatility does not depend on the price; density is the largest."""
    up, same, down = 1.0 / path[0, smile.LOW], 1.0 / path[1, smile.LOW], 1.0 / path[2, smile.LOW]
    for s in range(move.shape[0]):
        out[s] = forward * lowest * (1.0 + move[s]) * density[s] * of_direction(direction[s], up, same, down)


@inlined()
def products(low: float, high: float, least: float, most: float, density: float) -> tuple[float, float]:
    """Return D1 and D2 of the module docstring for ln(F'/K) in [low, high] and s in [least, most]."""
    first, last = _ends(low, high, least, most)
    far = max(abs(first), abs(last)) + most
    return (
        min(far * density, MOST_FIRST + most * density),
        min(far * far * density, MOST_SECOND + most * (2.0 * MOST_FIRST + most * density)),
    )


@kernel("f8, f8, f8, f8, f8[:, ::1], f8[::1], f8[::1], i8[::1], f8[::1], f8[:, ::1]")
def _along_smile(
    forward: float, moneyness: float, down: float, up: float, path: Floats, move: Floats, log_move: Floats,
    direction: Ints, density: Floats, out: Floats,
) -> None:  # fmt: skip
    """Write `above`, `below` and `kink` of one row's cells."""
    lowest, highest = math.exp(-down), math.exp(up)
    for s in range(move.shape[0]):
        p = path[1 - direction[s]]
        least, most, steep, bend = p[smile.LOW], p[smile.HIGH], p[smile.STEEP], p[smile.BEND]
        at, n = moneyness + log_move[s], density[s]
        first, second = products(at + down, at + up, least, most, n)
        scaled, turning = forward * lowest * (1.0 + move[s]), (bend + steep) * n
        rise = n + steep * (2.0 * first + steep * (second + most * first)) + most * turning
        out[ABOVE, s] = scaled / least * rise
        out[BELOW, s] = scaled * (steep * steep * first + turning)
        out[KINK, s] = scaled * highest * p[smile.KINK] * n


@kernel("f8[:, ::1]")
def _is_flat(path: Floats) -> bool:
    moving = 0.0
    for d in range(smile.DIRECTIONS):
        moving += path[d, smile.STEEP] + path[d, smile.BEND] + path[d, smile.KINK]
    return moving == 0.0


@kernel("b1[::1], f8[::1], f8[::1], f8[:, :, ::1], f8, f8, f8[::1], f8[::1], i8[::1], f8[:, :, ::1]")
def write_cells(
    is_call: Bools, forward: Floats, moneyness: Floats, path: Floats, down: float, up: float, move: Floats,
    log_move: Floats, direction: Ints, out: Floats,
) -> None:  # fmt: skip
    """Write slope, above, below and kink of every cell of n options, USD of one unit: float64[n, CELL, S].

    is_call, forward, moneyness = ln(F/K): n each; path: float64[n, 3, PATH] of s after a shock up, none and down; down,
    up: ln(1 - X) and ln(1 + X); move, log_move = ln(1 + m), direction: S each.
    """
    n, wide = forward.shape[0], move.shape[0]
    now, near = np.empty((n, wide)), np.empty((n, wide))
    for i in range(n):
        _distances(moneyness[i], down, up, path[i], log_move, direction, now[i], near[i])
    cells = n * wide
    density, largest = np.empty((n, wide)), np.empty((n, wide))
    densities(now.ravel(), density.ravel())
    densities(near.ravel(), largest.ravel())
    above, under = np.empty((n, wide)), np.empty((n, wide))
    mills(now.ravel(), above.reshape(cells), under.reshape(cells))
    lowest = math.exp(-down)
    for i in range(n):
        _slopes(is_call[i], forward[i], path[i], move, direction, now[i], density[i], above[i], under[i], out[i, SLOPE])
        if _is_flat(path[i]):
            _convexity(forward[i], lowest, path[i], move, direction, largest[i], out[i, ABOVE])
            out[i, BELOW, :] = 0.0
            out[i, KINK, :] = 0.0
        else:
            _along_smile(forward[i], moneyness[i], down, up, path[i], move, log_move, direction, largest[i], out[i])
