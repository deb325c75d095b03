"""Cases drawn with a fixed seed: inputs of every group, ordinary and odd."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.unit.vectors import generated_liquidation, generated_standard

PER_GROUP = 4
COINS = {"BTC": 65_000.0, "ETH": 3_300.0}
TIMES = {"PERPETUAL": 0, "28MAR25": 1, "26SEP25": 1}
AT_MS = 1_735_000_000_000  # December 2024


def drawn() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (group, inputs), the same at every run."""
    for group, draw in DRAWS.items():
        dice = random.Random(group)
        for _ in range(PER_GROUP):
            yield group, draw(dice)


def _option(dice: random.Random) -> tuple[str, float, float, float, float]:
    """Kind, forward, strike, volatility and years; the strike within four deviations."""
    kind, forward = dice.choice(["call", "put"]), 10 ** dice.uniform(-1, 5)
    vol, years = dice.uniform(0.1, 2.0), 10 ** dice.uniform(-2.5, 0.5)
    return kind, forward, forward * math.exp(dice.uniform(-4, 4) * vol * math.sqrt(years)), vol, years


def _rows(dice: random.Random, row: Callable[[random.Random], list[Any]]) -> dict[str, Any]:
    return {"rows": [row(dice) for _ in range(3)]}


def _forward_row(dice: random.Random) -> list[Any]:
    kind, forward, strike, vol, years = _option(dice)
    return [kind, strike, forward, dice.uniform(-0.05, 0.15), years, vol]


def _spot_row(dice: random.Random) -> list[Any]:
    kind, spot, strike, vol, years = _option(dice)
    return [kind, strike, spot, dice.uniform(-0.05, 0.1), dice.uniform(-0.05, 0.15), years, vol]


def _greek_row(dice: random.Random) -> list[Any]:
    greek = dice.choice(["delta", "gamma", "vega", "theta", "rho", "dividend_rho", "vanna", "volga", "elasticity"])
    return [greek, *_spot_row(dice)]


def _on_forward(dice: random.Random) -> dict[str, Any]:
    _, forward, *_ = _option(dice)
    rows = [[dice.choice(["call", "put"]), forward * math.exp(dice.uniform(-1, 1)), dice.uniform(0.0, 2.0)]
            for _ in range(3)]  # fmt: skip
    return {"forward": forward, "discount": dice.uniform(0.9, 1.02), "rows": rows}


def _greeks(dice: random.Random) -> dict[str, Any]:
    kind, forward, strike, vol, years = _option(dice)
    return {
        "type": kind, "forward": forward, "strike": strike, "total_stdev": vol * math.sqrt(years),
        "discount": dice.uniform(0.9, 1.02), "spot": forward * dice.uniform(0.9, 1.1), "maturity": years,
    }  # fmt: skip


def _edge(dice: random.Random) -> dict[str, Any]:
    forward = 10 ** dice.uniform(-1, 5)
    strikes = [forward * x for x in (0.7, 1.3)]
    return {"forward": forward, "discount": dice.uniform(0.9, 1.02), "total_stdev": dice.choice([0.2, 0.9]),
            "rows": [[kind, strike] for kind in ("call", "put") for strike in strikes]}  # fmt: skip


def _ewma(dice: random.Random) -> dict[str, Any]:
    return {"lambda_": dice.uniform(0.5, 0.98), "prev_variance": 10 ** dice.uniform(-8, -2),
            "last_return": dice.gauss(0.0, 0.05)}  # fmt: skip


def _gaussian(dice: random.Random) -> dict[str, Any]:
    cases = [{"mean": dice.gauss(0, 1), "sigma": 10 ** dice.uniform(-3, 3)} for _ in range(2)]
    return {"cases": cases, "confidence": dice.uniform(0.55, 0.989)}


def _historical(dice: random.Random) -> dict[str, Any]:
    return {"returns_pct": [dice.gauss(0, 3) for _ in range(dice.choice([1, 7, 25]))],
            "confidence": dice.uniform(0.55, 0.989),
            "convention": dice.choice(["tail_mean", "beyond", "weighted"])}  # fmt: skip


def _delta_normal(dice: random.Random) -> dict[str, Any]:
    return {"z": dice.uniform(1, 3), "horizon_days": dice.uniform(0.1, 20), "correlation": dice.uniform(0.0, 0.95),
            "positions_usd": [dice.gauss(0, 1e6) for _ in range(3)],
            "daily_vols": [dice.uniform(0.01, 0.1) for _ in range(3)]}  # fmt: skip


def _pair(dice: random.Random) -> dict[str, Any]:
    x = [dice.gauss(5, 3) for _ in range(8)]
    return {"x": x, "y": [0.4 * v + dice.gauss(0, 2) for v in x]}


