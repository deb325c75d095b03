"""Pieces of certificates against closed forms, mpmath and QuantLib."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from kernels import netting, scenarios, surface
from kernels._jit import Floats
from kernels.certificates import conditions, correlation, intervals, smile, tangents
from kernels.certificates import rows as row_kernels
from tests.certificate_books import SHOCKS, THRESHOLDS, Coin, Held, World, certify, coin, funded, solve

mpmath.mp.dps = 40

RATIO = np.array([0.90, 0.85, 1.0, 0.95, 1.25, 1.0])
TABLE = scenarios.scenario_table(0.16, 4, (-0.66, 1.0))


def one(
    kind: int, *, call: bool = True, strike: float = 100.0, years: float = 0.1, code: int = 0,
    parameters: tuple[float, ...] = (0.6, 0.0, 0.0, 0.0, 0.0), lo: float = -9.0, hi: float = 9.0, funding: float = 0.0,
    basis: float = 0.0,
) -> Coin:  # fmt: skip
    """An underlying at 100 with a single row."""
    return Coin(
        np.array([kind]), np.array([call]), np.ones(1), np.array([strike]), 4, TABLE, 100.0, np.array([basis]),
        np.array([funding]), np.array([years]), np.array([code]), np.array([parameters], dtype=np.float64),
        np.array([lo]), np.array([hi]),
    )  # fmt: skip


def black(call: bool, f: mpmath.mpf, k: float, s: mpmath.mpf) -> mpmath.mpf:
    """Undiscounted Black-76 in 40 digits."""
    d = mpmath.log(f / k) / s + s / 2
    if call:
        return f * mpmath.ncdf(d) - k * mpmath.ncdf(d - s)
    return k * mpmath.ncdf(s - d) - f * mpmath.ncdf(-d)


def stdev(of: Coin, x: mpmath.mpf, direction: int) -> mpmath.mpf:
    """Vol sqrt(T) after a shock, the price moved by x, by the formulas of the surface in 40 digits."""
    p, t = [mpmath.mpf(v) for v in of.parameters[0]], mpmath.mpf(float(of.years[0]))
    k = mpmath.log(of.strike[0] / (mpmath.mpf(float(of.forward[0])) * (1 + x)))
    vol = p[0]
    if of.code[0] == surface.SMILE:
        z = k / mpmath.sqrt(t)
        vol = p[0] + p[1] * z + p[2] * z * z
    elif of.code[0] == surface.SVI:
        vol = mpmath.sqrt((p[0] + p[1] * (p[2] * (k - p[3]) + mpmath.sqrt((k - p[3]) ** 2 + p[4] ** 2))) / t)
    days = t * 365
    scale = (30 / max(days, mpmath.mpf(1))) ** (mpmath.mpf(0.3) if days <= 30 else mpmath.mpf(0.13))
    if direction > 0:
        vol = max(vol * (1 + scale / 2), mpmath.mpf(0.5))
    elif direction < 0:
        vol *= max(1 - scale / 4, 0)
    return vol * mpmath.sqrt(t)


OPTIONS = [
    {"strike": 100.0}, {"strike": 120.0, "call": False}, {"strike": 85.0, "years": 0.02},
    {"strike": 104.0, "code": 1, "parameters": (0.6, -0.1, 0.05, 0.0, 0.0)},
    {"strike": 90.0, "code": 1, "parameters": (0.5, 0.08, 0.1, 0.0, 0.0), "years": 0.01, "call": False},
    {"strike": 110.0, "code": 2, "parameters": (0.01, 0.08, -0.4, 0.02, 0.1)},
]  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", [scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION])
def test_slopes_and_curvature_bound_derivatives_in_forty_digits(kind: int, option: dict[str, float]) -> None:
    """Slopes of cells are total derivatives along the smile, and second derivatives stay within their bounds."""
    of, radius = one(kind, **option), 0.05  # type: ignore[arg-type]
    cells, own, good = of.tangents(np.zeros(1, dtype=np.int64), radius)
    assert good[0]
    call, strike, forward = bool(of.is_call[0]), float(of.strike[0]), mpmath.mpf(float(of.forward[0]))

    def value(s: int, x: mpmath.mpf) -> mpmath.mpf:
        f = forward * (1 + mpmath.mpf(float(TABLE.move[s]))) * (1 + x)
        return mpmath.mpf(float(TABLE.weight[s])) * black(call, f, strike, stdev(of, x, int(TABLE.vol_direction[s])))

    def own_value(x: mpmath.mpf) -> mpmath.mpf:
        return black(call, forward * (1 + x), strike, stdev(of, x, 0))

    base = mpmath.diff(own_value, 0)
    assert own[0, tangents.SLOPE] == pytest.approx(float(base), abs=1e-11 * 100.0)
    for s in (0, 1, 2, 12, 13, 14, 25, 27, 28):
        slope = mpmath.diff(lambda x, s=s: value(s, x), 0) - mpmath.mpf(float(TABLE.weight[s])) * base
        assert cells[0, tangents.SLOPE, s] == pytest.approx(float(slope), abs=1e-11 * 100.0)
        for x in np.linspace(-radius, radius, 9):
            second = float(mpmath.diff(lambda v, s=s: value(s, v), mpmath.mpf(float(x)), 2))
            assert second <= cells[0, tangents.ABOVE, s] * (1.0 + 1e-9) + 1e-9
            assert second >= -cells[0, tangents.BELOW, s] * (1.0 + 1e-9) - 1e-9


def test_slope_and_curvature_are_quantlibs_delta_and_gamma() -> None:
    """With a small radius and a flat volatility, slope is F delta and the bound F^2 gamma, by QuantLib."""
    for call, strike, years in itertools.product((True, False), (60.0, 95.0, 100.0, 140.0), (0.003, 0.1, 1.0)):
        of = one(scenarios.LINEAR_OPTION, call=call, strike=strike, years=years)
        _, own, _ = of.tangents(np.zeros(1, dtype=np.int64), 1e-7)
        kind = ql.Option.Call if call else ql.Option.Put
        greeks = ql.BlackCalculator(ql.PlainVanillaPayoff(kind, strike), 100.0, 0.6 * math.sqrt(years), 1.0)
        assert own[0, tangents.SLOPE] == pytest.approx(100.0 * greeks.deltaForward(), rel=1e-10, abs=1e-11)
        assert own[0, tangents.ABOVE] == pytest.approx(1e4 * greeks.gammaForward(), rel=1e-3, abs=1e-9)
        assert own[0, tangents.BELOW] == 0.0
        assert own[0, tangents.KINK] == 0.0


def test_curvature_is_local() -> None:
    """A strike that cannot be reached brings no peak: a day before expiry, 20 % away, there is next to no curvature."""
    of = one(scenarios.LINEAR_OPTION, strike=125.0, years=1.0 / 365.0)
    near = of.tangents(np.zeros(1, dtype=np.int64), 0.03)[1][0, tangents.ABOVE]
    far = of.tangents(np.zeros(1, dtype=np.int64), 0.27)[1][0, tangents.ABOVE]
    assert near < 1e-4
    assert far > 1e3


@pytest.mark.parametrize(
    "of",
    [
        one(scenarios.LINEAR_OPTION, years=0.0), one(scenarios.LINEAR_OPTION, code=-1),
        one(scenarios.LINEAR, funding=math.nan),
        one(scenarios.LINEAR, basis=-1.0), one(7), one(scenarios.INVERSE_OPTION, strike=math.nan), one(-1),
        one(scenarios.LINEAR_OPTION, code=2, parameters=(0.0, 0.0, 0.0, 0.0, 0.1)),
    ],
)  # fmt: skip
def test_what_cannot_be_bounded_is_not_certifiable(of: Coin) -> None:
    """Expired options, no volatility, variances of zero, prices and kinds that mean nothing."""
    assert not of.tangents(np.zeros(1, dtype=np.int64), 0.05)[2][0]


def test_a_price_that_is_partly_fixed_is_not_certifiable() -> None:
    """Inside its settlement window a contract may be part of no certificate."""
    of, rows = one(scenarios.LINEAR), np.zeros(1, dtype=np.int64)
    path, own, good = np.empty((1, 3, smile.PATH)), np.empty((1, tangents.VALUE)), np.empty(1, dtype=np.bool_)
    row_kernels.prepare(
        rows, of.kind, of.is_call, of.size, of.strike, of.forward, np.array([1.0]), of.funding, of.years, of.vol(),
        of.code, of.parameters, of.lo, of.hi, 100.0, SHOCKS, 0.05, path, own, good,
    )  # fmt: skip
    assert not good[0]


@pytest.mark.parametrize(
    ("equity", "requirement", "expected"),
    [
        (100.0, 50.0, (0.85, 1.0, 0.0, 0.0)), (100.0, 92.0, (0.95, 1.0, 0.90, 1.0)), (100.0, 110.0, (1.25, 1.0, 1.0,
        1.0)), (100.0, 200.0, (1.0, 0.0, 1.25, 1.0)), (-1.0, 200.0, (0.0, 0.0, 1.0, 0.0)), (100.0, 0.0, (0.85, 1.0, 0.0,
        0.0)),
    ],
)  # fmt: skip
def test_constraints_are_the_nearest_thresholds(equity: float, requirement: float, expected: tuple[float, ...]) -> None:
    """Of six thresholds the two next to the ratio hold the bits, and the sign of equity where there is none."""
    out = np.empty(4)
    assert conditions.constraints(equity, requirement, RATIO, out)
    assert tuple(out) == expected


@pytest.mark.parametrize(
    ("equity", "requirement"),
    [(0.0, 1.0), (math.nan, 1.0), (1.0, math.inf), (1.0, -1.0), (100.0, 90.0), (100.0, 125.0)],
)
def test_no_constraints_without_a_side(equity: float, requirement: float) -> None:
    """No equity, no numbers, or an account exactly on a threshold: no certificate."""
    assert not conditions.constraints(equity, requirement, RATIO, np.empty(4))


def test_ratios_are_of_im() -> None:
    """Only liquidation is entered by MM; its ratio of IM is the threshold over the factor."""
    out = np.empty(6)
    conditions.ratios(THRESHOLDS, 0.8, out)
    assert out.tolist() == RATIO.tolist()


def test_a_state_watches_its_own_ways_out() -> None:
    """Each state has the thresholds that end it or a timer of it, and all of them if their order is unusual."""
    expected = {
        conditions.HEALTHY: {0.90}, conditions.WARNING: {1.25, 1.0, 0.85}, conditions.MARGIN_CALL: {1.25, 0.95},
        conditions.LIQUIDATION: {1.0}, conditions.BANKRUPT: set(), conditions.RECOVERED: {1.25},
    }  # fmt: skip
    out = np.empty(6)
    for status, ratios in expected.items():
        assert set(out[: conditions.watched(status, RATIO, out)].tolist()) == ratios
    odd = RATIO.copy()
    odd[1] = 0.99
    assert conditions.watched(conditions.HEALTHY, odd, out) == 6
    assert conditions.watched(-1, RATIO, out) == 6


def test_intervals_are_roots() -> None:
    """The ends are where the first curve has used up the budget, whatever of slope, curve and kink is zero."""
    for slope, curve, kink in itertools.product((-3.0, 0.0, 1e-12, 2.0), (0.0, 1e-14, 5.0, 1e6), (0.0, 0.5)):
        curves = np.array([[7.0, 7.5], [slope, -slope], [curve, 0.0], [kink, kink]])
        low, high = intervals.interval(curves, 2, 0.04, 0.25)
        for end, sign in ((low, -1.0), (high, 1.0)):
            left = [
                curves[0, s] + curves[1, s] * end - curves[2, s] * end * end / 2.0 - curves[3, s] * abs(end) - 6.96
                for s in range(2)
            ]
            assert min(left) >= -1e-12
            assert abs(end) == pytest.approx(0.25) or min(left) == pytest.approx(0.0, abs=1e-12)
            assert sign * end >= 0.0


def test_budgets_are_shares() -> None:
    """Budgets are not negative, add up to the room, and give places of one shape widths that are alike."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        size = int(rng.integers(1, 6))
        curves = np.abs(rng.normal(0.0, 1.0, (size, 4, 7))) * 10.0 ** rng.uniform(-3.0, 3.0, (size, 1, 1))
        budget, count = np.empty(size), np.full(size, 7, dtype=np.int64)
        intervals.split(curves, count, 0.3, 0.25, budget)
        assert (budget >= 0.0).all()
        assert budget.sum() == pytest.approx(0.3, rel=1e-12)
        widths = [intervals.interval(curves[u], 7, budget[u], 0.25) for u in range(size)]
        reached = [min(-low, high) for low, high in widths]
        assert max(reached) <= 2.0 * min(reached) or max(reached) > 0.2


