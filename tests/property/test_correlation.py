"""The correlation estimator against direct sums, at every cut of its input, and the matrices it gives."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernels import correlation as kernels
from monitor.engine.composite import TicksFold
from monitor.engine.correlation import CorrelationView, gather, view_of
from monitor.engine.correlation_estimator import CorrelationEstimator
from monitor.engine.minutes import MINUTE_US, Minute, Sample
from schemas.ids import canonical
from schemas.records import Heartbeat, PriceTick, Tick
from tests.property.correlation_batch import Floats, History, estimated, history, matrices

START_US = 1_760_054_400_000_000


def paths(rng: np.random.Generator, minutes: int, coins: int) -> Floats:
    """Return correlated log price paths, f8[minutes, coins], of changing volatility and now and then a jump."""
    factor = rng.standard_normal((minutes, 1))
    own = rng.standard_normal((minutes, coins))
    scale = np.exp(0.5 * np.sin(np.arange(minutes) / 40.0))[:, None] * rng.uniform(3e-4, 2e-3, coins)
    share = rng.uniform(-0.5, 0.95, coins)
    steps = scale * (share * factor + np.sqrt(1.0 - share**2) * own)
    steps[rng.random((minutes, coins)) < 0.005] *= 30.0
    if rng.random() < 0.3:
        steps[:, 0] = 1e-5 * own[:, 0]  # a dollar token
        if rng.random() < 0.5:
            steps[minutes // 2 :, 0] *= 500.0
    if coins > 1 and rng.random() < 0.2:
        steps[:, -1] = steps[:, -2]  # the same coin twice: no estimate of full rank
    out: Floats = np.cumsum(steps, axis=0)
    return out


def stretches(rng: np.random.Generator, minutes: int, share: float) -> np.ndarray:
    """Return random stretches of minutes, about `share` of them."""
    out = np.zeros(minutes, dtype=np.bool_)
    while out.mean() < share:
        start = rng.integers(0, minutes)
        out[start : start + rng.integers(1, 15)] = True
    return out


def minute_stream(seed: int) -> list[Minute]:
    """Return minutes with holds, silences, coins that come late, and leaps."""
    rng = np.random.default_rng(seed)
    coins, count = int(rng.integers(1, 6)), int(rng.integers(110, 280))
    price = 100.0 * np.exp(paths(rng, count, coins))
    held = np.array([stretches(rng, count, rng.choice([0.0, 0.05, 0.2])) for _ in range(coins)])
    silent = np.array([stretches(rng, count, rng.choice([0.0, 0.0, 0.3])) for _ in range(coins)])
    first = np.where(rng.random(coins) < 0.3, rng.integers(0, 60, coins), 0)
    out = []
    time_us = START_US
    ticked = np.full(coins, START_US)
    for k in range(count):
        skipped = 0
        if rng.random() < 0.004:
            skipped = int(rng.integers(10, 400))  # never fewer: it takes a day of silence
        time_us += (1 + skipped) * MINUTE_US
        ticked[~silent[:, k]] = time_us - int(rng.integers(0, MINUTE_US))
        samples = {
            f"C{i}": Sample(float(price[k, i]), bool(held[i, k]), False, int(ticked[i]))
            for i in range(coins)
            if k >= first[i]
        }
        out.append(Minute(time_us, samples, skipped))
    return out


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_the_estimate_is_that_of_direct_sums(seed: int) -> None:
    """At every minute the set of coins is that of the rules, and each correlation equals direct sums to 1e-9."""
    stream = minute_stream(seed)
    past = history(stream)
    estimator = CorrelationEstimator()
    known: set[str] = set()
    for k, minute in enumerate(stream):
        estimator.on_minute(minute)
        if np.isnan(past.z[k]).all():
            continue
        known = estimated(past, k, known)
        view = estimator.view
        assert set(view.underlyings) - set(view.quiet) == known
        places = [list(estimator._returns).index(name) for name in sorted(known)]
        mine = estimator._estimates(places)
        columns = [past.names.index(name) for name in sorted(known)]
        _, fast, slow = matrices(past, k)
        for found, expected in zip(mine, (fast, slow), strict=True):
            np.testing.assert_allclose(found, expected[np.ix_(columns, columns)], rtol=0.0, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_a_version_is_published_when_a_correlation_has_moved_and_only_then(seed: int) -> None:
    """A new version has another set of coins or a correlation that moved by more than 0.005; none waits."""
    stream = minute_stream(seed)
    past = history(stream)
    estimator = CorrelationEstimator()
    for k, minute in enumerate(stream):
        before = estimator.view
        estimator.on_minute(minute)
        view = estimator.view
        assert view.version - before.version in {0, 1}
        moving = [name for name in view.underlyings if name not in view.quiet]
        if view.version == before.version:
            if not np.isnan(past.z[k]).all() and moving:
                assert distance_from_direct(view, moving, past, k) <= 0.005 + 2e-6
            continue
        assert view.time_us == minute.time_us
        if (view.underlyings, view.quiet) == (before.underlyings, before.quiet):
            moved = max(np.abs(view.fast - before.fast).max(), np.abs(view.slow - before.slow).max())
            assert moved > 0.005
        if moving:
            assert distance_from_direct(view, moving, past, k) <= 1e-6


def distance_from_direct(view: CorrelationView, moving: list[str], past: History, k: int) -> float:
    """Return how far the published matrices are from direct sums; 0 where those need a repair."""
    columns = [past.names.index(name) for name in moving]
    places = [view.underlyings.index(name) for name in moving]
    _, fast, slow = matrices(past, k)
    far = 0.0
    for published, direct in ((view.fast, fast), (view.slow, slow)):
        square = direct[np.ix_(columns, columns)]
        if np.linalg.eigvalsh(square)[0] > 1.1e-4:
            far = max(far, float(np.abs(published[np.ix_(places, places)] - square).max()))
    return far


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_published_matrices_are_correlation_matrices(seed: int) -> None:
    """Every published matrix is symmetric with a unit diagonal and no eigenvalue below 1e-4."""
    estimator = CorrelationEstimator()
    for minute in minute_stream(seed):
        before = estimator.view.version
        estimator.on_minute(minute)
        view = estimator.view
        if view.version == before:
            continue
        for matrix in (view.fast, view.slow):
            assert (matrix == matrix.T).all()
            assert (np.diag(matrix) == 1.0).all()
            assert np.abs(matrix).max() <= 1.0
            assert np.linalg.eigvalsh(matrix)[0] >= 1e-4
            for name in view.quiet:
                assert np.abs(matrix[view.underlyings.index(name)]).sum() == 1.0
        moving = [k for k, name in enumerate(view.underlyings) if name not in view.quiet]
        among = np.ix_(moving, moving)
        p = len(moving)
        if p > 1:
            assert view.absorption_ratio == pytest.approx(np.linalg.eigvalsh(view.fast[among])[-1] / p, abs=1e-6)
            spread = np.linalg.norm(view.fast[among] - view.slow[among]) / np.sqrt(p * (p - 1))
            assert view.distance == pytest.approx(spread, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9), data=st.data())
def test_a_restored_estimator_goes_on_bit_for_bit(seed: int, data: st.DataObject) -> None:
    """At any cuts, an estimator restored from the JSON of its snapshot gives the same bytes, views and digests."""
    stream = minute_stream(seed)
    cuts = data.draw(st.sets(st.integers(0, len(stream)), max_size=3))
    whole = CorrelationEstimator()
    broken = CorrelationEstimator()
    for k, minute in enumerate(stream):
        if k in cuts:
            broken = CorrelationEstimator.restore(json.loads(canonical(broken.snapshot())))
        whole.on_minute(minute)
        broken.on_minute(minute)
        assert broken.view.version == whole.view.version
        assert broken.view.digest == whole.view.digest
    assert canonical(broken.snapshot()) == canonical(whole.snapshot())
    assert (broken._sums == whole._sums).all()


def tick_stream(seed: int, minutes: int = 130) -> list[Tick]:
    """Return ticks of three coins, one of them from two sources, with silences, wild prices and heartbeats."""
    rng = np.random.default_rng(seed)
    log_price = paths(rng, minutes * 2, 3)
    ticks: list[Tick] = []
    quiet = [stretches(rng, minutes, 0.15) for _ in range(3)]
    for k in range(minutes * 2):
        time_us = START_US + k * 30_000_000 + int(rng.integers(0, 30_000_000))
        for i, sources in enumerate((("a", "b"), ("a",), ("a",))):
            for source in sources:
                if quiet[i][k // 2] or rng.random() < 0.2:
                    continue
                wild = 1.5 if rng.random() < 0.01 else 1.0
                ticks.append(
                    PriceTick(
                        underlying=f"C{i}", source=source, price_kind="trade", index_source=True,
                        price=100.0 * wild * float(np.exp(log_price[k, i])), instrument=f"C{i}-USD",
                        event_time_us=time_us, received_time_us=time_us, max_age_ms=int(rng.choice([20_000, 180_000])),
                    )
                )  # fmt: skip
        if rng.random() < 0.9:
            ticks.append(Heartbeat(source="publisher", event_time_us=time_us + 5))
    return ticks


class Told:
    """Keeps what a listener of the fold is told."""

    def __init__(self) -> None:
        self.minutes: list[Minute] = []

    def on_minute(self, minute: Minute) -> None:
        self.minutes.append(minute)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**9), data=st.data())
def test_the_fold_carries_the_estimate(seed: int, data: st.DataObject) -> None:
    """Through ticks, holds and restarts at random, the fold's view is the direct one, and each version is reported."""
    ticks = tick_stream(seed)
    cuts = data.draw(st.sets(st.integers(0, len(ticks) - 1), max_size=3))
    fold, told = TicksFold(), Told()
    fold._listeners = (*fold._listeners, told)
    for k, tick in enumerate(ticks):
        if k in cuts:
            fold = TicksFold.restore(json.loads(canonical(fold.snapshot())))
            fold._listeners = (*fold._listeners, told)
        before = fold.correlation.version
        change = fold.apply(tick)
        assert change.correlation == (fold.correlation.version != before)
    times = [minute.time_us for minute in told.minutes]
    assert times == sorted(set(times))
    assert any(sample.held for minute in told.minutes for sample in minute.samples.values())
    past = history(told.minutes)
    view = fold.correlation
    last = max(k for k, minute in enumerate(told.minutes) if minute.time_us == view.time_us) if view.version else 0
    moving = [name for name in view.underlyings if name not in view.quiet]
    if moving:
        assert distance_from_direct(view, moving, past, last) <= 1e-6


