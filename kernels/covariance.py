"""Covariance of underlyings, tick by tick: moving average, shrinkage, Cholesky root, and the root's own update.

All in place, nothing allocated. With returns x, decay d in (0, 1], p underlyings and mu = tr(S)/p:

* average  S <- d S + (1 - d) x x' (J.P. Morgan, RiskMetrics Technical Document, 1996);
* shrinkage  C = (1 - g) S + g mu I, where g is given, or the intensity of Chen, Wiesel, Eldar and Hero (2010):
  min(1, (alpha + mu^2)/((n + 1)(alpha - mu^2/p))), alpha the mean of the squared elements of S, n the observations
  that S is worth: (1 + d)/(1 - d) of an average that has run for long;
* root  U'U = C, upper triangular with a positive diagonal (Cholesky);
* update  U'U <- d U'U + (1 - d) x x', without C. With y = x sqrt((1 - d)/d), U'v = y solved row by row,
  t_k = 1 + v_1^2 + .. + v_k^2 and y_k what the rows up to k leave of y, row k becomes
  sqrt(d t_k/t_{k-1}) (row k + v_k y_k/t_k): I + vv' has a root in closed form (Gill, Golub, Murray, Saunders, 1974).

A matrix is float64[p, columns(p)]: p columns and zeros behind them up to whole cache lines of eight; `empty` makes one.
The returns are such a row too. Inner loops then run over whole lines and leave no rest to be done one by one. Products
and sums are rounded apart and in a fixed order: the bits are the same on every processor.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, inlined, kernel
from kernels._rows import subtract_rows_8, subtract_rows_16, subtract_rows_32

LINE = 8  # elements of a cache line
DEFINITE = -1  # what `root` returns when it has one


def columns(p: int) -> int:
    """Return the columns of a matrix of p underlyings."""
    return -(-p // LINE) * LINE


def empty(p: int) -> Floats:
    """Return float64[p, columns(p)] of zeros, aligned to cache lines; ValueError on a negative p."""
    if p < 0:
        raise ValueError(f"a matrix has no negative size, got {p}")
    memory = np.zeros(p * columns(p) + LINE)
    start = -memory.ctypes.data // 8 % LINE
    return memory[start : start + p * columns(p)].reshape(p, columns(p))


@inlined()
def _check_matrix(matrix: Floats, p: int) -> None:
    if matrix.shape[0] != p or matrix.shape[1] != (p + LINE - 1) // LINE * LINE:
        raise ValueError("a matrix of p underlyings is float64[p, columns(p)]")


@inlined()
def _check_returns(x: Floats, width: int, decay: float) -> None:
    if x.shape[0] != width:
        raise ValueError("returns are float64[columns(p)]")
    bad = 0
    for j in range(width):
        bad += not abs(x[j]) < math.inf
    if bad > 0:
        raise ValueError("returns must be finite: one that is not would stay in the average for good")
    if not 0.0 < decay <= 1.0:
        raise ValueError("decay must lie in (0, 1]")


@inlined()
def _average(covariance: Floats, x: Floats, decay: float) -> None:
    for i in range(covariance.shape[0]):
        row, own, weight = covariance[i], x[i], 1.0 - decay
        for j in range(row.shape[0]):
            row[j] = decay * row[j] + weight * (own * x[j])  # the product first: symmetric to the last bit


@inlined()
def _mean_variance(covariance: Floats) -> float:
    trace = 0.0
    for i in range(covariance.shape[0]):
        trace += float(covariance[i, i])
    return trace / float(max(1, covariance.shape[0]))


@inlined()
def _oracle(covariance: Floats, observations: float) -> float:
    p = covariance.shape[0]
    mu = _mean_variance(covariance)
    a = b = c = d = 0.0
    for i in range(p):
        row = covariance[i]
        for j in range(0, row.shape[0], 4):
            a += float(row[j] * row[j])
            b += row[j + 1] * row[j + 1]
            c += row[j + 2] * row[j + 2]
            d += row[j + 3] * row[j + 3]
    alpha = ((a + b) + (c + d)) / max(1, p * p)
    spread = (observations + 1.0) * (alpha - mu * mu / max(1, p))
    if math.isnan(spread):
        return math.nan
    return float(min(1.0, (alpha + mu * mu) / spread)) if spread > 0.0 else 1.0


@inlined()
def _root(covariance: Floats, intensity: float, out: Floats) -> int:
    p, width = covariance.shape
    keep, added = 1.0 - intensity, intensity * _mean_variance(covariance) if intensity != 0.0 else 0.0
    for i in range(p):
        source, target = covariance[i], out[i]
        for j in range(width):
            target[j] = keep * source[j]
        target[i] += added
    for i in range(p):
        start = i - i % LINE
        at = start
        while width - at >= 32:
            subtract_rows_32(out, i, at)
            at += 32
        if width - at >= 16:
            subtract_rows_16(out, i, at)
            at += 16
        if width - at >= 8:
            subtract_rows_8(out, i, at)
        pivot = out[i, i]
        if not pivot > 0.0:
            return i
        row, scale = out[i, start:], 1.0 / math.sqrt(pivot)
        for j in range(row.shape[0]):
            row[j] *= scale
        out[i, :i] = 0.0
    return DEFINITE


@kernel("f8[:, ::1], f8[::1], f8")
def average(covariance: Floats, x: Floats, decay: float) -> None:
    """Take one return of each underlying into the covariance.

    covariance: float64[p, columns(p)], symmetric; x: float64[columns(p)], zeros behind p; decay in (0, 1]. Raises
    ValueError, and changes nothing, on other shapes, another decay, or a return that is not finite.
    """
    _check_matrix(covariance, covariance.shape[0])
    _check_returns(x, covariance.shape[1], decay)
    _average(covariance, x, decay)


@kernel("f8[:, ::1], f8")
def oracle_intensity(covariance: Floats, observations: float) -> float:
    """Return the intensity of Chen, Wiesel, Eldar and Hero; 1 where the covariance is mu I already, NaN from a NaN."""
    _check_matrix(covariance, covariance.shape[0])
    return _oracle(covariance, observations)


@kernel("f8[:, ::1], f8, f8[:, ::1]")
def root(covariance: Floats, intensity: float, out: Floats) -> int:
    """Write the root of a covariance shrunk by an intensity, 0 for none; return DEFINITE, or the row that has none.

    covariance, out: float64[p, columns(p)], not the same. A row r means that the shrunk matrix is not positive definite
    in its first r + 1 underlyings, or not finite, and that out holds nothing of use: a caller keeps its last root, or
    repairs (`correlation.repair`). Raises ValueError on other shapes.
    """
    _check_matrix(covariance, covariance.shape[0])
    _check_matrix(out, covariance.shape[0])
    return _root(covariance, intensity, out)


@kernel("f8[:, ::1], f8[::1], f8, f8, f8[:, ::1]")
def refresh(covariance: Floats, x: Floats, decay: float, observations: float, out: Floats) -> int:
    """Do `average`, `oracle_intensity` and `root` in one call; what each says of arguments and result holds."""
    _check_matrix(covariance, covariance.shape[0])
    _check_matrix(out, covariance.shape[0])
    _check_returns(x, covariance.shape[1], decay)
    _average(covariance, x, decay)
    return _root(covariance, _oracle(covariance, observations), out)


@kernel("f8[:, ::1], f8[::1], f8, f8[::1]")
def update_root(root: Floats, x: Floats, decay: float, scratch: Floats) -> None:
    """Turn the root of S into that of decay S + (1 - decay) x x', which is definite whenever S is.

    root: float64[p, columns(p)] of `root`; x and decay: as `average`; scratch: float64[columns(p)]. Raises ValueError,
    and changes nothing, on what `average` refuses.
    """
    p, width = root.shape
    _check_matrix(root, p)
    _check_returns(x, width, decay)
    if scratch.shape[0] != width:
        raise ValueError("scratch is float64[columns(p)]")
    scale = math.sqrt((1.0 - decay) / decay)
    for j in range(width):
        scratch[j] = scale * x[j]
    t = 1.0
    for k in range(p):
        start = k - k % LINE
        row, rest = root[k, start:], scratch[start:]
        v = rest[k - start] / row[k - start]
        before, t = t, t + v * v
        diagonal = math.sqrt(decay * t / before)
        ratio, own = v / t, diagonal * row[k - start]
        for j in range(row.shape[0]):
            rest[j] -= v * row[j]
            row[j] = diagonal * (row[j] + ratio * rest[j])
        row[: k - start] = 0.0
        row[k - start] = own
