"""Shortfall as a risk measure, and roots of random matrices: relations that hold whatever the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kernels import covariance, tail
from kernels._jit import Floats
from kernels.selection import buffer_length

WHOLE = st.integers(-1_000_000, 1_000_000).map(float)  # sums of these are exact, so relations hold to the last bit
SAMPLES = arrays.arrays(np.float64, st.integers(1, 400), elements=WHOLE)
TIED = arrays.arrays(np.float64, st.integers(1, 400), elements=st.integers(-3, 3).map(float))
CONFIDENCES = st.floats(0.01, 0.999)
CONVENTIONS = st.sampled_from(["weighted", "tail_mean", "beyond"])
FACTORS = st.integers(1, 20).flatmap(
    lambda p: arrays.arrays(np.float64, st.tuples(st.integers(1, 40), st.just(p)), elements=st.floats(-10.0, 10.0))
)


def figures(pnl: Floats, confidence: float, convention: tail.Convention = "weighted") -> tuple[float, float]:
    """Value at risk and shortfall of one sample."""
    end = tail.tail_of(pnl.size, confidence, convention)
    var, es = np.empty(1), np.empty(1)
    tail.tails(pnl[np.newaxis], end.rank, end.size, np.empty(buffer_length(end.rank)), var, es)
    return float(var[0]), float(es[0])


def near(x: float, y: float) -> bool:
    """Tell whether two figures differ by rounding at most."""
    return abs(x - y) <= 1e-9 * max(1.0, abs(x), abs(y))


@settings(deadline=None, max_examples=150)
@given(SAMPLES | TIED, CONFIDENCES, CONVENTIONS, WHOLE)
def test_cash_lowers_both_figures_by_itself(
    pnl: Floats, confidence: float, convention: tail.Convention, cash: float
) -> None:
    """Translation: what is certain counts in full."""
    var, es = figures(pnl, confidence, convention)
    moved_var, moved_es = figures(pnl + cash, confidence, convention)
    assert moved_var == var - cash
    assert near(moved_es, es - cash)


@settings(deadline=None, max_examples=150)
@given(SAMPLES | TIED, CONFIDENCES, CONVENTIONS, st.sampled_from([0.0, 0.25, 3.0, 1024.0]))
def test_a_portfolio_held_twice_needs_twice(
    pnl: Floats, confidence: float, convention: tail.Convention, factor: float
) -> None:
    """Homogeneity: both figures scale with the position."""
    var, es = figures(pnl, confidence, convention)
    scaled_var, scaled_es = figures(pnl * factor, confidence, convention)
    assert scaled_var == var * factor
    assert near(scaled_es, es * factor)


@settings(deadline=None, max_examples=150)
@given(SAMPLES | TIED, CONFIDENCES, CONVENTIONS, st.randoms(use_true_random=False), st.integers(1, 1000))
def test_what_is_never_worse_needs_no_more(
    pnl: Floats, confidence: float, convention: tail.Convention, dice: np.random.Generator, most: int
) -> None:
    """Monotonicity: results that are at least as good have figures that are at most as high."""
    better = pnl + np.array([float(dice.randint(0, most)) for _ in range(pnl.size)])  # type: ignore[attr-defined]
    var, es = figures(pnl, confidence, convention)
    better_var, better_es = figures(better, confidence, convention)
    assert better_var <= var
    assert better_es <= es or near(better_es, es)


@settings(deadline=None, max_examples=150)
@given(SAMPLES | TIED, SAMPLES | TIED, CONFIDENCES)
def test_two_portfolios_need_at_most_what_they_need_apart(x: Floats, y: Floats, confidence: float) -> None:
    """Subadditivity of the weighted shortfall."""
    n = min(x.size, y.size)
    together = figures(x[:n] + y[:n], confidence)[1]
    apart = figures(np.ascontiguousarray(x[:n]), confidence)[1] + figures(np.ascontiguousarray(y[:n]), confidence)[1]
    assert together <= apart or near(together, apart)


@settings(deadline=None, max_examples=150)
@given(SAMPLES | TIED, CONFIDENCES, CONVENTIONS)
def test_figures_lie_where_losses_are(pnl: Floats, confidence: float, convention: tail.Convention) -> None:
    """Value at risk is one of the losses, and shortfall lies between it and the worst."""
    var, es = figures(pnl, confidence, convention)
    assert var in (-pnl).tolist()
    assert var <= es or near(var, es)
    assert es <= -pnl.min() or near(es, -pnl.min())


@settings(deadline=None, max_examples=150)
@given(SAMPLES, st.floats(0.01, 0.98), st.floats(0.001, 0.019))
def test_more_confidence_never_needs_less(pnl: Floats, confidence: float, more: float) -> None:
    """Value at risk and weighted shortfall rise with the confidence."""
    low, high = figures(pnl, confidence), figures(pnl, confidence + more)
    assert low[0] <= high[0]
    assert low[1] <= high[1] or near(low[1], high[1])


@settings(deadline=None, max_examples=150)
@given(FACTORS, st.floats(0.01, 1.0))
def test_a_shrunk_covariance_has_a_root(x: Floats, intensity: float) -> None:
    """Unless nothing varies, any shrinkage makes a sample's covariance definite, and the root gives it back."""
    p = x.shape[1]
    sample, out = covariance.empty(p), covariance.empty(p)
    sample[:, :p] = x.T @ x / len(x)
    mean = np.trace(sample[:, :p]) / p
    found = covariance.root(sample, intensity, out)
    if mean < 1e-200:  # squares that leave the normal floats
        return
    assert found == covariance.DEFINITE
    want = (1 - intensity) * sample[:, :p] + intensity * mean * np.eye(p)
    assert np.abs(out[:, :p].T @ out[:, :p] - want).max() <= 1e-13 * np.abs(want).max()


@settings(deadline=None, max_examples=150)
@given(FACTORS, st.floats(0.5, 0.999))
def test_updates_of_a_root_are_updates_of_its_matrix(x: Floats, decay: float) -> None:
    """Row after row of returns the root stays that of the averaged matrix."""
    p = x.shape[1]
    matrix, root, width = covariance.empty(p), covariance.empty(p), covariance.columns(p)
    matrix[:, :p] = np.eye(p)
    root[:, :p] = np.eye(p)
    for row in x:
        padded = np.concatenate([row, np.zeros(width - p)])
        covariance.average(matrix, padded, decay)
        covariance.update_root(root, padded, decay, np.empty(width))
    assert (np.diag(root) > 0.0).all()
    assert np.abs(root[:, :p].T @ root[:, :p] - matrix[:, :p]).max() <= 1e-12 * np.abs(matrix).max()
