"""One account under each margin model: `python -m benchmarks models --json`.

A portfolio of 20 positions in four underlyings: in each a perpetual, and four options of two expiries, bought and sold.
`NAME_vs_P` is the time of one run of a model over that of model P on the same portfolio, `NAME_ms` that time on this
machine; models with their default parameters, D with its 4,096 draws. `with_add_ons_vs_P` is P with every add-on.
"""

from __future__ import annotations

import msgspec
import numpy as np

from benchmarks.rounds import medians
from kernels import scenarios
from monitor.models.portfolio import Correlations, Portfolio, Rows, Underlying
from monitor.models.registry import MODELS
from schemas.add_ons import PRUDENT
from schemas.fields import MIN_TIME_US
from schemas.records import ParameterSet

DAY_US = 86_400_000_000
COINS = {"BTC": 100_000.0, "ETH": 4_000.0, "SOL": 200.0, "XRP": 2.5}
DAYS = (7.0, 30.0)
SET = ParameterSet(name="benchmark", event_time_us=MIN_TIME_US)
HASH = "0" * 16


def portfolio() -> Portfolio:
    """Return the portfolio."""
    coins = tuple(_underlying(name, price) for name, price in COINS.items())
    matrix = np.full((3, len(coins), len(coins)), 0.7)
    matrix[:, range(len(coins)), range(len(coins))] = 1.0
    past = np.random.default_rng(5).standard_t(4.0, (1_008, len(coins)))
    correlations = Correlations(("fast", "slow", "floor"), matrix, 0.1, version=1, history=past)
    return Portfolio("benchmark", MIN_TIME_US, 50_000.0, coins, correlations)


def measure() -> dict[str, float | bool]:
    """Return ratios, times in milliseconds, and whether every model gave figures."""
    book = portfolio()
    charged = msgspec.structs.replace(SET, add_ons=PRUDENT)
    forms = {name: lambda model=model: model.compute(book, SET, HASH) for name, model in MODELS.items()}
    forms["with_add_ons"] = lambda: MODELS["P"].compute(book, charged, HASH)
    found = medians(forms)
    figures: dict[str, float | bool] = {f"{name}_vs_P": found[name] / found["P"] for name in forms if name != "P"}
    figures |= {f"{name}_ms": 1e3 * found[name] for name in forms}
    figures["all_computed"] = all(model.compute(book, SET, HASH).computed for model in MODELS.values())
    return figures


def _underlying(name: str, price: float) -> Underlying:
    days = np.array([0.0, 0.0, *(day for day in DAYS for _ in range(2))])
    is_option = days > 0.0
    n = len(days)
    kind = np.where(is_option, scenarios.INVERSE_OPTION, scenarios.LINEAR)
    kind[0] = scenarios.COIN
    is_call = np.array([False, False, True, False, True, False])
    strike = price * np.array([1.0, 1.0, 1.1, 0.9, 1.2, 0.8])
    none, full = np.zeros(n), np.full(n, price)
    value, delta, market = np.empty(n), np.empty(n), np.empty(n)
    table = scenarios.scenario_table(0.2, 1, ())
    vol = np.where(is_option, 0.6, 0.0)
    scenarios.risk_array(
        kind, is_call, np.ones(n), strike, full, none, none, days / 365.0, vol, price, *table,
        0.5, 0.25, 0.5, 0.3, 0.13, 1.0, np.empty((n, len(table.move))), value, delta, market,
    )  # fmt: skip
    quantity = 20_000.0 / price * np.array([0.5, -1.0, -1.0, -1.0, 2.0, 1.0])
    return Underlying(
        name=name, index_price=price, annual_vol=0.6, names=(None, "F", "C1", "P1", "C2", "P2"), quantity=quantity,
        rows=Rows(
            kind, is_call, np.ones(n), strike, full, none, none, days / 365.0, vol,
            np.where(is_option, MIN_TIME_US + (days * DAY_US).astype(np.int64), 0), value, delta, market,
        ),
        average_price=full, entry_usd=np.where(kind == scenarios.LINEAR, -quantity * full, 0.0), entry_coins=none,
        coins=float(quantity[0]), settlement=(None, "USD", name, name, name, name),
        funding_rate_8h=none,
    )  # fmt: skip
