"""Whether a function holds on moved inputs: against the second implementation, number by number."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.vectors.compare import compare
from monitor.vectors.contract import Tolerance
from monitor.vectors.registry import CALLABLES
from tests.unit.vectors.moved import moved
from tests.unit.vectors.second import SECOND, plain

# Relative to the number itself; absolute, in units of the largest input, where a result is a difference of larger
# numbers (a time value under its forward, a row of P&L that cancels).
EXACT = (4e-16, 0.0)  # two roundings
DEFAULT = (1e-13, 1e-15)
TOLERANCES = {
    "ewma": EXACT,
    # Differences of numbers of the size of forward and strike, times a density whose exponent is rounded.
    "black76_greeks": (1e-12, 1e-15),
    "black76_greeks_edge": (1e-13, 1e-15),
    "bsm_greeks": (1e-12, 1e-15),
    # Sums over amounts times prices, of which the largest input is one price: an amount of fifty coins.
    "derive_pmrm2": (1e-13, 5e-14),
    # Alternating projections stop when nothing moves by 1e-12; their rate is that of the worst angle.
    "psd_repair_higham": (0.0, 1e-11),
    "psd_repair": (0.0, 1e-14),
}


def check(group: str, inputs: dict[str, Any]) -> int:
    """Compare on the inputs as they are and on every move; return how many variants there were."""
    relative, absolute = TOLERANCES.get(group, DEFAULT)
    variants = [("as given", inputs), *moved(inputs)]
    for name, variant in variants:
        tolerance = Tolerance(abs=absolute * max(1.0, *largest(variant)), rel=relative)
        found = compare(plain(SECOND[group](variant)), CALLABLES[group](variant), tolerance)
        if found.faults:
            pytest.fail(f"{group}, {name}: {found.faults[:3]} on {variant}")
    return len(variants)


def largest(value: Any) -> list[float]:
    """Return the numbers of inputs that are quantities or prices: a time is neither."""
    if isinstance(value, dict):
        return [x for key, item in value.items() if not key.endswith(("_ms", "_s")) for x in largest(item)]
    if isinstance(value, list):
        return [x for item in value for x in largest(item)]
    return [abs(float(value))] if isinstance(value, int | float) else []
