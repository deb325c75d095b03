"""dYdX v4: the price a liquidation order may fill at, and what the insurance fund gains or pays.

With TNC the account's total net collateral (USDC and positions at the oracle) and TMMR its total maintenance margin,

  adjusted bankruptcy rating  ABR = min(max(BA (1 - TNC/TMMR), 0), 1)
  fillable price              (PNNV - ABR SMMR PMMR)/PS, that is oracle - sign(q) ABR SMMR mm oracle
  value at bankruptcy of d    -d oracle - TNC |change of MMR|/TMMR, what closing d has to bring in to leave the account
                              its share of its collateral, negative where the close costs
  insurance fund              min(fee |proceeds|, proceeds - value) if that is positive, else the whole shortfall

PNNV, PMMR and PS are the position's notional, maintenance and size, BA the bankruptcy adjustment, SMMR the spread to
the maintenance margin ratio. Source: dydxprotocol/v4-chain, x/clob/keeper/liquidations.go; cases of its tests are
golden vectors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from kernels.liquidation import checks


class Position(NamedTuple):
    """A perpetual: signed coins, oracle price in USD, maintenance rate on the notional."""

    quantity_coins: float
    oracle_price: float
    mm_rate: float


def net_collateral(balance_usd: float, positions: Mapping[str, Position]) -> float:
    """Return TNC in USD: balance and positions at their oracle prices."""
    return math.fsum([balance_usd, *(p.quantity_coins * p.oracle_price for p in positions.values())])


def maintenance(positions: Mapping[str, Position]) -> float:
    """Return TMMR in USD."""
    return math.fsum(abs(p.quantity_coins) * p.oracle_price * p.mm_rate for p in positions.values())


def bankruptcy_rating(net_collateral_usd: float, mm_usd: float, adjustment: float) -> float:
    """Return the adjusted bankruptcy rating: 0 while maintenance is met, 1 from bankruptcy on at the latest.

    Raises ValueError if nothing is to be maintained or an input is not finite.
    """
    checks.finite(net_collateral_usd=net_collateral_usd)
    checks.not_negative(mm_usd=mm_usd, adjustment=adjustment)
    if mm_usd == 0.0:
        raise ValueError("an account without maintenance margin is not liquidated")
    return min(max(adjustment * (1.0 - net_collateral_usd / mm_usd), 0.0), 1.0)


def fillable_price(
    balance_usd: float, positions: Mapping[str, Position], liquidated: str, adjustment: float, spread_to_mm: float
) -> float:
    """Return the price in USD at which a position's liquidation order may fill: below the oracle to sell a long.

    Raises ValueError if there is no such position, on oracle prices that are not positive and what is not finite.
    """
    _check(balance_usd, positions)
    checks.not_negative(spread_to_mm=spread_to_mm)
    position = positions.get(liquidated)
    if position is None or position.quantity_coins == 0.0:
        raise ValueError(f"there is no position {liquidated!r}")
    rating = bankruptcy_rating(net_collateral(balance_usd, positions), maintenance(positions), adjustment)
    away = rating * spread_to_mm * position.mm_rate * position.oracle_price
    return position.oracle_price - math.copysign(away, position.quantity_coins)


def bankruptcy_value(
    balance_usd: float, positions: Mapping[str, Position], liquidated: str, close_coins: float
) -> float:
    """Return the value in USD at bankruptcy of closing a part: the least proceeds that cost the insurance fund nothing.

    close_coins: how many, its sign does not matter; liquidation orders only reduce, so it is at most the position.
    Negative for a short, whose close costs. Raises ValueError as `fillable_price`, and on a part of 0.
    """
    _check(balance_usd, positions)
    position = positions.get(liquidated)
    if position is None or position.quantity_coins == 0.0:
        raise ValueError(f"there is no position {liquidated!r}")
    checks.finite(close_coins=close_coins)
    if close_coins == 0.0:
        raise ValueError("nothing is closed")
    mm_usd = maintenance(positions)
    if mm_usd == 0.0:
        raise ValueError("an account without maintenance margin is not liquidated")
    delta_coins = -_closed(position, close_coins)
    released_usd = abs(delta_coins) * position.oracle_price * position.mm_rate
    return -delta_coins * position.oracle_price - net_collateral(balance_usd, positions) * released_usd / mm_usd


def insurance_delta(
    balance_usd: float,
    positions: Mapping[str, Position],
    liquidated: str,
    close_coins: float,
    fill_price: float,
    max_fee_rate: float,
) -> float:
    """Return what the insurance fund gains in USD by a fill, negative where it pays.

    max_fee_rate: of the notional filled. Raises ValueError as `bankruptcy_value`.
    """
    value_usd = bankruptcy_value(balance_usd, positions, liquidated, close_coins)
    checks.not_negative(fill_price=fill_price, max_fee_rate=max_fee_rate)
    proceeds_usd = _closed(positions[liquidated], close_coins) * fill_price
    gain_usd = proceeds_usd - value_usd
    return min(max_fee_rate * abs(proceeds_usd), gain_usd) if gain_usd > 0.0 else gain_usd


def _closed(position: Position, close_coins: float) -> float:
    """Return the coins closed, with the sign of the position."""
    return math.copysign(min(abs(close_coins), abs(position.quantity_coins)), position.quantity_coins)


def _check(balance_usd: float, positions: Mapping[str, Position]) -> None:
    checks.finite(balance_usd=balance_usd)
    for name, position in positions.items():
        checks.finite(quantity_coins=position.quantity_coins)
        checks.not_negative(mm_rate=position.mm_rate)
        if not 0.0 < position.oracle_price < math.inf:
            raise ValueError(f"{name} needs a positive oracle price, got {position.oracle_price}")
