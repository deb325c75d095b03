"""What a requirement rests on, taken at one moment and put into words only when somebody asks.

An account that has had no event yet gets a new baseline with each of its own records, and most of them are never read:
what is taken here is a few arrays and references to what never changes again. `Noted.made` makes the baseline of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from monitor.engine.baseline import Baseline, Coin, Contract, Parameters
from monitor.engine.ledger import DOLLAR, entry_constant
from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.pricing import grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.engine.figures import Floats, Ints
    from monitor.engine.ledger import Listing
    from monitor.engine.netting import InForce
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.state import Holding
    from schemas.records import MarginModel, Regime


# By underlying, sorted: its name, index price, fineness and range of moves, and the marks of what the account holds
# (coins first, then by name) as in `Pricing.marks`. The matrices in force, if the requirement depends on any.
Marked = tuple[str, float, int, float, "Floats"]
Grounds = tuple[list[Marked], "InForce | None"]


class Shared(NamedTuple):
    """Grounds of several accounts, taken together at one moment.

    `heads` are the first four of `Marked` by column. By account: its segments are `first_segment[k]` ..
    `first_segment[k + 1] - 1`, and `matrices`. By segment: its `column`, and its positions, `first_position` as above.
    By position: `marks`.
    """

    heads: dict[int, tuple[str, float, int, float]]
    first_segment: Ints
    matrices: list[InForce | None]
    column: Ints
    first_position: Ints
    marks: Floats


class Share(NamedTuple):
    """What a note has of grounds that were taken together."""

    shared: Shared
    number: int

    def grounds(self) -> Grounds:
        """Return the grounds of the account."""
        s = self.shared
        first, last = s.first_segment[self.number : self.number + 2].tolist()
        bounds = s.first_position[first : last + 1].tolist()
        columns = s.column[first:last].tolist()
        marked = [
            (*s.heads[column], s.marks[:, bounds[k] : bounds[k + 1]]) for k, column in enumerate(columns)
        ]  # fmt: skip
        return marked, s.matrices[self.number]


class Noted(Struct, frozen=True):
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
    grounds: Grounds | Share

    def made(self) -> Baseline:
        """Return the baseline."""
        marked, matrices = self.grounds.grounds() if isinstance(self.grounds, Share) else self.grounds
        held = coins_of(self.balances, self.holdings, self.listing)
        coins = {
            underlying: Coin(index_price, *held.get(underlying, (0.0, 0.0)), refinement, price_range)
            for underlying, index_price, refinement, price_range, _ in marked
        }
        parameters = None
        if self.active.hash != DEFAULT_ACTIVE.hash:
            parameters = Parameters(self.active.set.netting, {u: self.active.risk_matrix(u) for u in coins})
        return Baseline(
            sequence=self.sequence, time_us=self.time_us, im_usd=self.im_usd, model=self.model,
            parameter_hash=self.active.hash, grid_us=grid(self.time_us), coins=coins, contracts=self._contracts(marked),
            correlations=[] if matrices is None else matrices.between(list(coins)).ravel().tolist(),
            parameters=parameters, regime=self.regime,
        )  # fmt: skip

    def _contracts(self, marked: list[Marked]) -> dict[str, Contract]:
        marks = {underlying: of.T.tolist() for underlying, *_, of in marked}
        found: list[tuple[str, Contract]] = []
        for name in sorted(self.holdings, reverse=True):  # the last first: coins, which are no contract, stay behind
            instrument = self.listing.get(name)
            assert instrument is not None, "an account with an unlisted contract has no finite requirement"
            basis, vol, fixed, share, funding = marks[instrument.underlying].pop()
            vol = vol if instrument.type == "option" else 0.0
            found.append((name, Contract(self.holdings[name].quantity, basis, vol, fixed, share, funding)))
        return dict(reversed(found))


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