def _matrix(dice: random.Random) -> dict[str, Any]:
    rows = [[1.0] * 3 for _ in range(3)]
    for i in range(3):
        for j in range(i):
            rows[i][j] = rows[j][i] = dice.uniform(-1, 1)
    return {"matrix": rows}


def _observations(dice: random.Random) -> dict[str, Any]:
    return {"x": [[dice.gauss(0.1, 1.0 + j) for j in range(3)] for _ in range(dice.choice([2, 6]))]}


def _futures(dice: random.Random) -> dict[str, Any]:
    coin, linear = dice.choice(list(COINS)), dice.random() < 0.3
    index = COINS[coin] * dice.uniform(0.5, 1.5)
    names = [f"{coin}{'_USDC' if linear else ''}-{expiry}" for expiry in TIMES]
    size = 10 ** dice.uniform(-2, 4)
    return {
        "contract": "linear, settled in USDC" if linear else f"inverse, settled in {coin}", "index_price": index,
        "mark_prices": {name: index * dice.uniform(0.95, 1.05) for name in names},
        "positions_base": {name: dice.gauss(0, size) for name in names}, "evaluation_timestamp_ms": AT_MS,
        "params": {
            "price_range": dice.uniform(0.05, 0.5), "buckets_each_side": dice.randint(2, 6),
            "pnl_offset": dice.choice([0.0, 0.6]), "max_offsetable_pnl_usd": dice.choice([0.0, 1e6]),
            "min_annualised_move": 0.01, "annualised_move_risk": dice.uniform(0.0, 0.2), "m_inc": 5e-05,
            "delta_total_liq_shock_threshold_usd": dice.choice([2e7, 1e3]), "max_delta_shock": 0.1, "mm_factor": 0.8,
        },
        "open_orders_margin": dice.uniform(0, 0.1), "mmp_margin": dice.choice([0.0, 0.06]),
    }  # fmt: skip


def _span(dice: random.Random) -> dict[str, Any]:
    names = ["near", "far", "call"]
    return {"risk_array_pnl_long": {name: [dice.gauss(0, 900) for _ in range(16)] for name in names},
            "positions": {name: dice.gauss(0, 20) for name in names[: dice.choice([1, 3])]}}  # fmt: skip


def _moves(dice: random.Random) -> dict[str, Any]:
    moves = [dice.choice([-1, 1]) * dice.uniform(0.1, 0.95) for _ in range(5)]
    return {"moves": [*moves, dice.uniform(1, 6)], "price_range": dice.uniform(0.1, 0.4)}


def _pmrm_options(dice: random.Random, days: int, forward: float, n: int) -> list[dict[str, Any]]:
    strikes = dice.sample([0.7, 0.9, 1.0, 1.15, 1.5], n)
    return [
        {"expiry_s": days * 86_400 + 1_234, "strike": round(forward * x, 2), "type": kind,
         "amount": dice.gauss(0, 5), "mark_vol": dice.uniform(0.3, 1.2)}
        for x in strikes for kind in dice.choice([["call"], ["put"], ["call", "put"]])
    ]  # fmt: skip


def _pmrm(dice: random.Random) -> dict[str, Any]:
    spot = dice.choice(list(COINS.values())) * dice.uniform(0.5, 1.5)
    forwards = {days: spot * dice.uniform(0.98, 1.06) for days in dice.sample([0, 3, 25, 200, 900], 2)}
    fixed = {days: forward * (0.6 if days == 0 else 0.0) for days, forward in forwards.items()}
    low = dice.choice([0.3, 0.95])
    return {
        "cash": dice.gauss(0, spot), "spot": spot, "spot_confidence": 0.97, "stable_price": dice.choice([0.93, 1.001]),
        "perp": {"position": dice.gauss(0, 3), "price": spot * 1.002, "confidence": low, "unrealised_pnl": 20.0,
                 "unrealised_funding": -3.5},
        "collaterals": [
            {"amount": 1.5, "price": spot * 0.99, "confidence": 0.4, "mm_haircut": 0.04, "im_haircut_extra": 0.015,
             "is_risk_cancelling": True},
            {"amount": 900.0, "price": 1.002, "confidence": 0.9, "mm_haircut": 0.02, "im_haircut_extra": 0.01,
             "is_risk_cancelling": False},
        ],
        "expiries": [
            {"expiry_s": days * 86_400 + 1_234, "forward_fixed": fixed[days], "forward_variable": forward - fixed[days],
             "forward_confidence": 0.96, "rate": dice.uniform(-0.05, 0.3), "rate_confidence": 0.98,
             "vol_confidence": low}
            for days, forward in forwards.items()
        ],
        "options": [x for days, forward in forwards.items() for x in _pmrm_options(dice, days, forward, 1)],
        "params": _pmrm_parameters(dice),
    }  # fmt: skip


