"""Several portfolios as one: what an owner holds over all accounts and venues."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats
from kernels.scenarios import INVERSE, LINEAR
from monitor.models.portfolio import Correlations, Portfolio, Rows, Underlying

# What is left of quantities that cancel is rounding, not a position, below this part of the largest of them.
RESIDUE = 1e-12

AGREEMENT = 1e-9  # of two prices of one market: rounding, far below any tick
FUTURES = (LINEAR, INVERSE)
FUTURE = ("kind", "size", "forward", "fixed", "funding", "years", "expiry_us")
VALUES = ("value_usd", "delta_coins", "market_delta_coins")


class OtherMarket(ValueError):
    """Portfolios that were not taken at one state of the market."""


class _Row(NamedTuple):
    """One row of one underlying of one portfolio: the underlying it is in, where, and what the market says of it."""

    underlying: Underlying
    at: int
    said: dict[str, float]


def merge(portfolios: Sequence[Portfolio], correlations: Correlations, account: str) -> Portfolio:
    """Return the sum of some portfolios under a name: cash, coins and positions, the same contract netted.

    `correlations` are between all their underlyings, sorted by name. A contract that nets out is gone, its locked
    profit is in the cash; it needs no price any more. An average price is that of what is left: the price at which it
    would have the same entry, NaN where there is none. Raises OtherMarket when prices or times differ, and ValueError
    on no portfolio or correlations of another size.
    """
    if not portfolios:
        raise ValueError("no portfolio to merge")
    if len({portfolio.market_time_us for portfolio in portfolios}) > 1:
        raise OtherMarket("portfolios of different market times")
    names = sorted({underlying.name for portfolio in portfolios for underlying in portfolio.underlyings})
    if correlations.matrices.shape[1:] != (len(names), len(names)):
        raise ValueError(f"correlations of {len(names)} underlyings are needed: {', '.join(names)}")
    return Portfolio(
        account=account,
        market_time_us=portfolios[0].market_time_us,
        cash_usd=math.fsum(portfolio.cash_usd for portfolio in portfolios),
        underlyings=tuple(_underlying(_of(name, portfolios)) for name in names),
        correlations=correlations,
        stable_price=_stable_price(portfolios),
        unlisted=_union(portfolio.unlisted for portfolio in portfolios),
        unsettled=_union(portfolio.unsettled for portfolio in portfolios),
        flags=_union(portfolio.flags for portfolio in portfolios),
    )


def _of(name: str, portfolios: Iterable[Portfolio]) -> list[Underlying]:
    return [u for portfolio in portfolios for u in portfolio.underlyings if u.name == name]


def _underlying(found: Sequence[Underlying]) -> Underlying:
    first = found[0]
    for other in found:
        if not _same([other.index_price, other.annual_vol], [first.index_price, first.annual_vol]):
            raise OtherMarket(f"{first.name} has two prices or volatilities")
    rows: dict[str | None, list[_Row]] = {}
    for underlying in found:
        columns = [column.tolist() for column in underlying.rows]
        for at, (name, *said) in enumerate(zip(underlying.names, *columns, strict=True)):
            rows.setdefault(name, []).append(_Row(underlying, at, dict(zip(Rows._fields, said, strict=True))))
    for name, same in rows.items():
        _refuse_other_markets(name or first.name, same)
    quantity = {name: _netted([float(row.underlying.quantity[row.at]) for row in same]) for name, same in rows.items()}
    kept = [name for name in sorted(rows, key=lambda name: name or "") if name is None or quantity[name] != 0.0]
    ones = [rows[name][0] for name in kept]

    def summed(column: Callable[[Underlying], Floats]) -> Floats:
        return np.array([math.fsum(float(column(u)[at]) for u, at, _ in rows[name]) for name in kept])

    return Underlying(
        name=first.name,
        index_price=first.index_price,
        annual_vol=first.annual_vol,
        names=tuple(kept),
        quantity=np.array([quantity[name] for name in kept]),
        rows=Rows._make(np.array([u.rows[column][at] for u, at, _ in ones]) for column in range(len(Rows._fields))),
        average_price=np.array([_average(rows[name], quantity[name]) for name in kept]),
        entry_usd=summed(lambda u: u.entry_usd),
        entry_coins=summed(lambda u: u.entry_coins),
        coins=_netted([u.coins for u in found]),
        held=any(u.held for u in found),
        flags=_union(u.flags for u in found),
        settlement=tuple(u.settlement[at] for u, at, _ in ones) if all(u.settlement for u in found) else (),
        # Of accounts with several parameter sets the finest moves: more of them never lower a requirement.
        refinement=max(u.refinement for u in found),
        funding_rate_8h=np.array([u.funding_rate_8h[at] if u.funding_rate_8h.size else math.nan for u, at, _ in ones]),
    )


def _netted(amounts: Sequence[float]) -> float:
    total = math.fsum(amounts)
    return 0.0 if abs(total) <= RESIDUE * max(map(abs, amounts)) else total


def _average(same: Sequence[_Row], quantity: float) -> float:
    """Return the price with which what is left has the same entry: harmonic for inverse futures; 0 of nothing."""
    underlying, at, _ = same[0]
    prices = [(float(u.quantity[i]), float(u.average_price[i])) for u, i, _ in same]
    if underlying.names[at] is None or quantity == 0.0:
        return 0.0
    if len({price for _, price in prices}) == 1:
        return prices[0][1]
    if underlying.rows.kind[at] == INVERSE:
        coins = math.fsum(q / price for q, price in prices)
        average = quantity / coins if coins != 0.0 else math.nan
    else:
        average = math.fsum(q * price for q, price in prices) / quantity
    return average if average > 0.0 else math.nan


def _refuse_other_markets(name: str, same: Sequence[_Row]) -> None:
    first = same[0]
    columns = _columns_read(first)
    expected = [first.said[column] for column in columns]
    for other in same[1:]:
        if not _same([other.said[column] for column in columns], expected):
            raise OtherMarket(f"{name} is priced in two ways")


def _columns_read(row: _Row) -> tuple[str, ...]:
    """Return the columns that mean something for a row: what nobody reads may differ with the rows beside it."""
    underlying, at, said = row
    if underlying.names[at] is None:
        return VALUES
    return FUTURE + VALUES if said["kind"] in FUTURES else Rows._fields


def _same(ones: Sequence[float], others: Sequence[float]) -> bool:
    return all(
        math.isclose(one, other, rel_tol=AGREEMENT) or (math.isnan(one) and math.isnan(other))
        for one, other in zip(ones, others, strict=True)
    )


def _stable_price(portfolios: Iterable[Portfolio]) -> dict[str, float]:
    found: dict[str, float] = {}
    for portfolio in portfolios:
        for token, price in portfolio.stable_price.items():
            if not _same([found.setdefault(token, price)], [price]):
                raise OtherMarket(f"{token} has two prices")
    return found


def _union(texts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({text for some in texts for text in some}))
