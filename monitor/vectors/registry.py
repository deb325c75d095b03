"""The functions under test, by group."""

from __future__ import annotations

from monitor.vectors import black, deribit, returns, scans
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
    "ewma": returns.ewma,
    "gaussian_var_es": returns.gaussian_var_es,
    "historical_var_es": returns.historical_var_es,
    "ledoit_wolf": returns.ledoit_wolf,
    "oas": returns.oas,
    "paradex_scan": scans.paradex_scan,
    "psd_repair": returns.psd_repair,
    "psd_repair_higham": returns.psd_repair_higham,
    "span_scan": scans.span_scan,
}
