"""Liquidation groups of dYdX, Drift and Paradex: prices, sizes and fees by their closed forms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from kernels.liquidation import drift, dydx, paradex
from monitor.vectors.inputs import InvalidInputs, read, refused_at

NotNegative = Annotated[float, Meta(ge=0.0)]
Positive = Annotated[float, Meta(gt=0.0)]
Rates = NotNegative | dict[str, NotNegative]


class _Fillable(msgspec.Struct, frozen=True):
    usdc_balance: float
    positions: dict[str, float]
    oracle: dict[str, Positive]
    mm_ratio: Rates
    bankruptcy_adjustment: NotNegative
    spread_to_mm_ratio: NotNegative
    liquidate: str


class _Insurance(msgspec.Struct, frozen=True):
    usdc_balance: float
    position_btc: float
    oracle_btc: Positive
    mm_ratio: NotNegative
    close_size: float
    fill_price: NotNegative
    max_liquidation_fee: NotNegative


class _Size(msgspec.Struct, frozen=True):
    margin_shortage: NotNegative
    margin_ratio: NotNegative
    liquidator_fee: NotNegative
    insurance_fee: NotNegative
    oracle_price: NotNegative
    quote_price: NotNegative = 1.0


class _Transfer(msgspec.Struct, frozen=True):
    margin_shortage: NotNegative
    asset_weight: NotNegative
    asset_multiplier: NotNegative
    liability_weight: NotNegative
    liability_multiplier: Positive
    liability_price: NotNegative
    insurance_fee: NotNegative = 0.0


class _FeeCase(msgspec.Struct, frozen=True):
    margin_shortage: NotNegative
    base_amount: NotNegative
    margin_ratio: NotNegative
    liquidator_fee: NotNegative
    oracle_price: NotNegative
    max_fee: NotNegative
    quote_price: NotNegative = 1.0


class _Fees(msgspec.Struct, frozen=True):
    cases: list[_FeeCase]


class _Ramp(msgspec.Struct, frozen=True):
    base_fee: NotNegative
    max_fee: NotNegative
    grace_slots: NotNegative
    increase_per_slot: NotNegative
    slots_elapsed: list[NotNegative]


class _Position(msgspec.Struct, frozen=True):
    market: str
    size: float
    entry: Positive
    mark: Positive


class _Paradex(msgspec.Struct, frozen=True):
    collateral: float
    positions: list[_Position]
    mm_fraction: Rates
    target_margin_ratio: Positive
    share_step: Positive
    liquidation_fee_of_mmr: NotNegative


def dydx_fillable_price(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Price a liquidation order: usdc_balance, positions{}, oracle{}, mm_ratio, bankruptcy_adjustment, ... .

    Further spread_to_mm_ratio and `liquidate`, the market; mm_ratio is one number, or one by market. Returns
    fillable_price, and bankruptcy_rating.
    """
    given = read(inputs, _Fillable)
    positions = {}
    for market in sorted(given.positions):
        if market not in given.oracle:
            raise InvalidInputs(f"oracle.{market}", "a position needs its oracle price")
        rate = _rate(given.mm_ratio, market, "mm_ratio")
        positions[market] = dydx.Position(given.positions[market], given.oracle[market], rate)
    with refused_at("positions"):
        price = dydx.fillable_price(
            given.usdc_balance, positions, given.liquidate, given.bankruptcy_adjustment, given.spread_to_mm_ratio
        )
        rating = dydx.bankruptcy_rating(
            dydx.net_collateral(given.usdc_balance, positions), dydx.maintenance(positions), given.bankruptcy_adjustment
        )
    return {"fillable_price": price, "bankruptcy_rating": rating}


