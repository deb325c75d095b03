"""Value at risk and shortfall over many results: definitions, edges, and what is refused."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
from scipy import special, stats

from kernels import tail
from kernels._jit import Floats
from kernels._rows import Reals
from kernels.selection import buffer_length
from tests.support import ROOT

CONVENTIONS: tuple[tail.Convention, ...] = ("weighted", "tail_mean", "beyond")
TYPES = [pytest.param(tail.tails, np.float64, id="float64"), pytest.param(tail.tails_single, np.float32, id="float32")]
Kernel = Callable[..., None]


def figures(kernel: Kernel, pnl: Reals, end: tail.Tail, *, more: int = 0) -> tuple[Floats, Floats]:
    """Value at risk and shortfall of each row; `more` lengthens the scratch buffer."""
    var, es = np.full(len(pnl), 7.0), np.full(len(pnl), 7.0)
    kernel(pnl, end.rank, end.size, np.empty(buffer_length(end.rank) + more, dtype=pnl.dtype), var, es)
    return var, es


def defined(pnl: Reals, confidence: float, convention: str) -> tuple[float, mp.mpf]:
    """The definitions as they are published, over sorted losses, in 40 digits."""
    with mp.workdps(40):
        losses = sorted((mp.mpf(-float(x)) for x in pnl), reverse=True)
        a = len(losses) * (1.0 - confidence)
        whole = abs(a - round(a)) < 1e-9
        k = max(1, round(a) if whole else math.ceil(a))
        if convention == "tail_mean":
            es = mp.fsum(losses[:k]) / k
        elif convention == "beyond":
            es = mp.fsum(losses[: k - 1]) / (k - 1) if k > 1 else losses[0]
        elif whole:
            es = mp.fsum(losses[:k]) / k
        else:
            n = math.floor(a)
            es = (mp.fsum(losses[:n]) + (mp.mpf(a) - n) * losses[n]) / mp.mpf(a)
        return float(losses[k - 1]), es


@pytest.mark.parametrize(("kernel", "kind"), TYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 63, 64, 65, 127, 128, 129, 500, 1000, 4096, 10_000])
def test_the_figures_are_the_published_definitions(kernel: Kernel, kind: type, n: int) -> None:
    """Value at risk is exact and shortfall within rounding, for every convention, whole and broken tails, and ties."""
    draw = np.random.default_rng(n)
    rows: Reals = np.stack([draw.standard_t(3.0, n), np.floor(draw.normal(0.0, 2.0, n)), np.full(n, -2.5)]).astype(kind)
    for confidence in (0.5, 0.9, 0.975, 0.99, 0.9973):
        for convention in CONVENTIONS:
            end = tail.tail_of(n, confidence, convention)
            var, es = figures(kernel, rows, end)
            for row, one_var, one_es in zip(rows, var, es, strict=True):
                want_var, want_es = defined(row, confidence, convention)
                assert one_var == want_var
                assert abs(one_es - want_es) <= 2e-14 * max(abs(want_es), 1e-3)


@pytest.mark.parametrize(("kernel", "kind"), TYPES)
@pytest.mark.parametrize("order", ["rising", "falling", "waves", "worst last"])
def test_the_order_of_the_results_does_not_matter(kernel: Kernel, kind: type, order: str) -> None:
    """Orders that make every result a candidate, or none, give the same figures as any other."""
    rising: Reals = np.sort(np.random.default_rng(3).standard_t(4.0, 5000)).astype(kind)
    shuffled = {
        "rising": rising,
        "falling": rising[::-1],
        "waves": np.concatenate([rising[::-2], rising[::2]]),
        "worst last": np.concatenate([rising[300:], rising[:300]]),
    }[order]
    for confidence in (0.7, 0.95, 0.999):
        end = tail.tail_of(5000, confidence)
        var, es = figures(kernel, np.ascontiguousarray(shuffled)[np.newaxis], end)
        want_var, want_es = figures(kernel, rising[np.newaxis], end)
        assert var[0] == want_var[0]
        assert es[0] == pytest.approx(want_es[0], rel=1e-14)


@pytest.mark.parametrize(("kernel", "kind"), TYPES)
def test_a_longer_buffer_changes_no_bit(kernel: Kernel, kind: type) -> None:
    """How often limits are sought depends on the buffer, the result does not."""
    rows: Reals = np.random.default_rng(4).standard_t(3.0, (5, 3001)).astype(kind)
    end = tail.tail_of(3001, 0.98)
    short, long = figures(kernel, rows, end), figures(kernel, rows, end, more=5000)
    assert short[0].tolist() == long[0].tolist()
    assert short[1].tolist() == long[1].tolist()


def test_the_shortfall_of_a_normal_sample_is_the_closed_form() -> None:
    """Over the normal's own quantiles the shortfall is n(z)/(1 - confidence)."""
    n = 200_000
    pnl = special.ndtri((np.arange(n) + 0.5) / n)[np.newaxis]
    for confidence in (0.95, 0.975, 0.99):
        var, es = figures(tail.tails, pnl, tail.tail_of(n, confidence))
        z = special.ndtri(confidence)
        assert var[0] == pytest.approx(z, rel=2e-4)
        assert es[0] == pytest.approx(math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / (1 - confidence), rel=2e-4)


