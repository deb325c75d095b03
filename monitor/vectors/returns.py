"""Statistics groups: volatility, value at risk and shortfall, correlation, repair and shrinkage of matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from kernels import distributions, statistics
from kernels._jit import Floats
from kernels.tail import Convention
from monitor.vectors.inputs import InvalidInputs, matrix, read, refused_at


class _Ewma(msgspec.Struct, frozen=True):
    lambda_: float
    prev_variance: float
    last_return: float


class _Normal(msgspec.Struct, frozen=True):
    mean: float
    sigma: float


class _Gaussian(msgspec.Struct, frozen=True):
    cases: list[_Normal]
    confidence: float


class _Historical(msgspec.Struct, frozen=True):
    returns_pct: list[float]
    confidence: float
    convention: Convention = "weighted"


class _DeltaNormal(msgspec.Struct, frozen=True):
    z: float
    horizon_days: float
    positions_usd: list[float]
    daily_vols: list[float]
    correlation: float | list[list[float]]


class _Pair(msgspec.Struct, frozen=True):
    x: list[float]
    y: list[float]


class _Matrix(msgspec.Struct, frozen=True):
    matrix: list[list[float]]
    method: str = ""


class _Observations(msgspec.Struct, frozen=True):
    x: list[list[float]]


def ewma(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Update a variance: lambda_, prev_variance, last_return -> variance."""
    given = read(inputs, _Ewma)
    with refused_at("lambda_"):
        variance = statistics.ewma_variance(
            np.array([given.prev_variance]), np.array([given.last_return]), given.lambda_
        )
    return {"variance": float(variance[0])}


def gaussian_var_es(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Take the tail of normal P&L: cases[{mean, sigma}], confidence -> var[], es[], losses positive."""
    given = read(inputs, _Gaussian)
    pairs = []
    for number, case in enumerate(given.cases):
        with refused_at(f"cases[{number}]"):
            pairs.append(distributions.gaussian_var_es(case.mean, case.sigma, given.confidence))
    return {"var": [var for var, _ in pairs], "es": [es for _, es in pairs]}


def historical_var_es(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Take the tail of a sample: returns_pct[], confidence, convention -> var_pct, es_pct, losses positive."""
    given = read(inputs, _Historical)
    with refused_at("returns_pct"):
        var, es = distributions.historical_var_es(_vector(given.returns_pct), given.confidence, given.convention)
    return {"var_pct": var, "es_pct": es}


def delta_normal_var(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Add up values at risk: z, horizon_days, positions_usd[], daily_vols[], correlation -> standalone[], portfolio.

    `correlation` is a matrix, or one number for every pair. Also returns diversification_benefit, the stand-alone sum
    minus the portfolio.
    """
    given = read(inputs, _DeltaNormal)
    n = len(given.positions_usd)
    if len(given.daily_vols) != n:
        raise InvalidInputs("daily_vols", f"{n} values are expected, one for each position")
    if isinstance(given.correlation, float):
        correlations = np.full((n, n), given.correlation)
        np.fill_diagonal(correlations, 1.0)
    else:
        correlations = matrix(given.correlation, "correlation")
    with refused_at("correlation"):
        standalone, portfolio = distributions.delta_normal_var(
            _vector(given.positions_usd) * _vector(given.daily_vols), correlations, given.z, given.horizon_days
        )
    alone = [float(x) for x in standalone]
    return {"standalone": alone, "portfolio": portfolio, "diversification_benefit": sum(alone) - portfolio}


def correlation(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Correlate two samples: x[], y[] -> correlation."""
    given = read(inputs, _Pair)
    with refused_at("x"):
        return {"correlation": statistics.pearson(_vector(given.x), _vector(given.y))}


def psd_repair(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Repair a correlation matrix by its spectrum: matrix -> matrix."""
    return _repaired(inputs, statistics.spectral_repair)


def psd_repair_higham(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Find the nearest correlation matrix: matrix -> matrix."""
    return _repaired(inputs, statistics.nearest_correlation)


def ledoit_wolf(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Shrink a covariance as Ledoit and Wolf: x[n rows][p] -> covariance, location, shrinkage."""
    return _shrunk(inputs, statistics.ledoit_wolf)


def oas(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Shrink a covariance with the oracle approximating intensity: x[n rows][p] -> covariance, location, shrinkage."""
    return _shrunk(inputs, statistics.oracle_approximating)


def _repaired(inputs: Mapping[str, Any], repair: Callable[[Floats], Floats]) -> dict[str, Any]:
    given = read(inputs, _Matrix)
    with refused_at("matrix"):
        return {"matrix": repair(matrix(given.matrix, "matrix")).tolist()}


def _shrunk(inputs: Mapping[str, Any], shrink: Callable[[Floats], statistics.Shrunk]) -> dict[str, Any]:
    x = matrix(read(inputs, _Observations).x, "x")
    with refused_at("x"):
        shrunk = shrink(x)
    location = [float(value) for value in statistics.means(x)]
    return {"covariance": shrunk.covariance.tolist(), "location": location, "shrinkage": shrunk.intensity}


def _vector(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)
