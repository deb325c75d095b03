"""Why an initial requirement changed: eight groups of inputs, replaced one after the other from old to new.

| group | what is replaced |
|---|---|
| time | time to expiry, the fineness of model P's moves, settlement averages so far, funding |
| parameters | margin model and parameter values, price ranges of model P |
| price | index prices, under contracts and the entry sides of their coins |
| vol | volatility of each option |
| correlation | matrices of model P, and the regime that says which k is in force |
| basis | price/index - 1 of each contract or of its forward |
| collateral | index prices, under coins held as collateral |
| trades | positions and balances |

Each group's part is the change of the requirement when it alone is replaced, after those before it; the parts sum to
the change. Volatility is a number per option here: what a moving price does along a fixed smile counts as `vol`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from monitor.engine import walk
from monitor.engine.baseline import Baseline
from monitor.engine.column import Results, evaluate_exposure, is_plain, is_swept, range_of, refinement_of
from monitor.engine.grounds import Noted, Own, Share, coins_of
from monitor.engine.netting import matrices_of, stress_in
from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.pricing import Mark, Pricing, grid
from monitor.models.netted import solve
from schemas.records import AttributionBase, AttributionPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.engine.book import Book
    from monitor.engine.evaluation import Netted
    from monitor.engine.figures import Floats
    from monitor.engine.market import Market
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.state import Account
    from schemas.records import AttributionGroup, MarginModel, NettingParameters, Regime, RiskMatrixParameters


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything an initial requirement depends on.

    Maps are by underlying (`ranges`: what model P takes for the range of the risk matrix); `vols`, `bases`, `passed`
    (fixed, share and funding of a mark) and `contracts` by instrument. `coins` holds collateral and entry coins.
    `matrices` is float64[K, U, U] over the sorted underlyings that `coins` names.
    """

    grid_us: int
    passed: Mapping[str, tuple[float, float, float]]
    refinement: Mapping[str, int]
    model: MarginModel
    netting: NettingParameters
    risk_matrices: Mapping[str, RiskMatrixParameters]
    ranges: Mapping[str, float]
    index: Mapping[str, float]
    vols: Mapping[str, float]
    matrices: Floats
    regime: Regime
    bases: Mapping[str, float]
    collateral_index: Mapping[str, float]
    coins: Mapping[str, tuple[float, float]]
    contracts: Mapping[str, float]


def take_baseline(account: Account, market: Market, active: ActiveSet, book: Book) -> Baseline | None:
    """Return what the account's present requirement rests on; None as `note`."""
    im_usd = book.figures(account.name)[1]
    noted = note(account, market, active, book, im_usd)
    return None if noted is None else noted.made()


def note(account: Account, market: Market, active: ActiveSet, book: Book, im_usd: float) -> Noted | None:
    """Take what the account's present requirement, `im_usd`, rests on, for a baseline that may be made later.

    None if it is not a finite number, or is not made of the groups above: models other than A and P, anything on top.
    """
    grounds = book.grounds(account.config.account) if math.isfinite(im_usd) else None
    return None if grounds is None else noted(account, market, active, grounds, im_usd)


def noted(account: Account, market: Market, active: ActiveSet, grounds: Own | Share, im_usd: float) -> Noted:
    """Return the note of a requirement whose grounds were taken."""
    config, ticks = account.config, market.ticks
    return Noted(
        account.sequence, ticks.time_us, im_usd, config.margin_model, ticks.regime.regime, active,
        account.balances.copy(), account.holdings.copy(), market.instruments, grounds,
    )  # fmt: skip


def attribute(
    account: Account, market: Market, active: ActiveSet, netted: Netted | None = None
) -> tuple[AttributionPart, ...] | None:
    """Attribute the change of the account's requirement since its baseline; None where a requirement is missing.

    `netted` is what its present requirement was computed from, if that is known: with it most walks are short.
    """
    if account.base is None:
        return None
    if netted is not None:
        changes = walk.changes(account, market, active, netted)
        if changes is not None:
            return tuple(map(_part, walk.GROUPS, changes))
    return _walked(account, market, active)


def _part(group: AttributionGroup, change_usd: float) -> AttributionPart:
    return AttributionPart(group=group, change_usd=change_usd)


def _walked(account: Account, market: Market, active: ActiveSet) -> tuple[AttributionPart, ...] | None:
    """Attribute by pricing everything at the inputs before and after each group."""
    found = between(account, market, active)
    if found is None:
        return None
    old, new, pricings = found
    parts = []
    requirements = Requirements(pricings)
    before = requirements.of(old)
    for group, step in _steps(old, new):
        after = requirements.of(step)
        if not math.isfinite(after - before):
            return None
        parts.append(_part(group, after - before))
        before = after
    return tuple(parts)


