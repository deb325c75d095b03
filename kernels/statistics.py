"""Statistics of returns and losses: volatility, value at risk, expected shortfall, covariance.

Plain functions of arrays; losses are positive, volatilities of one period. Sums are exactly rounded (`math.fsum`) or
run in a fixed order, so a result does not depend on the processor that adds. Formulas: J.P. Morgan, RiskMetrics
Technical Document (1996) for the moving average and the delta-normal value at risk; Ledoit and Wolf (2004) and Chen,
Wiesel, Eldar and Hero (2010) for the two shrinkages; Rebonato and Jaeckel (1999) for the spectral repair; Higham (2002)
for the nearest correlation matrix.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np

from kernels import correlation
from kernels._jit import Floats

Tail = Literal["tail_mean", "beyond", "weighted"]

INV_SQRT_2PI = 0.3989422804014327
WHOLE = 1e-9  # how near to an integer a number of tail losses counts as one: 1 - 0.95 is not 0.05 in binary
HIGHAM_CHANGE = 1e-12
HIGHAM_ROUNDS = 100_000


class Shrunk(NamedTuple):
    """A covariance matrix pulled towards mu times identity, and how far: 0 is the sample's own, 1 the target."""

    covariance: Floats
    intensity: float


def ewma_variance(variance: Floats, observation: Floats, decay: float) -> Floats:
    """Return the next exponentially weighted variances: decay variance + (1 - decay) observation^2.

    variance, observation: float64[n], returns and their squares' averages in one unit; no mean is subtracted. Raises
    ValueError on a decay outside [0, 1]. NaN stays NaN.
    """
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"decay must lie in [0, 1], got {decay}")
    return decay * variance + (1.0 - decay) * (observation * observation)


