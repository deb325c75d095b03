"""Portfolios of group `derive_pmrm2`."""

from __future__ import annotations

from typing import Any

BY_HAND = (
    "by hand: collateral 3000/0.96 = 3125, moving with spot -4020 + 3125 = -895; IM 223.75 x 1.12 + 432.5 + 2196.25, "
    "MM 223.75 x 0.8 + 432.5"
)
SCENARIOS: list[list[Any]] = [
    [1.18, "up", 1.0], [1.135, "down", 1.0], [1.0, "none", 1.0], [0.955, "none", 1.0], [0.865, "down", 1.0],
    [0.82, "up", 1.0], [0.34, "up", 0.21], [2.0, "up", 0.1386], [1.0, "linear", 1.0], [1.0, "abs", 1.0],
]  # fmt: skip
PARAMS: dict[str, Any] = {
    "scenarios": SCENARIOS,
    "vol_shock": {"range_up": 0.5, "range_down": 0.3, "short_term_power": 0.3, "long_term_power": 0.13,
                  "dte_floor_days": 1.0, "min_vol_up": 0.4},
    "margin": {"im_factor": 1.0, "mm_factor": 0.8, "long_rate_mult": 0.0, "long_rate_add": 0.16, "short_rate_mult": 0.0,
               "short_rate_add": 0.16, "long_static_discount": 0.95, "short_static_discount": 1.04},
    "basis": {"spot_up": 1.045, "spot_down": 0.955, "add_factor": 0.5, "mult_factor": 2.0},
    "other": {"peg_threshold": 0.99, "peg_factor": 4.0, "conf_threshold": 0.55, "conf_margin": 1.0, "mm_perp_pct": 0.03,
              "im_perp_pct_extra": 0.01, "mm_option_pct": 0.003, "im_option_pct_extra": 0.002},
    "skew": {"linear_base_cap": 0.25, "linear_c": -0.1, "abs_base_cap": 0.25, "abs_c": -0.1, "min_k_star": 0.01,
             "width_scale": 4.0, "vol_param_static": 0.6, "vol_param_scale": 0.0},
}  # fmt: skip
NO_PERP = {"position": 0.0, "price": 0.0, "confidence": 0.0, "unrealised_pnl": 0.0, "unrealised_funding": 0.0}


def _expiry(seconds: int, variable: float, fixed: float = 0.0, vol_confidence: float = 0.95) -> dict[str, Any]:
    return {"expiry_s": seconds, "forward_fixed": fixed, "forward_variable": variable, "forward_confidence": 1.0,
            "rate": 0.08, "rate_confidence": 1.0, "vol_confidence": vol_confidence}  # fmt: skip


def _option(seconds: int, kind: str, strike: float, amount: float, vol: float) -> dict[str, Any]:
    return {"expiry_s": seconds, "strike": strike, "type": kind, "amount": amount, "mark_vol": vol}


def hedged_perpetual() -> dict[str, Any]:
    coin = {"amount": 1.5, "price": 2_000.0, "confidence": 0.9, "mm_haircut": 0.1, "im_haircut_extra": 0.05,
            "is_risk_cancelling": True}  # fmt: skip
    short = {"position": -2.0, "price": 2_010.0, "confidence": 0.5, "unrealised_pnl": 30.0, "unrealised_funding": -5.0}
    rows: list[list[Any]] = [[1.1, "up", 1.0], [0.9, "none", 1.0], [2.0, "up", 0.25]]
    return {"cash": -1_000.0, "spot": 2_000.0, "spot_confidence": 1.0, "stable_price": 0.96, "perp": short,
            "collaterals": [coin], "expiries": [], "options": [], "params": {**PARAMS, "scenarios": rows}}  # fmt: skip


HEDGED_PERPETUAL = {
    "im": -729.35, "mm": 1538.5, "option_mtm": 0.0, "collateral_mtm": 3125.0, "basis_contingency": 0.0,
    "scenario_pnl": [-89.5, 89.5, -223.75], "equity": 2150.0, "im_requirement": 2879.35, "mm_requirement": 611.5,
}  # fmt: skip


def books() -> dict[str, dict[str, Any]]:
    """Inputs by name of a case."""
    month, half, hour = 30 * 86_400, 182 * 86_400, 900
    coin = {"amount": 1.0, "price": 60_050.0, "confidence": 1.0, "mm_haircut": 0.04, "im_haircut_extra": 0.015,
            "is_risk_cancelling": True}  # fmt: skip
    base = {"cash": 2_500.0, "spot": 60_000.0, "spot_confidence": 1.0, "stable_price": 1.0002, "perp": NO_PERP,
            "collaterals": [], "params": PARAMS}  # fmt: skip
    straddle = [_option(month, "call", 60_000.0, -1.0, 0.55), _option(month, "put", 60_000.0, -0.5, 0.55),
                _option(month, "call", 90_000.0, 1.0, 0.7)]  # fmt: skip
    calendar = [_option(month, "put", 50_000.0, -3.0, 0.6), _option(half, "put", 50_000.0, 3.0, 0.62),
                _option(hour, "call", 60_100.0, -2.0, 0.5)]  # fmt: skip
    return {
        "covered-straddle": {**base, "collaterals": [coin], "expiries": [_expiry(month, 60_300.0)],
                             "options": straddle},
        "calendar-into-settlement": {
            **base, "expiries": [_expiry(half, 62_000.0), _expiry(month, 60_300.0), _expiry(hour, 30_000.0, 30_010.0)],
            "options": calendar,
            "perp": {**NO_PERP, "position": 0.5, "price": 60_020.0, "confidence": 1.0, "unrealised_pnl": -12.0},
        },
        "doubtful-volatility": {**base, "stable_price": 0.97, "expiries": [_expiry(half, 62_000.0, 0.0, 0.2)],
                                "options": [_option(half, "call", 120_000.0, 10.0, 0.8)]},
    }  # fmt: skip
