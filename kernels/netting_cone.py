"""Algebra of second-order cones, and small dense factorisations, for `kernels.netting_interior`.

A point of the cone is x = (x0, x1) with |x1| <= x0, J = diag(1, -1, ..). Nesterov-Todd scaling and Mehrotra's predictor
and corrector as in L. Vandenberghe, "The CVXOPT linear and quadratic cone program solvers" (2010).
"""

from __future__ import annotations

import math

from kernels._jit import Floats, kernel


@kernel("f8[:, :, ::1], f8[:, :, ::1]")
def factor(matrices: Floats, out: Floats) -> None:
    """Write upper triangular F_c with F_c'F_c = R_c; a semidefinite matrix has zero rows.

    A pivot below 1e-15 counts as zero: what is left of a unit diagonal is rounding.
    """
    size = matrices.shape[1]
    out[:] = 0.0
    for c in range(matrices.shape[0]):
        f = out[c]
        for i in range(size):
            pivot = matrices[c, i, i]
            for r in range(i):
                pivot -= f[r, i] * f[r, i]
            if pivot <= 1e-15:
                continue
            f[i, i] = math.sqrt(pivot)
            for j in range(i + 1, size):
                rest = matrices[c, i, j]
                for r in range(i):
                    rest -= f[r, i] * f[r, j]
                f[i, j] = rest / f[i, i]


@kernel("f8[:, ::1]")
def cholesky(h: Floats) -> None:
    """Overwrite the lower triangle of a positive definite matrix with its factor, rows in order.

    A pivot that rounding made zero or negative is replaced by a huge one, which holds its unknown still.
    """
    n = h.shape[0]
    for i in range(n):
        for j in range(i + 1):
            rest = h[i, j]
            for r in range(j):
                rest -= h[i, r] * h[j, r]
            if i == j:
                h[i, i] = math.sqrt(rest) if rest > 1e-30 * abs(h[i, i]) else 1e64
            else:
                h[i, j] = rest / h[j, j]


@kernel("f8[:, ::1], f8[::1]")
def cholesky_solve(h: Floats, b: Floats) -> None:
    """Overwrite b with the solution, given the factor."""
    n = h.shape[0]
    for i in range(n):
        for r in range(i):
            b[i] -= h[i, r] * b[r]
        b[i] /= h[i, i]
    for i in range(n - 1, -1, -1):
        for r in range(i + 1, n):
            b[i] -= h[r, i] * b[r]
        b[i] /= h[i, i]


@kernel("f8[::1]")
def cone_gap(x: Floats) -> float:
    """Return x0^2 - |x1|^2 of a second-order cone's point, without squaring the difference away."""
    total = 0.0
    for i in range(1, x.shape[0]):
        total += x[i] * x[i]
    length = math.sqrt(total)
    gap: float = (x[0] - length) * (x[0] + length)
    return gap


@kernel("f8[::1], f8, f8[::1], f8[::1]")
def scale(v: Floats, beta: float, x: Floats, out: Floats) -> None:
    """Write W x = beta (2 v v'x - J x)."""
    inner = 0.0
    for i in range(x.shape[0]):
        inner += v[i] * x[i]
    out[0] = beta * (2.0 * v[0] * inner - x[0])
    for i in range(1, x.shape[0]):
        out[i] = beta * (2.0 * v[i] * inner + x[i])


@kernel("f8[::1], f8, f8[::1], f8[::1]")
def unscale(v: Floats, beta: float, x: Floats, out: Floats) -> None:
    """Write W^-1 x = (2 Jv v'J x - J x) / beta."""
    inner = v[0] * x[0]
    for i in range(1, x.shape[0]):
        inner -= v[i] * x[i]
    out[0] = (2.0 * v[0] * inner - x[0]) / beta
    for i in range(1, x.shape[0]):
        out[i] = (x[i] - 2.0 * v[i] * inner) / beta


@kernel("f8[::1], f8[::1], f8[::1]")
def divide(scaled: Floats, x: Floats, out: Floats) -> None:
    """Write the y with scaled o y = x in the algebra of a second-order cone."""
    inner = scaled[0] * x[0]
    for i in range(1, x.shape[0]):
        inner -= scaled[i] * x[i]
    head = inner / cone_gap(scaled)
    out[0] = head
    for i in range(1, x.shape[0]):
        out[i] = (x[i] - head * scaled[i]) / scaled[0]


@kernel("f8[::1], f8[::1]")
def reach(x: Floats, dx: Floats) -> float:
    """Return the largest step along dx that stays in a second-order cone (infinity if all do)."""
    a: float = dx[0] * dx[0]
    b: float = x[0] * dx[0]
    c = cone_gap(x)
    for i in range(1, x.shape[0]):
        a -= dx[i] * dx[i]
        b -= x[i] * dx[i]
    root = b * b - a * c
    if root < 0.0:
        return math.inf
    if b < 0.0:
        return c / (math.sqrt(root) - b)
    if a < 0.0:
        return -(b + math.sqrt(root)) / a
    return math.inf


@kernel("f8[::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1], f8[::1], f8[:, ::1]")
def scaling(
    s: Floats,
    z: Floats,
    cone_s: Floats,
    cone_z: Floats,
    root: Floats,
    weight: Floats,
    v: Floats,
    beta: Floats,
    scaled: Floats,
) -> float:
    """Write the Nesterov-Todd scaling of the point and lambda = W z = W^-1 s of the cones; return s'z / degree."""
    total: float = 0.0
    for i in range(s.shape[0]):
        root[i] = math.sqrt(s[i] / z[i])
        weight[i] = z[i] / s[i]
        total += s[i] * z[i]
    size = v.shape[1]
    for c in range(v.shape[0]):
        gap_s, gap_z = math.sqrt(cone_gap(cone_s[c])), math.sqrt(cone_gap(cone_z[c]))
        inner = 0.0
        for i in range(size):
            inner += (cone_s[c, i] / gap_s) * (cone_z[c, i] / gap_z)
            total += cone_s[c, i] * cone_z[c, i]
        gamma = math.sqrt(0.5 * (1.0 + inner))
        for i in range(size):
            sign = 1.0 if i == 0 else -1.0
            v[c, i] = (cone_s[c, i] / gap_s + sign * cone_z[c, i] / gap_z) / (2.0 * gamma)
        head = math.sqrt(2.0 * (v[c, 0] + 1.0))
        v[c, 0] += 1.0
        for i in range(size):
            v[c, i] /= head
        beta[c] = math.sqrt(gap_s / gap_z)
        scale(v[c], beta[c], cone_z[c], scaled[c])
    mean: float = total / (s.shape[0] + v.shape[0])
    return mean
