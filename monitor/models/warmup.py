"""Runs every margin model once on a tiny portfolio, so that no account's first record waits for machine code."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from kernels import scenarios
from monitor.models.portfolio import Correlations, Portfolio, Rows, Underlying
from monitor.models.registry import MODELS
from schemas.add_ons import PRUDENT
from schemas.fields import MIN_TIME_US
from schemas.records import ParameterSet

EXPIRY_US = MIN_TIME_US + 86_400_000_000 * 30


def warm_up() -> None:
    """Compute a portfolio of two coins, each with a future and options sold, under every model with add-ons."""
    chosen = ParameterSet(name="warm-up", event_time_us=MIN_TIME_US, add_ons=PRUDENT)
    joint = msgspec.structs.replace(chosen.joint, draws=64, min_history=2)
    chosen = msgspec.structs.replace(chosen, joint=joint)
    coins = (_underlying("BTC"), _underlying("ETH"))
    matrices = np.array([[[1.0, 0.5], [0.5, 1.0]]])
    past = Correlations(("floor",), matrices, 0.1, history=np.linspace(-2.0, 2.0, 32).reshape(16, 2))
    for model in MODELS.values():
        model.compute(Portfolio("warm-up", MIN_TIME_US, 0.0, coins, past), chosen, "0" * 16)


def _underlying(name: str) -> Underlying:
    kind = np.array([scenarios.COIN, scenarios.LINEAR, scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION])
    n, price = len(kind), 100.0
    full, nothing, option = np.full(n, price), np.zeros(n), kind >= scenarios.LINEAR_OPTION
    rows = Rows(
        kind=kind, is_call=option, size=np.ones(n), strike=full, forward=full, fixed=nothing, funding=nothing,
        years=np.where(option, 30.0 / 365.0, 0.0), vol=np.where(option, 0.5, 0.0),
        expiry_us=np.where(option, EXPIRY_US, 0), value_usd=np.where(option, 5.0, price),
        delta_coins=np.ones(n), market_delta_coins=np.ones(n),
    )  # fmt: skip
    return Underlying(
        name=name, index_price=price, annual_vol=math.nan, names=(None, "F", "L", "I"),
        quantity=np.array([0.5, -1.0, -1.0, -2.0]), rows=rows, average_price=full,
        entry_usd=np.array([0.0, price, 0.0, 0.0]), entry_coins=nothing, coins=0.5,
        settlement=(None, "USD", "USD", name), funding_rate_8h=nothing,
    )  # fmt: skip
