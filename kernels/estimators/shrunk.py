"""Ledoit-Wolf and OAS on standardised returns, so that the target is the identity.

Each column is centred and divided by its own root mean square, after which the sample covariance is the correlation
matrix, mu is 1 and R = (1 - g) S + g I. The intensities g are those of `kernels.statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kernels._jit import Floats
from kernels.statistics import Shrunk, ledoit_wolf, means, oracle_approximating


def standardised(returns: Floats) -> Floats:
    """Return columns with mean 0 and mean square 1, float64[n, p].

    Raises ValueError without rows, on values that are not finite, and on a column that does not vary.
    """
    if returns.ndim != 2 or returns.size == 0 or not bool(np.isfinite(returns).all()):
        raise ValueError("standardised returns need rows of finite returns")
    if not bool((returns.min(axis=0) < returns.max(axis=0)).all()):
        raise ValueError("a coin that does not move has no correlation")
    centred = returns - means(returns)
    scale = np.array([math.sqrt(math.fsum(column) / len(returns)) for column in (centred * centred).T.tolist()])
    return np.asarray(centred / scale)


def ledoit_wolf_correlation(returns: Floats) -> Shrunk:
    """Return the correlation matrix shrunk by Ledoit and Wolf (2004), and the intensity; errors as `standardised`."""
    return _correlation(returns, ledoit_wolf)


def oas_correlation(returns: Floats) -> Shrunk:
    """Return the correlation matrix shrunk by Chen et al. (2010), and the intensity; errors as `standardised`."""
    return _correlation(returns, oracle_approximating)


def _correlation(returns: Floats, shrink: Callable[[Floats], Shrunk]) -> Shrunk:
    matrix, intensity = shrink(standardised(returns))
    np.fill_diagonal(matrix, 1.0)
    return Shrunk(matrix, intensity)
