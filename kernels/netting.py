"""Model P's pieces: norm of a hedge, what it leaves, the closed-form screen, and bounds that outlive a solve.

l_u(m) is the worst loss of underlying u at the normalised move m (`kernels.move_losses`), w_u a hedge in USD at the
end of the range, R a correlation matrix with unit diagonal, k a weight in [0, 1]:

    r_u(w) = max over m of l_u(m) + w m                                     what a hedge of size w leaves
    L(w)^2 = (1 - k) max over R of w'Rw + k (sum |w_u|)^2                   what the hedges cost together
    M(w)   = L(w) + sum r_u(w_u),      M* = min over w of M(w)              the requirement

Every w gives an upper bound. Every mixture p_u of moves whose means lie in the unit ball of L's dual norm gives a lower
one, sum_u sum_j p_uj l_u(m_j). Neither condition mentions the losses, so both bounds stay true when losses move, until
a matrix or k changes. Proofs and parameters: `docs/margin-model-p.md`.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, kernel

MATRIX_TOLERANCE = 1e-12


@kernel("f8[::1], f8[:, :, ::1], f8")
def norm(w: Floats, matrices: Floats, k: float) -> float:
    """Return L(w) in USD; w: float64[U], matrices: float64[K, U, U], K >= 1, k in [0, 1]. NaN stays NaN.

    Raises ValueError on shapes that do not fit.
    """
    count, size = matrices.shape[0], w.shape[0]
    if count < 1 or matrices.shape[1] != size or matrices.shape[2] != size:
        raise ValueError("matrices must be one or more, each with a row and a column per underlying")
    gross = 0.0
    for u in range(size):
        gross += abs(w[u])
    largest = 0.0
    for c in range(count):
        total = 0.0
        for u in range(size):
            inner = 0.0
            for v in range(size):
                inner += matrices[c, u, v] * w[v]
            total += w[u] * inner
        if math.isnan(total):
            return math.nan
        largest = max(largest, total)
    return math.sqrt((1.0 - k) * largest + k * (gross * gross))


@kernel("f8[::1], f8")
def residual(losses: Floats, w: float) -> float:
    """Return max over moves of l(m) + w m in USD; losses: float64[n], n moves from -1 to 1. NaN stays NaN."""
    n = losses.shape[0]
    step = 2.0 / (n - 1)
    largest = -math.inf
    for j in range(n):
        value = losses[j] + w * (j * step - 1.0)
        if math.isnan(value):
            return math.nan
        largest = max(largest, value)
    return largest


@kernel("f8[::1]")
def screen_hedge(losses: Floats) -> float:
    """Return the hedge that brings no end of the range above the rest of the curve.

    w = max(0, min over m > -1 of (l(-1) - l(m)) / (1 + m)) - max(0, min over m < 1 of (l(1) - l(m)) / (1 - m)).
    At most one of the two is positive. NaN gives NaN.
    """
    n = losses.shape[0]
    step = 2.0 / (n - 1)
    down, up = math.inf, math.inf
    for j in range(n - 1):
        # Counted from each end, the distance is the same number on both sides: mirrored books get mirrored hedges.
        distance = (j + 1) * step
        down = min(down, (losses[0] - losses[j + 1]) / distance)
        up = min(up, (losses[n - 1] - losses[n - 2 - j]) / distance)
        if math.isnan(losses[j] + losses[j + 1]):
            return math.nan
    return max(0.0, down) - max(0.0, up)


@kernel("f8[:, ::1], i8[::1]")
def check_curves(losses: Floats, counts: Ints) -> None:
    """Raise ValueError unless every row's count is odd, at least three and within the row."""
    if counts.shape[0] != losses.shape[0]:
        raise ValueError("counts needs one element per row of losses")
    for u in range(counts.shape[0]):
        if counts[u] < 3 or counts[u] > losses.shape[1] or counts[u] % 2 == 0:
            raise ValueError("a count of moves must be odd, at least three and within its row")


@kernel("f8[:, :, ::1], i8")
def check_matrices(matrices: Floats, size: int) -> None:
    """Raise ValueError unless there is a matrix and each is finite and symmetric, with unit diagonal and fitting size.

    That it is positive semidefinite is the estimator's promise.
    """
    if matrices.shape[0] < 1 or matrices.shape[1] != size or matrices.shape[2] != size:
        raise ValueError("matrices must be one or more, each with a row and a column per underlying")
    for c in range(matrices.shape[0]):
        for u in range(size):
            if not abs(matrices[c, u, u] - 1.0) <= MATRIX_TOLERANCE:
                raise ValueError("a correlation matrix has ones on its diagonal")
            for v in range(u):
                if not abs(matrices[c, u, v] - matrices[c, v, u]) <= MATRIX_TOLERANCE:
                    raise ValueError("a correlation matrix is finite and symmetric")


@kernel("f8[:, ::1], i8[::1], f8[::1]")
def screen(losses: Floats, counts: Ints, w: Floats) -> None:
    """Write `screen_hedge` of every row; losses: float64[U, W], of which row u uses its first counts[u]; w: float64[U].

    Raises ValueError on counts and shapes that do not fit.
    """
    check_curves(losses, counts)
    if w.shape[0] != losses.shape[0]:
        raise ValueError("w needs one element per row of losses")
    for u in range(w.shape[0]):
        w[u] = screen_hedge(losses[u, : counts[u]])


@kernel("f8[:, :, ::1], i8[::1], f8[:, :, ::1]")
def gather(matrices: Floats, columns: Ints, out: Floats) -> None:
    """Write the rows and columns of some underlyings: float64[K, C, C] to float64[K, U, U].

    columns: int64[U]. Raises ValueError on shapes and columns that do not fit.
    """
    size = columns.shape[0]
    if out.shape[0] != matrices.shape[0] or out.shape[1] != size or out.shape[2] != size:
        raise ValueError("out needs one matrix per matrix and a row and a column per underlying")
    for u in range(size):
        if columns[u] < 0 or columns[u] >= matrices.shape[1] or columns[u] >= matrices.shape[2]:
            raise ValueError("a column names an underlying that has no correlation")
    for c in range(out.shape[0]):
        for u in range(size):
            for v in range(size):
                out[c, u, v] = matrices[c, columns[u], columns[v]]
