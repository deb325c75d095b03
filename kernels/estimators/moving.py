"""RiskMetrics: one exponential average for variances and covariances (J.P. Morgan, Technical Document, 1996).

    S_t = decay S_t-1 + (1 - decay) r_t r_t',   R_ij = S_ij / sqrt(S_ii S_jj)

without a mean; S starts as the plain average of the first `seed` rows, which are then not counted again.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, kernel

DECAY = 0.97
SEED = 20


@kernel("f8[:, ::1], f8, i8, f8[:, ::1]")
def _covariance(returns: Floats, decay: float, seed: int, out: Floats) -> None:
    p = returns.shape[1]
    for i in range(p):
        for j in range(i + 1):
            total = 0.0
            for k in range(seed):
                total += returns[k, i] * returns[k, j]
            total /= seed
            for k in range(seed, returns.shape[0]):
                total = decay * total + (1.0 - decay) * (returns[k, i] * returns[k, j])
            out[i, j] = out[j, i] = total


def ewma_covariance(returns: Floats, decay: float = DECAY, seed: int = SEED) -> Floats:
    """Return the moving covariance after all rows of returns, float64[n, p]: float64[p, p].

    Raises ValueError on a decay outside [0, 1), a seed below 1, fewer rows than that, and values that are not finite.
    """
    if not 0.0 <= decay < 1.0:
        raise ValueError(f"a decay lies in [0, 1), got {decay}")
    if returns.ndim != 2 or not 1 <= seed <= len(returns) or not bool(np.isfinite(returns).all()):
        raise ValueError(f"a moving covariance needs {seed} rows of finite returns or more, got shape {returns.shape}")
    out = np.empty((returns.shape[1], returns.shape[1]))
    _covariance(np.ascontiguousarray(returns), decay, seed, out)
    return out


def ewma_correlation(returns: Floats, decay: float = DECAY, seed: int = SEED) -> Floats:
    """Return the correlations of the moving covariance, float64[p, p]; NaN where a coin has no variance."""
    covariance = ewma_covariance(returns, decay, seed)
    root = np.array([math.sqrt(value) for value in np.diag(covariance).tolist()])
    size = root[:, None] * root[None, :]
    out: Floats = np.divide(covariance, size, out=np.full_like(covariance, math.nan), where=size > 0.0)
    np.fill_diagonal(out, 1.0)
    return out
