"""Correlation matrices of composite indices as published, and their completion for coins without an estimate.

A view is what model P nets with: a fast and a slow matrix, and the fast ones of the month's most and least concentrated
moments (`correlation_latch`). They are kept in whole millionths, so that differences in the last digit between machines
are gone before anything is derived from them.

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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.correlation import is_above, largest_eigenvalue
from schemas.ids import canonical

Floats = NDArray[np.float64]
Micros = NDArray[np.int64]

MICRO = 1e6  # matrices are published in millionths: a thousandth of the 0.005 that makes a new version
MIN_EIGENVALUE = 1e-4  # of every published matrix
FLOOR = "floor"


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """One matrix of correlations of `underlyings` in that order, f8[N, N], read-only; `quiet` as in the view."""

    underlyings: tuple[str, ...]
    quiet: tuple[str, ...]
    matrix: Floats

    def says(self, other: Estimate) -> bool:
        """Whether another estimate has the same coins and the same correlations."""
        same = (self.underlyings, self.quiet) == (other.underlyings, other.quiet)
        return same and bool((self.matrix == other.matrix).all())


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
    estimates: tuple[tuple[str, Estimate], ...] = ()
    """All matrices by name, no two alike: `fast`, `slow`, `latched_high`, `latched_low`. Empty without any coin."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the set of matrices in force, in the order of `gather`."""
        return (*(name for name, _ in self.estimates), FLOOR)

    @property
    def moving(self) -> int:
        """How many coins are estimated and move."""
        return len(self.underlyings) - len(self.quiet)


def view_of(
    version: int, time_us: int, underlyings: tuple[str, ...], quiet: tuple[str, ...], fast: Micros, slow: Micros,
    latched: Sequence[tuple[str, Estimate]] = (),
) -> CorrelationView:  # fmt: skip
    """Return the view of matrices in millionths, i8[N, N], published with latched ones by name."""
    return published(measured(underlyings, quiet, fast, slow), version, time_us, latched)


def measured(underlyings: tuple[str, ...], quiet: tuple[str, ...], fast: Micros, slow: Micros) -> CorrelationView:
    """Return what matrices in millionths, i8[N, N], would be as a view, without version, time, set and digest.

    Raises ArithmeticError if a matrix has another diagonal than 1 or an eigenvalue below `MIN_EIGENVALUE`.
    """
    moving = np.array([k for k, name in enumerate(underlyings) if name not in quiet], dtype=np.int64)
    among = np.ix_(moving, moving)
    view = CorrelationView(
        version=0,
        time_us=0,
        underlyings=underlyings,
        quiet=quiet,
        fast=_decimal(fast),
        slow=_decimal(slow),
        absorption_ratio=_absorption(np.ascontiguousarray(fast[among] / MICRO)),
        distance=_distance(fast[among] - slow[among]),
        digest="",
    )
    _assert_correlations("fast", view.fast)
    _assert_correlations("slow", view.slow)
    return view


def published(
    view: CorrelationView, version: int, time_us: int, latched: Sequence[tuple[str, Estimate]]
) -> CorrelationView:
    """Return a view as published: with the set of its own and of latched matrices, of which none is like another."""
    content: dict[str, Any] = {
        "underlyings": view.underlyings, "quiet": view.quiet,
        "fast": millionths(view.fast).tolist(), "slow": millionths(view.slow).tolist(),
    }  # fmt: skip
    estimates: list[tuple[str, Estimate]] = []
    if view.underlyings:
        estimates = [(name, Estimate(view.underlyings, view.quiet, getattr(view, name))) for name in ("fast", "slow")]
    for name, one in latched:
        if not any(one.says(other) for _, other in estimates):
            estimates.append((name, one))
            matrix = millionths(one.matrix).tolist()
            content[name] = {"underlyings": one.underlyings, "quiet": one.quiet, "matrix": matrix}
    digest = hashlib.sha256(canonical(content)).hexdigest()[:16]
    return replace(view, version=version, time_us=time_us, estimates=tuple(estimates), digest=digest)


def gather(view: CorrelationView, underlyings: Sequence[str], floor: float) -> Floats:
    """Return the matrices in force for some underlyings, f8[K, U, U]: `view.names`, the floor's equicorrelation last.

    `floor`, 0 to below 1, is the correlation of the last. K depends on the view alone; it is 1 before any estimate.
    Every submatrix of a gathered set is the set gathered for its underlyings, so a hedge has one price in all books.
    """
    n = len(underlyings)
    out = np.full((len(view.estimates) + 1, n, n), floor)
    for target, (_, estimate) in zip(out, view.estimates, strict=False):
        _complete(target, estimate, underlyings, floor)
    out[:, range(n), range(n)] = 1.0
    return out


def _complete(target: Floats, estimate: Estimate, underlyings: Sequence[str], floor: float) -> None:
    """Write what an estimate says of some underlyings over the floor's correlations, f8[U, U]."""
    place = {name: k for k, name in enumerate(estimate.underlyings)}
    at = np.array([place.get(name, -1) for name in underlyings], dtype=np.int64)
    known, new = np.flatnonzero(at >= 0), np.flatnonzero(at < 0)
    target[np.ix_(known, known)] = estimate.matrix[np.ix_(at[known], at[known])]
    if known.size and new.size:
        e = np.array([0.0 if name in estimate.quiet else 1.0 for name in estimate.underlyings])
        with_new = _factor(estimate.matrix, e, floor)[at[known]]
        target[np.ix_(known, new)] = with_new[:, None]
        target[np.ix_(new, known)] = with_new[None, :]


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


def millionths(matrix: Floats) -> Micros:
    """Return a published matrix as it was before its division by `MICRO`."""
    return np.rint(matrix * MICRO).astype(np.int64)


def _decimal(micros: Micros) -> Floats:
    matrix = micros / MICRO
    matrix.setflags(write=False)
    return matrix


def _assert_correlations(name: str, matrix: Floats) -> None:
    """Refuse to publish what is no correlation matrix, or nearly none."""
    if not (np.diag(matrix) == 1.0).all():
        raise ArithmeticError(f"the {name} matrix has a diagonal other than 1")
    if len(matrix) and not is_above(matrix.copy(), MIN_EIGENVALUE):  # kernels take writable arrays only
        raise ArithmeticError(f"the {name} matrix has an eigenvalue that is not above {MIN_EIGENVALUE}")


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
