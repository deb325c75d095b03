"""Volatility of each option from its surface row.

| code | parameters p0..p4 | volatility |
|---|---|---|
| -1 | | NaN: nobody quotes one |
| 0 | vol | p0 |
| 1 | atm, slope, curvature | p0 + p1 x + p2 x^2, x = ln(K/F)/sqrt(T) held in [lo, hi] |
| 2 | a, b, rho, m, sigma | sqrt(w/T), w = a + b (rho (k-m) + sqrt((k-m)^2 + sigma^2)), k = ln(K/F) held in [lo, hi] |

Outside [lo, hi] the volatility is flat. At T = 0, x is the bound on its side of the forward (0 exactly at the money,
held in the bounds) and a positive total variance meets the cap, which are the limits from the right. Code 2 is the
raw SVI of Gatheral (2004).
"""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, kernel
from kernels.black76 import log_ratio

NO_VOLATILITY, CONSTANT, SMILE, SVI = -1, 0, 1, 2
PARAMETERS = 5

MIN_VOL = 1e-4  # a smile that dips below zero between quotes must not price an option as if it were certain
MAX_VOL = 5.0  # the largest volatility a record may carry; above it a feed is broken


@kernel("f8, f8, f8, f8, f8, f8, f8")
def _smile(p0: float, p1: float, p2: float, lo: float, hi: float, k: float, years: float) -> float:
    x = k / math.sqrt(years) if k != 0.0 else 0.0
    x = min(max(x, lo), hi)
    return p0 + x * (p1 + x * p2)


@kernel("f8, f8, f8, f8, f8, f8, f8, f8, f8")
def _svi(p0: float, p1: float, p2: float, p3: float, p4: float, lo: float, hi: float, k: float, years: float) -> float:
    away = min(max(k, lo), hi) - p3
    variance = p0 + p1 * (p2 * away + math.sqrt(away * away + p4 * p4))
    if not math.isfinite(variance):
        return math.nan
    if variance <= 0.0:
        return 0.0
    return math.sqrt(variance / years) if years > 0.0 else MAX_VOL


@kernel("i8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8")
def volatility(
    code: int,
    p0: float,
    p1: float,
    p2: float,
    p3: float,
    p4: float,
    lo: float,
    hi: float,
    strike: float,
    forward: float,
    years: float,
) -> float:
    """Return one option's annualised volatility in [1e-4, 5], or NaN.

    NaN for code -1, an unknown code, a NaN or infinity among what the code reads, a strike or forward that is not
    positive, a negative time, and lo above hi. Formulas: module docstring.
    """
    vol = math.nan
    if code == CONSTANT:
        vol = p0
    elif code == SMILE or code == SVI:  # noqa: PLR1714, SIM109
        if not (math.isfinite(strike) and math.isfinite(forward) and math.isfinite(years)):
            return math.nan
        if not (strike > 0.0 and forward > 0.0 and years >= 0.0 and lo <= hi):
            return math.nan
        k = log_ratio(strike, forward)
        vol = _smile(p0, p1, p2, lo, hi, k, years) if code == SMILE else _svi(p0, p1, p2, p3, p4, lo, hi, k, years)
    if not math.isfinite(vol):
        return math.nan
    return min(max(vol, MIN_VOL), MAX_VOL)


@kernel("i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def volatilities(
    code: Ints,
    parameters: Floats,
    lo: Floats,
    hi: Floats,
    strike: Floats,
    forward: Floats,
    years: Floats,
    out: Floats,
) -> None:
    """Write the volatility of n options into out; parameters is float64[n, 5], the rest have n elements.

    Raises ValueError on other shapes. Rows and rules: `volatility`.
    """
    n = out.shape[0]
    if not (code.shape[0] == lo.shape[0] == hi.shape[0] == strike.shape[0] == forward.shape[0] == n):
        raise ValueError("arrays of one volatilities call must have one length")
    if years.shape[0] != n or parameters.shape[0] != n or parameters.shape[1] != PARAMETERS:
        raise ValueError("years needs n elements and parameters n rows of five")
    for i in range(n):
        p = parameters[i]
        out[i] = volatility(code[i], p[0], p[1], p[2], p[3], p[4], lo[i], hi[i], strike[i], forward[i], years[i])