def test_the_shortfall_of_a_student_sample_is_the_closed_form() -> None:
    """Over Student-t quantiles it is f(q)/(1 - confidence) (nu + q^2)/(nu - 1)."""
    n, nu = 400_000, 4.0
    pnl = stats.t.ppf((np.arange(n) + 0.5) / n, nu)[np.newaxis]
    for confidence in (0.95, 0.975, 0.99):
        _, es = figures(tail.tails, pnl, tail.tail_of(n, confidence))
        q = stats.t.ppf(confidence, nu)
        assert es[0] == pytest.approx(stats.t.pdf(q, nu) / (1 - confidence) * (nu + q * q) / (nu - 1), rel=1e-3)


@pytest.mark.parametrize(("kernel", "kind"), TYPES)
@pytest.mark.parametrize("place", [0, 63, 64, 700, 2999])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_missing_result_is_seen_wherever_it_is(kernel: Kernel, kind: type, place: int, sign: float) -> None:
    """One NaN of either sign makes both figures of its row NaN, and of no other row."""
    rows: Reals = np.random.default_rng(5).normal(size=(3, 3000)).astype(kind)
    want = figures(kernel, rows, tail.tail_of(3000, 0.99))
    rows[1, place] = math.copysign(math.nan, sign)
    var, es = figures(kernel, rows, tail.tail_of(3000, 0.99))
    assert np.isnan([var[1], es[1]]).all()
    assert [*var[::2], *es[::2]] == [*want[0][::2], *want[1][::2]]


@pytest.mark.parametrize(("kernel", "kind"), TYPES)
def test_rows_of_nothing_but_nan_are_nan(kernel: Kernel, kind: type) -> None:
    """A row without a number ends as any other."""
    var, es = figures(kernel, np.full((1, 5000), math.nan, dtype=kind), tail.tail_of(5000, 0.975))
    assert np.isnan([var[0], es[0]]).all()


@pytest.mark.parametrize(("kernel", "kind"), TYPES)
def test_infinite_results_have_their_places(kernel: Kernel, kind: type) -> None:
    """An infinite gain is the best result, an infinite loss makes the shortfall infinite."""
    inf = math.inf
    for row, want in (
        ([inf, -1.0, 2.0, inf], (1.0, 1.0)),
        ([-inf, -1.0, 2.0, 3.0], (inf, inf)),
        ([inf, inf, inf, inf], (-inf, -inf)),
    ):
        var, es = figures(kernel, np.array([row], dtype=kind), tail.tail_of(4, 0.75))
        assert (var[0], es[0]) == want
    var, es = figures(kernel, np.array([[-inf, -1.0, 2.0, 3.0]], dtype=kind), tail.tail_of(4, 0.5))
    assert (var[0], es[0]) == (1.0, inf)


@pytest.mark.parametrize(("kernel", "kind"), TYPES)
def test_zeros_of_both_signs_are_one_number(kernel: Kernel, kind: type) -> None:
    """0 and -0 tie, in whatever order they come."""
    row: Reals = np.tile(np.array([0.0, -0.0, -0.0, 0.0, 1.0], dtype=kind), 300)[np.newaxis]
    var, es = figures(kernel, row, tail.tail_of(1500, 0.9))
    assert (var[0], es[0]) == (0.0, 0.0)