def dydx_insurance_delta(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Charge a fill to the insurance fund: usdc_balance, position_btc, oracle_btc, mm_ratio, close_size, ... .

    Further fill_price and max_liquidation_fee; the sign of close_size does not matter. Returns insurance_fund_delta,
    positive where the fund is paid, and bankruptcy_value, the proceeds at which it is neither.
    """
    given = read(inputs, _Insurance)
    positions = {"BTC": dydx.Position(given.position_btc, given.oracle_btc, given.mm_ratio)}
    with refused_at("close_size"):
        delta = dydx.insurance_delta(
            given.usdc_balance, positions, "BTC", given.close_size, given.fill_price, given.max_liquidation_fee
        )
        value = dydx.bankruptcy_value(given.usdc_balance, positions, "BTC", given.close_size)
    return {"insurance_fund_delta": delta, "bankruptcy_value": value}


def drift_liquidation_size(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Size a liquidation: margin_shortage, margin_ratio, liquidator_fee, insurance_fee, oracle_price, quote_price.

    Returns base_amount, null where no size covers the shortage.
    """
    given = read(inputs, _Size)
    with refused_at("margin_shortage"):
        return {"base_amount": _or_null(drift.base_to_cover(*msgspec.structs.astuple(given)))}


def drift_liability_transfer(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Size a take-over of debt: margin_shortage, asset and liability weight and multiplier, liability_price, ... .

    Further insurance_fee, 0 if not given. Returns liability_transfer, null where no size covers the shortage.
    """
    given = read(inputs, _Transfer)
    with refused_at("margin_shortage"):
        return {"liability_transfer": _or_null(drift.liability_transfer(*msgspec.structs.astuple(given)))}


def drift_insurance_fee(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Take the insurance fund's fee: cases[{margin_shortage, base_amount, margin_ratio, liquidator_fee, ...}] -> fee[].

    Further oracle_price and max_fee of each case, and quote_price, 1 if not given.
    """
    fees = []
    for number, case in enumerate(read(inputs, _Fees).cases):
        with refused_at(f"cases[{number}]"):
            fees.append(drift.insurance_fee(*msgspec.structs.astuple(case)))
    return {"fee": fees}


def drift_fee_ramp(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Raise a fee with time: base_fee, max_fee, grace_slots, increase_per_slot, slots_elapsed[] -> fee[]."""
    given = read(inputs, _Ramp)
    with refused_at("slots_elapsed"):
        return {
            "fee": [
                drift.ramped_fee(given.base_fee, given.max_fee, given.grace_slots, given.increase_per_slot, slots)
                for slots in given.slots_elapsed
            ]
        }


def paradex_liquidation(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Liquidate a part of an account: collateral, positions[{market, size, entry, mark}], mm_fraction, ... .

    Further target_margin_ratio, share_step and liquidation_fee_of_mmr; mm_fraction is one number, or one by market.
    Returns account_value, mmr, liquidation_share, penalty, collateral_after, account_value_after, margin_ratio_after
    (null without value), sizes_after in the order of the positions, and the shortfall of an account that cannot pay.
    """
    given = read(inputs, _Paradex)
    positions = [
        paradex.Position(p.size, p.entry, p.mark, _rate(given.mm_fraction, p.market, "mm_fraction"))
        for p in given.positions
    ]
    terms = paradex.Terms(given.target_margin_ratio, given.share_step, given.liquidation_fee_of_mmr)
    with refused_at("positions"):
        done = paradex.partial_liquidation(given.collateral, positions, terms)
    return {
        "account_value": done.account_value_usd,
        "mmr": done.mm_usd,
        "liquidation_share": done.share,
        "penalty": done.penalty_usd,
        "collateral_after": done.collateral_after_usd,
        "account_value_after": done.value_after_usd,
        "margin_ratio_after": _or_null(done.margin_ratio_after),
        "sizes_after": list(done.quantities_after_coins),
        "shortfall": done.shortfall_usd,
    }


def _rate(rates: Rates, market: str, place: str) -> float:
    if not isinstance(rates, dict):
        return rates
    if market not in rates:
        raise InvalidInputs(f"{place}.{market}", "a position needs its rate")
    return rates[market]


def _or_null(value: float) -> float | None:
    """Return a number as JSON has it: without infinity."""
    return value if math.isfinite(value) else None
