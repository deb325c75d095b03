"""Group `derive_pmrm2`: a portfolio of one underlying under model B."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from kernels.pmrm import model
from kernels.pmrm.holdings import Haircuts, Market, Portfolio
from monitor.models.pmrm import scenarios_of, terms_of
from monitor.vectors.inputs import InvalidInputs, read, refused_at
from schemas.pmrm import PmrmParameters

Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]
SECONDS_PER_YEAR = 31_536_000.0
BASIS = "basis"
_OURS = "allow_imprudent"  # a field of the product's, not of the layout


class _Perp(msgspec.Struct, frozen=True):
    position: float
    price: NotNegative
    confidence: NotNegative
    unrealised_pnl: float
    unrealised_funding: float


class _Collateral(msgspec.Struct, frozen=True):
    amount: NotNegative
    price: NotNegative
    mm_haircut: NotNegative
    im_haircut_extra: NotNegative
    is_risk_cancelling: bool
    confidence: NotNegative = 1.0


class _Expiry(msgspec.Struct, frozen=True):
    expiry_s: NotNegative
    forward_fixed: NotNegative
    forward_variable: NotNegative
    forward_confidence: NotNegative
    rate: float
    rate_confidence: NotNegative
    vol_confidence: NotNegative


class _Option(msgspec.Struct, frozen=True):
    expiry_s: NotNegative
    strike: Positive
    type: Literal["call", "put"]
    amount: float
    mark_vol: NotNegative


class _Inputs(msgspec.Struct, frozen=True):
    cash: float
    spot: Positive
    spot_confidence: NotNegative
    stable_price: Positive
    perp: _Perp
    collaterals: list[_Collateral]
    expiries: list[_Expiry]
    options: list[_Option]
    params: dict[str, Any]


def derive_pmrm2(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Margin a portfolio: fields as in docs/margin-model-b.md.

    Returns im and mm (net margins, negative when short of margin), option_mtm, collateral_mtm, basis_contingency and
    scenario_pnl[] in scenario order; beyond these equity, im_requirement, mm_requirement, components by name,
    worst_scenario (a row of the scenarios, or `basis`), and warnings. Parameters that reward risk are computed with and
    warned of.
    """
    given = read(inputs, _Inputs)
    parameters = _parameters(given.params)
    with refused_at("options"):
        margin = model.margin(
            _portfolio(given), _market(given), _haircuts(given), scenarios_of(parameters), terms_of(parameters)
        )
    if margin.unusable:
        raise InvalidInputs(margin.unusable[0], "a margin needs it, positive and finite")
    return {
        "im": margin.im_excess_usd,
        "mm": margin.mm_excess_usd,
        "option_mtm": margin.components["option_mtm_usd"],
        "collateral_mtm": margin.components["collateral_usd"],
        "basis_contingency": margin.basis_contingency_usd,
        "scenario_pnl": margin.scenario_pnl_usd.tolist(),
        "equity": margin.equity_usd,
        "im_requirement": margin.im_requirement_usd,
        "mm_requirement": margin.mm_requirement_usd,
        "components": margin.components,
        "worst_scenario": BASIS if margin.worst_scenario == len(parameters.scenarios) else margin.worst_scenario,
        "warnings": list(margin.warnings),
    }


def _parameters(params: dict[str, Any]) -> PmrmParameters:
    """Read parameters: every field of the layout has to be there, what the layout does not name is ignored."""
    kept: dict[str, Any] = {_OURS: True}
    for field in msgspec.structs.fields(PmrmParameters):
        if field.name == _OURS:
            continue
        if field.name not in params:
            raise InvalidInputs("params", f"Object missing required field `{field.name}`")
        value = params[field.name]
        if field.name == "scenarios" or not isinstance(value, dict):
            kept[field.name] = value
            continue
        names = [part.name for part in msgspec.structs.fields(type(field.default))]
        for name in names:
            if name not in value:
                raise InvalidInputs(f"params.{field.name}", f"Object missing required field `{name}`")
        kept[field.name] = {name: value[name] for name in names}
    return read(kept, PmrmParameters, "params")


def _portfolio(given: _Inputs) -> Portfolio:
    rows = _expiry_rows(given)
    return Portfolio(
        given.cash,
        given.perp.position,
        given.perp.unrealised_pnl + given.perp.unrealised_funding,
        np.array([option.amount for option in given.options], dtype=np.float64),
        np.array([option.type == "call" for option in given.options], dtype=np.bool_),
        np.array([option.strike for option in given.options], dtype=np.float64),
        np.array(rows, dtype=np.int64),
        np.array([collateral.amount for collateral in given.collaterals], dtype=np.float64),
    )


def _expiry_rows(given: _Inputs) -> list[int]:
    at: dict[float, int] = {}
    for row, expiry in enumerate(given.expiries):
        if expiry.expiry_s in at:
            raise InvalidInputs(f"expiries[{row}].expiry_s", "an expiry comes once")
        at[expiry.expiry_s] = row
    for i, option in enumerate(given.options):
        if option.expiry_s not in at:
            raise InvalidInputs(f"options[{i}].expiry_s", "it has to be one of the expiries")
    return [at[option.expiry_s] for option in given.options]


def _market(given: _Inputs) -> Market:
    def column(name: str) -> Any:
        return np.array([getattr(expiry, name) for expiry in given.expiries], dtype=np.float64)

    confidences = [column(f"{name}_confidence") for name in ("forward", "rate", "vol")]
    return Market(
        given.spot,
        given.spot_confidence,
        given.stable_price,
        given.perp.price,
        given.perp.confidence,
        column("expiry_s") / SECONDS_PER_YEAR,
        column("rate"),
        column("forward_fixed"),
        column("forward_variable"),
        np.minimum.reduce(confidences),
        np.array([option.mark_vol for option in given.options], dtype=np.float64),
        np.array([collateral.price for collateral in given.collaterals], dtype=np.float64),
        np.array([collateral.confidence for collateral in given.collaterals], dtype=np.float64),
    )


def _haircuts(given: _Inputs) -> Haircuts:
    return Haircuts(
        np.array([collateral.mm_haircut for collateral in given.collaterals], dtype=np.float64),
        np.array([collateral.im_haircut_extra for collateral in given.collaterals], dtype=np.float64),
        np.array([collateral.is_risk_cancelling for collateral in given.collaterals], dtype=np.bool_),
    )