# --- completion ---------------------------------------------------------------------------------------

NAMES = [f"C{k}" for k in range(8)]


@st.composite
def random_views(draw: st.DrawFn) -> CorrelationView:
    rng = np.random.default_rng(draw(st.integers(0, 10**9)))
    n, quiet = draw(st.integers(1, 5)), draw(st.integers(0, 2))
    squares = []
    for _ in range(2):
        x = rng.standard_normal((n, n + 2)) + draw(st.sampled_from([0.0, 1.0, 3.0])) * rng.standard_normal((1, n + 2))
        scale = np.sqrt((x * x).sum(axis=1))
        micros = np.diag(np.full(n + quiet, 1_000_000))
        micros[:n, :n] = np.rint(1e6 * (0.999 * (x @ x.T) / np.outer(scale, scale) + 0.001 * np.eye(n)))
        squares.append(micros)
    names = tuple(NAMES[: n + quiet])
    return view_of(1, START_US, names, names[n:], squares[0], squares[1])


@settings(max_examples=100, deadline=None)
@given(view=random_views(), floor=st.sampled_from([0.0, 0.2, 0.5, 0.9]), asked=st.permutations(NAMES), data=st.data())
def test_a_completed_set_is_positive_definite_and_consistent(
    view: CorrelationView, floor: float, asked: list[str], data: st.DataObject
) -> None:
    """Any coins in any order get correlation matrices whose submatrices are the sets of fewer coins."""
    names = asked[: data.draw(st.integers(1, 8))]
    found = gather(view, names, floor)
    n = len(names)
    assert found.shape == (len(view.names), n, n)
    equal = np.full((n, n), floor) + (1.0 - floor) * np.eye(n)
    np.testing.assert_allclose(found[-1], equal, rtol=0.0, atol=1e-15)
    for matrix in found:
        assert (matrix == matrix.T).all()
        assert (np.diag(matrix) == 1.0).all()
        assert np.linalg.eigvalsh(matrix)[0] > 0.0
    some = data.draw(st.sets(st.integers(0, n - 1), min_size=1))
    fewer = gather(view, [names[k] for k in sorted(some)], floor)
    among = np.ix_(sorted(some), sorted(some))
    assert (found[:, among[0], among[1]] == fewer).all()