def gaussian_var_es(mean: float, sigma: float, confidence: float) -> tuple[float, float]:
    """Return value at risk and expected shortfall of a normal P&L, as positive losses.

    -mean + z sigma and -mean + sigma n(z) / (1 - confidence), z the confidence's quantile. Raises ValueError on a
    confidence outside (0, 1) or a negative sigma.
    """
    if not sigma >= 0.0:
        raise ValueError(f"sigma must not be negative, got {sigma}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    z = NormalDist().inv_cdf(confidence)
    density = INV_SQRT_2PI * math.exp(-0.5 * z * z)
    return z * sigma - mean, sigma * density / (1.0 - confidence) - mean


def historical_var_es(pnl: Floats, confidence: float, tail: Tail = "weighted") -> tuple[float, float]:
    """Return value at risk and expected shortfall of n equally likely results, as positive losses.

    pnl: float64[n], n >= 1, gains positive. With the losses L(1) >= L(2) >= ... and a = n (1 - confidence), value at
    risk is L(k), k = a rounded where it is whole, else the next integer, at least 1. Shortfall is the mean of
    L(1) .. L(k) (`tail_mean`), of those before L(k) (`beyond`; L(1) for k = 1), or of a tail of exactly a losses, the
    last one counted in part (`weighted`). Raises ValueError on no results, a NaN, or a confidence outside (0, 1).
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    if pnl.size == 0 or bool(np.isnan(pnl).any()):
        raise ValueError("a historical distribution needs results, none of them NaN")
    losses = np.sort(-pnl)[::-1].tolist()
    tail_size = len(losses) * (1.0 - confidence)
    whole = math.floor(tail_size + 0.5)
    is_whole = abs(tail_size - whole) < WHOLE
    k = max(1, whole if is_whole else math.ceil(tail_size))
    value_at_risk = losses[k - 1]
    if tail == "tail_mean":
        return value_at_risk, math.fsum(losses[:k]) / k
    if tail == "beyond":
        return value_at_risk, math.fsum(losses[: k - 1]) / (k - 1) if k > 1 else losses[0]
    if is_whole and whole > 0:
        return value_at_risk, math.fsum(losses[:whole]) / whole
    full = math.floor(tail_size)
    return value_at_risk, math.fsum([*losses[:full], (tail_size - full) * losses[full]]) / tail_size


def delta_normal_var(exposure: Floats, correlations: Floats, z: float, horizon_days: float) -> tuple[Floats, float]:
    """Return the value at risk of each exposure alone, and that of all together.

    exposure: float64[n] signed position times daily volatility; correlations: float64[n, n]. z sqrt(h) |w| and
    z sqrt(h) sqrt(w'Rw). Raises ValueError on shapes, a negative horizon, or a matrix under which the variance is
    negative by more than rounding.
    """
    if correlations.shape != (exposure.size, exposure.size):
        raise ValueError(f"{exposure.size} exposures need as many rows and columns of correlations")
    if not horizon_days >= 0.0:
        raise ValueError(f"horizon_days must not be negative, got {horizon_days}")
    products = (np.outer(exposure, exposure) * correlations).ravel().tolist()
    variance = math.fsum(products)
    if variance < -1e-12 * math.fsum(abs(x) for x in products):
        raise ValueError("the correlations are not those of any variables: the variance is negative")
    scale = z * math.sqrt(horizon_days)
    return scale * np.abs(exposure), scale * math.sqrt(max(variance, 0.0))


def pearson(x: Floats, y: Floats) -> float:
    """Return the correlation of two samples: float64[n] each, n >= 2; NaN where one of them does not vary.

    Raises ValueError on different or too few values.
    """
    if x.shape != y.shape or x.size < 2:
        raise ValueError(f"a correlation needs two samples of one length from 2, got {x.size} and {y.size}")
    if not (x.min() < x.max() and y.min() < y.max()):  # asked of the values: their mean may be rounded off them
        return math.nan
    dx, dy = x - math.fsum(x.tolist()) / x.size, y - math.fsum(y.tolist()) / y.size
    xx, yy, xy = (math.fsum(products.tolist()) for products in (dx * dx, dy * dy, dx * dy))
    if not (xx > 0.0 and yy > 0.0):
        return math.nan  # squares below the smallest float
    return max(-1.0, min(1.0, xy / (math.sqrt(xx) * math.sqrt(yy))))


def spectral_repair(matrix: Floats) -> Floats:
    """Return a correlation matrix near a symmetric one: eigenvalues below 0 clipped, rows scaled back to length 1.

    matrix: float64[n, n], symmetrised first. Raises ValueError on other shapes, values that are not finite, and a row
    that clipping leaves without length.
    """
    values, vectors = _eigen(matrix)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    length = np.sqrt(np.array([math.fsum((row * row).tolist()) for row in root]))
    if not bool((length > 0.0).all()):
        raise ValueError("a row of the matrix has no variance left")
    root /= length[:, None]
    repaired = _gram(root)
    np.fill_diagonal(repaired, 1.0)
    return repaired


def nearest_correlation(matrix: Floats) -> Floats:
    """Return the correlation matrix nearest to a symmetric one in the Frobenius norm.

    matrix: float64[n, n], symmetrised first. Alternating projections on the positive semidefinite cone, with
    Dykstra's correction, and on unit diagonals, until no element changes by 1e-12. Raises ValueError on other shapes,
    values that are not finite, and no convergence in 100,000 rounds.
    """
    current = 0.5 * (_square(matrix) + matrix.T)
    correction = np.zeros_like(current)
    for _ in range(HIGHAM_ROUNDS):
        shifted = current - correction
        values, vectors = _eigen(shifted)
        projected = _gram(vectors * np.sqrt(np.maximum(values, 0.0)))
        correction = projected - shifted
        np.fill_diagonal(projected, 1.0)
        change = float(np.abs(projected - current).max())
        current = projected
        if change < HIGHAM_CHANGE:
            return current
    raise ValueError(f"no nearest correlation matrix within {HIGHAM_ROUNDS} rounds")


def means(x: Floats) -> Floats:
    """Return the mean of each column of float64[n, p], n >= 1."""
    return np.array([math.fsum(column) / x.shape[0] for column in x.T.tolist()])


def ledoit_wolf(x: Floats) -> Shrunk:
    """Shrink a sample covariance towards mu I with the intensity of Ledoit and Wolf (2004).

    x: float64[n, p], rows are observations, centred here; the covariance divides by n. With S the sample's,
    mu = tr(S)/p: delta = (|S|^2 - p mu^2)/p, beta = min(delta, (mean of |x_k|^4 - |S|^2)/(n p)), intensity beta/delta.
    Raises ValueError without observations.
    """
    centred, sample = _sample(x)
    n, p = x.shape
    mu = math.fsum(np.diag(sample).tolist()) / p
    norm = math.fsum((sample * sample).ravel().tolist())
    fourth = math.fsum((np.array([math.fsum((row * row).tolist()) for row in centred]) ** 2).tolist()) / n
    delta = (norm - p * mu * mu) / p
    beta = min(delta, (fourth - norm) / (n * p))
    return _shrink(sample, mu, beta / delta if beta > 0.0 else 0.0)


def oracle_approximating(x: Floats) -> Shrunk:
    """Shrink a sample covariance towards mu I with the intensity of Chen, Wiesel, Eldar and Hero (2010).

    x: float64[n, p] as in `ledoit_wolf`. With alpha the mean of the squared elements of S, the intensity is
    min(1, (alpha + mu^2)/((n + 1)(alpha - mu^2/p))), 1 where S is mu I already. Raises ValueError without observations.
    """
    _, sample = _sample(x)
    n, p = x.shape
    mu = math.fsum(np.diag(sample).tolist()) / p
    alpha = math.fsum((sample * sample).ravel().tolist()) / (p * p)
    spread = (n + 1) * (alpha - mu * mu / p)
    return _shrink(sample, mu, min(1.0, (alpha + mu * mu) / spread) if spread > 0.0 else 1.0)


def _shrink(sample: Floats, mu: float, intensity: float) -> Shrunk:
    return Shrunk((1.0 - intensity) * sample + intensity * mu * np.eye(sample.shape[0]), intensity)


def _sample(x: Floats) -> tuple[Floats, Floats]:
    """Return the centred observations and their covariance."""
    if x.ndim != 2 or x.size == 0 or not bool(np.isfinite(x).all()):
        raise ValueError("a covariance needs rows of finite observations")
    centred = x - means(x)
    return centred, _gram(centred.T) / x.shape[0]


def _gram(rows: Floats) -> Floats:
    """Return B B' with exactly rounded sums: symmetric to the last bit, the same on every processor."""
    n = rows.shape[0]
    out = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            out[i, j] = out[j, i] = math.fsum((rows[i] * rows[j]).tolist())
    return out


def _square(matrix: Floats) -> Floats:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(f"a correlation matrix is square, got {'x'.join(map(str, matrix.shape))}")
    if not bool(np.isfinite(matrix).all()):
        raise ValueError("a correlation matrix has finite elements")
    return matrix


def _eigen(matrix: Floats) -> tuple[Floats, Floats]:
    """Return eigenvalues and eigenvectors (columns) of the symmetric part."""
    symmetric = np.ascontiguousarray(0.5 * (_square(matrix) + matrix.T))
    n = symmetric.shape[0]
    values, vectors = np.empty(n), np.empty((n, n))
    correlation.eigen(symmetric, values, vectors)
    return values, vectors
