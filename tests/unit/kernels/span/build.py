"""From the dictionaries of `plain` to the arrays of the kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kernels.scenarios_units import COIN, INVERSE, INVERSE_OPTION, LINEAR, LINEAR_OPTION
from kernels.span.arrays import SpanArrays, risk_arrays
from kernels.span.requirement import Commodity, Contracts
from kernels.span.scenarios import span_scenarios
from kernels.span.spreads import CAPPED, NORMAL, SCAN_RANGE, CalendarSpread, InterSpread, Leg

KINDS = {
    "coin": COIN, "linear": LINEAR, "inverse": INVERSE, "linear_option": LINEAR_OPTION,
    "inverse_option": INVERSE_OPTION,
}  # fmt: skip
METHODS = {"normal": NORMAL, "scan_range_capped": CAPPED, "scan_range": SCAN_RANGE}
POINT_WEIGHTS = np.array([0.270, 0.217, 0.217, 0.110, 0.110, 0.037, 0.037])


def arrays(
    contracts: Sequence[Mapping[str, Any]], index: float, price_range: float, vol_scan: float, *,
    relative: bool = False, look_ahead_days: float = 1.0, multiplier: float = 2.0, covered: float = 0.35,
) -> SpanArrays:  # fmt: skip
    def column(name: str, missing: float = 0.0) -> Any:
        return np.array([contract.get(name, missing) for contract in contracts], dtype=np.float64)

    return risk_arrays(
        np.array([KINDS[contract["kind"]] for contract in contracts], dtype=np.int64),
        np.array([contract.get("type") == "call" for contract in contracts], dtype=np.bool_),
        column("size"), column("strike"), column("price"), column("fixed"), column("years"), column("vol"),
        index, price_range, vol_scan, relative, look_ahead_days / 365, span_scenarios(multiplier, covered),
        POINT_WEIGHTS,
    )  # fmt: skip


def columns(contracts: Sequence[Mapping[str, Any]]) -> Contracts:
    """Contracts of `plain.requirement`, with numbers that floats hold exactly."""

    def whole(name: str) -> Any:
        return np.array([one[name] for one in contracts], dtype=np.int64)

    return Contracts(
        np.array([[float(x) for x in one["pnl"]] for one in contracts], dtype=np.float64).reshape(len(contracts), 16),
        np.array([float(one["value"]) for one in contracts]), np.array([float(one["delta"]) for one in contracts]),
        whole("commodity"), whole("tier"), whole("option"),
        np.array([one["premium"] for one in contracts], dtype=np.bool_),
        np.array([float(one["size"]) for one in contracts]),
    )  # fmt: skip


def commodity(one: Mapping[str, Any]) -> Commodity:
    return Commodity(
        float(one["index"]), float(one["range"]), one["tiers"],
        tuple(CalendarSpread(a, b, *(float(x) for x in rest)) for a, b, *rest in one["calendar"]),
        float(one["short_option_usd"]), float(one["delivery_usd"]),
    )  # fmt: skip


def inter_spread(legs: Sequence[tuple[int, int, Any]], rate: Any, method: str) -> InterSpread:
    return InterSpread(tuple(Leg(c, side, float(ratio)) for c, side, ratio in legs), float(rate), METHODS[method])
