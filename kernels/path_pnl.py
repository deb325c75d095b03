"""Joint paths: correlated draws, and the P&L of each instrument over them, straight into the float32 matrix.

A path p moves the index and every forward by m[p], relative, and volatilities by v[p] times the instrument's own scale:
F' = F (1 + m), vol' = max(vol (1 + scale v), 0). Formulas by kind are those of `scenarios`, where moves are not held
in a range and every path has the weight 1:

| code | kind | P&L, USD |
|---|---|---|
| 0 | coin | size S m |
| 1 | linear future, perpetual | size (p - f) m |
| 2 | inverse future, perpetual | -size S g m - size (S/p) m (1 - c)/(1 + c m), c = (p - f)/p |
| 3 | linear option | size (V(F', vol') - V(F, vol)) |
| 4 | inverse option | size (S (1 + m) V(F', vol')/F' - S V(F, vol)/F) |

with F' = f + (F - f)(1 + m) inside a settlement window, whose fixed part is f; V is the undiscounted Black-76 price,
always computed: a full revaluation per instrument is cheaper than any interpolation per account.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import black76, black76_arrays
from kernels._jit import Bools, Floats, Ints, inlined, kernel
from kernels._rows import Singles
from kernels.joint_pnl import PATHS, check_paths
from kernels.scenarios import COIN, INVERSE_OPTION, LINEAR, LINEAR_OPTION

STRIP = 512  # paths whose draws of some dozen underlyings stay in the cache


@kernel("f8[:, ::1], f8[:, ::1], f8[:, ::1]")
def correlate(root: Floats, z: Floats, out: Floats) -> None:
    """Write out = U'z: N draws of p independent factors as draws of the covariance U'U, path by path.

    root: `covariance.root`; z, out: float64[p, N], not the same, a row per underlying. Raises ValueError on others.
    """
    p, paths = z.shape
    if not (root.shape[0] == out.shape[0] == p and out.shape[1] == paths):
        raise ValueError("draws and out are float64[p, N], the root has p rows")
    for start in range(0, paths, STRIP):
        for i in range(p):
            target = out[i, start : start + STRIP]
            target[:] = 0.0
            for k in range(i + 1):
                weight, source = root[k, i], z[k, start : start + STRIP]
                for j in range(target.shape[0]):
                    target[j] += weight * source[j]


@inlined()
def _futures_pnl(
    code: int, size: float, price: float, fixed: float, funding: float, index_price: float, m: float
) -> float:
    if code == COIN:
        return size * index_price * m
    if code == LINEAR:
        return size * (price - fixed) * m
    share = (price - fixed) / price
    window = size * index_price / price * (m * (fixed / price) / (1.0 + share * m))
    return -size * index_price * funding * m - window


@inlined()
def _is_priced(code: int, size: float, price: float, fixed: float, funding: float, index_price: float) -> bool:
    """Return whether a row has what its kind needs; volatility, strike and time show in the price."""
    if not (
        COIN <= code <= INVERSE_OPTION and math.isfinite(size) and math.isfinite(index_price) and index_price > 0.0
    ):
        return False
    return code == COIN or (math.isfinite(price) and price > 0.0 and 0.0 <= fixed <= price and math.isfinite(funding))


@kernel("i8, b1, f8, f8, f8, f8, f8, f8, f8, f8, f8[::1], f8[::1], i8, f4[:, :, ::1]")
def _option_row(
    code: int, is_call: bool, size: float, strike: float, forward: float, fixed: float, root: float, vol: float,
    vol_scale: float, index_price: float, move: Floats, vol_move: Floats, row: int, out: Singles,
) -> None:  # fmt: skip
    """Write one option; root is sqrt(T)."""
    unit = size * index_price / forward if code == INVERSE_OPTION else size
    now = black76.price(is_call, forward, strike, vol * root, 1.0)
    call, strikes, one = np.full(PATHS, is_call), np.full(PATHS, strike), np.ones(PATHS)
    forwards, stdevs, values = np.ones(PATHS), np.ones(PATHS), np.empty(PATHS)
    for block in range(out.shape[0]):
        start = block * PATHS
        paths = min(PATHS, move.shape[0] - start)
        m, v = move[start : start + paths], vol_move[start : start + paths]
        for j in range(paths):
            forwards[j] = fixed + (forward - fixed) * (1.0 + m[j])
            moved = vol * (1.0 + vol_scale * v[j])
            stdevs[j] = (0.0 if moved < 0.0 else moved) * root  # noqa: FURB136 (NaN stays NaN)
        black76_arrays.price_array(call, forwards, strikes, stdevs, one, values)
        if code == INVERSE_OPTION and fixed > 0.0:
            for j in range(paths):
                values[j] *= (1.0 + m[j]) * forward / forwards[j]
        target = out[block, row]
        for j in range(paths):
            target[j] = unit * (values[j] - now)


@kernel(
    "i8[::1], b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8,"
    "f8[::1], f8[::1], i8, f4[:, :, ::1]"
)
def revalue(
    kind: Ints, is_call: Bools, size: Floats, strike: Floats, price_or_forward: Floats, fixed: Floats, funding: Floats,
    years: Floats, vol: Floats, vol_scale: Floats, index_price: float, move: Floats, vol_move: Floats, first_row: int,
    out: Singles,
) -> None:  # fmt: skip
    """Write the P&L of n instruments of one underlying over N paths into rows `first_row` .. of the matrix.

    kind .. vol: [n], as `scenarios.risk_array`; vol_scale: [n], the relative change of a volatility by a move of 1;
    move (above -1), vol_move: float64[N]; out: `joint_pnl.empty_matrix(rows, N)`. A row is NaN throughout where
    `risk_array` has it NaN. A path is NaN where a move is, and P&L beyond float32 infinite. Raises ValueError on
    other shapes.
    """
    n, paths = kind.shape[0], move.shape[0]
    if not (is_call.shape[0] == size.shape[0] == strike.shape[0] == price_or_forward.shape[0] == fixed.shape[0] == n):
        raise ValueError("arrays of one revalue call must have one length")
    if not (funding.shape[0] == years.shape[0] == vol.shape[0] == vol_scale.shape[0] == n):
        raise ValueError("arrays of one revalue call must have one length")
    if vol_move.shape[0] != paths or first_row < 0 or first_row + n > out.shape[1]:
        raise ValueError("moves must have one length, and the matrix the rows")
    check_paths(out, paths)
    for i in range(n):
        code, q, p, f, g, row = kind[i], size[i], price_or_forward[i], fixed[i], funding[i], first_row + i
        if not _is_priced(code, q, p, f, g, index_price):
            out[:, row] = math.nan
        elif code == LINEAR_OPTION or code == INVERSE_OPTION:  # noqa: PLR1714, SIM109
            root = math.sqrt(max(years[i], 0.0)) if math.isfinite(years[i]) else math.nan
            _option_row(
                code, is_call[i], q, strike[i], p, f, root, vol[i], vol_scale[i], index_price, move, vol_move, row, out
            )
        else:
            for block in range(out.shape[0]):
                start = block * PATHS
                for j in range(min(PATHS, paths - start)):
                    out[block, row, j] = _futures_pnl(code, q, p, f, g, index_price, move[start + j])
