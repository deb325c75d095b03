"""Standing questions about a whole book: who breaches under a shock, who would be called under other parameters.

The book is asked in place: its arrays are swept once at another market, as they are at every tick, and nothing is
computed account by account but what breaches. So the state has to be the asker's own (from files, or a copy), without
certificates, because a certified account is not looked at until it has to be. It is swept back at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from kernels.surface import CONSTANT
from monitor.answers.figures import standing_of
from monitor.answers.shock import MARKET, RefusedShock, Shock, betas_by, shifted_row, with_stress
from monitor.engine import status
from monitor.engine.index import IndexView
from monitor.engine.ledger import DOLLAR_TOKENS
from monitor.engine.market import Market
from monitor.engine.parameters import ActiveSet
from monitor.engine.pricing import PAR_ASSETS, grid
from monitor.engine.surface import Reading, SurfaceRow
from schemas.ids import parameter_hash

if TYPE_CHECKING:
    from monitor.engine.book import Book
    from monitor.engine.composite import TicksFold
    from monitor.engine.parameters import ParametersFold
    from monitor.engine.state import Account, State
    from monitor.engine.surface import Touch, VolatilityFold
    from schemas.records import Instrument, ParameterSet

ORDER = ("unknown", "healthy", "warning", "margin_call", "liquidation", "bankrupt")


class Breach(Struct, frozen=True):
    """One account that would stand worse: figures then, USD; `shortfall_usd` is what it would miss to IM."""

    account: str
    model: str
    before: str
    after: str
    equity_usd: float | None
    im_requirement_usd: float | None
    mm_requirement_usd: float | None
    shortfall_usd: float | None


class Breaches(Struct, frozen=True):
    """Who would stand worse, the largest shortfall first, and how many accounts would have each standing."""

    market_time_us: int
    accounts: int
    before: dict[str, int]
    after: dict[str, int]
    breaches: tuple[Breach, ...]


def breaches(state: State, shock: Shock, *, at_least: str = "warning") -> Breaches:
    """Return the accounts that stand worse under a shock, and at `at_least` or beyond; raises RefusedShock."""
    market = shocked_market(state.market, shock)
    sets: list[str] = [] if shock.stress is None else _sets(state)
    return _asked(state, market, sets, at_least)


def preview(state: State, chosen: ParameterSet, *, at_least: str = "warning") -> Breaches:
    """Return the accounts that would stand worse if a parameter set of this name were published now."""
    market = _with_sets(state.market, {chosen.name: ActiveSet(chosen, parameter_hash(chosen))})
    return _asked(state, market, [chosen.name], at_least)


def shocked_market(market: Market, shock: Shock) -> Market:
    """Return a market under a shock, which reads the real one for all else; raises RefusedShock."""
    moves = _moves(market, shock)
    moved = Market(
        ticks=cast("TicksFold", _MovedTicks(market.ticks, moves)),
        volatility=cast("VolatilityFold", _ShiftedVolatility(market, shock.vol)),
        instruments=market.instruments, parameters=market.parameters, positions=market.positions,
    )  # fmt: skip
    if shock.stress is None:
        return moved
    if not 0.0 <= shock.stress <= 1.0:
        raise RefusedShock(f"k lies in [0, 1], not at {shock.stress}")
    return _with_sets(moved, None, shock.stress)


def _asked(state: State, market: Market, sets: list[str], at_least: str) -> Breaches:
    """Sweep the book at another market, read who stands worse, and sweep it back."""
    names = sorted(name for name in state.partition_of if name in state.book)
    if state.book.certifying:
        raise ValueError("the book has certificates: its accounts are not looked at before they have to be")
    accounts = {name: state.shards[state.partition_of[name]].accounts[name] for name in names}
    before = {name: standing_of(good(state.book.conditions(name))) for name in names}
    with _swept(state, market, sets):
        return worse(state.market.time_us, state.book, accounts, before, at_least)


def worse(
    time_us: int, book: Book, accounts: Mapping[str, Account], before: Mapping[str, str], at_least: str
) -> Breaches:
    """Return which accounts of a book that stands at another market now stand worse than before."""
    after = {name: standing_of(good(book.conditions(name))) for name in accounts}
    least = ORDER.index(at_least)
    names = [
        name for name in accounts
        if ORDER.index(after[name]) >= least and ORDER.index(after[name]) > ORDER.index(before[name])
    ]  # fmt: skip
    found = []
    for name, (equity, im, mm) in zip(names, book.figures_of(names), strict=True):
        found.append(
            Breach(
                name, accounts[name].config.margin_model, before[name], after[name], _finite(equity), _finite(im),
                _finite(mm), _finite(max(0.0, im - equity)),
            )
        )  # fmt: skip
    found.sort(key=lambda one: (-(one.shortfall_usd or 0.0), one.account))
    return Breaches(time_us, len(accounts), _counts(before.values()), _counts(after.values()), tuple(found))


@contextmanager
def _swept(state: State, market: Market, sets: list[str]) -> Iterator[None]:
    """Let the book stand at another market for a while."""
    underlyings = sorted({*state.market.ticks.underlyings, *DOLLAR_TOKENS})

    def sweep(at: Market) -> None:
        if sets:
            state.book.refresh_parameters(sets, at)
        state.book.refresh(underlyings, at, surface=True, whole=True)

    sweep(market)
    try:
        yield
    finally:
        sweep(state.market)
        state.book.take_kept()  # requirements of models that are too slow for ticks, at a market that was supposed


class _MovedTicks:
    """The ticks fold with other indices; all else is asked of the fold itself."""

    def __init__(self, ticks: TicksFold, moves: dict[str, float]) -> None:
        self._ticks = ticks
        self._moves = moves

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ticks, name)

    def index(self, underlying: str) -> IndexView | None:
        """Return an index, moved."""
        view = self._ticks.index(underlying)
        move = self._moves.get(underlying)
        if move is None:
            return view
        view = view or IndexView(1.0, False, ("assumed_par",), 0, 0)
        return IndexView(view.price_usd * (1.0 + move), view.held, view.flags, view.fresh_sources, view.sources)


class _ShiftedVolatility:
    """The volatility fold with shifted rows."""

    def __init__(self, market: Market, vol: float) -> None:
        self._volatility = market.volatility
        self._vol = vol
        self._at_us = grid(market.time_us)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._volatility, name)

    def row(self, instrument: Instrument) -> SurfaceRow:
        """Return an option's surface row, shifted."""
        return self._shifted(self._volatility.row(instrument), instrument.expiry_us)

    def since(self, underlying: str, before: Reading) -> tuple[Reading, Sequence[Touch] | None]:  # noqa: ARG002 (the engine's signature)
        """Return that all has to be read, here and when the book is swept back."""
        return Reading(), None

    def own(self, underlying: str, instrument: str) -> tuple[float, int] | None:
        """Return an option's own volatility, shifted."""
        own = self._volatility.own(underlying, instrument)
        return None if own is None else (self._shifted(SurfaceRow(CONSTANT, own[0]), None).p0, own[1])

    def expiry_row(self, underlying: str, expiry_us: int) -> tuple[SurfaceRow, int]:
        """Return the surface row of an expiry, shifted."""
        row, slice_us = self._volatility.expiry_row(underlying, expiry_us)
        return self._shifted(row, expiry_us), slice_us

    def _shifted(self, row: SurfaceRow, expiry_us: int | None) -> SurfaceRow:
        return shifted_row(row, self._vol, expiry_us, self._at_us) if self._vol else row


