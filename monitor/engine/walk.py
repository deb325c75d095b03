"""Why a netted requirement changed, from rows that the book has priced: as `attribution`, to the last bit, for less.

The end of the walk is known: it is the requirement that was just computed, from rows of columns. In an underlying that
did not move since the baseline it is its beginning, too. What is priced here are the rows of what was held then, at the
inputs before each group that moves any of them: of most accounts at two moments, the baseline's and one at the present
index with the volatilities of then. Requirements are solved where some losses, matrices or k are others.

Everything that is not so is left to the general walk: a baseline under another model, other parameter values or another
grid of moves, contracts or coins that no column of the account has a row for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from msgspec.structs import astuple

from kernels import move_losses, netted_accounts, netting_solve
from monitor.engine.grounds import coins_of
from monitor.engine.netting import stress_in
from monitor.engine.pricing import Mark, Moment

if TYPE_CHECKING:
    from monitor.engine.baseline import Baseline, Coin, Contract
    from monitor.engine.evaluation import Exposed, Netted
    from monitor.engine.figures import Floats, Ints
    from monitor.engine.market import Market
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.pricing import Pricing
    from monitor.engine.state import Account
    from schemas.records import AttributionGroup

GROUPS: Final[tuple[AttributionGroup, ...]] = (
    "time", "parameters", "price", "vol", "correlation", "basis", "collateral", "trades",
)  # fmt: skip
THEN = -1  # before all groups
TIME, PRICE, VOL, CORRELATION, BASIS, COLLATERAL, TRADES = (
    GROUPS.index(group) for group in GROUPS if group != "parameters"
)
BASIS_FIELD, VOL_FIELD, FIRST_PASSED = map(Mark._fields.index, ("basis", "vol", "fixed"))  # passed: from there on


class _Held(NamedTuple):
    """A contract of a baseline: its row now."""

    row: int
    is_option: bool
    contract: Contract


class _Line(NamedTuple):
    """One underlying: its losses by move after each group that changes them, and whether the last are the present."""

    losses: dict[int, Floats]
    ends: bool


def changes(
    account: Account, base: Baseline, market: Market, active: ActiveSet, netted: Netted
) -> list[float] | None:  # fmt: skip
    """Return the change that each of `GROUPS` makes, USD; None where the general walk has to say it."""
    if base.model != "P" or base.parameter_hash != active.hash:
        return None
    lines = _lines(account, base, market, netted)
    if not lines:
        return None
    stress, matrices = stress_in(base.regime, active.set.netting), base.matrices()
    now = netted.matrices if len(lines) == len(netted.exposed) else netted.in_force.between(tuple(base.coins))
    correlated = len(lines) > 1 and (stress != netted.stress or not np.array_equal(matrices, now))
    moves = {group for line in lines for group in line.losses if group != THEN}
    ends = len(lines) == len(netted.exposed) and all(line.ends for line in lines)
    moves |= {CORRELATION} if correlated else set()
    moves |= set() if ends else {TRADES}
    found = [0.0] * len(GROUPS)
    if not moves:
        return found
    solver = _Solver(lines)
    solver.take(THEN)
    before, last = solver.requirement(matrices, stress), max(moves)
    for group in sorted(moves):
        solver.take(group)
        if group == CORRELATION:
            stress, matrices = netted.stress, now
        after = netted.requirement_usd if group == last else solver.requirement(matrices, stress)
        found[group] = after - before
        before = after
    return found if all(map(math.isfinite, found)) else None


class _Solver:
    """Requirements of one account, whose losses by move change from group to group."""

    def __init__(self, lines: list[_Line]) -> None:
        self._lines = lines
        counts = [len(line.losses[THEN]) for line in lines]
        self._counts: Ints = np.array(counts, dtype=np.int64)
        self._table: Floats = np.zeros((len(lines), max(counts)))
        self._hedge, self._mixture = np.empty(len(lines)), np.empty(self._table.shape)

    def take(self, group: int) -> None:
        """Take the losses after a group."""
        for u, line in enumerate(self._lines):
            losses = line.losses.get(group)
            if losses is not None:
                self._table[u, : len(losses)] = losses

    def requirement(self, matrices: Floats, stress: float) -> float:
        """Return the requirement of the losses as they are now, USD."""
        found = netting_solve.solve(
            self._table, self._counts, matrices, stress, netted_accounts.TOLERANCE, self._hedge, self._mixture,
            np.empty(len(matrices)),
        )  # fmt: skip
        return float(found[0])


def _lines(account: Account, base: Baseline, market: Market, netted: Netted) -> list[_Line]:
    """Return the underlyings of a baseline, sorted; none where rows or moves are not those of its present columns."""
    exposed = {one.column.underlying: one for one in netted.exposed}
    held: dict[str, list[_Held]] = {}
    for u, coin in base.coins.items():
        one = exposed.get(u)
        if one is None or not _has_moves(one, coin):
            return []
        held[u] = []
    if not all(_has_coins(account, market, one) for one in netted.exposed):
        return []
    get = market.instruments.get
    for name, contract in base.contracts.items():
        instrument = get(name)
        own = None if instrument is None else held.get(instrument.underlying)
        if instrument is None or own is None:
            return []
        row = exposed[instrument.underlying].column.pricing.row_of.get(name)
        if row is None:
            return []
        own.append(_Held(row, instrument.type == "option", contract))
    return [_line(exposed[u], coin, held[u], base.grid_us) for u, coin in base.coins.items()]


def _has_moves(one: Exposed, coin: Coin) -> bool:
    """Return whether a column has the moves that a baseline had."""
    p = one.column.pricing
    price_range = p.parameters.price_range if coin.price_range is None else coin.price_range
    return coin.refinement == p.refinement and price_range == p.price_range


def _has_coins(account: Account, market: Market, one: Exposed) -> bool:
    """Return whether the book has the coins of an account as the general walk adds them up: to the last bit."""
    if one.column.pricing.inverse_futures(one.rows) < 2:
        return True  # a sum of two has one order
    collateral, entry = coins_of(account.balances, account.holdings, market.instruments)[one.column.underlying]
    return collateral + entry == (one.quantity.item(0) if one.rows.item(0) == 0 else 0.0)


def _line(one: Exposed, coin: Coin, held: list[_Held], grid_us: int) -> _Line:
    """Return what one underlying lost by move at its baseline and after each group that changes it."""
    p = one.column.pricing
    at = np.array([0, *(own.row for own in held)], dtype=np.int64)
    now = p.marks.take(at, 1)
    then = _marks_then(held, now)
    differ = (then != now).any(axis=1).tolist()
    is_later = grid_us != p.grid_us and any(own.is_option for own in held)
    moved = {
        TIME: is_later or any(differ[FIRST_PASSED:]), PRICE: coin.index_price != p.index_price,
        VOL: differ[VOL_FIELD], BASIS: differ[BASIS_FIELD],
    }  # fmt: skip
    order = [group for group, is_moved in moved.items() if is_moved]
    before = _moments_before(order, Moment(coin.index_price, grid_us, list(then)), p, list(now))
    # Segments: after which group, at which of the moments, and how many coins; the last moment is the present.
    coins = coin.collateral + coin.entry if coin.collateral else coin.entry
    segments = [(THEN, 0, coins)]
    for number, group in enumerate(order):
        if group == PRICE and coin.collateral:
            # Priced at the index of contracts: collateral at another index is another quantity.
            coins = coin.collateral * (coin.index_price / p.index_price) + coin.entry
        segments.append((group, number + 1, coins))
    if moved[PRICE] and coin.collateral:
        segments.append((COLLATERAL, len(order), coin.collateral + coin.entry))
    quantity = [own.contract.quantity for own in held]
    *earlier, (last, _, coins) = segments
    rows, first = at.tolist(), 0 if coins else 1
    ends = rows[first:] == one.rows.tolist() and [coins, *quantity][first:] == one.quantity.tolist()
    if not ends:
        earlier = segments
    losses = dict(zip((group for group, _, _ in earlier), _evaluated(p, at, before, earlier, quantity), strict=True))
    if ends:
        losses[last] = one.losses
    return _Line(losses, ends)


def _marks_then(held: list[_Held], now: Floats) -> Floats:
    """Return marks of a baseline by row, float64[M, n]; coins have none, and futures have no volatility."""
    then = now.copy()
    if held:
        then[:, 1:] = np.array([astuple(own.contract)[1:] for own in held]).T
        for place, own in enumerate(held, 1):
            if not own.is_option:
                then[VOL_FIELD, place] = now[VOL_FIELD, place]
    return then


def _moments_before(order: list[int], then: Moment, p: Pricing, now: list[Floats]) -> list[Moment]:
    """Return the moment before each of the groups that move rows."""
    index_price, grid_us, marks = then
    moments = []
    for group in order:
        moments.append(Moment(index_price, grid_us, marks))
        if group == PRICE:
            index_price = p.index_price
        elif group == TIME:
            grid_us, marks = p.grid_us, [*marks[:FIRST_PASSED], *now[FIRST_PASSED:]]
        else:
            field = VOL_FIELD if group == VOL else BASIS_FIELD
            marks = [*marks[:field], now[field], *marks[field + 1 :]]
    return moments


def _evaluated(
    p: Pricing, at: Ints, before: list[Moment], segments: list[tuple[int, int, float]], quantity: list[float]
) -> Floats:
    """Return losses by move of segments as in `_line`, float64[m, width]."""
    n, present = len(at), len(before)
    pnl = np.empty(((present + 1) * n, p.pnl.shape[1]))
    if before:
        p.repriced(at, before, pnl)
    if any(moment == present for _, moment, _ in segments):
        pnl[present * n :] = p.pnl[at]
    indptr, rows, held = [0], list[int](), list[float]()
    for _, moment, coins in segments:
        rows += range(moment * n + (0 if coins else 1), (moment + 1) * n)
        held += [coins, *quantity] if coins else quantity
        indptr.append(len(rows))
    losses = np.zeros((len(segments), 2 * p.buckets + 1))
    move_losses.move_losses(
        np.array(indptr, dtype=np.int64), np.array(rows, dtype=np.int64), np.array(held), pnl, p.side, losses
    )
    return losses