@settings(max_examples=60, deadline=None)
@given(view=random_views(), floor=st.sampled_from([0.2, 0.5]))
def test_a_new_coin_is_as_close_to_the_others_as_the_floor(view: CorrelationView, floor: float) -> None:
    """Its mean correlation with the coins that move is the floor's, or less where those hang together too little."""
    moving = [name for name in view.underlyings if name not in view.quiet]
    names = [*moving, "NEW", "NEWER", *view.quiet]
    for matrix, known in zip(gather(view, names, floor)[:2], (view.fast, view.slow), strict=True):
        n = len(moving)
        with_new = matrix[n, :n]
        size = np.sqrt(known[:n, :n].sum())
        expected = min(floor, np.sqrt(floor) * size / n)
        assert with_new.mean() == pytest.approx(expected, abs=1e-12)
        direction = known[:n, :n].sum(axis=1)
        np.testing.assert_allclose(with_new * size**2, with_new.sum() * direction, rtol=0.0, atol=1e-9)
        assert matrix[n, n + 1] == floor
        assert (matrix[n, n + 2 :] == 0.0).all()


# --- kernels ------------------------------------------------------------------------------------------


@st.composite
def symmetric(draw: st.DrawFn) -> Floats:
    """Return a symmetric matrix with a unit diagonal that often is no correlation matrix."""
    rng = np.random.default_rng(draw(st.integers(0, 10**9)))
    n = draw(st.integers(1, 20))
    x = rng.uniform(-1.0, 1.0, (n, n)) * draw(st.sampled_from([0.05, 0.5, 1.0]))
    out: Floats = np.tril(x, -1) + np.tril(x, -1).T + np.eye(n)
    return out