def between(
    account: Account, market: Market, active: ActiveSet
) -> tuple[Inputs, Inputs, dict[str, Pricing]] | None:  # fmt: skip
    """Return the inputs of an account's requirement at its baseline and now, and rows for the contracts of both.

    None without a baseline, where its parameter values are not known any more, and for models other than A and P.
    """
    base = account.baseline
    if not is_swept(account.config.margin_model, plain=is_plain(active.set)):
        return None
    old = None if base is None else _old_inputs(base, active)
    if base is None or old is None:
        return None
    new, pricings = _inputs(account, market, active, base)
    return old, _with_old_names(new, old), pricings


def base_of(baseline: Baseline | Noted) -> AttributionBase:
    """Return what an event says of its baseline."""
    return AttributionBase(
        sequence=baseline.sequence, event_time_us=baseline.time_us, im_requirement_usd=baseline.im_usd
    )


class Requirements:
    """Requirements of inputs that differ little from one to the next: what is the same again is computed once.

    `pricings` are rows for all contracts of all inputs, by underlying.
    """

    def __init__(self, pricings: Mapping[str, Pricing]) -> None:
        self._pricings = pricings
        self._losses: dict[str, tuple[tuple[object, ...], Results]] = {}
        self._joined: tuple[list[Results], Inputs, float] | None = None
        self._last: tuple[Inputs, float] | None = None

    def of(self, inputs: Inputs) -> float:
        """Return the initial requirement of these inputs, USD; NaN where something has no price."""
        if self._last is None or not _are_same(inputs, self._last[0]):
            self._last = inputs, self._of(inputs)
        return self._last[1]

    def _of(self, inputs: Inputs) -> float:
        results = [self._results(inputs, u) for u in sorted(inputs.coins)]
        if inputs.model != "P":
            total = 0.0
            for one in results:
                total += float(one.requirement[0])
            return total
        if self._joined is not None:
            before, other, known = self._joined
            if list(map(id, before)) == list(map(id, results)) and _same_netting(inputs, other):
                return known
        losses = [one.losses[0] for one in results]
        found = solve(losses, inputs.matrices, stress_in(inputs.regime, inputs.netting)).requirement_usd
        self._joined = (results, inputs, found)
        return found

    def _results(self, inputs: Inputs, u: str) -> Results:
        """Return what one underlying needs alone: a function of the inputs that its key names."""
        pricing, netted = self._pricings[u], inputs.model == "P"
        names = [name for name in inputs.contracts if name in pricing.row_of]
        collateral, entry = inputs.coins[u]
        # The coin's row is priced at the index of the contracts: collateral at another index is another quantity.
        coins = collateral * (inputs.collateral_index[u] / inputs.index[u]) + entry if collateral else entry
        marks = {name: Mark(inputs.bases[name], inputs.vols[name], *inputs.passed[name]) for name in names}
        exposure: list[tuple[str | None, float]] = [(None, coins)] if coins else []
        exposure += [(name, inputs.contracts[name]) for name in sorted(names)]
        shocks, refinement, price_range = inputs.risk_matrices[u], 1, None
        if netted:
            refinement, price_range = inputs.refinement[u], inputs.ranges[u]
        key = (netted, shocks, refinement, price_range, inputs.index[u], inputs.grid_us, marks, exposure)
        known = self._losses.get(u)
        if known is not None and known[0] == key:
            return known[1]
        pricing.set_parameters(shocks, refinement, price_range)
        pricing.price_at(inputs.index[u], inputs.grid_us, marks)
        results = evaluate_exposure(pricing, netted, exposure)
        self._losses[u] = (key, results)
        return results


def _are_same(one: Inputs, other: Inputs) -> bool:
    """Return whether two inputs say the same; of one step and the next most fields are the same objects."""
    for name in Inputs.__slots__:
        ours, theirs = getattr(one, name), getattr(other, name)
        if ours is not theirs and not (np.array_equal(ours, theirs) if name == "matrices" else ours == theirs):
            return False
    return True


def _same_netting(one: Inputs, other: Inputs) -> bool:
    same = one.matrices is other.matrices or np.array_equal(one.matrices, other.matrices)
    return same and one.regime == other.regime and one.netting == other.netting