def matrices_of(rng: np.random.Generator, size: int) -> Floats:
    """Two random correlation matrices and the floor."""
    found = [np.corrcoef(rng.normal(size=(size, 3 * size))).reshape(size, size) for _ in range(2)]
    found.append(np.full((size, size), 0.5))
    for m in found:
        np.fill_diagonal(m, 1.0)
    return np.array([(m + m.T) / 2.0 for m in found])


def test_the_upper_tolerance_is_used_up_by_the_worst_change() -> None:
    """Correlations moved against every pair by the tolerance raise the norm by exactly the budget."""
    rng = np.random.default_rng(5)
    for _ in range(100):
        size, k = int(rng.integers(2, 6)), float(rng.uniform(0.0, 0.9))
        matrices, w = matrices_of(rng, size), rng.normal(0.0, 1e6, size)
        norm = netting.norm(w, matrices, k)
        budget = norm * float(10.0 ** rng.uniform(-6.0, -1.0))
        eps = correlation.upper_tolerance(w, norm, k, budget)
        change = eps * np.sign(np.outer(w, w)) * (1.0 - np.eye(size))
        assert netting.norm(w, matrices + change, k) == pytest.approx(norm + budget, rel=1e-9)
    assert correlation.upper_tolerance(np.array([1.0]), 1.0, 0.1, 0.5) == math.inf


