"""The margin models by name: what each is, where it comes from, which parameters it reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.models import joint, netted, okx, paradex, pmrm, risk_matrix, span, standard
from monitor.models.add_ons import with_add_ons
from monitor.models.collateral import with_collateral
from monitor.models.margin import Margin
from monitor.models.portfolio import Portfolio
from schemas.add_ons import beside
from schemas.base import Record
from schemas.parameters import ParameterSet

Core = Callable[[Portfolio, ParameterSet, str], Margin]


@dataclass(frozen=True, slots=True)
class Model:
    """One margin model.

    `fields` are the fields of a parameter set that it reads, `page` is below `docs/`. `core` takes a portfolio, a
    parameter set and its hash, and knows of nothing on top. `each_tick` says that it is quick enough to be run on every
    tick.
    """

    name: str
    title: str
    source: str
    page: str
    fields: tuple[str, ...]
    core: Core
    each_tick: bool = True

    def compute(self, portfolio: Portfolio, chosen: ParameterSet, parameter_hash: str) -> Margin:
        """Return a portfolio's margin, with the add-ons and haircuts of the parameter set on top."""
        margin = self.core(portfolio, chosen, parameter_hash)
        margin = with_add_ons(margin, portfolio, beside(self.name, chosen.add_ons))
        return with_collateral(margin, portfolio, chosen.collateral)

    def parameters(self, chosen: ParameterSet) -> dict[str, Record | dict[str, Record]]:
        """Return what the model reads of a parameter set, by field; some are by underlying."""
        return {name: getattr(chosen, name) for name in self.fields}


def _of(
    field: str, margin: Callable[[Portfolio, Any, str], Margin]
) -> Callable[[Portfolio, ParameterSet, str], Margin]:
    """Return a model that reads one field of a parameter set."""
    return lambda portfolio, chosen, parameter_hash: margin(portfolio, getattr(chosen, field), parameter_hash)


def _historical(portfolio: Portfolio, chosen: ParameterSet, parameter_hash: str) -> Margin:
    parameters = msgspec.structs.replace(chosen.joint, scenarios="historical")
    return dataclasses.replace(joint.margin(portfolio, parameters, parameter_hash), model="D-history")


def _netted(portfolio: Portfolio, chosen: ParameterSet, parameter_hash: str) -> Margin:
    parameters = netted.NettedParameters(chosen.risk_matrix, chosen.underlyings, chosen.netting)
    return netted.margin(portfolio, parameters, parameter_hash)


_ALL = (
    Model(
        "A", "Risk matrix of each coin, added up, with profits that may offset (Deribit)",
        "Deribit, portfolio margin pages and API", "margin-model-a.md", ("risk_matrix", "underlyings"),
        risk_matrix.margin,
    ),
    Model(
        "A-okx", "Risk units of market, theta, vega, basis, rates, extremes, minimum, borrowing, depeg (OKX)",
        "OKX, portfolio margin help pages", "margin-model-a-okx.md", ("okx",),
        _of("okx", okx.margin),
    ),
    Model(
        "A-paradex", "Twenty-four weighted cells against a floor on delta, with funding and fees (Paradex)",
        "Paradex, portfolio margin documentation", "margin-model-a-paradex.md", ("paradex",),
        _of("paradex", paradex.margin),
    ),
    Model(
        "B", "Scenario margin of 33 moves with skew, static discount and contingencies (PMRM)",
        "derivexyz/v2-core, PMRM_2 and PMRMLib_2", "margin-model-b.md", ("pmrm",),
        _of("pmrm", pmrm.margin),
    ),
    Model(
        "C", "Risk arrays of 16 scenarios, calendar charges, credits between coins (SPAN)",
        "SPAN as documented by exchanges and Indian clearing", "margin-model-c.md", ("span",),
        _of("span", span.margin),
    ),
    Model(
        "D", "Expected shortfall of joint draws, correlations under stress, against procyclicality",
        "clearing houses' joint simulations (STANS, SPAN 2, Prisma), as documented", "margin-model-d.md", ("joint",),
        _of("joint", joint.margin), each_tick=False,
    ),
    Model(
        "D-history", "The same over filtered returns of the past",
        "filtered historical simulation; clearing houses as above", "margin-model-d.md", ("joint",),
        _historical, each_tick=False,
    ),
    Model(
        standard.ISOLATED, "Position by position, nothing helps anything: the baseline",
        "rates of perpetual venues; Deribit's standard margin for options", "margin-model-e.md", ("standard",),
        _of("standard", standard.isolated),
    ),
    Model(
        standard.CROSS, "Position by position with one equity, rates growing with size",
        "rates of perpetual venues; Drift's size scaling", "margin-model-e.md", ("standard",),
        _of("standard", standard.cross),
    ),
    Model(
        standard.TIERED, "Position by position with one equity, rates by tiers of notional",
        "Binance, leverage and maintenance tiers", "margin-model-e.md", ("standard",),
        _of("standard", standard.tiered),
    ),
    Model(
        standard.DERIVE, "Standard manager: rates by market, options by expiry (SRM)",
        "derivexyz/v2-core, StandardManager", "margin-model-e.md", ("standard",),
        _of("standard", standard.derive_standard),
    ),
    Model(
        netted.NAME, "Risk matrices netted by correlation: what a perpetual would hedge, and nothing else; the default",
        "ours", "margin-model-p.md", ("netting", "risk_matrix", "underlyings"), _netted,
    ),
)  # fmt: skip
MODELS: dict[str, Model] = {model.name: model for model in _ALL}
BASELINE = standard.ISOLATED
