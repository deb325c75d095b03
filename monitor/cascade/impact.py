"""What flow does to prices and volatilities.

| | |
|---|---|
| impact of a flow of Q dollars | `ln move = sign(Q) eta sigma sqrt(abs(Q) / V)`, sigma daily, V daily volume |
| what stays of it | `permanent`, a half by default, of the impact of all flow so far |
| what fades | the rest, of recent flow; recent flow fades by `fading` a round |
| volatility | `d ln vol = response * abs(ln move)`, of the whole move from where the cascade began |

One large flow in one round has the whole impact of its size; spread over rounds it leaves the same behind, and less on
the way. The square-root law is that of the liquidity add-on (`docs/add-ons.md`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from kernels.surface import CONSTANT, MAX_VOL, MIN_VOL, SMILE, SVI
from monitor.answers.shock import moved

if TYPE_CHECKING:
    from kernels._jit import Floats
    from monitor.answers.facts import ContractFacts, Facts

_DAYS = 365.0


class Impact:
    """Displacement of prices by flow, underlyings in a fixed order; `scale` is eta sigma / sqrt(V), float64[U]."""

    def __init__(self, scale: Floats, *, permanent: float, fading: float) -> None:
        self._scale = scale
        self._permanent = permanent
        self._fading = fading
        self.total_usd = np.zeros(len(scale))
        self._recent_usd = np.zeros(len(scale))

    def of(self, flow_usd: Floats) -> Floats:
        """Return what a flow alone would do, logarithm of the price, float64[U]."""
        found: Floats = np.sign(flow_usd) * self._scale * np.sqrt(np.abs(flow_usd))
        return found

    def take(self, flow_usd: Floats) -> Floats:
        """Take a round's flow; return the displacement after it, logarithm of the price, float64[U]."""
        self.total_usd = self.total_usd + flow_usd
        self._recent_usd = self._fading * self._recent_usd + flow_usd
        return self.displacement()

    def displacement(self) -> Floats:
        """Return where flow has moved prices to, logarithm over where they would be without it, float64[U]."""
        lasting, fading = self.of(self.total_usd), self.of(self._recent_usd)
        found: Floats = self._permanent * lasting + (1.0 - self._permanent) * fading
        return found


def scale_of(eta: float, vol_annual: float, daily_volume_usd: float) -> float:
    """Return what `Impact` multiplies the root of a flow by."""
    return eta * vol_annual / math.sqrt(_DAYS) / math.sqrt(daily_volume_usd)


def displaced(start: Facts, log_move: dict[str, float], response: float, points: float) -> Facts:
    """Return facts with prices at `exp(log_move)` of the start, and volatilities that answer.

    `points` is the shock's own shift of all volatilities, decimals. Volatilities of an underlying are then scaled by
    `exp(response * abs(log_move))`.
    """
    facts = moved(start, {u: math.expm1(x) for u, x in log_move.items() if x != 0.0}, points)
    factors = {u: math.exp(response * abs(x)) for u, x in log_move.items()}
    if response == 0.0 or all(factor == 1.0 for factor in factors.values()):
        return facts
    contracts = {
        name: _scaled(one, factors.get(one.instrument.underlying, 1.0)) for name, one in facts.contracts.items()
    }
    return msgspec.structs.replace(facts, contracts=contracts)


def _scaled(contract: ContractFacts, factor: float) -> ContractFacts:
    row = contract.surface
    if row is None or factor == 1.0:
        return contract
    if row.code in (CONSTANT, SMILE):
        row = row._replace(p0=min(max(row.p0 * factor, MIN_VOL), MAX_VOL))
    elif row.code == SVI:
        row = row._replace(p0=row.p0 * factor * factor, p1=row.p1 * factor * factor)
    return msgspec.structs.replace(contract, surface=row)
