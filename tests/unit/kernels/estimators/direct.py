"""The estimators from their definitions, in plain Python on rational or 40-digit numbers; without `kernels`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import mpmath

Series = Sequence[tuple[int, Fraction]]
"""(time, log price), times ascending."""
Rows = Sequence[Sequence[float]]


def returns_of(series: Series) -> list[tuple[int, int, Fraction]]:
    """Return (start, end, return) of each interval between two ticks."""
    return [(s, t, y - x) for (s, x), (t, y) in pairwise(series)]


def hayashi_yoshida(x: Series, y: Series) -> mpmath.mpf:
    """Return the correlation: every pair of intervals, each asked whether (s, t] and (u, v] have a point in common."""
    cross = Fraction(0)
    for s, t, r in returns_of(x):
        for u, v, q in returns_of(y):
            if max(s, u) < min(t, v):
                cross += r * q
    return _over_roots(cross, [r for _, _, r in returns_of(x)], [r for _, _, r in returns_of(y)])


def last_at(series: Series, moment: int) -> Fraction | None:
    """Return the last log price at or before a moment."""
    known = [price for time, price in series if time <= moment]
    return known[-1] if known else None


def refresh_times(all_series: Sequence[Series]) -> list[int]:
    """Return the moments at which every coin has traded since the last one."""
    found: list[int] = []
    while True:
        nexts = [[time for time, _ in one if not found or time > found[-1]] for one in all_series]
        if not all(nexts):
            return found
        found.append(max(times[0] for times in nexts))


def sampled_correlation(x: Series, y: Series, moments: Sequence[int]) -> mpmath.mpf:
    """Return the correlation of returns between moments, those left out at which one has no price."""
    pairs = [(last_at(x, m), last_at(y, m)) for m in moments]
    rows = [
        (b[0] - a[0], b[1] - a[1])
        for a, b in pairwise(pairs)
        if a[0] is not None and a[1] is not None and b[0] is not None and b[1] is not None
    ]
    cross = sum((r * q for r, q in rows), Fraction(0))
    return _over_roots(cross, [r for r, _ in rows], [q for _, q in rows])


def _over_roots(cross: Fraction, x: Sequence[Fraction], y: Sequence[Fraction]) -> mpmath.mpf:
    with mpmath.workdps(40):
        xx, yy = sum((r * r for r in x), Fraction(0)), sum((r * r for r in y), Fraction(0))
        size = mpmath.sqrt(mpmath.mpf(xx.numerator) / xx.denominator * yy.numerator / yy.denominator)
        return mpmath.mpf(cross.numerator) / cross.denominator / size


def dcc_path(e: Rows, mean: Rows, a: float, b: float) -> list[mpmath.matrix]:
    """Return R before each row and after the last one, from Q written out as a sum over all past rows.

    Q_t = (1 - a - b) Qbar (1 + b + ... + b^(t-1)) + b^t Qbar + a sum_s b^(t-1-s) e_s e_s'.
    """
    p = len(mean)
    with mpmath.workdps(40):
        a_, b_ = mpmath.mpf(a), mpmath.mpf(b)
        centre = mpmath.matrix([list(row) for row in mean])
        path = []
        for t in range(len(e) + 1):
            q = centre * ((1 - a_ - b_) * sum((b_**n for n in range(t)), mpmath.mpf(0)) + b_**t)
            for s in range(t):
                row = mpmath.matrix(list(e[s]))
                q += a_ * b_ ** (t - 1 - s) * (row * row.T)
            path.append(mpmath.matrix(p, p))
            for i in range(p):
                for j in range(p):
                    path[-1][i, j] = q[i, j] / mpmath.sqrt(q[i, i] * q[j, j])
        return path


def dcc_log_likelihood(e: Rows, mean: Rows, a: float, b: float) -> mpmath.mpf:
    """Return the sum over neighbouring pairs of the Gaussian log density over that of independent ones.

    By determinant and inverse of each pair's 2 x 2 matrix; a pair of a larger Q is the Q of the pair.
    """
    with mpmath.workdps(40):
        total = mpmath.mpf(0)
        for t, r in enumerate(dcc_path(e, mean, a, b)[:-1]):
            for i in range(len(mean) - 1):
                pair = mpmath.matrix([[r[i, i], r[i, i + 1]], [r[i + 1, i], r[i + 1, i + 1]]])
                row = mpmath.matrix([e[t][i], e[t][i + 1]])
                form = (row.T * pair**-1 * row)[0] - (row.T * row)[0]
                total -= (mpmath.log(mpmath.det(pair)) + form) / 2
        return total


def moving_correlation(returns: Rows, decay: float, seed: int) -> list[list[mpmath.mpf]]:
    """Return RiskMetrics' correlations with every row's weight written out."""
    n, p = len(returns), len(returns[0])
    with mpmath.workdps(40):
        d = mpmath.mpf(decay)
        weights = [d ** (n - seed) / seed] * seed + [(1 - d) * d ** (n - 1 - k) for k in range(seed, n)]

        def moment(i: int, j: int) -> mpmath.mpf:
            return sum(w * mpmath.mpf(row[i]) * mpmath.mpf(row[j]) for w, row in zip(weights, returns, strict=True))

        return [[moment(i, j) / mpmath.sqrt(moment(i, i) * moment(j, j)) for j in range(p)] for i in range(p)]
