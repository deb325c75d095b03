"""How far correlations may go: closed forms for both constraints of model P.

With L(w)^2 = (1 - k) max over R of w'Rw + k (sum |w|)^2, and no correlation of the set changed by more than eps,

    upper: L rises by at most G while eps <= G (2 L + G) / ((1 - k) H),  H = (sum |w|)^2 - sum w^2
    lower: means t x stay admissible while eps <= (1 - t^2) / eta,       eta = (1 - k)(U - 1) / ((1 - k) lambda + k U)

where lambda >= 0 is at most the least eigenvalue of some matrix of the set. Proofs: `docs/certificates.md`. A change of
k, of the number of matrices or of an account's underlyings ends the certificate.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, kernel

LEAST_KEPT = 0.5  # of the mixture: below it nothing is certified


@kernel("f8[::1], f8, f8, f8")
def upper_tolerance(w: Floats, norm: float, k: float, budget: float) -> float:
    """Return the largest change of any correlation at which the norm of the hedges rises by no more than the budget.

    w: float64[U] hedges, norm: L(w), budget: USD. Infinite for fewer than two hedges; 0 for a negative or NaN budget.
    """
    if not budget >= 0.0:
        return 0.0
    pairs = 0.0
    for u in range(w.shape[0]):
        for v in range(u):
            pairs += abs(w[u] * w[v])
    spread = 2.0 * (1.0 - k) * pairs  # (sum |w|)^2 - sum w^2 without its cancellation
    return budget * (2.0 * norm + budget) / spread if spread > 0.0 else math.inf


@kernel("i8, f8, f8")
def sensitivity(underlyings: int, k: float, least_eigenvalue: float) -> float:
    """Return eta: L(w)^2 falls by at most eps eta L(w)^2, whatever w; infinite where k and the eigenvalue are 0.

    least_eigenvalue: of any one matrix of the set, restricted to these underlyings; 0 is always true.
    """
    if underlyings < 2:
        return 0.0
    kept = (1.0 - k) * max(least_eigenvalue, 0.0) + k * underlyings
    return (1.0 - k) * (underlyings - 1) / kept if kept > 0.0 else (0.0 if k == 1.0 else math.inf)


@kernel("f8, f8, f8")
def lower_tolerance(c: float, raised: float, eta: float) -> float:
    """Return the largest change of correlations at which M > c E follows from a frozen mixture's M > raised E, E > 0.

    0 < c <= raised; the mixture is scaled by t = c/raised towards no move, at least by a half.
    """
    if eta == 0.0:
        return math.inf
    kept = c / raised
    if not LEAST_KEPT <= kept <= 1.0:
        return 0.0
    # (1 - t)(1 + t), with 1 - t from the difference that made it.
    return ((raised - c) / raised) * (1.0 + kept) / eta