@settings(max_examples=100, deadline=None)
@given(matrix=symmetric(), least=st.sampled_from([0.0, 1e-4, 0.05]))
def test_kernels_agree_with_lapack(matrix: Floats, least: float) -> None:
    """Eigenvalues, eigenvectors and the test of definiteness are those of numpy; a repair is a correlation matrix."""
    n = len(matrix)
    expected = np.linalg.eigvalsh(matrix)
    values, vectors = np.empty(n), np.empty((n, n))
    assert kernels.eigen(matrix.copy(), values, vectors)
    np.testing.assert_allclose(np.sort(values), expected, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, matrix, rtol=0.0, atol=1e-12)
    if abs(expected[0] - least) > 1e-12:
        assert kernels.is_above(matrix, least) == (expected[0] > least)
    repaired = np.empty((n, n))
    assert kernels.repair(matrix, least, repaired)
    assert (np.diag(repaired) == 1.0).all()
    assert (repaired == repaired.T).all()
    assert np.linalg.eigvalsh(repaired)[0] > least - 1e-12
    if expected[0] > 2.0 * least + 1e-9:
        np.testing.assert_allclose(repaired, matrix, rtol=0.0, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(matrix=symmetric())
def test_the_largest_eigenvalue_is_that_of_lapack(matrix: Floats) -> None:
    """Of positive definite matrices it is numpy's to 5e-7, whatever leads or leads together."""
    square = matrix @ matrix
    assert kernels.largest_eigenvalue(square) == pytest.approx(np.linalg.eigvalsh(square)[-1], rel=5.1e-7)


@pytest.mark.parametrize("hidden", [2, 3, 10])
def test_a_start_without_the_leading_direction_does_not_hide_it(hidden: int) -> None:
    """The largest eigenvalue is found where the start of the iteration has none of its direction, or where two lead."""
    n = hidden + 1
    start = 0.5 + (0.6180339887498949 * np.arange(1, n + 1)) % 1.0
    away = np.eye(n)[0] - start[0] * start / (start @ start)
    away /= np.linalg.norm(away)
    assert kernels.largest_eigenvalue(np.eye(n) + 3.0 * np.outer(away, away)) == pytest.approx(4.0, rel=5.1e-7)
    assert kernels.largest_eigenvalue(np.diag([2.0, 2.0, *[1.0] * (n - 2)])) == pytest.approx(2.0, rel=5.1e-7)
    assert np.isnan(kernels.largest_eigenvalue(np.full((n, n), np.nan)))


@settings(max_examples=40, deadline=None)
@given(matrix=symmetric())
def test_a_repair_is_the_spectral_one(matrix: Floats) -> None:
    """It is V max(L, clip) V' scaled to a unit diagonal, at the first clip that is enough."""
    values, vectors = np.linalg.eigh(matrix)
    clip, smallest = 5e-5, -1.0
    # Scaling may press the smallest eigenvalue below the clip, which is then doubled.
    while smallest <= 1e-4:
        clip *= 2.0
        clipped = vectors @ np.diag(np.maximum(values, clip)) @ vectors.T
        expected = clipped / np.sqrt(np.outer(np.diag(clipped), np.diag(clipped)))
        smallest = np.linalg.eigvalsh(expected)[0]
    repaired = np.empty_like(matrix)
    assert kernels.repair(matrix, 1e-4, repaired)
    assume(smallest > 1e-4 + 1e-10)
    np.testing.assert_allclose(repaired, expected, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", list(itertools.combinations_with_replacement(range(3), 2)))
def test_what_is_no_number_is_seen(bad: float, place: tuple[int, int]) -> None:
    """A matrix with an element that is not finite is neither definite nor repaired."""
    matrix = np.eye(3)
    matrix[place] = matrix[place[::-1]] = bad
    assert not kernels.repair(matrix, 1e-4, np.empty((3, 3)))
    assert not kernels.eigen(matrix, np.empty(3), np.empty((3, 3)))
    if np.isnan(bad):
        matrix = np.eye(3)
        matrix[place] = matrix[place[::-1]] = bad
        assert not kernels.is_above(matrix, 0.0)
