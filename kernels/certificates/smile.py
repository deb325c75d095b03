"""How far an option's volatility can go while its forward moves along the smile.

With y = ln(1 + x), x the relative move of the price, the volatility of `kernels.surface` is a function of k - y, k =
ln(K/F). Over an interval of y either it is smooth, with bounded first and second derivatives, or it has a kink (an end
of the quoted strikes, a cap or floor of the volatility or of its shock) and only its Lipschitz constant is used.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from kernels import surface
from kernels._jit import Floats, kernel
from kernels.black76 import log_ratio

NOW, LOW, HIGH, SLOPE, STEEP, BEND, KINK = range(7)  # columns of a path
PATH = 7
DIRECTIONS = 3  # paths of an option: volatility up, same, down


class Path(NamedTuple):
    """A volatility (or s = vol sqrt(T)) over an interval of y: now, its range, dv/dy now, sup |dv/dy|, sup |d2v/dy2|.

    With a kink slope, steep and bend are 0, and `kink` is sup |dv/dy|; else `kink` is 0. NaN where there is no bound.
    """

    now: float
    low: float
    high: float
    slope: float
    steep: float
    bend: float
    kink: float


@kernel("f8, f8")
def nearest(low: float, high: float) -> float:
    """Return the point of an interval that is nearest to 0."""
    return min(max(0.0, low), high)


@kernel("f8[::1], f8, f8, f8, f8")
def _smile(p: Floats, z: float, low: float, high: float, scale: float) -> tuple[float, float, float]:
    """Return slope, steepness and bend by k of code 1; z, low, high are in standard deviations, scale is dz/dk."""
    steep = max(abs(p[1] + 2.0 * p[2] * low), abs(p[1] + 2.0 * p[2] * high))
    return (p[1] + 2.0 * p[2] * z) * scale, steep * scale, abs(2.0 * p[2]) * scale * scale


@kernel("f8[::1], f8, f8, f8, f8, f8")
def _svi(p: Floats, k: float, low: float, high: float, reach: float, root: float) -> tuple[float, float, float]:
    """Return slope, steepness and bend by k of code 2; NaN or infinity where the variance may not stay positive."""
    away, first, last = k - p[3], low - p[3], high - p[3]
    variance = p[0] + p[1] * (p[2] * away + math.hypot(away, p[4]))
    rise = p[1] * (p[2] + away / math.hypot(away, p[4]))
    # away/hypot rises with k: the ends have the steepest variance.
    steep = max(
        abs(p[1] * (p[2] + first / math.hypot(first, p[4]))), abs(p[1] * (p[2] + last / math.hypot(last, p[4])))
    )
    curve = abs(p[1]) * p[4] * p[4] / math.pow(math.hypot(nearest(first, last), p[4]), 3.0)
    least = variance - steep * reach
    if not least > 0.0:
        return math.nan, math.nan, math.nan
    deviation = math.sqrt(least)
    return (
        0.5 * rise / (math.sqrt(variance) * root),
        0.5 * steep / (deviation * root),
        (0.5 * curve / deviation + 0.25 * steep * steep / (deviation * least)) / root,
    )


@kernel("i8, f8[::1], f8, f8, f8, f8, f8, f8, f8, f8")
def vol_path(
    code: int, p: Floats, lo: float, hi: float, strike: float, forward: float, years: float, vol: float,
    down: float, up: float,
) -> Path:  # fmt: skip
    """Return the path of one option's volatility while ln(1 + x) goes from `down` < 0 to `up` > 0.

    code, p, lo, hi: its surface row; vol: its volatility now, by `kernels.surface`. Unknown codes give NaN.
    """
    if code == surface.CONSTANT:
        return Path(vol, vol, vol, 0.0, 0.0, 0.0, 0.0)
    if code != surface.SMILE and code != surface.SVI:  # noqa: PLR1714
        return Path(vol, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)
    k, root, reach = log_ratio(strike, forward), math.sqrt(years), max(-down, up)
    scale = 1.0 / root if code == surface.SMILE else 1.0
    first, last = (k - up) * scale, (k - down) * scale
    if last <= lo or first >= hi:
        return Path(vol, vol, vol, 0.0, 0.0, 0.0, 0.0)
    low, high = max(first, lo), min(last, hi)
    at = min(max(k * scale, lo), hi)
    if code == surface.SMILE:
        slope, steep, bend = _smile(p, at, low, high, scale)
    else:
        slope, steep, bend = _svi(p, at, low, high, reach, root)
    least, most = vol - steep * reach, vol + steep * reach
    if not (math.isfinite(bend) or steep >= 0.0):
        return Path(vol, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)
    if first < lo or last > hi or least <= surface.MIN_VOL or most >= surface.MAX_VOL or not math.isfinite(bend):
        return Path(vol, max(least, surface.MIN_VOL), min(most, surface.MAX_VOL), 0.0, 0.0, 0.0, steep)
    return Path(vol, least, most, -slope, steep, bend, 0.0)


@kernel("i8, f8[::1], f8, f8, f8, f8, f8, f8, f8, f8, f8[::1]")
def write_path(
    code: int, p: Floats, lo: float, hi: float, strike: float, forward: float, years: float, vol: float,
    down: float, up: float, out: Floats,
) -> None:  # fmt: skip
    """Write `vol_path` to out, float64[PATH]."""
    out[NOW], out[LOW], out[HIGH], out[SLOPE], out[STEEP], out[BEND], out[KINK] = vol_path(
        code, p, lo, hi, strike, forward, years, vol, down, up
    )


@kernel("f8[::1], f8, f8, f8[::1]")
def write_shocked(path: Floats, factor: float, least: float, out: Floats) -> None:
    """Write the path of max(factor v, least), v being the given path, to out: float64[PATH] both, all in volatility."""
    low, high = factor * path[LOW], factor * path[HIGH]
    if low >= least:
        for c in range(PATH):
            out[c] = factor * path[c]
        return
    out[:] = math.nan if math.isnan(low) else 0.0
    out[NOW] = max(factor * path[NOW], least)
    if not math.isnan(low):
        out[LOW], out[HIGH] = max(low, least), max(high, least)
        out[KINK] = factor * (path[STEEP] + path[KINK]) if high > least else 0.0


@kernel("f8[::1], f8, f8, f8, f8[::1], f8[:, ::1]")
def write_paths(vol: Floats, years: float, vol_up: float, vol_down: float, shocks: Floats, out: Floats) -> None:
    """Write the path of s = vol sqrt(T) after a shock up, none and down, float64[3, PATH], from that of the volatility.

    vol_up, vol_down: shocks scaled by tenor; shocks: as `kernels.certificates.tangents`, whose third is the least
    volatility after one up.
    """
    write_shocked(vol, 1.0 + vol_up, shocks[2], out[0])
    write_shocked(vol, 1.0, 0.0, out[1])
    write_shocked(vol, max(1.0 - vol_down, 0.0), 0.0, out[2])
    root = math.sqrt(years)
    for d in range(DIRECTIONS):
        for c in range(PATH):
            out[d, c] *= root
