"""Portfolios for tests of model D, and the parameters that make it a textbook model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from kernels import scenarios
from kernels._jit import Floats
from monitor.models.portfolio import Correlations, Portfolio, Rows, Underlying
from schemas.joint import JointBasis, JointParameters, JointVolatility

DAY_US = 86_400_000_000
START_US = 1_760_000_040_000_000
STILL = JointVolatility(beta_down=0.0, beta_up=0.0, annual_vol=0.0)
LEVEL = JointBasis(perpetual=0.0, tenor_days=(), daily=(0.0,))
PLAIN = JointParameters(
    degrees_of_freedom=None, stress_k=0.0, floor=0.0, procyclicality_blend=0.0, volatility=STILL, basis=LEVEL
)
"""Normal moves of the index and nothing else: no floor, no stress, no move of volatilities and bases."""


@dataclass(frozen=True)
class Row:
    """One contract held: quantity, `kernels.scenarios` kind, price or forward, and what an option has besides."""

    name: str
    quantity: float
    kind: int = scenarios.LINEAR
    price: float = math.nan  # the index where not given
    size: float = 1.0
    strike: float = 0.0
    days: float = 0.0
    vol: float = math.nan
    is_call: bool = True
    fixed: float = 0.0
    funding: float = 0.0


def underlying(name: str, index: float, *contracts: Row, coins: float = 0.0, annual_vol: float = 0.6) -> Underlying:
    """Return one underlying, its rows sorted by name, valued and differentiated by the kernels of model A."""
    rows = [Row("", coins, scenarios.COIN, index), *sorted(contracts, key=lambda row: row.name)]
    n = len(rows)
    blank = np.zeros(n)
    market = Rows(
        kind=np.array([row.kind for row in rows], dtype=np.int64),
        is_call=np.array([row.is_call for row in rows]),
        size=np.array([row.size for row in rows]),
        strike=np.array([row.strike for row in rows]),
        forward=np.array([index if math.isnan(row.price) else row.price for row in rows]),
        fixed=np.array([row.fixed for row in rows]),
        funding=np.array([row.funding for row in rows]),
        years=np.array([row.days / 365.0 for row in rows]),
        vol=np.array([row.vol for row in rows]),
        expiry_us=np.array([START_US + round(row.days * DAY_US) if row.days else 0 for row in rows], dtype=np.int64),
        value_usd=np.empty(n), delta_coins=np.empty(n), market_delta_coins=np.empty(n),
    )  # fmt: skip
    table = scenarios.scenario_table(0.16, 1, ())
    scenarios.risk_array(
        *market[:9], index, *table, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0, np.empty((n, len(table.move))), *market[10:]
    )
    return Underlying(
        name=name, index_price=index, annual_vol=annual_vol, names=(None, *(row.name for row in rows[1:])),
        quantity=np.array([row.quantity for row in rows]),
        rows=market, average_price=blank, entry_usd=blank, entry_coins=blank, coins=coins,
    )  # fmt: skip


def equal(p: int, rho: float) -> Floats:
    """Return the correlation matrix in which every two have the same one."""
    return np.asarray(np.full((p, p), rho) + (1.0 - rho) * np.eye(p))


def portfolio(
    *underlyings: Underlying, cash: float = 0.0, matrices: Floats | Sequence[Floats] | None = None, k: float = 0.0,
    history: Floats | None = None, version: int = 1, **more: Any,
) -> Portfolio:  # fmt: skip
    """Return a portfolio of underlyings in order of their names; matrices are in that order."""
    p = len(underlyings)
    stacked = np.array([equal(p, 0.5)] if matrices is None else matrices).reshape(-1 if p else 1, p, p)
    names = ("fast", "slow", "floor", "latched")[: len(stacked)]
    correlations = Correlations(names, stacked, k, version, history=np.zeros((0, p)) if history is None else history)
    return Portfolio(
        account="a", market_time_us=START_US, cash_usd=cash,
        underlyings=tuple(sorted(underlyings, key=lambda one: one.name)), correlations=correlations, **more,
    )  # fmt: skip


def changed(parameters: JointParameters, **fields: Any) -> JointParameters:
    """Return parameters with other fields, checked as if they came from a file."""
    return msgspec.convert(msgspec.structs.asdict(parameters) | fields, JointParameters)