def test_subnormal_and_largest_results_are_exact() -> None:
    """Bisection on bits reaches the ends of the floats."""
    row = np.array([[5e-324, -5e-324, -1.7976931348623157e308, 1.7976931348623157e308, 0.0]])
    for rank, want in ((1, 1.7976931348623157e308), (2, 5e-324), (3, -0.0), (4, -5e-324), (5, -1.7976931348623157e308)):
        var, _ = figures(tail.tails, row, tail.Tail(rank, float(rank)))
        assert var[0] == want


def test_no_rows_are_no_work() -> None:
    """No portfolio needs no results either."""
    var, _ = figures(tail.tails, np.zeros((0, 0)), tail.Tail(1, 1.0))
    assert var.size == 0


def test_what_is_no_tail_is_refused() -> None:
    """Ranks and sizes of other tails, short buffers, and outputs of other lengths are errors of the caller."""
    pnl, buffer, one = np.zeros((1, 10)), np.empty(buffer_length(10)), np.empty(1)
    for rank, size in ((0, 0.5), (11, 11.0), (3, 1.9), (3, 3.1), (1, 0.0), (1, -1.0), (2, math.nan)):
        with pytest.raises(ValueError, match="rank and size"):
            tail.tails(pnl, rank, size, buffer, one, one)
    with pytest.raises(ValueError, match="buffer"):
        tail.tails(pnl, 1, 1.0, buffer[: buffer_length(1) - 1], one, one)
    with pytest.raises(ValueError, match="outputs"):
        tail.tails(pnl, 1, 1.0, buffer, one, np.empty(2))
    for confidence in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match="confidence"):
            tail.tail_of(10, confidence)
    with pytest.raises(ValueError, match="results"):
        tail.tail_of(0, 0.5)


def test_a_tail_is_whole_within_a_billionth() -> None:
    """20 results at 95 % have one loss in the tail, though 1 - 0.95 is a little more than 0.05 in binary."""
    assert tail.tail_of(20, 0.95) == (1, 1.0)
    assert tail.tail_of(20, 0.95, "beyond") == (1, 1.0)
    assert tail.tail_of(10_000, 0.975) == (250, 250.0)
    assert tail.tail_of(10_000, 0.975, "beyond") == (250, 249.0)
    assert [*tail.tail_of(30, 0.95)] == pytest.approx([2, 1.5], rel=1e-14)
    assert [*tail.tail_of(3, 0.99)] == pytest.approx([1, 0.03], rel=1e-12)


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="names processors of x86-64")
def test_every_processor_finds_the_same_bits() -> None:
    """Tails, results and roots are the same without vectors of AVX, with this machine's, and as plain Python."""
    program = """
import numpy as np
from kernels import covariance, joint_pnl, selection, tail
draw = np.random.default_rng(1)
pnl, matrix = draw.standard_t(3, (4, 300)), joint_pnl.empty_matrix(4, 300)
joint_pnl.store(pnl, 0, matrix)
rank, size = tail.tail_of(300, 0.95)
buffers, var, es = np.empty((1, selection.buffer_length(rank)), dtype=np.float32), np.empty(2), np.empty(2)
joint_pnl.account_tails(np.array([0, 2, 5]), np.array([0, 3, 1, 2, 3]), draw.normal(size=5), matrix, 300, rank, size,
                        buffers, var, es)
print([x.hex() for x in (*var, *es)])
var, es = np.empty(4), np.empty(4)
tail.tails(pnl, rank, size, np.empty(buffers.shape[1]), var, es)
print([x.hex() for x in (*var, *es)])
m, root = covariance.empty(40), covariance.empty(40)
m[:, :40] = np.cov(draw.normal(size=(40, 90)))
print(covariance.root(m, 0.1, root), [x.hex() for x in root.ravel()])
"""
    settings: tuple[dict[str, str], ...] = (
        {},
        {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
        {"NUMBA_DISABLE_JIT": "1"},
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **setting},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for setting in settings
    }
    assert len(found) == 1