class _OtherParameters:
    """The parameters fold with some sets replaced."""

    def __init__(self, parameters: ParametersFold, other: Callable[[str, ActiveSet | None], ActiveSet | None]) -> None:
        self._parameters = parameters
        self._other = other

    def get(self, name: str) -> ActiveSet | None:
        """Return the set in force under a name."""
        return self._other(name, self._parameters.get(name))


def _with_sets(market: Market, sets: dict[str, ActiveSet] | None, stress: float | None = None) -> Market:
    def other(name: str, known: ActiveSet | None) -> ActiveSet | None:
        if stress is not None and known is not None:
            return ActiveSet(with_stress(known.set, stress), known.hash)
        return (sets or {}).get(name, known)

    return Market(
        ticks=market.ticks, volatility=market.volatility, instruments=market.instruments,
        parameters=cast("ParametersFold", _OtherParameters(market.parameters, other)), positions=market.positions,
    )  # fmt: skip


def _moves(market: Market, shock: Shock) -> dict[str, float]:
    ticks = market.ticks
    for name, move in shock.moves.items():
        if not -1.0 < move < math.inf:
            raise RefusedShock(f"a move lies above -1, not at {move}")
        if name != MARKET and ticks.index(name) is None and name not in PAR_ASSETS:
            raise RefusedShock(f"{name} has no price")
    found = {name: move for name, move in shock.moves.items() if name != MARKET}
    if MARKET in shock.moves:
        coins = [name for name in ticks.underlyings if name not in DOLLAR_TOKENS and ticks.index(name) is not None]
        vols = {name: ticks.annual_volatility(name) for name in coins}
        for name, beta in betas_by(coins, vols, ticks.correlation).items():
            found.setdefault(name, (1.0 + shock.moves[MARKET]) ** beta - 1.0)
    return found


def _sets(state: State) -> list[str]:
    configs = (account.config for shard in state.shards.values() for account in shard.accounts.values())
    return sorted({config.parameter_set for config in configs} | {"default"})


def good(bits: int) -> int:
    """Return conditions as if the data were good; UNKNOWN stays."""
    return bits if bits == status.UNKNOWN else bits & ~status.HELD


def _counts(standings: Iterable[str]) -> dict[str, int]:
    counts = dict.fromkeys(ORDER, 0)
    for one in standings:
        counts[one] += 1
    return {name: count for name, count in counts.items() if count}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