def test_a_scaled_mixture_stays_admissible() -> None:
    """With correlations changed by the tolerance no hedge has a norm below t times its old one."""
    rng = np.random.default_rng(6)
    for _ in range(300):
        size, k = int(rng.integers(2, 6)), float(rng.choice([0.0, 0.1, 0.5, 1.0]))
        matrices = matrices_of(rng, size)
        eta = correlation.sensitivity(size, k, float(np.linalg.eigvalsh(matrices[-1])[0]))
        t = float(rng.uniform(0.5, 1.0))
        eps = min(correlation.lower_tolerance(t, 1.0, eta), 2.0)
        change = rng.uniform(-eps, eps, matrices.shape)
        change = np.triu(change, 1) + np.swapaxes(np.triu(change, 1), 1, 2)
        for _ in range(20):
            w = rng.normal(0.0, 1.0, size)
            if rng.random() < 0.5:
                w[int(rng.integers(size))] = 0.0
            against = change if rng.random() < 0.5 else -eps * np.sign(np.outer(w, w)) * (1.0 - np.eye(size))
            least = max(
                (1.0 - k) * float(np.max([w @ m @ w for m in matrices + against])) + k * np.abs(w).sum() ** 2, 0.0
            )
            assert math.sqrt(least) >= t * netting.norm(w, matrices, k) * (1.0 - 1e-12)


