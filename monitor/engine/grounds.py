"""What a requirement rests on, taken at one moment and put into words only when somebody asks.

An account that has had no event yet gets a new baseline with each of its own records, and most of them are never read:
what is taken here is a few arrays and references to what never changes again. `Noted.made` makes the baseline of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec import Struct

from monitor.engine.baseline import Baseline, Coin, Contract, Parameters
from monitor.engine.ledger import DOLLAR, entry_constant
from monitor.engine.marks import Marks
from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.pricing import Mark, grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.engine.evaluation import Netted
    from monitor.engine.figures import Floats, Ints
    from monitor.engine.ledger import Listing
    from monitor.engine.netting import InForce
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.state import Holding
    from schemas.records import MarginModel, Regime


MARKS = len(Mark._fields)

# By underlying: its name, index price, fineness and range of moves.
Head = tuple[str, float, int, float]


class Grounds(NamedTuple):
    """What a requirement rests on.

    `heads` by underlying, sorted, and `marks` of what the account holds of it (coins first, then by name) as in
    `Pricing.marks`. `matrices` are those in force, if the requirement depends on any.
    """

    heads: list[Head]
    marks: list[Floats]
    matrices: InForce | None


class Own(Struct, frozen=True, gc=False):
    """Grounds of one account, as in `Grounds`."""

    heads: list[Head]
    marks: list[Marks]
    matrices: InForce | None

    def grounds(self) -> Grounds:
        """Return the grounds of the account."""
        return Grounds(self.heads, [marks.made() for marks in self.marks], self.matrices)


def own_of(netted: Netted) -> Own:
    """Return the grounds of an account's present requirement by what it was computed from."""
    heads, marks = [], []
    for one in netted.exposed:
        p = one.column.pricing
        heads.append((p.underlying, p.index_price, p.refinement, p.price_range))
        marks.append(Marks(one.marks, None))
    return Own(heads, marks, netted.in_force if len(heads) > 1 else None)


class Shared(Struct, eq=False):
    """Grounds of several accounts, taken together at one moment.

    `heads` by column. By account: its segments are `first_segment[k]` .. `first_segment[k + 1] - 1`, and `matrices`. By
    segment: its `column`, and its positions, `first_position` as above. `marks` have the positions in another order:
    those that are at `order[k]` come k-th.
    """

    heads: dict[int, Head]
    first_segment: Ints
    matrices: list[InForce | None]
    column: Ints
    first_position: Ints
    marks: list[Marks]
    order: Ints
    _made: Floats | None = None

    def made(self) -> Floats:
        """Return the marks by position, float64[M, n], of all accounts: each was taken for a baseline of its own."""
        if self._made is None:
            found = [marks.made() for marks in self.marks] or [np.zeros((MARKS, 0))]
            self._made = np.empty((MARKS, len(self.order)))
            self._made[:, self.order] = np.concatenate(found, axis=1)
            self.marks.clear()
        return self._made


class Share(Struct, frozen=True, gc=False):
    """What a note has of grounds that were taken together."""

    shared: Shared
    number: int

    @property
    def matrices(self) -> InForce | None:
        """The matrices in force, if the requirement depends on any."""
        return self.shared.matrices[self.number]

    def grounds(self) -> Grounds:
        """Return the grounds of the account."""
        s, made = self.shared, self.shared.made()
        first, last = s.first_segment[self.number : self.number + 2].tolist()
        bounds = s.first_position[first : last + 1].tolist()
        columns = s.column[first:last].tolist()
        marks = [made[:, bounds[k] : bounds[k + 1]] for k in range(last - first)]
        return Grounds([s.heads[column] for column in columns], marks, self.matrices)


class Noted(Struct, frozen=True, gc=False):
    """A baseline that is not made yet.

    `balances` and `holdings` are the account's own, copied; `listing` may have grown since, but a listed contract
    never changes.
    """

    sequence: int
    time_us: int
    im_usd: float
    model: MarginModel
    regime: Regime
    active: ActiveSet
    balances: dict[str, float]
    holdings: dict[str, Holding]
    listing: Listing
    grounds: Own | Share

    @property
    def parameter_hash(self) -> str:
        """Hash of the parameter values."""
        return self.active.hash

    def matrices(self, underlyings: tuple[str, ...]) -> Floats:
        """Return the correlation matrices between all underlyings, float64[K, U, U]; as `Baseline.matrices`."""
        in_force = self.grounds.matrices
        return np.ones((1, len(underlyings), len(underlyings))) if in_force is None else in_force.between(underlyings)

    def made(self) -> Baseline:
        """Return the baseline."""
        heads, marks, matrices = self.grounds.grounds()
        contracts, entries = self._contracts(heads, marks)
        held = self.balances
        coins = {
            u: Coin(index_price, 0.0 if u == DOLLAR else held.get(u, 0.0), entries.get(u, 0.0), refinement, price_range)
            for u, index_price, refinement, price_range in heads
        }
        parameters = None
        if self.active.hash != DEFAULT_ACTIVE.hash:
            parameters = Parameters(self.active.set.netting, {u: self.active.risk_matrix(u) for u in coins})
        return Baseline(
            sequence=self.sequence, time_us=self.time_us, im_usd=self.im_usd, model=self.model,
            parameter_hash=self.active.hash, grid_us=grid(self.time_us), coins=coins, contracts=contracts,
            correlations=[] if matrices is None else matrices.listed(tuple(coins)),
            parameters=parameters, regime=self.regime,
        )  # fmt: skip

    def _contracts(self, heads: list[Head], marked: list[Floats]) -> tuple[dict[str, Contract], dict[str, float]]:
        """Return what is held, by name, and the coins of entry sides by underlying, where there are any."""
        marks = {head[0]: of.T.tolist() for head, of in zip(heads, marked, strict=True)}
        found: list[tuple[str, Contract]] = []
        sides: list[tuple[str, float]] = []
        for name in sorted(self.holdings, reverse=True):  # the last first: coins, which are no contract, stay behind
            instrument, holding = self.listing.get(name), self.holdings[name]
            assert instrument is not None, "an account with an unlisted contract has no finite requirement"
            basis, vol, fixed, share, funding = marks[instrument.underlying].pop()
            if instrument.type != "option":
                vol = 0.0
                sides.append((instrument.underlying, entry_constant(holding, instrument)[1]))
            found.append((name, Contract(holding.quantity, basis, vol, fixed, share, funding)))
        entries: dict[str, float] = {}
        for underlying, coins in reversed(sides):
            entries[underlying] = entries.get(underlying, 0.0) + coins
        return dict(reversed(found)), entries


def coins_of(
    balances: Mapping[str, float], holdings: Mapping[str, Holding], listing: Listing
) -> dict[str, tuple[float, float]]:
    """Return coins by underlying: held as collateral, and the entry sides of inverse contracts."""
    coins = {asset: (amount, 0.0) for asset, amount in balances.items() if asset != DOLLAR}
    for name in sorted(holdings):
        instrument = listing.get(name)
        if instrument is None:
            continue
        _, entry = entry_constant(holdings[name], instrument)
        held, entries = coins.get(instrument.underlying, (0.0, 0.0))
        coins[instrument.underlying] = (held, entries + entry)
    return coins
