"""Model D: expected shortfall over joint scenarios of all underlyings, with correlations under stress.

    now = max(ES, floor) + C_corr,   C_corr = max(0, max over targets T of ES((1 - k) R + k T) - ES(R))
    IM  = max(now, (1 - b) now + b stress),   MM = mm_factor IM

ES is the shortfall of the portfolio's P&L, coins held as collateral included; R the matrix in force with the largest
ES; stress the worst loss under the moves of recorded crashes. `docs/margin-model-d.md` has every term.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from kernels._jit import Bools, Floats
from kernels.distributions import delta_normal_var
from kernels.joint import shortfall, stress
from kernels.joint.shortfall import Shortfall
from kernels.tail import Convention
from monitor.models.joint_scenarios import Held, Outcome, Scenarios, drawn, held_of, long_run, past
from monitor.models.margin import Margin, Part, Worst
from monitor.models.portfolio import Portfolio
from schemas.joint import JointParameters

MODEL = "D"
COMPONENTS = ("shortfall", "floor", "correlation", "procyclicality")
CONVENTIONS: tuple[Convention, ...] = ("weighted", "tail_mean", "beyond")
LISTED = 10  # scenarios of the tail that a margin names
MOVERS = 8  # underlyings that a label names

DISTANCE_GRID = 10
DISTANCE_HALVINGS = 20


@dataclass(frozen=True, eq=False)
class _Base:
    """The scenarios, the matrix in force, and the P&L under it; `by_matrix` is the shortfall under each, USD."""

    scenarios: Scenarios
    matrix: Floats
    outcome: Outcome
    found: Shortfall
    by_matrix: dict[str, float]

    @cached_property
    def tail(self) -> shortfall.Worst:
        """Return the scenarios that the shortfall averages."""
        return shortfall.worst(self.outcome.pnl, self.found.tail)

    def es_usd(self, target: stress.Target, k: float) -> float:
        """Return the shortfall with correlations moved to a target by k."""
        held, parameters = self.scenarios.held, self.scenarios.parameters
        if k == 0.0 or len(held.names) < 2:
            return self.found.es_usd
        moved = stress.blend(self.matrix, stress.target(target, held.exposure_usd), k)
        pnl = self.scenarios.under(moved).pnl
        return shortfall.shortfall(pnl, parameters.confidence, parameters.es_convention).es_usd


def margin(portfolio: Portfolio, parameters: JointParameters, parameter_hash: str) -> Margin:
    """Return the margin of a portfolio under model D.

    Requirements are NaN, with reasons, where a price or a value is missing, a volatility is and none is assumed, past
    returns are too few, or no correlation matrix is finite. Reasons with figures: `assumed_volatility:X`,
    `assumed_correlation` (nothing is estimated), and `no_history:X` of a dollar token whose moves are drawn instead.
    """
    held = held_of(portfolio, parameters)
    scenarios, refused = _scenarios(portfolio, held, parameters)
    degraded = [*refused, *(f"assumed_volatility:{name}" for name in held.assumed)]
    if _uses_matrices(held, parameters) and portfolio.correlations.version == 0:
        degraded.append("assumed_correlation")
    base = _base(portfolio, scenarios) if scenarios is not None and not portfolio.missing else None
    if scenarios is not None and base is None and not portfolio.missing:
        degraded.append("no_correlation")
    reasons = tuple(sorted({*degraded, *portfolio.missing}))
    if base is None:
        return _unknown(portfolio, parameter_hash, reasons)
    k = _stress_in_force(portfolio, parameters)
    stressed = {name: base.es_usd(name, k) for name in stress.TARGETS}
    worst_usd, stress_usd = _long_run_usd(portfolio, base.scenarios)
    components = _components(base, {name: stressed[name] for name in parameters.stress_targets}, stress_usd)
    mm_components = {name: parameters.mm_factor * usd for name, usd in components.items()}
    statistics = _statistics(base, stressed, k)
    statistics |= {"long_run_stress_usd": stress_usd, **worst_usd}
    return Margin(
        model=MODEL,
        parameter_hash=parameter_hash,
        market_time_us=portfolio.market_time_us,
        equity_usd=portfolio.equity_usd,
        im_requirement_usd=math.fsum(components.values()),
        mm_requirement_usd=math.fsum(mm_components.values()),
        im_components=components,
        mm_components=mm_components,
        worst=_worst(base),
        parts=_parts(base),
        statistics=statistics,
        flags=portfolio.flags,
        degraded=reasons,
    )


def correlation_distance(portfolio: Portfolio, parameters: JointParameters) -> float:
    """Return k*, the least k at which the maintenance requirement is not below equity; infinite if none up to 1 is.

    Shortfalls need not rise with k, so a grid finds the first breach and halving the k in it, to 1e-7. NaN where the
    margin is.
    """
    held = held_of(portfolio, parameters)
    scenarios, _ = _scenarios(portfolio, held, parameters)
    base = _base(portfolio, scenarios) if scenarios is not None and not portfolio.missing else None
    if base is None:
        return math.nan
    equity, (_, stress_usd) = portfolio.equity_usd, _long_run_usd(portfolio, base.scenarios)

    def is_breached(k: float) -> bool:
        stressed = {name: base.es_usd(name, k) for name in parameters.stress_targets}
        requirement = parameters.mm_factor * math.fsum(_components(base, stressed, stress_usd).values())
        return not requirement < equity

    low = 0.0
    if is_breached(low):
        return low
    for step in range(1, DISTANCE_GRID + 1):
        high = step / DISTANCE_GRID
        if is_breached(high):
            for _ in range(DISTANCE_HALVINGS):
                middle = 0.5 * (low + high)
                low, high = (low, middle) if is_breached(middle) else (middle, high)
            return high
        low = high
    return math.inf


def _uses_matrices(held: Held, parameters: JointParameters) -> bool:
    """Return whether scenarios have the correlations in force, and not those of the past or none."""
    is_now = parameters.scenarios == "monte_carlo" or parameters.historical_correlation == "now"
    return is_now and len(held.names) > 1


def _stress_in_force(portfolio: Portfolio, parameters: JointParameters) -> float:
    return portfolio.correlations.stress if parameters.stress_k is None else parameters.stress_k


def _tokens(portfolio: Portfolio, held: Held) -> Bools:
    return np.array([name in portfolio.stable_price for name in held.names], dtype=np.bool_)


def _scenarios(
    portfolio: Portfolio, held: Held, parameters: JointParameters
) -> tuple[Scenarios | None, tuple[str, ...]]:
    """Return the scenarios, None where they cannot be had, and why not or what stands in for something."""
    if held.refused:
        return None, tuple(f"no_volatility:{name}" for name in held.refused)
    if parameters.scenarios == "monte_carlo" or not held.names:
        return drawn(held, parameters), ()
    history = portfolio.correlations.history
    if history.shape[1] != len(portfolio.underlyings):
        return None, ("no_history",)
    history = np.ascontiguousarray(history[:, held.at])
    too_short = np.isfinite(history).sum(axis=0) < parameters.min_history
    tokens = too_short & _tokens(portfolio, held)
    names = tuple(f"no_history:{name}" for name, short in zip(held.names, too_short.tolist(), strict=True) if short)
    complete = history[np.isfinite(history[:, ~tokens]).all(axis=1)]
    if bool((too_short & ~tokens).any()):
        return None, names
    if complete.shape[0] < parameters.min_history:
        return None, (*names, "no_history")
    return past(held, parameters, complete, tokens), names


def _base(portfolio: Portfolio, scenarios: Scenarios) -> _Base | None:
    """Return the P&L under the matrix named, or under that with the largest shortfall, the first of ties."""
    held, parameters = scenarios.held, scenarios.parameters
    if not _uses_matrices(held, parameters):
        outcome = scenarios.under(None)
        found = shortfall.shortfall(outcome.pnl, parameters.confidence, parameters.es_convention)
        matrix = np.eye(len(held.names)) if scenarios.history is None else scenarios.history
        return _Base(scenarios, matrix, outcome, found, {})
    names, matrices = portfolio.correlations.names, portfolio.correlations.matrices
    chosen = [parameters.correlation] if parameters.correlation in names else list(names)
    best: _Base | None = None
    by_matrix: dict[str, float] = {}
    for name, whole in zip(names, matrices, strict=True):
        matrix = np.ascontiguousarray(whole[np.ix_(held.at, held.at)])
        if name not in chosen or not bool(np.isfinite(matrix).all()):
            continue
        outcome = scenarios.under(matrix)
        found = shortfall.shortfall(outcome.pnl, parameters.confidence, parameters.es_convention)
        by_matrix[name] = found.es_usd
        if best is None or found.es_usd > best.found.es_usd:
            best = _Base(scenarios, matrix, outcome, found, by_matrix)
    return best


def _long_run_usd(portfolio: Portfolio, scenarios: Scenarios) -> tuple[dict[str, float], float]:
    """Return the loss under each move of the long-run stress, and the worst of them, at least 0."""
    held, parameters = scenarios.held, scenarios.parameters
    pnl = long_run(held, parameters, _tokens(portfolio, held)).pnl.tolist()
    losses = {f"stress_{one.name}_usd": 0.0 - x for one, x in zip(parameters.stress_moves, pnl, strict=True)}
    return losses, max([0.0, *losses.values()])


def _components(base: _Base, stressed: dict[stress.Target, float], stress_usd: float) -> dict[str, float]:
    parameters, es = base.scenarios.parameters, base.found.es_usd
    floor_usd = parameters.floor * base.scenarios.held.notional_usd
    above = max(0.0, floor_usd - es)
    correlation = max([0.0, *(usd - es for usd in stressed.values())])
    now = es + above + correlation
    blended = (1.0 - parameters.procyclicality_blend) * now + parameters.procyclicality_blend * stress_usd
    return dict(zip(COMPONENTS, (es, above, correlation, max(0.0, blended - now)), strict=True))


def _statistics(base: _Base, stressed: dict[stress.Target, float], k: float) -> dict[str, float]:
    scenarios, pnl, found = base.scenarios, base.outcome.pnl, base.found
    held, parameters = scenarios.held, scenarios.parameters
    error = shortfall.standard_error(pnl, found, scenarios.group)
    z = NormalDist().inv_cdf(parameters.confidence)
    alone, together = delta_normal_var(held.exposure_usd, base.matrix, z, 1.0)
    alone_usd = math.fsum(alone.tolist())
    figures = {
        "var_usd": found.var_usd,
        "es_usd": found.es_usd,
        "standard_error_usd": error,
        "scenarios": float(pnl.size),
        "effective_scenarios": shortfall.effective_scenarios(pnl, found, error),
        "k": k,
        "floor_usd": parameters.floor * held.notional_usd,
        "delta_normal_var_usd": together,
        "diversification_usd": alone_usd - together,
        "gamma_shock_usd": max(0.0, -float((pnl - _first_order(base)).min())),
    }
    figures |= {f"es_{name}_usd": shortfall.shortfall(pnl, parameters.confidence, name).es_usd for name in CONVENTIONS}
    figures |= {f"es_{name}_usd": usd for name, usd in stressed.items()}
    figures |= {f"es_matrix_{name}_usd": usd for name, usd in base.by_matrix.items()}
    return {name: figure for name, figure in figures.items() if math.isfinite(figure)}


def _first_order(base: _Base) -> Floats:
    """Return what the deltas alone make of the scenarios, float64[N], USD."""
    out = np.zeros(base.outcome.pnl.shape)
    for delta_usd, move in zip(base.scenarios.held.delta_usd.tolist(), base.outcome.moves.index, strict=True):
        out += delta_usd * move
    return out


def _worst(base: _Base) -> tuple[Worst, ...]:
    """Return the first scenarios of the tail, worst first."""
    if not base.scenarios.held.names:
        return ()
    listed = zip(base.tail.scenario.tolist()[:LISTED], base.tail.weight.tolist()[:LISTED], strict=True)
    return tuple(
        Worst(_label(base, scenario), float(base.outcome.pnl[scenario]), scenario, weight=weight)
        for scenario, weight in listed
    )


def _label(base: _Base, scenario: int) -> str:
    held, outcome = base.scenarios.held, base.outcome
    largest = sorted(range(len(held.names)), key=lambda u: -abs(float(outcome.parts[u, scenario])))[:MOVERS]
    words = []
    for u in sorted(largest):
        word = f"{held.names[u]} {outcome.moves.index[u, scenario]:+.1%}"
        if held.has_options[u]:
            word += f" volatility {outcome.moves.volatility[u, scenario]:+.0%}"
        words.append(word)
    return ", ".join(words)


def _parts(base: _Base) -> tuple[Part, ...]:
    """Return the shortfall by underlying: what each adds to it."""
    held, mm_factor = base.scenarios.held, base.scenarios.parameters.mm_factor
    added = shortfall.allocation(base.outcome.parts, base.tail).tolist()
    return tuple(
        Part(one.name, one.position_usd, es, mm_factor * es, coins)
        for one, es, coins in zip(held.underlyings, added, held.delta_coins.tolist(), strict=True)
    )


def _unknown(portfolio: Portfolio, parameter_hash: str, reasons: tuple[str, ...]) -> Margin:
    nothing = dict.fromkeys(COMPONENTS, math.nan)
    return Margin(
        MODEL, parameter_hash, portfolio.market_time_us, portfolio.equity_usd, math.nan, math.nan, nothing,
        dict(nothing), flags=portfolio.flags, degraded=reasons,
    )  # fmt: skip