def test_paths_contain_the_volatility_of_the_surface() -> None:
    """Along every smile the volatility stays in its range, and its slope within its bound."""
    rng = np.random.default_rng(7)
    for _ in range(100):
        of = coin(rng)
        for i in range(5, len(of.kind)):
            down, up = math.log(0.9), math.log(1.1)
            path = smile.vol_path(
                int(of.code[i]), of.parameters[i], of.lo[i], of.hi[i], of.strike[i], of.forward[i], of.years[i],
                float(of.vol()[i]), down, up,
            )  # fmt: skip
            if math.isnan(path.low):
                continue
            steps = np.linspace(down, up, 101)
            vols = np.array([of.moved(math.exp(y) - 1.0).vol()[i] for y in steps[::10]])
            assert (vols >= path.low * (1.0 - 1e-12)).all()
            assert (vols <= path.high * (1.0 + 1e-12)).all()
            steepest = np.abs(np.diff(vols)).max() / (10.0 * (steps[1] - steps[0]))
            assert steepest <= (path.steep + path.kink) * (1.0 + 1e-9) + 1e-12


def perpetual() -> World:
    """One underlying with a linear perpetual."""
    return World([one(scenarios.LINEAR)], np.ones((1, 1, 1)), 0.1)


@pytest.mark.parametrize("ratio", [0.7, 0.92, 0.97, 1.1, 2.0])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_an_account_of_perpetuals_is_certified_to_its_true_thresholds(ratio: float, side: float) -> None:
    """Where everything is a line a certificate without shares ends within 1e-5 of where a bit changes."""
    of, held = perpetual(), [Held(0, np.zeros(1, dtype=np.int64), np.array([side * 10.0]))]
    found = funded(of, held, ratio)
    c = certify(of, found, 0.3, (0.0, 0.0))
    assert c is not None
    bits = solve(of, found).bits
    for end in c.x[0]:
        if abs(end) < 0.3:
            assert solve(of.moved(np.array([end])), found).bits == bits
            assert solve(of.moved(np.array([end * 1.0001])), found).bits != bits