def _steps(old: Inputs, new: Inputs) -> Iterator[tuple[AttributionGroup, Inputs]]:
    """Yield the inputs after each replacement, group by group."""
    at = replace(old, grid_us=new.grid_us, passed=new.passed, refinement=new.refinement)
    yield "time", at
    at = replace(at, model=new.model, netting=new.netting, risk_matrices=new.risk_matrices, ranges=new.ranges)
    yield "parameters", at
    at = replace(at, index=new.index)
    yield "price", at
    at = replace(at, vols=new.vols)
    yield "vol", at
    names = sorted(old.coins)
    places = np.array([sorted(new.index).index(u) for u in names], dtype=np.int64)
    matrices = np.ascontiguousarray(new.matrices[:, places[:, None], places[None, :]])
    at = replace(at, matrices=matrices, regime=new.regime)
    yield "correlation", at
    at = replace(at, bases=new.bases)
    yield "basis", at
    at = replace(at, collateral_index=new.collateral_index)
    yield "collateral", at
    held = np.array([sorted(new.index).index(u) for u in sorted(new.coins)], dtype=np.int64)
    matrices = np.ascontiguousarray(new.matrices[:, held[:, None], held[None, :]])
    yield "trades", replace(at, coins=new.coins, contracts=new.contracts, matrices=matrices)


def _inputs(account: Account, market: Market, active: ActiveSet, base: Baseline) -> tuple[Inputs, dict[str, Pricing]]:
    """Return the inputs of an account now, priced for all that it holds and that it held at its baseline."""
    contracts = {name: h.quantity for name, h in account.holdings.items() if market.instruments.get(name) is not None}
    coins = coins_of(account.balances, account.holdings, market.instruments)
    names: dict[str, list[str]] = {u: [] for u in (*coins, *base.coins)}  # coins may be gone, too
    for name in {**contracts, **dict.fromkeys(base.contracts)}:
        instrument = market.instruments.get(name)
        if instrument is not None:
            names.setdefault(instrument.underlying, []).append(name)
    for u, found in names.items():
        if u not in coins and any(name in contracts for name in found):
            coins[u] = (0.0, 0.0)
    underlyings = sorted(names)
    pricings, vols, bases, passed, refinement = {}, {}, {}, {}, {}
    for u in underlyings:
        pricing = pricings[u] = Pricing(u)
        pricing.set_names(sorted(names[u]), market)
        pricing.set_parameters(active.risk_matrix(u))
        pricing.read_surfaces(market)
        pricing.price(market)
        refinement[u] = refinement_of(market, u, active.set.netting)
        for name in names[u]:
            mark = pricing.mark(name)
            bases[name], passed[name] = mark.basis, (mark.fixed, mark.share, mark.funding)
            instrument = market.instruments.get(name)
            vols[name] = mark.vol if instrument is not None and instrument.type == "option" else 0.0
    index = {u: pricings[u].index_price for u in underlyings}
    inputs = Inputs(
        grid_us=grid(market.time_us), passed=passed, refinement=refinement, model=account.config.margin_model,
        netting=active.set.netting, risk_matrices={u: active.risk_matrix(u) for u in underlyings},
        ranges={u: range_of(market, u, active) for u in underlyings}, index=index,
        vols=vols, matrices=matrices_of(market, underlyings, active.set.netting.floor_correlation),
        regime=market.ticks.regime.regime, bases=bases, collateral_index=index, coins=coins, contracts=contracts,
    )  # fmt: skip
    return inputs, pricings


def _old_inputs(base: Baseline, active: ActiveSet) -> Inputs | None:
    """Return the inputs of a baseline; None if its parameter values are not known any more."""
    coins = base.coins
    if base.parameters is not None:
        netting, matrices = base.parameters.netting, base.parameters.matrices
    else:
        known = active if base.parameter_hash == active.hash else DEFAULT_ACTIVE
        if base.parameter_hash != known.hash:
            return None  # the built-in set of another build
        netting, matrices = known.set.netting, {u: known.risk_matrix(u) for u in coins}
    index = {u: coin.index_price for u, coin in coins.items()}
    return Inputs(
        grid_us=base.grid_us, passed={name: (c.fixed, c.share, c.funding) for name, c in base.contracts.items()},
        refinement={u: coin.refinement for u, coin in coins.items()}, model=base.model,
        netting=netting, risk_matrices=matrices,
        ranges={u: coin.price_range or matrices[u].price_range for u, coin in coins.items()}, index=index,
        vols={name: contract.vol for name, contract in base.contracts.items()}, matrices=base.matrices(),
        regime=base.regime, bases={name: contract.basis for name, contract in base.contracts.items()},
        collateral_index=index, coins={u: (coin.collateral, coin.entry) for u, coin in coins.items()},
        contracts={name: contract.quantity for name, contract in base.contracts.items()},
    )  # fmt: skip


def _with_old_names(new: Inputs, old: Inputs) -> Inputs:
    """Let contracts that the market does not price any more (they have expired) keep the volatility they had."""
    vols = {name: old.vols[name] if name in old.vols and math.isnan(vol) else vol for name, vol in new.vols.items()}
    return replace(new, vols=vols)
