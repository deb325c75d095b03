"""Writes the vector files of this folder: `python -m tests.golden.vectors.write`.

Inputs are ours, expectations QuantLib's, or 40 digits of mpmath where QuantLib has no function or another convention.
Nothing of `kernels` or `monitor` is used.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mpmath
import QuantLib as ql  # noqa: N813

from tests.golden.vectors import liquidation_cases, pmrm, standard_cases
from tests.unit.vectors.second import SECOND, plain

FOLDER = Path(__file__).parent
QUANTLIB = f"QuantLib {ql.__version__}"
MPMATH = f"mpmath {mpmath.__version__}, 40 digits, from the definitions in docs/vectors.md"
LIMITS = "the limits in docs/vectors.md, by hand"

ONE_MINUTE = 1 / (365 * 1440)
RETURNS = [1.2, -0.4, 0.3, -2.7, 0.9, -1.1, 2.2, -0.8, 0.1, -3.6, 1.7, -0.2, 0.6, -1.9, 0.5, -0.7, 1.1, -5.3, 0.8, -0.3]
BROKEN = [[1.0, 0.9, 0.7], [0.9, 1.0, 0.3], [0.7, 0.3, 1.0]]
WORSE = [[1.0, 0.95, -0.6, 0.2], [0.95, 1.0, 0.5, 0.1], [-0.6, 0.5, 1.0, 0.4], [0.2, 0.1, 0.4, 1.0]]
OBSERVED = [
    [0.8, 0.5, -0.1], [-1.2, -0.9, 0.4], [0.3, 0.6, 1.1], [2.1, 1.4, -0.7], [-0.4, 0.2, 0.9], [-1.6, -1.8, -0.5],
    [0.9, 0.7, 0.3],
]  # fmt: skip


def case(
    name: str, group: str, inputs: dict[str, Any], expected: Any, source: str, units: str, **tolerance: float
) -> dict[str, Any]:
    return {
        "id": name, "group": group, "source": source, "units": units, "inputs": inputs, "expected": expected,
        "tolerance": tolerance,
    }  # fmt: skip


def second(name: str, group: str, inputs: dict[str, Any], units: str, **tolerance: float) -> dict[str, Any]:
    return case(name, group, inputs, plain(SECOND[group](inputs)), MPMATH, units, **tolerance)


def option(kind: str) -> Any:
    return ql.Option.Call if kind == "call" else ql.Option.Put


def calculator(kind: str, strike: float, forward: float, stdev: float, discount: float) -> Any:
    return ql.BlackCalculator(ql.PlainVanillaPayoff(option(kind), strike), forward, stdev, discount)


def black() -> list[dict[str, Any]]:
    forward, discount = 66_000.0, 0.9925
    rows: list[list[Any]] = [
        [kind, strike, stdev]
        for kind in ("call", "put")
        for strike, stdev in (
            (30_000.0, 0.12), (60_000.0, 0.004), (65_999.0, 0.04), (66_000.0, 0.3), (90_000.0, 0.35), (400_000.0, 1.8),
        )
    ]  # fmt: skip
    prices = [ql.blackFormula(option(kind), k, forward, s, discount) for kind, k, s in rows]
    certain = [["call", 60_000.0, 0.0], ["put", 60_000.0, 0.0], ["call", 66_000.0, 0.0], ["put", 70_000.0, 0.0],
               ["call", 0.0, 0.3], ["put", 0.0, 0.3], ["call", 66_000.0, 24.0], ["put", 50_000.0, 1e9]]  # fmt: skip
    limits = [d * discount for d in (6_000.0, 0.0, 0.0, 4_000.0, 66_000.0, 0.0, 66_000.0, 50_000.0)]
    on_forward: list[list[Any]] = [
        ["call", 70_000.0, 66_500.0, 0.05, 30 / 365, 0.6], ["put", 70_000.0, 66_500.0, 0.05, 30 / 365, 0.6],
        ["call", 3_000.0, 3_100.0, -0.01, 1.5, 0.9], ["put", 0.9, 1.0, 0.0, 2.0, 0.05],
        ["call", 66_600.0, 66_500.0, 0.0, ONE_MINUTE, 0.45],
    ]  # fmt: skip
    on_spot: list[list[Any]] = [
        ["call", 70_000.0, 66_000.0, 0.0, 0.05, 30 / 365, 0.6], ["put", 60_000.0, 66_000.0, 0.02, 0.05, 0.5, 0.7],
        ["put", 3_500.0, 3_000.0, 0.06, -0.01, 1.5, 1.1], ["call", 1.0, 1.0, 0.0, 0.0, 0.25, 0.02],
    ]  # fmt: skip
    return [
        case("black76/chain", "black76_price", {"forward": forward, "discount": discount, "rows": rows},
             {"price": prices}, QUANTLIB, "USD", abs=1e-8, rel=1e-13),
        case("black76/limits", "black76_price",
             {"forward": forward, "discount": discount, "rows": certain, "row_format": "[type, strike, total_stdev]"},
             {"price": limits}, LIMITS, "USD", abs=1e-11),
        case("black76/forwards", "black76_price_bsm",
             {"rows": on_forward, "row_format": "[type, strike, forward, rate, years, vol]"},
             {"price": [calculator(kind, k, f, v * math.sqrt(t), math.exp(-r * t)).value()
                        for kind, k, f, r, t, v in on_forward]}, QUANTLIB, "USD", abs=1e-9, rel=1e-13),
        case("bsm/spots", "bsm_price", {"rows": on_spot, "row_format": "[type, strike, spot, q, r, years, vol]"},
             {"price": [calculator(kind, k, s * math.exp((r - q) * t), v * math.sqrt(t), math.exp(-r * t)).value()
                        for kind, k, s, q, r, t, v in on_spot]}, QUANTLIB, "USD", abs=1e-9, rel=1e-13),
        *[greeks(f"black76/greeks-{i}", *row) for i, row in enumerate((
            ("call", 66_500.0, 70_000.0, 0.17, 0.996, 66_000.0, 30 / 365),
            ("put", 66_500.0, 70_000.0, 0.17, 0.996, 66_000.0, 30 / 365),
            ("put", 0.95, 0.9, 1.3, 1.02, 1.0, 2.0),
        ))],
        edge("black76/edge-certain", 100.0, 0.98, 0.0),
        edge("black76/edge-ordinary", 100.0, 0.98, 0.25),
        spot_greeks(),
    ]  # fmt: skip


def greeks(
    name: str, kind: str, forward: float, strike: float, stdev: float, discount: float, spot: float, years: float
) -> dict[str, Any]:
    inputs = {"type": kind, "forward": forward, "strike": strike, "total_stdev": stdev, "discount": discount,
              "spot": spot, "maturity": years}  # fmt: skip
    c = calculator(kind, strike, forward, stdev, discount)
    exact = plain(SECOND["black76_greeks"](inputs))
    expected = {
        "delta_spot": c.delta(spot), "delta_forward": c.deltaForward(), "gamma_spot": c.gamma(spot),
        "gamma_forward": c.gammaForward(), "theta_bsm": c.theta(spot, years), "vega": c.vega(years),
        "rho_spot_model": c.rho(years), "itm_cash_probability": c.itmCashProbability(),
        "itm_asset_probability": c.itmAssetProbability(), "strike_sensitivity": c.strikeSensitivity(),
        "strike_gamma": c.strikeGamma(), "vanna": exact["vanna"], "volga": exact["volga"],
    }  # fmt: skip
    source = f"{QUANTLIB} (BlackCalculator); vanna and volga: {MPMATH}"
    return case(name, "black76_greeks", inputs, expected, source, "USD, years", rel=1e-11, abs=1e-14)


def edge(name: str, forward: float, discount: float, stdev: float) -> dict[str, Any]:
    rows = [[kind, strike] for kind in ("call", "put") for strike in (90.0, 100.0, 110.0)]
    inputs = {"forward": forward, "discount": discount, "total_stdev": stdev, "rows": rows}
    return second(name, "black76_greeks_edge", inputs, "T = 1 year", rel=1e-12, abs=1e-14)


def spot_greeks() -> dict[str, Any]:
    option_: list[Any] = ["put", 60_000.0, 66_000.0, 0.02, 0.05, 0.5, 0.7]
    kind, k, s, q, r, t, v = option_
    c = calculator(kind, k, s * math.exp((r - q) * t), v * math.sqrt(t), math.exp(-r * t))
    values = {
        "delta": c.delta(s), "gamma": c.gamma(s), "vega": c.vega(t), "theta": c.theta(s, t), "rho": c.rho(t),
        "theta_per_day": c.thetaPerDay(s, t), "dividend_rho": c.dividendRho(t), "elasticity": c.elasticity(s),
        "strike_sensitivity": c.strikeSensitivity(),
    }  # fmt: skip
    inputs = {"rows": [[name, *option_] for name in values],
              "row_format": "[greek, type, strike, spot, q, r, years, vol]"}  # fmt: skip
    return case("bsm/greeks", "bsm_greeks", inputs, {"value": list(values.values())}, QUANTLIB, "USD, years",
                rel=1e-12)  # fmt: skip


def statistics() -> list[dict[str, Any]]:
    normal = {"cases": [{"mean": 0.0, "sigma": 1.0}, {"mean": 0.02, "sigma": 0.045}, {"mean": -1.5, "sigma": 12.0}]}
    books = {"z": 2.33, "horizon_days": 10.0, "positions_usd": [1.5e6, -9e5, 2e5], "daily_vols": [0.03, 0.045, 0.06]}
    fell_together = [[1.0, 0.85, 0.6], [0.85, 1.0, 0.75], [0.6, 0.75, 1.0]]
    return [
        case("ewma/long-memory", "ewma", {"lambda_": 0.97, "prev_variance": 0.0004, "last_return": 0.05},
             {"variance": 0.000463}, "by hand: 0.97 x 0.0004 + 0.03 x 0.0025", "variance of one day", rel=1e-15),
        case("ewma/quiet", "ewma", {"lambda_": 0.94, "prev_variance": 2.5e-7, "last_return": 0.0},
             {"variance": 2.35e-7}, "by hand: 0.94 x 2.5e-7", "variance of one minute", rel=1e-15),
        *[second(f"gaussian/{c}", "gaussian_var_es", {**normal, "confidence": c}, "losses positive", rel=1e-13)
          for c in (0.95, 0.99)],
        *[second(f"historical/{tail}-{c}", "historical_var_es",
                 {"returns_pct": RETURNS, "confidence": c, "convention": tail}, "percent, losses positive", rel=1e-13)
          for tail in ("tail_mean", "beyond", "weighted") for c in (0.9, 0.88)],
        second("delta-normal/hedged", "delta_normal_var", {**books, "correlation": 0.8}, "USD", rel=1e-13),
        second("delta-normal/matrix", "delta_normal_var", {**books, "correlation": fell_together}, "USD", rel=1e-13),
        second("correlation/returns", "correlation", {"x": RETURNS[:10], "y": RETURNS[10:]}, "", rel=1e-13),
        case("psd/spectral", "psd_repair", {"matrix": BROKEN, "method": "spectral"}, {"matrix": salvaged(BROKEN)},
             f"{QUANTLIB} (pseudoSqrt, spectral)", "", abs=1e-13),
        second("psd/spectral-4", "psd_repair", {"matrix": WORSE, "method": "spectral"}, "", abs=1e-13),
        second("psd/nearest", "psd_repair_higham", {"matrix": BROKEN, "method": "higham"}, "", abs=1e-10),
        second("psd/nearest-4", "psd_repair_higham", {"matrix": WORSE, "method": "higham"}, "", abs=1e-10),
        second("shrinkage/ledoit-wolf", "ledoit_wolf", {"x": OBSERVED}, "", rel=1e-12, abs=1e-15),
        second("shrinkage/oas", "oas", {"x": OBSERVED}, "", rel=1e-12, abs=1e-15),
    ]  # fmt: skip


def salvaged(rows: list[list[float]]) -> list[list[float]]:
    n = len(rows)
    matrix = ql.Matrix(n, n)
    for i in range(n):
        for j in range(n):
            matrix[i][j] = rows[i][j]
    root = ql.pseudoSqrt(matrix, ql.SalvagingAlgorithm.Spectral)
    return [[sum(root[i][k] * root[j][k] for k in range(root.columns())) for j in range(n)] for i in range(n)]


def deribit() -> list[dict[str, Any]]:
    btc = {
        "price_range": 0.16, "buckets_each_side": 4, "pnl_offset": 0.6, "max_offsetable_pnl_usd": 150_000.0,
        "min_annualised_move": 0.01, "annualised_move_risk": 0.075, "m_inc": 5e-05,
        "delta_total_liq_shock_threshold_usd": 20_000_000.0, "max_delta_shock": 0.1, "mm_factor": 0.8,
    }  # fmt: skip
    hedged = {
        "currency": "btc", "contract": "inverse, settled in BTC", "index_price": 65_000.0,
        "mark_prices": {"BTC-PERPETUAL": 65_065.0, "BTC-27MAR26": 66_300.0, "BTC-25SEP26": 68_900.0},
        "positions_base": {"BTC-PERPETUAL": 12.5, "BTC-27MAR26": -7.25, "BTC-25SEP26": -4.0},
        "evaluation_timestamp_ms": 1_767_225_600_000, "params": btc, "open_orders_margin": 0.002, "mmp_margin": 0.0,
    }  # fmt: skip
    large = {**hedged, "positions_base": {"BTC-PERPETUAL": -900.0, "BTC-27MAR26": 150.0}}
    linear = {
        "currency": "usdc", "contract": "linear, settled in USDC", "index_price": 180.0,
        "mark_prices": {"SOL_USDC-PERPETUAL": 180.2, "SOL_USDC-27MAR26": 184.0},
        "positions_base": {"SOL_USDC-PERPETUAL": -5_000.0, "SOL_USDC-27MAR26": 5_200.0},
        "evaluation_timestamp_ms": 1_767_225_600_000,
        "params": {**btc, "price_range": 0.25, "buckets_each_side": 5, "m_inc": 2e-06,
                   "delta_total_liq_shock_threshold_usd": 20_000.0, "min_annualised_move": 0.015,
                   "annualised_move_risk": 0.15},
        "open_orders_margin": 0.0, "mmp_margin": 25.0,
    }  # fmt: skip
    return [
        second("deribit/calendar-spread", "deribit_pme", hedged, "BTC", rel=1e-12, abs=1e-13),
        second("deribit/large-short", "deribit_pme", large, "BTC", rel=1e-12, abs=1e-11),
        second("deribit/linear-basis", "deribit_pme", linear, "USD", rel=1e-12, abs=1e-9),
    ]


def scans() -> list[dict[str, Any]]:
    near = [0.0, 0.0, 310.0, 310.0, -310.0, -310.0, 620.0, 620.0, -620.0, -620.0, 930.0, 930.0, -930.0, -930.0, 651.0,
            -651.0]  # fmt: skip
    call = [41.0, -44.0, 260.5, 190.0, -102.0, -199.5, 540.0, 470.25, -190.5, -260.0, 880.0, 815.0, -235.0, -271.0,
            690.0, -95.0]  # fmt: skip
    arrays = {"future": near, "call": call}
    return [
        second("span/covered-call", "span_scan",
               {"risk_array_pnl_long": arrays, "positions": {"future": 10.0, "call": -12.5}}, "USD", rel=1e-14),
        case("span/tie", "span_scan", {"risk_array_pnl_long": {"flat": [3.0, -1.0, 2.0, -1.0]},
                                       "positions": {"flat": 2.0}},
             {"scan_risk": 2.0, "worst_scenario_index_1based": 2, "portfolio_array": [6.0, -2.0, 4.0, -2.0]},
             "by hand: the lowest of equal scenarios", "USD", abs=0.0),
        case("span/no-loss", "span_scan", {"risk_array_pnl_long": {"flat": [3.0, 1.0]}, "positions": {"flat": 1.0}},
             {"scan_risk": 0.0, "worst_scenario_index_1based": 2}, "by hand", "USD", abs=0.0),
        case("paradex/quarters", "paradex_scan", {"moves": [-0.5, 0.2, 0.25, 1.0, 4.0], "price_range": 0.25},
             {"weights": [0.5, 1.0, 1.0, 0.25, 0.0625]}, "by hand: range over move", "fraction of P&L", abs=0.0),
    ]  # fmt: skip


def derive() -> list[dict[str, Any]]:
    return [
        case("derive/hedged-perpetual", "derive_pmrm2", pmrm.hedged_perpetual(), pmrm.HEDGED_PERPETUAL, pmrm.BY_HAND,
             "USD", rel=1e-14, abs=1e-11),
        *[second(f"derive/{name}", "derive_pmrm2", inputs, "USD", rel=1e-12, abs=1e-9)
          for name, inputs in pmrm.books().items()],
    ]  # fmt: skip


def tiers() -> list[dict[str, Any]]:
    multipliers = [[0, 10_000, 1], [10_000, 70_000, 2], [70_000, 170_000, 4], [170_000, 300_000, 6],
                   [300_000, 470_000, 8], [470_000, 700_000, 10], [700_000, None, 12]]  # fmt: skip
    rates = [[0, 1_000_000, 0.0075], [1_000_000, 5_000_000, 0.0175], [5_000_000, None, 0.025]]
    hand = "by hand"
    return [
        case("okx/minimum-first-slices", "okx_mr7",
             {"raw_minimum_charge": 50_000.0, "sum_of_other_units": 60_000.0, "tiers": multipliers},
             {"mr7_adjusted": 90_000.0, "mmr": 90_000.0}, hand, "USD", abs=0.0),
        case("okx/minimum-all-slices", "okx_mr7",
             {"raw_minimum_charge": 800_000.0, "sum_of_other_units": 9_000_000.0, "tiers": multipliers},
             {"mr7_adjusted": 6_170_000.0, "mmr": 9_000_000.0}, hand, "USD", abs=0.0),
        case("okx/depeg-open-end", "okx_mr9", {"hedge_scale_usd": 12_000_000.0, "tiers": rates},
             {"mr9": 252_500.0}, hand, "USD", abs=1e-9),
        case("okx/depeg-inside", "okx_mr9", {"hedge_scale_usd": 600_000.0, "tiers": rates},
             {"mr9": 4_500.0}, hand, "USD", abs=1e-9),
        case("hyperliquid/borrow", "hyperliquid_ltv",
             {"collateral_amount": 250.0, "oracle_price": 38.5, "ltv": 0.65},
             {"borrowable_usdc": 6_256.25, "liquidation_threshold": 0.825}, hand, "USD, fraction", abs=1e-9),
    ]  # fmt: skip


NOTES = {
    "black": "Black-76 and Black-Scholes-Merton: ordinary options and the limits.",
    "statistics": "Volatility, value at risk and shortfall, correlation, repair, shrinkage.",
    "scans": "Reductions: risk arrays of a portfolio, weights of extended moves.",
    "derive": "Scenario margin: a hedged perpetual, a covered straddle, a calendar into settlement, low confidence.",
    "tiers": "Charges slice by slice, and borrowing against collateral.",
    "deribit": "Risk matrix of futures: a calendar spread, a size above the delta threshold, a linear basis.",
    "standard": "Position by position: Derive's standard manager as published, weights by size.",
    "liquidation": "What is closed, at what price, and who pays: what Derive, dYdX, Drift and Paradex publish.",
}


def files() -> dict[str, str]:
    """Contents by name of a file."""
    cases = {"black": black(), "statistics": statistics(), "deribit": deribit(), "derive": derive(), "scans": scans()}
    cases |= {"standard": [*standard_cases.derive(), standard_cases.weights()], "tiers": tiers()}
    cases |= {"liquidation": liquidation_cases.liquidation()}
    return {
        f"{name}.json": json.dumps({"schema": "margin-vectors/1", "note": NOTES[name], "cases": found}, indent=1) + "\n"
        for name, found in cases.items()
    }


if __name__ == "__main__":
    for file_name, text in files().items():
        (FOLDER / file_name).write_text(text)
