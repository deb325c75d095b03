"""Correlation matrices of composite indices as published, and their completion for coins without an estimate.

A view is what model P nets with: a fast and a slow matrix. They are kept in whole millionths, so that differences in
the last digit between machines are gone before anything is derived from them.

A coin without an estimate is given one common factor with the others, the equally weighted sum of all coins that move:

    corr(new, i) = a (R e)_i / sqrt(e' R e),   a = min(sqrt(floor), floor n / sqrt(e' R e))

whose mean over those n coins is `floor` unless they move so little together that no coin could be that close to all of
them. Two new coins have the correlation `floor`. As a^2 <= floor the completed matrix is positive definite: what the
factor leaves of the new coins has the covariance (floor - a^2) 1 1' + (1 - floor) I.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.correlation import largest_eigenvalue
from schemas.ids import canonical

Floats = NDArray[np.float64]
Micros = NDArray[np.int64]

MICRO = 1e6  # matrices are published in millionths: a thousandth of the 0.005 that makes a new version


@dataclass(frozen=True, slots=True, eq=False)
class CorrelationView:
    """The published matrices; `version` grows by one with each, 0 is none yet.

    `fast` and `slow` are correlations of `underlyings` in that order, f8[N, N], read-only. `quiet` are those among
    them that hardly move, as dollar tokens do; they are taken as uncorrelated. `time_us` is the minute of publication.
    """

    version: int
    time_us: int
    underlyings: tuple[str, ...]
    quiet: tuple[str, ...]
    fast: Floats
    slow: Floats
    absorption_ratio: float
    """Largest eigenvalue of the fast matrix over the number of coins that move, 1/n to 1; 0 without any."""
    distance: float
    """Root mean square of fast minus slow over the pairs of coins that move; 0 without any."""
    digest: str
    """First 16 hex digits of SHA-256 over the canonical JSON of names and matrices in millionths."""


def view_of(
    version: int, time_us: int, underlyings: tuple[str, ...], quiet: tuple[str, ...], fast: Micros, slow: Micros
) -> CorrelationView:
    """Return the view of matrices in millionths, i8[N, N]."""
    content = {"underlyings": underlyings, "quiet": quiet, "fast": fast.tolist(), "slow": slow.tolist()}
    moving = np.array([k for k, name in enumerate(underlyings) if name not in quiet], dtype=np.int64)
    among = np.ix_(moving, moving)
    return CorrelationView(
        version=version,
        time_us=time_us,
        underlyings=underlyings,
        quiet=quiet,
        fast=_decimal(fast),
        slow=_decimal(slow),
        absorption_ratio=_absorption(np.ascontiguousarray(fast[among] / MICRO)),
        distance=_distance(fast[among] - slow[among]),
        digest=hashlib.sha256(canonical(content)).hexdigest()[:16],
    )


def gather(view: CorrelationView, underlyings: Sequence[str], floor: float) -> Floats:
    """Return the matrices in force for some underlyings, f8[K, U, U]: fast, slow and the floor's equicorrelation.

    `floor`, 0 to below 1, is the correlation of the last. K is 1, the floor alone, if none of them has an estimate.
    Every submatrix of a gathered set is the set gathered for its underlyings, so a hedge has one price in all books.
    """
    n = len(underlyings)
    equal = np.full((n, n), floor)
    np.fill_diagonal(equal, 1.0)
    place = {name: k for k, name in enumerate(view.underlyings)}
    at = np.array([place.get(name, -1) for name in underlyings], dtype=np.int64)
    known = np.flatnonzero(at >= 0)
    if known.size == 0:
        return equal[None]
    new = np.flatnonzero(at < 0)
    e = np.array([0.0 if name in view.quiet else 1.0 for name in view.underlyings])
    out = np.empty((3, n, n))
    for target, matrix in zip(out[:2], (view.fast, view.slow), strict=True):
        target[:] = equal
        target[np.ix_(known, known)] = matrix[np.ix_(at[known], at[known])]
        with_new = _factor(matrix, e, floor)[at[known]]
        target[np.ix_(known, new)] = with_new[:, None]
        target[np.ix_(new, known)] = with_new[None, :]
    out[2] = equal
    return out


def _factor(matrix: Floats, e: Floats, floor: float) -> Floats:
    """Return the correlations of a coin without an estimate with those of the matrix, f8[N]."""
    n = math.fsum(e)
    # Sums of floats in numpy's order depend on the processor; these do not.
    rows = [math.fsum(row * e) for row in matrix]
    size = math.sqrt(max(0.0, math.fsum(np.array(rows) * e)))
    if size == 0.0:
        return np.zeros(len(e))
    a = min(math.sqrt(floor), floor * n / size)
    return a / size * np.array(rows) * e


def _decimal(micros: Micros) -> Floats:
    matrix = micros / MICRO
    matrix.setflags(write=False)
    return matrix


def _absorption(fast: Floats) -> float:
    n = len(fast)
    if n == 0:
        return 0.0
    largest = largest_eigenvalue(fast)
    if not math.isfinite(largest):
        raise ArithmeticError("a published matrix is not finite")
    return round(largest / n, 6)


def _distance(difference: Micros) -> float:
    n = len(difference)
    if n < 2:
        return 0.0
    return round(math.sqrt(int((difference * difference).sum()) / (n * (n - 1))) / MICRO, 6)
