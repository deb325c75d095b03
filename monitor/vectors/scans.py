"""Scan groups: what the scenario table of the risk matrix says about moves of other venues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kernels import scenarios
from monitor.vectors.inputs import read, refused_at


class _Paradex(msgspec.Struct, frozen=True):
    moves: list[float]
    price_range: float


def paradex_scan(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Weigh moves of the extended table: moves[], price_range -> weights[], 1 for a move inside the range."""
    given = read(inputs, _Paradex)
    with refused_at("moves"):
        table = scenarios.scenario_table(given.price_range, 1, given.moves)
    extended = iter(table.weight[9:].tolist())  # behind three moves with three volatilities each
    return {"weights": [next(extended) if abs(move) > given.price_range else 1.0 for move in given.moves]}
