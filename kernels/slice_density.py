"""Implied densities of volatility slices: where on a grid of a slice's range one is negative.

g(k) = (1 - k w'/(2w))^2 - (w'^2/4)(1/w + 1/4) + w''/2 with total variance w(k) is the density of the terminal price up
to a positive factor (Gatheral and Jacquier, Arbitrage-free SVI volatility surfaces, 2014). `monitor.engine.butterfly`
refuses a slice by it.
"""

from __future__ import annotations

import math

from kernels._jit import inlined, kernel

GRID = 33  # points, ends of the range included
TOLERANCE = -1e-9  # of g, which is 1 for a flat slice: rounding only
SANE, VOLATILITY, DENSITY = range(3)  # what is wrong with a slice


@inlined()
def _point(low: float, high: float, i: int) -> float:
    point: float = low + (high - low) * i / (GRID - 1)
    return point


@inlined()
def _factor(k: float, w: float, w1: float, w2: float) -> float:
    tilt = 1.0 - 0.5 * k * w1 / w
    factor: float = tilt * tilt - 0.25 * w1 * w1 * (1.0 / w + 0.25) + 0.5 * w2
    return factor


@kernel("f8, f8, f8, f8, f8, f8")
def of_smile(
    atm: float, slope: float, curvature: float, low: float, high: float, years: float
) -> tuple[int, float, float]:
    """Return what is wrong with a smile atm + slope x + curvature x^2, x = k / sqrt(years) from low to high.

    DENSITY, and the first x of the grid and g there, if g is negative or no number; else SANE.
    """
    root = math.sqrt(years)
    for i in range(GRID):
        x = _point(low, high, i)
        vol = atm + x * (slope + x * curvature)
        first = (slope + 2.0 * x * curvature) / root  # d vol / d k
        second = 2.0 * curvature / years
        g = _factor(
            x * root, vol * vol * years, 2.0 * vol * first * years, 2.0 * (first * first + vol * second) * years
        )  # fmt: skip
        if not g >= TOLERANCE:
            return DENSITY, x, g
    return SANE, 0.0, 0.0


@kernel("f8, f8, f8, f8, f8, f8, f8, f8, f8")
def of_svi(
    a: float, b: float, rho: float, m: float, sigma: float, low: float, high: float, least: float, most: float
) -> tuple[int, float, float]:
    """Return what is wrong with a slice w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), k from low to high.

    VOLATILITY, and the first k of the grid and w there, if w is not between least and most; DENSITY, k and g if g is
    negative before that; else SANE.
    """
    for i in range(GRID):
        k = _point(low, high, i)
        d = k - m
        root = math.sqrt(d * d + sigma * sigma)
        w = a + b * (rho * d + root)
        if not least <= w <= most:
            return VOLATILITY, k, w
        g = _factor(k, w, b * (rho + d / root), b * sigma * sigma / (root * root * root))
        if not g >= TOLERANCE:
            return DENSITY, k, g
    return SANE, 0.0, 0.0
