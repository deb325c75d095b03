"""Draws that never change: normal numbers by name, and one mixing variable per scenario for Student t.

A column belongs to the name of a factor (`BTC`, `volatility:BTC`), whoever holds it and whatever is held beside it, so
that a requirement moves because its inputs do and never because of the draw. Of antithetic scenarios every second one
is the one before with all signs changed, and has the same mixing variable.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import numpy as np

from kernels._jit import Floats
from kernels.joint import philox, quantiles

CACHED = 1_024  # columns kept: 32 kB each at 4,096 scenarios


def stream_of(name: str) -> np.uint64:
    """Return the stream of random numbers that belongs to a name."""
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


@lru_cache(maxsize=CACHED)
def normals(seed: int, name: str, scenarios: int, antithetic: bool) -> Floats:
    """Return standard normal numbers, float64[scenarios], read-only.

    0 <= seed < 2^64. Raises ValueError on an odd number of antithetic scenarios.
    """
    uniform = _uniforms(seed, name, _independent(scenarios, antithetic))
    out = np.empty_like(uniform)
    quantiles.normal_quantiles(uniform, out)
    return _frozen(np.column_stack((out, -out)).ravel() if antithetic else out)


@lru_cache(maxsize=CACHED)
def mixing(seed: int, degrees_of_freedom: int | None, scenarios: int, antithetic: bool) -> Floats:
    """Return sqrt((nu - 2)/chi2_nu) of each scenario, float64[scenarios], read-only; ones without degrees of freedom.

    Times a normal number it is Student t of nu degrees with variance 1, nu >= 3. chi2 is a sum: -2 ln U of each two
    degrees, and the square of a normal number of an odd one. Raises ValueError on fewer degrees or an odd number of
    antithetic scenarios.
    """
    n = _independent(scenarios, antithetic)
    if degrees_of_freedom is None:
        return _frozen(np.ones(scenarios))
    if degrees_of_freedom < 3:
        raise ValueError(f"Student t has a variance from three degrees of freedom, got {degrees_of_freedom}")
    chi2, log = np.zeros(n), np.empty(n)
    for pair in range(degrees_of_freedom // 2):
        quantiles.logarithms(_uniforms(seed, f"mixing:{pair}", n), log)
        chi2 -= 2.0 * log
    if degrees_of_freedom % 2:
        chi2 += np.square(normals(seed, "mixing:odd", n, antithetic=False))
    out = np.sqrt((degrees_of_freedom - 2.0) / chi2)
    return _frozen(np.repeat(out, 2) if antithetic else out)


def _uniforms(seed: int, name: str, n: int) -> Floats:
    out = np.empty(n)
    philox.uniforms(np.uint64(seed), stream_of(name), out)
    return out


def _independent(scenarios: int, antithetic: bool) -> int:
    if antithetic and scenarios % 2:
        raise ValueError(f"antithetic scenarios come in pairs, got {scenarios}")
    return scenarios // 2 if antithetic else scenarios


def _frozen(column: Floats) -> Floats:
    assert math.isfinite(float(column.sum())), "a quantile of (0, 1) is finite"
    column.flags.writeable = False
    return column
