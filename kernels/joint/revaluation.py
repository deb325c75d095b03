"""P&L of the rows of one underlying over scenarios that move index, each expiry's basis and volatilities apart.

In a scenario the index S moves by m, what an expiry adds to it by b (its own, see `bucket`) and a volatility by
v times its scale: S' = S (1 + m), p' = f + (p - f)(1 + m)(1 + b), vol' = max(vol (1 + scale v), 0). T' is what is left
of an option's time T. V is the undiscounted Black-76 price, f the part of a price that a settlement average has fixed,
g funding:

| code | kind | P&L, USD |
|---|---|---|
| 0 | coin | size S m |
| 1 | linear future, perpetual | size (p' - p) |
| 2 | inverse future, perpetual | -size S ((1 + m)/p' - 1/p + g m) |
| 3 | linear option | size (V(p', vol', T') - V(p, vol, T)) |
| 4 | inverse option | size (S' V(p', vol', T')/p' - S V(p, vol, T)/p) |

As `kernels.path_pnl`, in float64 and with a basis: for one account, whose rows are priced for it alone.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import black76, black76_arrays
from kernels._jit import Bools, Floats, Ints, inlined, kernel
from kernels.scenarios_units import COIN, INVERSE, INVERSE_OPTION, LINEAR, is_priced

STRIP = 256  # scenarios of an option at a time: six arrays of 2 kB
NO_BASIS = -1


@inlined()
def _future_pnl(
    code: int, size: float, price: float, fixed: float, funding: float, index_price: float, m: float, b: float
) -> float:
    """Return the P&L of a coin or future; of an inverse one what cancels without a basis cancels exactly."""
    if code == COIN:
        return size * index_price * m
    moving, shifted = price - fixed, m + b + m * b
    if code == LINEAR:
        return size * moving * shifted
    gap = (fixed * m - moving * (1.0 + m) * b) / (price * (fixed + moving * (1.0 + shifted)))
    return -size * index_price * (gap + funding * m)


@inlined()
def _root(years: float) -> float:
    return math.sqrt(max(years, 0.0)) if math.isfinite(years) else math.nan


@kernel("i8, b1, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8[::1], f8[::1], f8[::1], f8, f8[::1]")
def _add_option(
    code: int, is_call: bool, size: float, strike: float, forward: float, fixed: float, root: float, later: float,
    vol: float, vol_scale: float, index_price: float, move: Floats, basis_move: Floats, vol_move: Floats,
    quantity: float, out: Floats,
) -> None:  # fmt: skip
    """Add the P&L of one option; root and later are the roots of its time now and in the scenarios."""
    in_coins = code == INVERSE_OPTION
    now = black76.price(is_call, forward, strike, vol * root, 1.0) * (index_price / forward if in_coins else 1.0)
    call, strikes, one = np.full(STRIP, is_call), np.full(STRIP, strike), np.ones(STRIP)
    forwards, stdevs, values = np.ones(STRIP), np.ones(STRIP), np.empty(STRIP)
    for start in range(0, out.shape[0], STRIP):
        n = min(STRIP, out.shape[0] - start)
        m, b, v = move[start : start + n], basis_move[start : start + n], vol_move[start : start + n]
        for j in range(n):
            forwards[j] = fixed + (forward - fixed) * ((1.0 + m[j]) * (1.0 + b[j]))
            moved = vol * (1.0 + vol_scale * v[j])
            stdevs[j] = (0.0 if moved < 0.0 else moved) * later  # noqa: FURB136 (NaN stays NaN)
        black76_arrays.price_array(call, forwards, strikes, stdevs, one, values)
        target = out[start : start + n]
        for j in range(n):
            unit = index_price * (1.0 + m[j]) / forwards[j] if in_coins else 1.0
            target[j] += quantity * (size * (unit * values[j] - now))


@kernel(
    "i8[::1], b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], i8[::1],"
    "f8[::1], f8,"
    "f8[::1], f8[:, ::1], f8[::1], f8[::1]"
)
def revalue(
    kind: Ints, is_call: Bools, size: Floats, strike: Floats, price_or_forward: Floats, fixed: Floats, funding: Floats,
    years: Floats, vol: Floats, years_left: Floats, vol_scale: Floats, bucket: Ints, quantity: Floats,
    index_price: float, move: Floats, basis_move: Floats, vol_move: Floats, out: Floats,
) -> None:  # fmt: skip
    """Write the P&L of all n rows of one underlying in N scenarios, summed in their order: out float64[N], USD.

    kind .. vol: [n], as `scenarios.risk_array`; years_left: [n], T' of options; vol_scale: [n], the relative change of
    a volatility by a move of 1; bucket: [n], the row of basis_move that moves it, NO_BASIS for none; quantity: [n],
    contracts; move and vol_move: float64[N], basis_move: float64[B, N], moves above -1. Rows of quantity 0 are left
    out; NaN throughout if another misses something. Raises ValueError on other shapes.
    """
    n, scenarios = kind.shape[0], out.shape[0]
    if not (is_call.shape[0] == size.shape[0] == strike.shape[0] == price_or_forward.shape[0] == fixed.shape[0] == n):
        raise ValueError("arrays of one revalue call must have one length")
    if not (funding.shape[0] == years.shape[0] == vol.shape[0] == vol_scale.shape[0] == bucket.shape[0] == n):
        raise ValueError("arrays of one revalue call must have one length")
    if not (years_left.shape[0] == quantity.shape[0] == n) or not (
        move.shape[0] == basis_move.shape[1] == vol_move.shape[0] == scenarios
    ):
        raise ValueError("arrays of one revalue call must have one length")
    level = np.zeros(scenarios)
    out[:] = 0.0
    for i in range(n):
        code, q = kind[i], quantity[i]
        if bucket[i] >= basis_move.shape[0]:
            raise ValueError("a bucket is a row of the basis moves")
        if q == 0.0:
            continue
        if not (COIN <= code <= INVERSE_OPTION) or not is_priced(
            code, size[i], price_or_forward[i], fixed[i], funding[i], index_price
        ):
            out[:] = math.nan
            return
        b = basis_move[bucket[i]] if bucket[i] >= 0 else level
        if code > INVERSE:
            root, later = _root(years[i]), _root(years_left[i])
            _add_option(
                code, is_call[i], size[i], strike[i], price_or_forward[i], fixed[i], root, later, vol[i],
                vol_scale[i], index_price, move, b, vol_move, q, out,
            )  # fmt: skip
        else:
            for j in range(scenarios):
                out[j] += q * _future_pnl(
                    code, size[i], price_or_forward[i], fixed[i], funding[i], index_price, move[j], b[j]
                )
