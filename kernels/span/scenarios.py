"""Model C's sixteen scenarios, and how a scan loss splits into price, volatility and time.

Numbers are those of risk array files, 1 to 16; a row or column here is the number less one.

| number | price move, in scan ranges | volatility | weight |
|---|---|---|---|
| 1, 2 | 0 | up, down | 1 |
| 3, 4 / 5, 6 | +1/3 / -1/3 | up, down | 1 |
| 7, 8 / 9, 10 | +2/3 / -2/3 | up, down | 1 |
| 11, 12 / 13, 14 | +1 / -1 | up, down | 1 |
| 15 / 16 | +, - extreme multiplier | unchanged | covered fraction |

Source: the scenario table of SPAN as textbooks and Indian clearing print it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels._jit import Floats, Ints
from kernels.scenarios_table import DOWN, SAME, UP

SCENARIOS = 16
PAIRED = 14  # numbers 1 to 14 come in pairs of one move with volatility up and down
POINTS = (0.0, 1 / 3, -1 / 3, 2 / 3, -2 / 3, 1.0, -1.0)  # moves of the pairs, and of the composite delta
NO_SCENARIO = 0  # in place of a number, when the P&L is not a number


class SpanScenarios(NamedTuple):
    """Scenarios in file order: move float64[16] in scan ranges, vol_direction int64[16], weight float64[16]."""

    move: Floats
    vol_direction: Ints
    weight: Floats


class Scan(NamedTuple):
    """Scan risk in USD, not negative, the number of its scenario, and the part of it that is due to the price."""

    risk_usd: float
    scenario: int
    price_risk_usd: float


def span_scenarios(extreme_multiplier: float, covered_fraction: float) -> SpanScenarios:
    """Return the table; raises ValueError unless the multiplier is at least 1 and the fraction above 0, at most 1."""
    if not 1.0 <= extreme_multiplier < np.inf:
        raise ValueError("an extreme move is at least one scan range")
    if not 0.0 < covered_fraction <= 1.0:
        raise ValueError("the covered fraction of an extreme loss is above 0 and at most 1")
    move = [point for point in POINTS for _ in (UP, DOWN)] + [extreme_multiplier, -extreme_multiplier]
    return SpanScenarios(
        np.array(move), np.array([UP, DOWN] * (PAIRED // 2) + [SAME, SAME]),
        np.array([1.0] * PAIRED + [covered_fraction] * 2),
    )  # fmt: skip


def worst(pnl_usd: Floats) -> tuple[float, int]:
    """Return scan risk max(0, -min P&L) in USD and the number of the worst scenario, the lowest of equals.

    pnl_usd: float64[S], S >= 1, of any table. A P&L that is not finite gives NaN and number 0.
    """
    if not np.isfinite(pnl_usd).all():
        return np.nan, NO_SCENARIO
    row = int(np.argmin(pnl_usd))  # the first of equals
    return max(0.0, -float(pnl_usd[row])), row + 1


def scan(pnl_usd: Floats) -> Scan:
    """Reduce the P&L float64[16] of one commodity to its scan risk and the price part of it.

    With a the active scenario and t its twin (same move, volatility the other way), losses positive: volatility risk
    (loss_a - loss_t)/2, time risk (loss_1 + loss_2)/2, price risk what they leave of the scan risk, at least 0. The
    extremes leave volatility as it is and are their own twins. Without scan risk there is no price risk.
    Raises ValueError on another shape.
    """
    if pnl_usd.shape != (SCENARIOS,):
        raise ValueError(f"the P&L of {SCENARIOS} scenarios is expected")
    risk, scenario = worst(pnl_usd)
    if scenario == NO_SCENARIO:
        return Scan(risk, scenario, np.nan)
    if risk == 0.0:
        return Scan(0.0, scenario, 0.0)
    twin = (scenario - 1) ^ 1 if scenario <= PAIRED else scenario - 1
    vol_risk = (risk + float(pnl_usd[twin])) / 2.0
    time_risk = -(float(pnl_usd[0]) + float(pnl_usd[1])) / 2.0
    return Scan(risk, scenario, max(0.0, risk - vol_risk - time_risk))
