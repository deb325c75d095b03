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
from monitor.engine.grounds import Noted, coins_of
from monitor.engine.netting import stress_in
from monitor.engine.pricing import Mark, Moment, grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.engine.baseline import Baseline, Coin, Contract
    from monitor.engine.evaluation import Exposed, Netted
    from monitor.engine.figures import Floats, Ints
    from monitor.engine.market import Market
    from monitor.engine.netting import InForce
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


Held = dict[str, tuple[list[int], list["Contract"]]]  # by underlying: rows and contracts, by name


class _Before(NamedTuple):
    """One underlying at a baseline: what was held of it, by present rows `at`, coins first if there were any.

    `marks` float64[M, n] and `quantity` are of then; coins are apart, held as collateral and those of entry sides.
    """

    one: Exposed
    index_price: float
    collateral: float
    entry: float
    at: Ints
    marks: Floats
    quantity: list[float]


class _Line(NamedTuple):
    """One underlying: its losses by move after each group that changes them, and whether the last are the present."""

    losses: dict[int, Floats]
    ends: bool


def changes(account: Account, market: Market, active: ActiveSet, netted: Netted) -> list[float] | None:
    """Return the change that each of `GROUPS` makes since an account's baseline, USD.

    None where the general walk has to say it.
    """
    base = account.base
    if isinstance(base, Noted) and (base.holdings != account.holdings or base.balances != account.balances):
        base = account.baseline
    if base is None or base.model != "P" or base.parameter_hash != active.hash:
        return None
    before = _before(account, base, market, netted)
    if not before:
        return None
    grid_us = grid(base.time_us)
    lines = [_line(one, grid_us) for one in before]
    moves = {group for line in lines for group in line.losses if group != THEN}
    is_complete = len(lines) == len(netted.exposed)
    if not (is_complete and all(line.ends for line in lines)):
        moves.add(TRADES)
    underlyings = tuple([one.one.column.underlying for one in before])
    now = netted.matrices if is_complete else netted.in_force.between(underlyings)
    stress, matrices = netted.stress, now
    if len(lines) > 1:  # a requirement of one alone does not depend on any
        stress = stress_in(base.regime, active.set.netting)
        matrices = _matrices(base, underlyings, netted.in_force, now)
        if stress != netted.stress or matrices is not now:
            moves.add(CORRELATION)
    found = [0.0] * len(GROUPS)
    if not moves:
        return found
    solver = _Solver(lines)
    solver.take(THEN)
    requirement_usd, last = solver.requirement(matrices, stress), max(moves)
    for group in sorted(moves):
        solver.take(group)
        if group == CORRELATION:
            stress, matrices = netted.stress, now
        after_usd = netted.requirement_usd if group == last else solver.requirement(matrices, stress)
        found[group] = after_usd - requirement_usd
        requirement_usd = after_usd
    return found if all(map(math.isfinite, found)) else None


def _matrices(base: Baseline | Noted, underlyings: tuple[str, ...], in_force: InForce, now: Floats) -> Floats:
    """Return the matrices of a baseline: `now` if they are the same."""
    if not isinstance(base, Noted):
        then = base.matrices()
    elif base.grounds.matrices is in_force:
        return now
    else:
        then = base.matrices(underlyings)
    return now if np.array_equal(then, now) else then


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


# --- what was held, in present rows ---------------------------------------------------------------


def _before(account: Account, base: Baseline | Noted, market: Market, netted: Netted) -> list[_Before]:
    """Return the underlyings of a baseline, sorted; none where rows or moves are not those of its present columns."""
    inverse = [one.column.pricing.inverse_futures(one.rows) for one in netted.exposed]
    coins = coins_of(account.balances, account.holdings, market.instruments) if any(inverse) else {}
    for count, one in zip(inverse, netted.exposed, strict=True):
        if count > 1:  # sums of two have one order; of three the general walk has its own
            collateral, entry = coins[one.column.underlying]
            if collateral + entry != (one.quantity.item(0) if one.rows.item(0) == 0 else 0.0):
                return []
    return _of_note(base, coins, netted) if isinstance(base, Noted) else _of_baseline(base, market, netted)


def _of_note(noted: Noted, coins: Mapping[str, tuple[float, float]], netted: Netted) -> list[_Before]:
    """Return what a note rests on, as `_before`; nothing was traded since.

    coins: `coins_of` the account if it has inverse futures; without any it has no entry sides.
    """
    heads, marks, _ = noted.grounds.grounds()
    if len(heads) != len(netted.exposed):
        return []
    found = []
    for one, (u, index_price, refinement, price_range), then in zip(netted.exposed, heads, marks, strict=True):
        p, rows = one.column.pricing, one.rows
        if u != p.underlying or refinement != p.refinement or price_range != p.price_range:
            return []
        collateral, entry = coins[u] if coins else (noted.balances.get(u, 0.0), 0.0)
        first = 1 if rows.item(0) == 0 else 0
        if then.shape[1] != len(rows) or (not first and (collateral or entry)):
            return []
        found.append(_Before(one, index_price, collateral, entry, rows, then, one.quantity[first:].tolist()))
    return found


def _of_baseline(base: Baseline, market: Market, netted: Netted) -> list[_Before]:
    """Return what a baseline says, as `_before`."""
    exposed = {one.column.underlying: one for one in netted.exposed}
    for u, coin in base.coins.items():
        if u not in exposed or not _has_moves(exposed[u], coin):
            return []
    held = _as_now(base, exposed) or _as_then(base, market, exposed)
    found = []
    for u, (rows, contracts) in held.items():
        one, coin = exposed[u], base.coins[u]
        at = np.array([0, *rows] if coin.collateral or coin.entry else rows, dtype=np.int64)
        marks = _marks(one.column.pricing, at, contracts)
        quantity = [contract.quantity for contract in contracts]
        found.append(_Before(one, coin.index_price, coin.collateral, coin.entry, at, marks, quantity))
    return found


