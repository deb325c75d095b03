"""Value at risk and expected shortfall of normal, historical and delta-normal P&L; losses are positive.

Plain functions of arrays, for reports and published numbers: `tail` does the same for many portfolios on the way of a
tick. Sums are exactly rounded (`math.fsum`), so a result does not depend on the processor that adds. Source of the
delta-normal value at risk: J.P. Morgan, RiskMetrics Technical Document (1996).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from kernels._jit import Floats
from kernels.tail import Convention, tail_of

INV_SQRT_2PI = 0.3989422804014327


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


def historical_var_es(pnl: Floats, confidence: float, convention: Convention = "weighted") -> tuple[float, float]:
    """Return value at risk and expected shortfall of n equally likely results, as positive losses.

    pnl: float64[n], n >= 1, gains positive. Definitions and conventions: `tail`, whose kernels do the same for many
    portfolios; here the sum is exactly rounded. Raises ValueError on no results, a NaN, or a confidence outside (0, 1).
    """
    rank, size = tail_of(pnl.size, confidence, convention)
    if bool(np.isnan(pnl).any()):
        raise ValueError("a historical distribution needs results, none of them NaN")
    losses = np.sort(-pnl)[::-1].tolist()
    full = math.floor(size)
    counted = losses[:full]
    if size > full:
        counted.append((size - full) * losses[full])
    return losses[rank - 1], math.fsum(counted) / size


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
