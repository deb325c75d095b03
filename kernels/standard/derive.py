"""Derive's standard manager: perpetuals and coins at rates, options expiry by expiry, nothing across markets.

net margin = cash + sum over markets of
  perpetual  -|q| price rate + unrealised
  options    sum over expiries of max(isolated, worst payoff) (`kernels.standard.derive_expiry`)
  coins      amount S factor, times im_scale initially
  depeg      -(threshold - p) factor S (options sold + |q|) while the stable coin stands at p < threshold, initially
  oracle     -(1 - c) factor S size of the perpetual, of an expiry's shorts, of the coins, initially, while its
             confidence c < threshold

c is the lowest of what enters: spot and perpetual; spot, forward and volatilities of the expiry; spot. Value is cash,
options at v, unrealised amounts and coins over the price of the stable coin. Coins of factor 0 count for nothing and
carry no oracle charge. Source: derivexyz/v2-core, StandardManager; re-computed against its published test cases.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kernels.standard.derive_expiry import expiry_margins
from kernels.standard.derive_holdings import Option, held_options, highest, least
from kernels.standard.margin import Margin, fsum, of_net_margins

__all__ = ["Expiry", "Market", "Option", "OptionRates", "OracleRates", "Parameters", "expiries", "standard_manager"]


class OptionRates(NamedTuple):
    """Rates on the spot of options sold, and the scales of what nothing covers."""

    max_spot_req: float
    min_spot_req: float
    mm_call_spot_req: float
    mm_put_spot_req: float
    mm_put_mtm_req: float
    unpaired_im_scale: float
    unpaired_mm_scale: float
    mm_offset_scale: float


class OracleRates(NamedTuple):
    """Confidences below which a charge is made, by what is held, and its size."""

    perp_threshold: float
    option_threshold: float
    base_threshold: float
    factor: float


class Parameters(NamedTuple):
    """Parameters of one market; the price of the stable coin and its thresholds are the same for all."""

    option: OptionRates
    oracle: OracleRates
    perp_im: float
    perp_mm: float
    base_margin_factor: float
    base_im_scale: float
    depeg_threshold: float
    depeg_factor: float


class Market(NamedTuple):
    """One market and what the account holds there; unrealised: P&L and funding of the perpetual, USD."""

    spot: float
    spot_confidence: float
    base: float
    perp_position: float
    perp_price: float
    perp_confidence: float
    perp_unrealised: float
    options: Sequence[Option]


class Expiry(NamedTuple):
    """One expiry: both requirements, initial and maintenance, where the payoff is worst, value, shorts, confidence."""

    seconds: float
    isolated: tuple[float, float]
    bounded: tuple[float, float]
    worst_price: float
    value: float
    short_amount: float
    confidence: float

    def margin(self, which: int) -> float:
        """Return the better of the two, initial (0) or maintenance (1); NaN if either is."""
        isolated, bounded = self.isolated[which], self.bounded[which]
        return math.nan if math.isnan(isolated + bounded) else max(isolated, bounded)


def standard_manager(cash: float, stable_price: float, markets: Mapping[str, tuple[Market, Parameters]]) -> Margin:
    """Return the margin of an account in units of the stable coin.

    Equity is its value; an excess is the venue's net margin. Parts are named by what they are and their market. What is
    held without a usable price makes value or margins NaN. Raises ValueError on a price of the stable coin that is not
    positive.
    """
    if not 0.0 < stable_price < math.inf:
        raise ValueError(f"the stable coin needs a positive price, got {stable_price}")
    value, im, mm = {"cash": cash}, {"cash": cash}, {"cash": cash}
    for name in sorted(markets):
        market, parameters = markets[name]
        found = expiries(market, parameters.option)
        parts = _market_margins(market, parameters, found, stable_price)
        im |= {f"{part} {name}": initial for part, (initial, _) in parts.items()}
        mm |= {f"{part} {name}": maintenance for part, (_, maintenance) in parts.items()}
        value[f"options {name}"] = fsum(expiry.value for expiry in found)
        value[f"perpetual {name}"] = _if_held(market.perp_position, market.perp_unrealised)
        value[f"coins {name}"] = _if_held(market.base, market.base * market.spot / stable_price)
    return of_net_margins(fsum(value.values()), im, mm)


def expiries(market: Market, rates: OptionRates) -> list[Expiry]:
    """Return the expiries of a market with what each requires, the nearest first.

    Options of one strike, type and expiry are one position. An expiry has one forward; where its options name several,
    the highest counts. Raises ValueError on coins borrowed: the venue has none.
    """
    if market.base < 0.0:
        raise ValueError(f"coins are not negative, got {market.base}")
    held = held_options(market.options)
    flat = [position for expiry in held for position in expiry]
    value = np.array([position.value for position in flat], dtype=np.float64)
    isolated, bounded, worst = np.empty((2, len(held))), np.empty((2, len(held))), np.empty(len(held))
    indptr = np.cumsum([0, *(len(expiry) for expiry in held)]).astype(np.int64)
    expiry_margins(
        indptr,
        np.array([position.is_call for position in flat], dtype=np.bool_),
        np.array([position.strike for position in flat], dtype=np.float64),
        np.array([position.amount for position in flat], dtype=np.float64),
        value,
        np.array([highest(position.forward for position in expiry) for expiry in held], dtype=np.float64),
        market.spot, rates.max_spot_req, rates.min_spot_req, rates.mm_call_spot_req, rates.mm_put_spot_req,
        rates.mm_put_mtm_req, rates.unpaired_im_scale, rates.unpaired_mm_scale, rates.mm_offset_scale,
        isolated, bounded, worst,
    )  # fmt: skip
    return [
        Expiry(
            expiry[0].seconds,
            (float(isolated[0, k]), float(isolated[1, k])),
            (float(bounded[0, k]), float(bounded[1, k])),
            float(worst[k]),
            fsum(position.value for position in expiry),
            fsum(-position.amount for position in expiry if position.amount < 0.0),
            least(market.spot_confidence, *(position.confidence for position in expiry)),
        )
        for k, expiry in enumerate(held)
    ]


def _market_margins(
    market: Market, parameters: Parameters, found: Sequence[Expiry], stable_price: float
) -> dict[str, tuple[float, float]]:
    """Return initial and maintenance margin of a market, part by part."""
    size = abs(market.perp_position)
    shorts = fsum(expiry.short_amount for expiry in found)
    notional = _if_held(size, -size * market.perp_price)
    base = _if_held(market.base, market.base * market.spot * parameters.base_margin_factor)
    oracle, peg = parameters.oracle, max(0.0, parameters.depeg_threshold - stable_price) * parameters.depeg_factor
    doubt = _doubt(least(market.spot_confidence, market.perp_confidence), oracle.perp_threshold) * size
    base_doubt = _doubt(market.spot_confidence, oracle.base_threshold) * market.base if base != 0.0 else 0.0
    expiry_doubt = fsum(_doubt(x.confidence, oracle.option_threshold) * x.short_amount for x in found)
    unrealised = _if_held(size, market.perp_unrealised)
    return {
        "options": (fsum(x.margin(0) for x in found), fsum(x.margin(1) for x in found)),
        "perpetual": (notional * parameters.perp_im, notional * parameters.perp_mm),
        "unrealised": (unrealised, unrealised),
        "coins": (base * parameters.base_im_scale, base),
        "depeg": (0.0 - peg * _if_held(shorts + size, market.spot * (shorts + size)), 0.0),
        "oracle perpetual": (0.0 - doubt * oracle.factor * _if_held(doubt, market.spot), 0.0),
        "oracle options": (0.0 - expiry_doubt * oracle.factor * _if_held(expiry_doubt, market.spot), 0.0),
        "oracle coins": (0.0 - base_doubt * oracle.factor * _if_held(base_doubt, market.spot), 0.0),
    }


def _doubt(confidence: float, threshold: float) -> float:
    """Return 1 - c below the threshold, 0 else."""
    return 1.0 - confidence if confidence < threshold else 0.0


def _if_held(quantity: float, amount: float) -> float:
    """Return an amount, 0 if nothing is held: the price of what nobody holds may be missing."""
    return 0.0 if quantity == 0.0 else amount
