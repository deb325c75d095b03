"""Statistics of returns: volatility, correlation, shrinkage and repair of matrices, for reports and published numbers.

Plain functions of arrays; what a tick needs is compiled (`covariance`, `correlation`), what losses need is in
`distributions`. Sums are exactly rounded (`math.fsum`) or run in a fixed order, so a result does not depend on the
processor that adds. Formulas: J.P. Morgan, RiskMetrics Technical Document (1996) for the moving average; Ledoit and
Wolf (2004) and Chen, Wiesel, Eldar and Hero (2010) for the two shrinkages; Rebonato and Jaeckel (1999) for the spectral
repair; Higham (2002) for the nearest correlation matrix.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels import correlation
from kernels._jit import Floats

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
