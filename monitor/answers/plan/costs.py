"""What trades cost: half a spread and a fee of each, and impact by underlying with the square root of its day's volume.

The rule is that of the liquidity add-on (`docs/add-ons.md`): delta and vega are two buckets of an underlying, impact is
on what is blended of gross and net. Every trade crosses its own spread, so that part is never netted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kernels._jit import Floats
from monitor.answers.plan.candidates import Candidates
from monitor.answers.plan.situation import Policy
from schemas.add_ons import LiquidityAddOn

_DAYS = 365.0


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """Cost of trades d of n candidates: `sum unit |d| + sum_b scale_b X_b^1.5`, USD.

    X_b is the size in bucket b, `share_b sum |exposure_bi d_i| + (1 - share_b) |sum exposure_bi d_i|`; `exposure` is
    float64[B, n], of a contract bought, `unit_usd` float64[n].
    """

    unit_usd: Floats
    exposure: Floats
    scale: Floats
    share: Floats

    def sizes(self, trade: Floats) -> Floats:
        """Return the size of each bucket, float64[B]."""
        found: Floats = self.share * (np.abs(self.exposure) @ np.abs(trade)) + (1.0 - self.share) * np.abs(
            self.exposure @ trade
        )
        return found

    def of_each(self, trade: Floats) -> Floats:
        """Return what each trade costs, USD, float64[n]: its own and its part of the impact; together the total.

        A trade against the flow of its bucket gets the price that the flow has moved: its part is negative.
        """
        net = self.exposure @ trade
        slope = self.scale * np.sqrt(self.sizes(trade))
        parts = self.share[:, None] * np.abs(self.exposure * trade)
        parts = parts + (1.0 - self.share)[:, None] * np.sign(net)[:, None] * (self.exposure * trade)
        found: Floats = self.unit_usd * np.abs(trade) + slope @ parts
        return found

    def total(self, trade: Floats) -> float:
        """Return what all trades cost together, USD."""
        return math.fsum([*(self.unit_usd * np.abs(trade)), *(self.scale * self.sizes(trade) ** 1.5)])


def costs_of(of: Candidates, liquidity: LiquidityAddOn | None, policy: Policy) -> Costs:
    """Return the costs of candidates; without parameters of liquidity the defaults of the add-on count.

    Volatility is the market's, or what the parameters assume where the market has none.
    """
    by = liquidity or LiquidityAddOn()
    n, underlyings = len(of.names), of.portfolio.underlyings
    unit = policy.fee_rate * np.abs(of.notional_usd)
    exposure, scale, share = np.zeros((2 * len(underlyings), n)), [], []
    for place, u in enumerate(underlyings):
        depth = by.underlyings.get(u.name, by.default)
        here = of.place == place
        annual = u.annual_vol if math.isfinite(u.annual_vol) else depth.assumed_vol_annual
        delta, vega = np.where(here, of.delta_usd, 0.0), np.where(here, of.vega_usd, 0.0)
        spread = depth.half_spread * np.abs(delta) + depth.vega_half_spread_points * np.abs(vega)
        # An option that is sold cannot lose more than it is worth.
        sold = here & (of.held > 0.0) & (of.vega_usd != 0.0)
        unit = unit + np.where(sold, np.minimum(spread, np.abs(of.usd) + np.abs(of.coins) * u.index_price), spread)
        exposure[2 * place], exposure[2 * place + 1] = delta, vega
        scale.append(by.impact * annual / math.sqrt(_DAYS) / math.sqrt(depth.daily_volume_usd))
        scale.append(by.impact * depth.vega_daily_move_points / math.sqrt(depth.daily_vega_usd))
        share += [by.delta_gross_share, by.vega_gross_share]
    used = np.flatnonzero(np.abs(exposure).max(axis=1, initial=0.0) > 0.0)
    return Costs(unit, exposure[used], np.array(scale)[used], np.array(share)[used])
