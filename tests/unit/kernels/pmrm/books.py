"""Portfolios under model B, written as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kernels.pmrm import model
from kernels.pmrm.holdings import Haircuts, Market, Portfolio
from kernels.pmrm.model import Margin
from monitor.models.pmrm import scenarios_of, terms_of
from schemas.pmrm import PmrmParameters


@dataclass(frozen=True, slots=True)
class Option:
    expiry: int
    kind: str
    strike: float
    amount: float
    vol: float = 0.6


@dataclass(frozen=True, slots=True)
class Expiry:
    years: float
    forward: float
    fixed: float = 0.0
    rate: float = 0.05
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Collateral:
    amount: float
    price: float
    mm_haircut: float = 0.04
    im_haircut_extra: float = 0.02
    cancels: bool = True
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Book:
    """A portfolio with its market, one underlying at 2,000 unless said otherwise."""

    cash: float = 0.0
    perp: float = 0.0
    unrealised: float = 0.0
    options: Sequence[Option] = ()
    collaterals: Sequence[Collateral] = ()
    expiries: Sequence[Expiry] = (Expiry(30 / 365, 2_010.0), Expiry(0.75, 2_080.0))
    spot: float = 2_000.0
    spot_confidence: float = 1.0
    stable_price: float = 1.0
    perp_price: float = 2_004.0
    perp_confidence: float = 1.0
    parameters: PmrmParameters = field(default_factory=PmrmParameters)

    def scaled(self, by: float) -> Book:
        return replace(
            self, cash=self.cash * by, perp=self.perp * by, unrealised=self.unrealised * by,
            options=[replace(o, amount=o.amount * by) for o in self.options],
            collaterals=[replace(c, amount=c.amount * by) for c in self.collaterals],
        )  # fmt: skip

    def plus(self, other: Book) -> Book:
        return replace(
            self, cash=self.cash + other.cash, perp=self.perp + other.perp,
            unrealised=self.unrealised + other.unrealised, options=[*self.options, *other.options],
            collaterals=[*self.collaterals, *other.collaterals],
        )  # fmt: skip

    def margin(self) -> Margin:
        return model.margin(*self.columns(), scenarios_of(self.parameters), terms_of(self.parameters))

    def columns(self) -> tuple[Portfolio, Market, Haircuts]:
        o, e, c = self.options, self.expiries, self.collaterals
        portfolio = Portfolio(
            self.cash, self.perp, self.unrealised, floats(x.amount for x in o),
            np.array([x.kind == "call" for x in o], dtype=np.bool_), floats(x.strike for x in o),
            np.array([x.expiry for x in o], dtype=np.int64), floats(x.amount for x in c),
        )  # fmt: skip
        market = Market(
            self.spot, self.spot_confidence, self.stable_price, self.perp_price, self.perp_confidence,
            floats(x.years for x in e), floats(x.rate for x in e), floats(x.fixed for x in e),
            floats(x.forward - x.fixed for x in e), floats(x.confidence for x in e), floats(x.vol for x in o),
            floats(x.price for x in c), floats(x.confidence for x in c),
        )  # fmt: skip
        haircuts = Haircuts(
            floats(x.mm_haircut for x in c), floats(x.im_haircut_extra for x in c),
            np.array([x.cancels for x in c], dtype=np.bool_),
        )  # fmt: skip
        return portfolio, market, haircuts


def floats(values: Any) -> Any:
    return np.array(list(values), dtype=np.float64)