def _as_now(base: Baseline, exposed: Mapping[str, Exposed]) -> Held:
    """Return a baseline's contracts by underlying with their rows, where the same are held now; else nothing."""
    held: Held = {}
    left, contract_of = len(base.contracts), base.contracts.get
    for u in base.coins:
        one = exposed[u]
        rows = one.rows.tolist()
        if rows and rows[0] == 0:
            del rows[0]
        contracts = [found for name in one.column.names_of(rows) if (found := contract_of(name)) is not None]
        if len(contracts) < len(rows):
            return {}
        left -= len(rows)
        held[u] = rows, contracts
    return {} if left else held


def _as_then(base: Baseline, market: Market, exposed: Mapping[str, Exposed]) -> Held:
    """Return a baseline's contracts by underlying with their rows; nothing where one has no row any more."""
    held: Held = {u: ([], []) for u in base.coins}
    for name, contract in base.contracts.items():
        instrument = market.instruments.get(name)
        if instrument is None or instrument.underlying not in held:
            return {}
        row = exposed[instrument.underlying].column.pricing.row_of.get(name)
        if row is None:
            return {}
        rows, contracts = held[instrument.underlying]
        rows.append(row)
        contracts.append(contract)
    return held


def _has_moves(one: Exposed, coin: Coin) -> bool:
    """Return whether a column has the moves that a baseline had."""
    p = one.column.pricing
    price_range = p.parameters.price_range if coin.price_range is None else coin.price_range
    return coin.refinement == p.refinement and price_range == p.price_range


def _marks(p: Pricing, at: Ints, contracts: list[Contract]) -> Floats:
    """Return the marks of contracts, float64[M, n]; coins have none, and futures no volatility: theirs are present."""
    marks = p.marks.take(at, 1)
    if contracts:
        vols = marks[VOL_FIELD].copy()
        marks[:, len(at) - len(contracts) :] = np.array([astuple(contract) for contract in contracts]).T[1:]
        np.copyto(marks[VOL_FIELD], vols, where=~p.are_options(at))
    return marks


# --- losses by move -------------------------------------------------------------------------------


def _line(before: _Before, grid_us: int) -> _Line:
    """Return what one underlying lost by move at its baseline and after each group that changes it."""
    one, index_price, collateral, entry, at, then, quantity = before
    p = one.column.pricing
    now = one.marks if at is one.rows else p.marks.take(at, 1)
    moved_fields = [False] * len(now)
    if then.tobytes() != now.tobytes():
        moved_fields = (then != now).any(axis=1).tolist()
    is_dearer = index_price != p.index_price
    moved = (
        (TIME, any(moved_fields[FIRST_PASSED:]) or (grid_us != p.grid_us and p.are_options(at).any())),
        (PRICE, is_dearer), (VOL, moved_fields[VOL_FIELD]), (BASIS, moved_fields[BASIS_FIELD]),
    )  # fmt: skip
    order = [group for group, is_moved in moved if is_moved]
    # After which group, at which of the moments (the last is the present), and how many coins.
    coins = collateral + entry if collateral else entry
    segments = [(THEN, 0, coins)]
    for number, group in enumerate(order, 1):
        if group == PRICE and collateral:
            # Priced at the index of contracts: collateral at another index is another quantity.
            coins = collateral * (index_price / p.index_price) + entry
        segments.append((group, number, coins))
    if is_dearer and collateral:
        segments.append((COLLATERAL, len(order), collateral + entry))
    last, _, coins = segments[-1]
    held = [coins, *quantity] if coins else quantity
    ends = held == one.quantity.tolist() and at[len(at) - len(held) :].tolist() == one.rows.tolist()
    losses = {last: one.losses} if ends else {}
    if ends:
        segments.pop()
    if segments:
        moments = _moments(order, Moment(index_price, grid_us, list(then)), p, list(now))
        found = _losses(p, at, moments, segments, quantity)
        losses.update(zip((group for group, _, _ in segments), found, strict=True))
    return _Line(losses, ends)


def _moments(order: list[int], then: Moment, p: Pricing, now: list[Floats]) -> list[Moment]:
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


def _losses(
    p: Pricing, at: Ints, moments: list[Moment], segments: list[tuple[int, int, float]], quantity: list[float]
) -> Floats:
    """Return losses by move of segments as in `_line`, float64[m, width]."""
    n, present = len(at), len(moments)
    is_present = any(moment == present for _, moment, _ in segments)
    pnl = np.empty(((present + is_present) * n, p.pnl.shape[1]))
    if moments:
        p.repriced(at, moments, pnl)
    if is_present:
        pnl[present * n :] = p.pnl[at]
    indptr, rows, held = [0], list[int](), list[float]()
    for _, moment, coins in segments:
        count = len(quantity) + (1 if coins else 0)
        rows += range((moment + 1) * n - count, (moment + 1) * n)
        held += [coins, *quantity] if coins else quantity
        indptr.append(len(rows))
    losses = np.zeros((len(segments), 2 * p.buckets + 1))
    move_losses.move_losses(
        np.array(indptr, dtype=np.int64), np.array(rows, dtype=np.int64), np.array(held, dtype=np.float64), pnl,
        p.side, losses,
    )  # fmt: skip
    return losses
