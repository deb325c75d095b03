"""The scan group: model C's scan of risk arrays given from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from kernels import blocks
from kernels.span.scenarios import worst
from monitor.vectors.inputs import InvalidInputs, read


class _Span(msgspec.Struct, frozen=True):
    risk_array_pnl_long: dict[str, list[float]]
    positions: dict[str, float]


def span_scan(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Scan the risk arrays of a portfolio: risk_array_pnl_long{contract: gains}, positions{contract: quantity}.

    Returns portfolio_array, scan_risk (the largest loss, at least 0) and worst_scenario_index_1based, the lowest of
    equals.
    """
    given = read(inputs, _Span)
    arrays, names = given.risk_array_pnl_long, sorted(given.positions)
    if not names:
        raise InvalidInputs("positions", "a portfolio with positions is expected")
    for name in names:
        if len(arrays.get(name, ())) == 0:
            raise InvalidInputs(f"risk_array_pnl_long.{name}", "a position needs its risk array")
        if len(arrays[name]) != len(arrays[names[0]]):
            raise InvalidInputs(f"risk_array_pnl_long.{name}", f"{len(arrays[names[0]])} values are expected as before")
    pnl = np.array([arrays[name] for name in names], dtype=np.float64)
    quantity = np.array([given.positions[name] for name in names], dtype=np.float64)
    total = np.empty((1, pnl.shape[1]))
    blocks.blocks(np.array([0, len(names)]), np.arange(len(names)), quantity, pnl, total)
    risk, scenario = worst(total[0])
    return {"scan_risk": risk, "worst_scenario_index_1based": scenario, "portfolio_array": total[0].tolist()}
