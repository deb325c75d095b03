"""Model A as Deribit publishes it, currency by currency.

Origins: BTC from the example in the API documentation (2024), ETH from an API response (February 2026), contracts
that settle in USD from the documentation. Where a currency prints no value the default of `RiskMatrixParameters`
stands, which is BTC's.
"""

from __future__ import annotations

from schemas.parameters import ParameterSet, RiskMatrixParameters

DERIBIT_BTC = RiskMatrixParameters(extended_dampener_usd=100_000.0)
"""BTC: profits offset nothing (0 and 0 in the example)."""

DERIBIT_ETH = RiskMatrixParameters(
    price_range=0.18,
    volatility_range_up=0.40,
    annualised_move_risk=0.05,
    min_annualised_move=0.005,
    delta_shock_slope=0.000004,
    pnl_offset=0.6,
    max_offsetable_pnl_usd=20_000_000.0,
    extended_dampener_usd=200_000.0,
)
"""ETH."""

DERIBIT_USD = RiskMatrixParameters(
    annualised_move_risk=0.10,
    min_annualised_move=0.01,
    pnl_offset=0.4,
    max_offsetable_pnl_usd=1_000_000.0,
    extended_dampener_usd=25_000.0,
)
"""Contracts that settle in USD, whatever the coin."""


def deribit_set(event_time_us: int, name: str = "deribit") -> ParameterSet:
    """Return Deribit's values as a parameter set: BTC, ETH, and everything else as contracts settled in USD."""
    return ParameterSet(
        name=name,
        event_time_us=event_time_us,
        risk_matrix=DERIBIT_USD,
        underlyings={"BTC": DERIBIT_BTC, "ETH": DERIBIT_ETH},
    )