def options_of(*strikes: tuple[bool, float], days: float = 20.0) -> World:
    """One underlying with some linear options."""
    n = len(strikes)
    return World(
        [
            Coin(
                np.full(n, scenarios.LINEAR_OPTION), np.array([call for call, _ in strikes]), np.ones(n), np.array([k
                for _, k in strikes]), 8, scenarios.scenario_table(0.16, 8, ()), 100.0, np.zeros(n), np.zeros(n),
                np.full(n, days / 365.0), np.zeros(n, dtype=np.int64), np.full((n, 5), 0.6), np.zeros(n), np.zeros(n),
            )
        ],
        np.ones((1, 1, 1)), 0.1,
    )  # fmt: skip


def test_long_gamma_is_free() -> None:
    """A straddle that needs little where it is gets the interval of its tangents: curvature takes nothing from it."""
    of = options_of((True, 100.0), (False, 100.0))
    held = [Held(0, np.arange(2), np.array([10.0, 10.0]))]
    for ratio in (0.92, 1.1):  # safe in the middle, and in a call
        found = funded(of, held, ratio)
        c = certify(of, found, 0.05, (0.0, 0.0))
        assert c is not None
        bits = solve(of, found).bits
        for x in np.linspace(c.x[0, 0], c.x[0, 1], 41):
            assert solve(of.moved(np.array([x])), found).bits == bits
        cells, own, _ = of.coins[0].tangents(np.arange(2), 0.05)
        assert cells[:, tangents.BELOW].max() == own[:, tangents.BELOW].max() == 0.0


def test_one_far_short_near_expiry() -> None:
    """A short far out of the money, hours before expiry: certified while its strike is far, and never too widely."""
    of = options_of((True, 112.0), days=0.3)
    found = funded(of, [Held(0, np.zeros(1, dtype=np.int64), np.array([-10.0]))], 0.7)
    bits = solve(of, found).bits
    for radius in (0.01, 0.05, 0.25):
        c = certify(of, found, radius, (0.0, 0.0))
        assert c is not None
        for x in np.linspace(c.x[0, 0], c.x[0, 1], 101):
            assert solve(of.moved(np.array([x])), found).bits == bits


def test_market_makers() -> None:
    """300 positions in one underlying, on a threshold but for 1 % or 1e-6 of it, long and short of everything."""
    rng = np.random.default_rng(8)
    for ratio in (0.891, 0.9 * (1.0 - 1e-6), 0.9 * (1.0 + 1e-6), 1.24):
        of = World([coin(rng, options=295)], np.ones((1, 1, 1)), 0.1)
        rows = np.arange(300)
        unit = np.where(of.coins[0].kind == scenarios.INVERSE, 10.0, of.coins[0].index)
        found = funded(of, [Held(0, rows, rng.normal(0.0, 1e5, 300) / unit)], ratio)
        bits = solve(of, found).bits
        c = certify(of, found, 0.02)
        if c is None:  # a smile that may reach no variance, somewhere among 295
            continue
        for x in (*np.linspace(c.x[0, 0], c.x[0, 1], 11),):
            assert solve(of.moved(np.array([x])), found).bits == bits


def test_certificates_that_are_a_little_wider_are_wrong() -> None:
    """Stretched by 5 %, without shares, at least a third of all limited certificates are broken at a corner."""
    broken = limited = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        of = World([coin(rng)], np.ones((1, 1, 1)), 0.1)
        rows = np.sort(rng.choice(len(of.coins[0].kind), 6, replace=False)).astype(np.int64)
        unit = np.where(of.coins[0].kind == scenarios.INVERSE, 10.0, of.coins[0].index)[rows]
        found = funded(of, [Held(0, rows, rng.normal(0.0, 1e5, 6) / unit)], float(rng.choice([0.88, 0.92, 0.97, 1.2])))
        c = certify(of, found, 0.03, (0.0, 0.0))
        if c is None:
            continue
        ends = [x for x in c.x[0] if abs(x) < 0.0299]
        if not ends:
            continue
        limited += 1
        bits = solve(of, found).bits
        assert all(solve(of.moved(np.array([x])), found).bits == bits for x in ends)
        broken += any(solve(of.moved(np.array([1.05 * x])), found).bits != bits for x in ends)
    assert limited > 15
    assert broken >= limited / 3
