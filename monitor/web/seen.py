"""What the page needs of an engine's state, taken between two turns: pure functions of the state."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from monitor.engine.surface import NO_SLICE_US
from monitor.web.accounts import Sample
from monitor.web.rows import ContractRow, Correlation, IndexRow, Market

if TYPE_CHECKING:
    from monitor.engine import market as engine
    from monitor.engine.state import State
    from schemas.records import Instrument

MAX_CONTRACTS: Final = 400  # perpetuals and futures that are shown; more would make a look longer than a turn


@dataclass(slots=True)
class Listed:
    """The contracts of one underlying, sorted out once for each change of its listing."""

    contracts: tuple[Instrument, ...] = ()
    plain: tuple[Instrument, ...] = ()
    expiries_us: tuple[int, ...] = ()
    options: int = 0


@dataclass(slots=True)
class Memory:
    """What one look remembers for the next: listings, and since when each index has not changed (seconds)."""

    listed: dict[str, Listed] = field(default_factory=dict)
    prices: dict[str, tuple[float, float]] = field(default_factory=dict)


def market_of(market: engine.Market, memory: Memory, now_s: float) -> Market:
    """Return the market table; `now_s` is the clock that `memory` counts in."""
    indices: list[IndexRow] = []
    contracts: list[ContractRow] = []
    left_out = 0
    for underlying in market.ticks.underlyings:
        listed = _listed(market, underlying, memory)
        row = _index(market, underlying, listed, memory, now_s)
        indices.append(row)
        room = max(0, MAX_CONTRACTS - len(contracts))
        left_out += max(0, len(listed.plain) - room)
        contracts += [_contract(market, one, row) for one in listed.plain[:room]]
    return Market(
        time_us=market.time_us, indices=tuple(indices), contracts=tuple(contracts), left_out=left_out
    )  # fmt: skip


def correlation_of(market: engine.Market) -> Correlation:
    """Return the published correlations and their regime."""
    view, regime = market.ticks.correlation, market.ticks.regime
    return Correlation(
        version=view.version, time_us=view.time_us, underlyings=view.underlyings, quiet=view.quiet,
        fast=view.fast.tolist(), slow=view.slow.tolist(), absorption_ratio=view.absorption_ratio,
        distance=view.distance, rise=regime.rise, regime=regime.regime, regime_since_us=regime.since_us,
        stale=regime.stale,
    )  # fmt: skip


def sample_of(state: State, name: str) -> Sample:
    """Return the present figures of an account that is being evaluated.

    The book solves what it has not solved yet; nothing that an event depends on changes (`monitor.engine.audit`).
    """
    return Sample(name, state.market.time_us, *state.book.figures(name))


def _listed(market: engine.Market, underlying: str, memory: Memory) -> Listed:
    contracts = market.instruments.of_underlying(underlying)
    known = memory.listed.get(underlying)
    if known is None or known.contracts is not contracts:
        open_ = [one for one in contracts if not one.delisted]
        options = [one for one in open_ if one.type == "option"]
        known = memory.listed[underlying] = Listed(
            contracts, tuple(one for one in open_ if one.type in {"perpetual", "future"}),
            tuple(sorted({one.expiry_us for one in options if one.expiry_us is not None})), len(options),
        )  # fmt: skip
    return known


def _index(market: engine.Market, underlying: str, listed: Listed, memory: Memory, now_s: float) -> IndexRow:
    ticks, view = market.ticks, market.ticks.index(underlying)
    price = math.nan if view is None else view.price_usd
    before, since_s = memory.prices.get(underlying, (math.nan, now_s))
    if price != before:
        since_s = now_s
        memory.prices[underlying] = (price, now_s)
    alive = [expiry_us for expiry_us in listed.expiries_us if expiry_us > market.time_us]
    slices = [market.volatility.expiry_row(underlying, expiry_us)[1] for expiry_us in alive]
    times = [time_us for time_us in slices if time_us != NO_SLICE_US]
    stepped = ticks.range_step(underlying)
    return IndexRow(
        underlying=underlying, price_usd=None if view is None else view.price_usd, held=view is None or view.held,
        flags=("no_price",) if view is None else view.flags, fresh_sources=0 if view is None else view.fresh_sources,
        sources=0 if view is None else view.sources, quiet_s=max(0.0, now_s - since_s),
        annual_vol=ticks.annual_volatility(underlying), price_range=None if stepped is None else stepped.price_range,
        options=listed.options, expiries=len(alive), without_slice=len(slices) - len(times),
        slice_age_s=max(0.0, (market.time_us - min(times)) / 1e6) if times else None,
    )  # fmt: skip


def _contract(market: engine.Market, one: Instrument, index: IndexRow) -> ContractRow:
    ticks, name = market.ticks, one.instrument
    basis, rests_on = ticks.basis(name), ticks.basis_kind(name)
    perpetual = one.type == "perpetual"
    rate = ticks.funding_rate_8h(name) if perpetual else math.nan
    return ContractRow(
        instrument=name, underlying=one.underlying, type=one.type, expiry_us=one.expiry_us,
        mark_usd=None if index.price_usd is None else index.price_usd * (1.0 + basis), basis=basis, rests_on=rests_on,
        funding_rate_8h=None if math.isnan(rate) else rate, funding_stale=perpetual and ticks.funding_stale(name),
        stale=index.held or rests_on == "none",
    )  # fmt: skip
