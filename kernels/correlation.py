"""Small symmetric matrices of a fixed summation order: definiteness, eigenvalues, repair of a correlation matrix.

LAPACK chooses its order by processor and thread, so its last digits differ between machines; published matrices must
not. These are for tens of underlyings, once a minute: a 64 x 64 matrix is tested in 0.05 ms and repaired in 5 ms.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, kernel

MAX_SWEEPS = 60  # cyclic Jacobi converges quadratically: six to ten sweeps
CONVERGED = 1e-28  # sum of squares off the diagonal, over that of all: 1e-14 relative in the values
MAX_DOUBLINGS = 60
MAX_POWERS = 200  # one dominant factor takes ten to thirty; what takes more is left to the rotations
LARGEST_TOLERANCE = 5e-7  # relative


@kernel("f8[:, ::1], f8")
def is_above(matrix: Floats, least: float) -> bool:
    """Return whether every eigenvalue of a symmetric matrix is above `least`; False where an element is NaN.

    Cholesky of matrix - least I: all pivots are positive exactly when that is positive definite.
    """
    n = matrix.shape[0]
    root = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j] - (least if i == j else 0.0)
            for k in range(j):
                total -= root[i, k] * root[j, k]
            if i > j:
                root[i, j] = total / root[j, j]
            elif total > 0.0:
                root[i, i] = math.sqrt(total)
            else:
                return False
    return True


@kernel("f8[:, ::1], f8[:, ::1], i8, i8")
def _rotate(matrix: Floats, vectors: Floats, p: int, q: int) -> None:
    """Rotate rows and columns p and q of a symmetric matrix so that the element between them vanishes."""
    theta = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
    t = math.copysign(1.0, theta) / (abs(theta) + math.sqrt(theta * theta + 1.0))
    c = 1.0 / math.sqrt(t * t + 1.0)
    s = t * c
    n = matrix.shape[0]
    for k in range(n):
        x, y = matrix[k, p], matrix[k, q]
        matrix[k, p] = c * x - s * y
        matrix[k, q] = s * x + c * y
    for k in range(n):
        x, y = matrix[p, k], matrix[q, k]
        matrix[p, k] = c * x - s * y
        matrix[q, k] = s * x + c * y
    matrix[p, q] = matrix[q, p] = 0.0
    for k in range(n):
        x, y = vectors[k, p], vectors[k, q]
        vectors[k, p] = c * x - s * y
        vectors[k, q] = s * x + c * y


@kernel("f8[:, ::1]")
def _squares(matrix: Floats) -> tuple[float, float]:
    """Return the sums of squares off the diagonal and of all elements."""
    off = total = 0.0
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[0]):
            square = matrix[i, j] * matrix[i, j]
            total += square
            if i != j:
                off += square
    return off, total


@kernel("f8[:, ::1], f8[::1], f8[:, ::1]")
def eigen(matrix: Floats, values: Floats, vectors: Floats) -> bool:
    """Write eigenvalues, in no order, and the eigenvectors as columns; the symmetric matrix is overwritten.

    Cyclic Jacobi rotations. False, and nothing of use written, if an element is not finite.
    """
    n = matrix.shape[0]
    for i in range(n):
        for j in range(n):
            vectors[i, j] = 1.0 if i == j else 0.0
    for _ in range(MAX_SWEEPS):
        off, total = _squares(matrix)
        if not math.isfinite(total):
            return False
        if off <= CONVERGED * total:
            break
        for p in range(n - 1):
            for q in range(p + 1, n):
                if matrix[p, q] != 0.0:
                    _rotate(matrix, vectors, p, q)
    for i in range(n):
        values[i] = matrix[i, i]
    return True


@kernel("f8[::1], f8[:, ::1], f8, f8[:, ::1]")
def _rebuild(values: Floats, vectors: Floats, clip: float, out: Floats) -> None:
    """Write B B' with B = V sqrt(max(values, clip)), each row scaled to length 1."""
    n = values.shape[0]
    b = np.empty((n, n))
    for i in range(n):
        square = 0.0
        for k in range(n):
            b[i, k] = vectors[i, k] * math.sqrt(max(values[k], clip))
            square += b[i, k] * b[i, k]
        length = math.sqrt(square)
        for k in range(n):
            b[i, k] /= length
    for i in range(n):
        out[i, i] = 1.0
        for j in range(i):
            total = 0.0
            for k in range(n):
                total += b[i, k] * b[j, k]
            out[i, j] = out[j, i] = total


@kernel("f8[:, ::1], f8, f8[:, ::1]")
def repair(matrix: Floats, least: float, out: Floats) -> bool:
    """Write the spectral repair of a correlation matrix: unit diagonal, every eigenvalue above `least`, 0 <= least < 1.

    Eigenvalues are clipped from below and rows scaled back to length 1. Scaling may press
    the smallest eigenvalue below the clip, which is then doubled; clipped at the largest it is the identity. False, and
    nothing of use written, if an element is not finite.
    """
    n = matrix.shape[0]
    values, vectors = np.empty(n), np.empty((n, n))
    if not eigen(matrix.copy(), values, vectors):
        return False
    clip = max(least, 1e-12)
    for _ in range(MAX_DOUBLINGS):
        _rebuild(values, vectors, clip, out)
        if is_above(out, least):
            return True
        clip *= 2.0
    return False


@kernel("f8[:, ::1], f8[::1], f8[::1]")
def _power(matrix: Floats, x: Floats, y: Floats) -> float:
    """Return x'Ax / x'x and replace x by Ax at about the length 1; y is scratch."""
    n = matrix.shape[0]
    length = value = 0.0
    for i in range(n):
        length += x[i] * x[i]
        y[i] = 0.0
        for j in range(n):
            y[i] += matrix[i, j] * x[j]
        value += x[i] * y[i]
    value /= length
    scale = 1.0 / (math.sqrt(length) * value)
    for i in range(n):
        x[i] = y[i] * scale
    return value


@kernel("f8[:, ::1]")
def largest_eigenvalue(matrix: Floats) -> float:
    """Return the largest eigenvalue of a symmetric positive definite matrix, to 5e-7 relative; NaN if it is not finite.

    Power iteration, a twentieth of the cost of all eigenvalues. A start without the leading direction, or two that lead
    together, could end too low: so the result is proved, largest I - matrix being positive definite, or else computed.
    """
    n = matrix.shape[0]
    x, y = np.empty(n), np.empty(n)
    for i in range(n):
        x[i] = 0.5 + (0.6180339887498949 * (i + 1)) % 1.0  # no pattern that a matrix of names could share
    value = 0.0
    for _ in range(MAX_POWERS):
        before = value
        value = _power(matrix, x, y)
        if not math.isfinite(value):
            return math.nan
        if abs(value - before) <= 1e-13 * value:
            break
    if is_above(-matrix, -value * (1.0 + LARGEST_TOLERANCE)):
        return value
    values = np.empty(n)
    if not eigen(matrix.copy(), values, np.empty((n, n))):
        return math.nan
    for i in range(n):
        value = max(value, values[i])
    return value