def _pmrm_parameters(dice: random.Random) -> dict[str, Any]:
    reward = dice.choice([0.0, 0.1])
    return {
        "scenarios": [[1.2, "up", 1.0], [1.1, "down", 1.0], [0.85, "none", 0.9], [0.5, "up", 0.3], [3.0, "up", 0.1],
                      [1.0, "linear", 1.0], [1.0, "abs", 2.0]],
        "vol_shock": {"range_up": 0.5, "range_down": dice.choice([0.3, 2.5]), "short_term_power": 0.3,
                      "long_term_power": 0.13, "dte_floor_days": 1.0, "min_vol_up": 0.45},
        "margin": {"im_factor": 1.0, "mm_factor": 0.8, "long_rate_mult": 1.0, "long_rate_add": 0.08,
                   "short_rate_mult": 0.5, "short_rate_add": 0.08, "long_static_discount": 0.95 + reward,
                   "short_static_discount": 1.04 - reward},
        "basis": {"spot_up": 1.045, "spot_down": 0.955, "add_factor": 0.5, "mult_factor": 2.0},
        "other": {"peg_threshold": 0.98, "peg_factor": 2.0, "conf_threshold": 0.55, "conf_margin": 1.1,
                  "mm_perp_pct": 0.015, "im_perp_pct_extra": 0.005, "mm_option_pct": 0.003,
                  "im_option_pct_extra": 0.002},
        "skew": {"linear_base_cap": 0.25, "linear_c": -0.1, "abs_base_cap": dice.choice([0.25, 9.5]), "abs_c": -0.2,
                 "min_k_star": 0.01, "width_scale": 4.0, "vol_param_static": 0.6, "vol_param_scale": -0.1},
    }  # fmt: skip


def _tiers(dice: random.Random, rate: float) -> list[list[Any]]:
    """Three slices; the last one has no end, or one that an amount may exceed."""
    first, second = 10 ** dice.uniform(3, 5), 10 ** dice.uniform(5.1, 6)
    return [[0.0, first, rate], [first, second, 2 * rate], [second, dice.choice([None, 3e6]), 5 * rate]]


def _minimum_charge(dice: random.Random) -> dict[str, Any]:
    return {"raw_minimum_charge": 10 ** dice.uniform(2, 7), "sum_of_other_units": 10 ** dice.uniform(2, 8),
            "tiers": _tiers(dice, 1.0)}  # fmt: skip


def _depeg(dice: random.Random) -> dict[str, Any]:
    return {"hedge_scale_usd": 10 ** dice.uniform(2, 7), "tiers": _tiers(dice, 0.005)}


def _collateral(dice: random.Random) -> dict[str, Any]:
    return {"collateral_amount": 10 ** dice.uniform(-2, 5), "oracle_price": 10 ** dice.uniform(-3, 5),
            "ltv": dice.uniform(0.0, 0.95)}  # fmt: skip


DRAWS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "black76_price": _on_forward,
    "black76_price_bsm": lambda dice: _rows(dice, _forward_row),
    "black76_greeks": _greeks,
    "black76_greeks_edge": _edge,
    "bsm_price": lambda dice: _rows(dice, _spot_row),
    "bsm_greeks": lambda dice: _rows(dice, _greek_row),
    "ewma": _ewma,
    "gaussian_var_es": _gaussian,
    "historical_var_es": _historical,
    "delta_normal_var": _delta_normal,
    "correlation": _pair,
    "psd_repair": _matrix,
    "psd_repair_higham": _matrix,
    "ledoit_wolf": _observations,
    "oas": _observations,
    "deribit_pme": _futures,
    "derive_pmrm2": _pmrm,
    "span_scan": _span,
    "paradex_scan": _moves,
    "derive_srm": generated_standard.srm,
    "drift_imf": generated_standard.imf,
    "okx_mr7": _minimum_charge,
    "okx_mr9": _depeg,
    "hyperliquid_ltv": _collateral,
    "derive_dutch_auction": generated_liquidation.auction,
    "dydx_fillable_price": generated_liquidation.fillable,
    "dydx_insurance_delta": generated_liquidation.insurance,
    "drift_liquidation_size": generated_liquidation.size,
    "drift_liability_transfer": generated_liquidation.transfer,
    "drift_insurance_fee": generated_liquidation.fees,
    "drift_fee_ramp": generated_liquidation.ramp,
    "paradex_liquidation": generated_liquidation.partial,
}
