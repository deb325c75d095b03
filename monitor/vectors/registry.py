"""The functions under test, by group."""

from __future__ import annotations

from monitor.vectors import (
    black,
    deribit,
    derive_auction,
    derive_pmrm,
    derive_srm,
    liquidation,
    returns,
    scans,
    span,
    standard,
    tiers,
)
from monitor.vectors.inputs import Vector

CALLABLES: dict[str, Vector] = {
    "black76_greeks": black.black76_greeks,
    "black76_greeks_edge": black.black76_greeks_edge,
    "black76_price": black.black76_price,
    "black76_price_bsm": black.black76_price_bsm,
    "bsm_greeks": black.bsm_greeks,
    "bsm_price": black.bsm_price,
    "correlation": returns.correlation,
    "delta_normal_var": returns.delta_normal_var,
    "deribit_pme": deribit.deribit_pme,
    "derive_dutch_auction": derive_auction.derive_dutch_auction,
    "derive_pmrm2": derive_pmrm.derive_pmrm2,
    "derive_srm": derive_srm.derive_srm,
    "drift_fee_ramp": liquidation.drift_fee_ramp,
    "drift_imf": standard.drift_imf,
    "drift_insurance_fee": liquidation.drift_insurance_fee,
    "drift_liability_transfer": liquidation.drift_liability_transfer,
    "drift_liquidation_size": liquidation.drift_liquidation_size,
    "dydx_fillable_price": liquidation.dydx_fillable_price,
    "dydx_insurance_delta": liquidation.dydx_insurance_delta,
    "ewma": returns.ewma,
    "gaussian_var_es": returns.gaussian_var_es,
    "historical_var_es": returns.historical_var_es,
    "hyperliquid_ltv": tiers.hyperliquid_ltv,
    "ledoit_wolf": returns.ledoit_wolf,
    "oas": returns.oas,
    "okx_mr7": tiers.okx_mr7,
    "okx_mr9": tiers.okx_mr9,
    "paradex_liquidation": liquidation.paradex_liquidation,
    "paradex_scan": scans.paradex_scan,
    "psd_repair": returns.psd_repair,
    "psd_repair_higham": returns.psd_repair_higham,
    "span_scan": span.span_scan,
}
