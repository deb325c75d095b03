"""Model C's risk arrays of everything that is listed and priced, as records that a third party can work with.

With a record of each instrument held, the parameter set of its hash, and the formulas of docs/margin-model-c.md, a
requirement can be recomputed without a pricing model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from kernels import scenarios
from monitor.engine.portfolio import listed
from monitor.models import span
from schemas.records import RiskArray

if TYPE_CHECKING:
    from monitor.engine.market import Market
    from monitor.engine.parameters import ActiveSet
    from monitor.models.portfolio import Underlying
    from schemas.span import SpanParameters

KINDS: Final[dict[int, Literal["coin", "linear", "inverse", "linear_option", "inverse_option"]]] = {
    scenarios.COIN: "coin",
    scenarios.LINEAR: "linear",
    scenarios.INVERSE: "inverse",
    scenarios.LINEAR_OPTION: "linear_option",
    scenarios.INVERSE_OPTION: "inverse_option",
}


def risk_arrays(market: Market, active: ActiveSet) -> list[RiskArray]:
    """Return an array for each coin with a price and each contract on it that is not delisted and has a price.

    By underlying, each coin before its contracts, these by name. What cannot be priced is left out.
    """
    found = []
    for name in market.ticks.underlyings:
        underlying = listed(name, market, active)
        if math.isfinite(underlying.index_price):
            parameters = active.set.span.underlyings.get(name, active.set.span.default)
            found += _of_underlying(underlying, parameters, active, market.time_us)
    return found


def _of_underlying(
    underlying: Underlying, parameters: SpanParameters, active: ActiveSet, time_us: int
) -> list[RiskArray]:
    commodity = span.span_underlying(underlying, active.set.span)
    arrays = span.arrays(commodity, parameters)
    price_range = span.price_range(commodity, parameters)
    rows = underlying.rows
    return [
        RiskArray(
            instrument=name or underlying.name,
            parameter_set=active.set.name,
            parameter_hash=active.hash,
            pnl_usd=tuple(arrays.pnl_usd[row].tolist()),
            value_usd=float(arrays.value_usd[row]),
            delta_coins=float(arrays.delta_coins[row]),
            event_time_us=time_us,
            model=span.NAME,
            underlying=underlying.name,
            kind=KINDS[int(rows.kind[row])],
            option_type=(("call" if rows.is_call[row] else "put") if underlying.is_option[row] else None),
            contract_size=float(rows.size[row]),
            expiry_us=int(rows.expiry_us[row]) or None,
            index_price=underlying.index_price,
            price=float(rows.forward[row]),
            price_range=price_range,
            v=1,
        )
        for row, name in enumerate(underlying.names)
        if np.isfinite(arrays.pnl_usd[row]).all() and math.isfinite(arrays.value_usd[row])
    ]
