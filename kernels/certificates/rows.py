"""What rows of one underlying are worth around the present price, and on which paths their volatilities can be.

The first of two steps: it tells which rows may be part of a certificate, and how far values can move at all. The
second, `kernels.certificates.tangents`, then takes the scenarios that matter.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import black76_formulas as formulas
from kernels import scenarios, surface
from kernels._jit import Bools, Floats, Ints, kernel
from kernels.certificates import smile
from kernels.certificates.cells import CELL, SLOPE, products
from kernels.certificates.tangents import CARRY, DELTA, GROSS, SWING, VALUE, option_cells
from kernels.polynomials import exp_or_zero, log_ratio
from kernels.scenarios_table import tenor_scale
from kernels.scenarios_units import is_priced

SHOCKS = 6
PEAK = 0.39894228040143276  # n(0), rounded up
LEAST_RADIUS, LARGEST_RADIUS = 1e-9, 0.9


@kernel("i8, f8, f8, f8, f8, f8[::1]")
def _straight(code: int, size: float, price: float, funding: float, index: float, value: Floats) -> None:
    """Write the value of a coin or future without a fixed part."""
    value[:] = 0.0
    if code == scenarios.COIN:
        value[SLOPE] = value[GROSS] = value[DELTA] = size * index
    elif code == scenarios.LINEAR:
        value[SLOPE] = value[GROSS] = value[DELTA] = size * price
        value[CARRY] = size * index
    else:
        value[SLOPE] = -size * index * funding
        value[GROSS] = size * index / price + abs(value[SLOPE])
        value[DELTA] = abs(value[SLOPE])
    value[SWING] = value[GROSS]


@kernel("f8[::1], f8, f8, f8")
def _turn(s: Floats, moneyness: float, down: float, up: float) -> float:
    """Return a bound of d((1 + x) V')/dy, y = ln(1 + x), at the path's volatilities."""
    first, last = moneyness + down, moneyness + up
    least, most = s[smile.LOW], s[smile.HIGH]
    near = min(
        max(0.0, first / (most if first > 0.0 else least) + 0.5 * least),
        last / (least if last > 0.0 else most) + 0.5 * most,
    )
    density = exp_or_zero(formulas.log_density(near))
    product, _ = products(first, last, least, most, density)
    bound: float = 1.0 + (density + (s[smile.STEEP] + s[smile.KINK]) * product) / least
    return bound


@kernel("f8, f8, f8, f8[:, ::1]")
def _is_regular(forward: float, strike: float, years: float, path: Floats) -> bool:
    low, high = formulas.ordered(forward, strike)
    total = 0.0
    for d in range(smile.DIRECTIONS):
        for c in range(smile.PATH):
            total += path[d, c]
    regular = math.isfinite(total)
    for d in range(smile.DIRECTIONS):
        least, most = path[d, smile.LOW], path[d, smile.HIGH]
        regular &= formulas.is_regular(low, high, least, years, most, 1.0 / least, 0.0)
    return regular


@kernel("f8, f8, f8, f8, f8, f8, f8, f8[:, ::1], f8[:, ::1], f8[::1]")
def _own(
    size: float, unit: float, index: float, forward: float, strike: float, down: float, up: float, path: Floats,
    found: Floats, value: Floats,
) -> None:  # fmt: skip
    """Write an option's value from its unmoved cell, float64[CELL, 1], of one unit."""
    for c in range(CELL):
        value[c] = unit * found[c, 0]
    turn = _turn(path[1], log_ratio(forward, strike), down, up)
    steepest = 0.0
    for d in range(smile.DIRECTIONS):
        steepest = max(steepest, path[d, smile.STEEP] + path[d, smile.KINK])
    value[GROSS] = unit * forward
    value[CARRY] = turn * size * index
    value[DELTA] = turn * value[GROSS]
    value[SWING] = value[GROSS] * (1.0 + PEAK * steepest)


@kernel(
    "i8[::1], i8[::1], b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], i8[::1], f8[:, ::1],"
    "f8[::1], f8[::1], f8, f8[::1], f8, f8[:, :, ::1], f8[:, ::1], b1[::1]"
)
def prepare(
    rows: Ints, kind: Ints, is_call: Bools, size: Floats, strike: Floats, price_or_forward: Floats, fixed: Floats,
    funding: Floats, years: Floats, vol: Floats, code: Ints, parameters: Floats, lo: Floats, hi: Floats,
    index_price: float, shocks: Floats, radius: float, path: Floats, value: Floats, certifiable: Bools,
) -> None:  # fmt: skip
    """Write what `tangents` needs of some rows of one underlying, and what the rows are worth around the present price.

    rows: int64[k]; columns and index as `kernels.scenarios.risk_array` takes them, surface rows as
    `kernels.surface.volatilities` does, of which `vol` is the result; shocks: float64[6], the six of `risk_array`;
    radius X: in [1e-9, 0.9]. Outputs, in the order of `rows`: path float64[>= k, 3, PATH] of volatilities, value
    float64[>= k, VALUE] in USD, and whether the row may be part of a certificate. It may not when `risk_array` would
    give NaN, a part of its price is fixed already, or an option is expired, without volatility, beyond all scales, or
    its smile may reach a variance of zero: then it is worth zeros, and its paths say nothing. Raises ValueError on
    other shapes and radii.
    """
    count = rows.shape[0]
    if path.shape[0] < count or path.shape[1] != smile.DIRECTIONS or path.shape[2] != smile.PATH:
        raise ValueError("every row needs three paths")
    if value.shape[0] < count or value.shape[1] != VALUE or certifiable.shape[0] < count:
        raise ValueError("outputs need one element per row")
    if parameters.shape[1] != surface.PARAMETERS or shocks.shape[0] != SHOCKS:
        raise ValueError("a surface has five parameters and there are six shocks")
    if not LEAST_RADIUS <= radius <= LARGEST_RADIUS:
        raise ValueError("the radius must lie in [1e-9, 0.9]")
    down, up = log_ratio(1.0 - radius, 1.0), log_ratio(1.0 + radius, 1.0)
    vols, place, last, scale = np.empty(smile.PATH), np.empty(count, dtype=np.int64), math.nan, math.nan
    for at in range(count):
        i = rows[at]
        f, t = price_or_forward[i], years[i]
        certifiable[at] = is_priced(kind[i], size[i], f, fixed[i], funding[i], index_price) and fixed[i] == 0.0
        certifiable[at] &= scenarios.COIN <= kind[i] <= scenarios.INVERSE_OPTION
        if kind[i] < scenarios.LINEAR_OPTION:
            _straight(kind[i], size[i], f, funding[i], index_price, value[at])
            continue
        if t != last:
            last, scale = t, tenor_scale(max(t, 0.0), shocks[3], shocks[4], shocks[5])
        value[at] = 0.0
        smile.write_path(code[i], parameters[i], lo[i], hi[i], strike[i], f, t, vol[i], down, up, vols)
        smile.write_paths(vols, t, shocks[0] * scale, shocks[1] * scale, shocks, path[at])
        certifiable[at] &= _is_regular(f, strike[i], t, path[at])
    found = option_cells(
        rows, kind, is_call, strike, price_or_forward, path, radius, np.zeros(1), np.zeros(1, dtype=np.int64),
        certifiable, place,
    )  # fmt: skip
    for j in range(found.shape[0]):
        at = place[j]
        i = rows[at]
        unit = size[i] * index_price / price_or_forward[i] if kind[i] == scenarios.INVERSE_OPTION else size[i]
        _own(size[i], unit, index_price, price_or_forward[i], strike[i], down, up, path[at], found[j], value[at])
