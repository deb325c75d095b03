"""Add-ons that are a rate on an exposure, and those that depend on the model's own requirement."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from kernels._jit import Floats


def roll_rate(years: float, annualised_move: float, min_move: float) -> float:
    """Return max(min move, annualised move T): the move of an expiry's basis as a fraction (Deribit). NaN stays NaN."""
    move = annualised_move * years
    return move if math.isnan(move) else max(min_move, move)


def roll_charge(delta_usd: Iterable[float], rates: Iterable[float]) -> float:
    """Return sum over expiries of |delta| rate, USD. Raises ValueError on two lengths."""
    return math.fsum(abs(delta) * rate for delta, rate in zip(delta_usd, rates, strict=True))


def funding_provision(paid_usd: Floats) -> float:
    """Return the sum of what is a cost, USD; a gain covers nothing, for it may turn. paid_usd: float64[n], by contract.

    NaN in gives NaN. Source: Paradex, funding provision; contract by contract is ours.
    """
    return math.fsum(np.where(paid_usd > 0.0, paid_usd, 0.0 * paid_usd))


def worst_weighted(pnl_usd: Floats, weights: Sequence[float]) -> float:
    """Return max(0, max over scenarios of -weight P&L), USD. NaN in gives NaN. Raises ValueError on two lengths."""
    losses = [-weight * pnl for pnl, weight in zip(pnl_usd.tolist(), weights, strict=True)]
    return math.nan if any(math.isnan(loss) for loss in losses) else max(0.0, *losses)


def beyond(charge_usd: float, covered_usd: float) -> float:
    """Return what a charge has above what is there already, max(0, charge - max(0, covered)). NaN in gives NaN."""
    left = charge_usd - covered_usd
    return left if math.isnan(left) else max(0.0, charge_usd - max(0.0, covered_usd))


def floor_usd(deltas_usd: Floats, net_rate: float, hedged_rate: float, hedged_usd: float) -> float:
    """Return net rate |sum of deltas| + hedged rate hedged delta, USD (Paradex). NaN in gives NaN."""
    return net_rate * abs(math.fsum(deltas_usd)) + hedged_rate * hedged_usd


def confidence_charge(confidence: float, notional_usd: float, threshold: float, factor: float) -> float:
    """Return (1 - c) factor notional below the threshold, else 0, USD (Derive, PMRM). NaN notional stays NaN."""
    return (1.0 - confidence) * factor * notional_usd if confidence < threshold else 0.0 * notional_usd


def stale_share(age_s: float, age_free_s: float, age_span_s: float) -> float:
    """Return min(1, max(0, age - age0)/age1): how much of the growth for staleness counts. NaN stays NaN."""
    late = (age_s - age_free_s) / age_span_s
    return late if math.isnan(late) else min(1.0, max(0.0, late))
