"""What an account has in one underlying, bounded from below around the present price: a curve for each scenario.

At a relative move x of the index within the radius of the tangents, with c and d of `kernels.certificates.conditions`,

    U_s(x) = sum_i q_i (c v_i + d pnl_is) - d w m_s  >=  value + slope x - curve x^2/2 - kink |x|,

and the term of the upper constraint is the least of them; that of the lower one is a single curve of the same form,
whose cells are frozen. P&L holds -weight V(now): q_i (c - d weight) V(now) + q_i d weight V(cell) are convex with the
sign of their factors, and what is convex does not fall below its tangent.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.certificates import tangents

VALUE, SLOPE, CURVE, KINK = range(4)  # rows of a curve
CURVES = 4

OF_SWING = 1e-9  # of it, for what rounds


@kernel("i8, i8[::1], f8[::1]")
def move_numbers(width: int, side: Ints, out: Floats) -> None:
    """Write the normalised move at which each scenario counts, float64[S], S = 3 width + sides.

    side: as `kernels.move_losses.extended_sides` gives it. Raises ValueError on shapes that do not fit.
    """
    standard = 3 * width
    if width < 3 or out.shape[0] != standard + side.shape[0]:
        raise ValueError("scenarios must be three per standard move and one per extended side")
    step = 2.0 / (width - 1)
    for s in range(standard):
        out[s] = (s // 3) * step - 1.0
    for j in range(side.shape[0]):
        out[standard + j] = side[j]


@kernel("i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], f8, f8, f8, i8, i8, f8, i8[::1]")
def select(
    rows: Ints, quantity: Floats, pnl: Floats, value: Floats, move_number: Floats, c: float, d: float, w: float,
    first: int, second: int, swing: float, out: Ints,
) -> int:  # fmt: skip
    """Write the scenarios that can matter to a place: first, second, then those whose U_s may come down to the least.

    rows, quantity, pnl, value, move_number, c, d, w: as `upper_curves`; swing: the most that any U_s may fall by within
    the radius, USD. The curve of what is left out stays above the least one now. out: int64[>= S + 2]. Returns how
    many.
    """
    count = pnl.shape[1]
    if out.shape[0] < count + 2:
        raise ValueError("there are up to two scenarios more than in the table")
    height, base, least = np.empty(count), 0.0, math.inf
    for s in range(count):
        height[s] = -(d * w) * move_number[s]
    for k in range(rows.shape[0]):
        scaled = d * quantity[k]
        base += c * quantity[k] * value[rows[k]]
        of = pnl[rows[k]]
        for s in range(count):
            height[s] += scaled * of[s]
    for s in range(count):
        least = min(least, height[s])
    out[0], out[1] = first, second
    found = 2
    for s in range(count):
        if s not in (first, second) and not height[s] - least > swing * (1.0 + OF_SWING):
            out[found] = s
            found += 1
    return found


@kernel(
    "i8[::1], f8[::1], f8[:, ::1], f8[::1], i8[::1], f8[:, :, ::1], f8[:, ::1], f8[::1], f8[::1], f8, f8, f8,f8[:, ::1]"
)
def upper_curves(
    rows: Ints, quantity: Floats, pnl: Floats, value: Floats, scenario: Ints, cells: Floats, own: Floats,
    weight: Floats, move_number: Floats, c: float, d: float, w: float, out: Floats,
) -> None:  # fmt: skip
    """Write the curves of one place under the upper constraint, one per scenario.

    rows: int64[k]; quantity: float64[k]; pnl: float64[n, S] and value: float64[n] by row, of `risk_array`; scenario:
    int64[C], of which `cells` and `own` of `tangents` are, in the order of `rows`; weight, move_number: float64[S]; w:
    hedge in USD. out: float64[CURVES, >= C].
    """
    count = scenario.shape[0]
    if out.shape[0] != CURVES or out.shape[1] < count or cells.shape[2] < count:
        raise ValueError("curves need four rows and an element per scenario")
    for j in range(count):
        out[VALUE, j] = -(d * w) * move_number[scenario[j]]
        out[SLOPE, j] = out[CURVE, j] = out[KINK, j] = 0.0
    for k in range(rows.shape[0]):
        i, q = rows[k], quantity[k]
        base_value, base_slope = c * q * value[i], c * q * own[k, tangents.SLOPE]
        above, below, kink = own[k, tangents.ABOVE], own[k, tangents.BELOW], own[k, tangents.KINK]
        scaled = d * q
        bend = tangents.BELOW if scaled >= 0.0 else tangents.ABOVE
        for j in range(count):
            share = c * q - scaled * weight[scenario[j]]
            out[VALUE, j] += base_value + scaled * pnl[i, scenario[j]]
            out[SLOPE, j] += base_slope + scaled * cells[k, tangents.SLOPE, j]
            out[CURVE, j] += abs(scaled) * cells[k, bend, j] + (share * below if share >= 0.0 else -share * above)
            out[KINK, j] += abs(scaled) * cells[k, tangents.KINK, j] + abs(share) * kink


@kernel("i8[::1], f8[::1], f8[:, ::1], f8[::1], i8[::1], f8[:, :, ::1], f8[:, ::1], f8[::1], f8, f8, f8, f8[::1]")
def lower_curve(
    rows: Ints, quantity: Floats, pnl: Floats, value: Floats, scenario: Ints, cells: Floats, own: Floats,
    weight: Floats, share: float, c: float, d: float, out: Floats,
) -> None:  # fmt: skip
    """Write the curve of one place under the lower constraint: d (loss of a frozen mixture) - c (value).

    The mixture is of the first two of `scenario`, with weights share and 1 - share. out: float64[CURVES]. The rest is
    as in `upper_curves`.
    """
    if out.shape[0] != CURVES or scenario.shape[0] < 2:
        raise ValueError("a curve has four numbers, and a mixture two scenarios")
    out[:] = 0.0
    p, r = d * share, d * (1.0 - share)
    first, second = scenario[0], scenario[1]
    for k in range(rows.shape[0]):
        i, q = rows[k], quantity[k]
        of_value = -q * (c - p * weight[first] - r * weight[second])
        bend = tangents.BELOW if q <= 0.0 else tangents.ABOVE
        out[VALUE] -= q * (c * value[i] + p * pnl[i, first] + r * pnl[i, second])
        out[SLOPE] -= q * (
            c * own[k, tangents.SLOPE] + p * cells[k, tangents.SLOPE, 0] + r * cells[k, tangents.SLOPE, 1]
        )
        out[CURVE] += abs(q) * (p * cells[k, bend, 0] + r * cells[k, bend, 1])
        out[CURVE] += of_value * own[k, tangents.BELOW] if of_value >= 0.0 else -of_value * own[k, tangents.ABOVE]
        out[KINK] += abs(q) * (p * cells[k, tangents.KINK, 0] + r * cells[k, tangents.KINK, 1])
        out[KINK] += abs(of_value) * own[k, tangents.KINK]


@kernel("i8[::1], f8[::1], f8[::1], f8[:, ::1]")
def gross(rows: Ints, quantity: Floats, value: Floats, own: Floats) -> tuple[float, float, float]:
    """Return sum |q| gross, what is added up: sum |q| (gross + |value|), and sum |q| swing, in USD.

    Times `reach` and the radius the last is the `swing` of `select`.
    """
    moving, summed, swinging = 0.0, 0.0, 0.0
    for k in range(rows.shape[0]):
        one = abs(quantity[k]) * own[k, tangents.GROSS]
        moving += one
        summed += one + abs(quantity[k] * value[rows[k]])
        swinging += abs(quantity[k]) * own[k, tangents.SWING]
    return moving, summed, swinging


@kernel("i8[::1], f8[::1], f8[:, ::1], i8[::1], i8, i8")
def worst_cell(rows: Ints, quantity: Floats, pnl: Floats, side: Ints, width: int, move: int) -> int:
    """Return the scenario with the largest loss of a place among those that count at a move, the lowest of equals."""
    worst, scenario = 0.0, -1
    for s in range(3 * width + side.shape[0]):
        here = s // 3 if s < 3 * width else (0 if side[s - 3 * width] < 0 else width - 1)
        if here != move:
            continue
        total = 0.0
        for k in range(rows.shape[0]):
            total += quantity[k] * pnl[rows[k], s]
        if scenario < 0 or total < worst:
            worst, scenario = total, s
    return scenario


@kernel("f8, f8, f8[::1], f8[::1]")
def reach(c: float, d: float, move: Floats, weight: Floats) -> float:
    """Return how many times its gross a place's curves may change when every value changes by its gross."""
    most = 0.0
    for s in range(move.shape[0]):
        most = max(most, abs(c - d * weight[s]) + d * weight[s] * (1.0 + move[s]))
    return most
