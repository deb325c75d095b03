"""Group `derive_srm`: an account under Derive's standard manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from kernels.standard import derive
from monitor.vectors.inputs import InvalidInputs, read, refused_at

Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]


class _Perp(msgspec.Struct, frozen=True):
    position: float
    price: float
    confidence: NotNegative
    entry_price: float | None = 0.0
    funding_index: float | None = 0.0
    account_funding_index: float | None = 0.0


class _Market(msgspec.Struct, frozen=True):
    spot: Positive
    spot_confidence: NotNegative
    perp: _Perp
    base: NotNegative = 0.0


class _Option(msgspec.Struct, frozen=True):
    market: str
    expiry_s: float
    strike: Positive
    type: Literal["call", "put"]
    amount: float
    mark_vol: NotNegative
    vol_confidence: NotNegative
    forward: Positive
    forward_confidence: NotNegative


class _Rates(msgspec.Struct, frozen=True):
    im: NotNegative
    mm: NotNegative


class _OptionRates(msgspec.Struct, frozen=True):
    max_spot_req: NotNegative
    min_spot_req: NotNegative
    mm_call_spot_req: NotNegative
    mm_put_spot_req: NotNegative
    mm_put_mtm_req: NotNegative
    unpaired_im_scale: NotNegative
    unpaired_mm_scale: NotNegative
    mm_offset_scale: NotNegative


class _Oracle(msgspec.Struct, frozen=True):
    perp_threshold: NotNegative
    option_threshold: NotNegative
    base_threshold: NotNegative
    factor: NotNegative


class _Base(msgspec.Struct, frozen=True):
    margin_factor: NotNegative
    im_scale: NotNegative = 1.0


class _Depeg(msgspec.Struct, frozen=True):
    threshold: NotNegative
    factor: NotNegative


class _Parameters(msgspec.Struct, frozen=True):
    option: _OptionRates
    perp: _Rates
    oracle: _Oracle
    base: _Base
    depeg: _Depeg


class _Inputs(msgspec.Struct, frozen=True):
    cash: float
    stable_price: Positive
    markets: dict[str, _Market]
    options: list[_Option]
    params: _Parameters


def derive_srm(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Margin an account: cash, coins, perpetuals and options by market.

    Options of one market and expiry_s are one expiry; the perpetual's P&L is position (price - entry_price) less
    position (funding_index - account_funding_index). Returns the net margins im and mm, mtm, and the parts of both
    margins by name.
    """
    given = read(inputs, _Inputs)
    for number, option in enumerate(given.options):
        if option.market not in given.markets:
            raise InvalidInputs(f"options[{number}].market", f"there is no market {option.market!r}")
    parameters = _parameters(given.params)
    with refused_at("markets"):
        margin = derive.standard_manager(
            given.cash,
            given.stable_price,
            {name: (_market(market, name, given.options), parameters) for name, market in given.markets.items()},
        )
    return {
        "im": margin.im_excess,
        "mm": margin.mm_excess,
        "mtm": margin.equity,
        "im_components": margin.im_components,
        "mm_components": margin.mm_components,
    }


def _parameters(given: _Parameters) -> derive.Parameters:
    return derive.Parameters(
        option=derive.OptionRates(**msgspec.structs.asdict(given.option)),
        oracle=derive.OracleRates(**msgspec.structs.asdict(given.oracle)),
        perp_im=given.perp.im,
        perp_mm=given.perp.mm,
        base_margin_factor=given.base.margin_factor,
        base_im_scale=given.base.im_scale,
        depeg_threshold=given.depeg.threshold,
        depeg_factor=given.depeg.factor,
    )


def _market(given: _Market, name: str, options: list[_Option]) -> derive.Market:
    perp = given.perp
    funding = (perp.funding_index or 0.0) - (perp.account_funding_index or 0.0)
    return derive.Market(
        spot=given.spot,
        spot_confidence=given.spot_confidence,
        base=given.base,
        perp_position=perp.position,
        perp_price=perp.price,
        perp_confidence=perp.confidence,
        perp_unrealised=perp.position * ((perp.price - (perp.entry_price or 0.0)) - funding),
        options=[
            derive.Option(
                seconds=option.expiry_s,
                strike=option.strike,
                is_call=option.type == "call",
                amount=option.amount,
                vol=option.mark_vol,
                vol_confidence=option.vol_confidence,
                forward=option.forward,
                forward_confidence=option.forward_confidence,
            )
            for option in options
            if option.market == name
        ],
    )
