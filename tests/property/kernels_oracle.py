"""The formulas of the kernels once more, in plain Python and mpmath, from the published definitions.

Nothing here is shared with `kernels`: constants, branches and order of operations are written anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath

DIGITS = 50
mp = mpmath.mp.clone()
mp.dps = DIGITS


def normal_cdf(x: Any) -> Any:
    """N(x); beyond 1,000 deviations mpmath overflows, and the tail is below 10^-217,000."""
    if abs(x) > 1_000:
        return mp.mpf(1 if x > 0 else 0)
    return mp.ncdf(x)


def black76(*, is_call: bool, forward: Any, strike: Any, total_stdev: Any, discount: Any = 1) -> Any:
    """Black's formula for s > 0, F > 0, K > 0, to 50 digits."""
    f, k, s = mp.mpf(forward), mp.mpf(strike), mp.mpf(total_stdev)
    d1 = mp.log(f / k) / s + s / 2
    d2 = d1 - s
    if is_call:
        return mp.mpf(discount) * (f * normal_cdf(d1) - k * normal_cdf(d2))
    return mp.mpf(discount) * (k * normal_cdf(-d2) - f * normal_cdf(-d1))


def option_value(*, is_call: bool, forward: Any, strike: Any, vol: Any, years: Any) -> Any:
    """Undiscounted value with the limits at zero time, zero volatility and a worthless underlying."""
    if forward <= 0:
        return mp.mpf(0 if is_call else strike)
    if years == 0 or vol == 0:
        return max(mp.mpf(0), mp.mpf(forward) - strike if is_call else mp.mpf(strike) - forward)
    return black76(is_call=is_call, forward=forward, strike=strike, total_stdev=mp.mpf(vol) * mp.sqrt(years))


def shocked_vol(vol: float, direction: str, years: float, shocks: Shocks) -> Any:
    """Volatility after a shock that shrinks with the time to expiry."""
    days = mp.mpf(years) * 365
    power = shocks.short_power if days <= 30 else shocks.long_power
    multiple = (30 / max(days, mp.mpf(shocks.dte_floor_days))) ** mp.mpf(power)
    if direction == "up":
        return max(mp.mpf(vol) * (1 + mp.mpf(shocks.up) * multiple), mp.mpf(shocks.min_up))
    if direction == "down":
        return max(mp.mpf(vol) * (1 - mp.mpf(shocks.down) * multiple), mp.mpf(0))
    return mp.mpf(vol)


@dataclass(frozen=True, slots=True)
class Shocks:
    """Volatility shock parameters; the defaults are Deribit's for BTC."""

    up: float = 0.50
    down: float = 0.25
    min_up: float = 0.50
    short_power: float = 0.30
    long_power: float = 0.13
    dte_floor_days: float = 1.0


@dataclass(frozen=True, slots=True)
class Contract:
    """One instrument: `kind` in words, price of a future or forward of an option, of which `fixed` moves no more.

    `funding` is what one coin (linear) or one USD of face (inverse) has cost so far.
    """

    kind: str
    size: float
    price: float
    strike: float = 0.0
    is_call: bool = True
    years: float = 0.0
    vol: float = 0.0
    fixed: float = 0.0
    funding: float = 0.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario: a relative move, the volatility's direction, and whether it belongs to the extended table."""

    move: float
    direction: str
    extended: bool = False


def standard_and_extended(price_range: float, buckets: int, extended: tuple[float, ...]) -> list[Cell]:
    """Return the cells of the standard table and of the extended one, in the published order."""
    cells = [Cell(i * price_range / buckets, d) for i in range(-buckets, buckets + 1) for d in ("up", "same", "down")]
    return cells + [Cell(m, "up", extended=True) for m in extended if abs(m) > price_range]


def value_usd(contract: Contract, index: float, move: Any = 0, vol: Any = None) -> Any:
    """USD value of one contract after the index and what moves of every price moved by the same fraction."""
    factor = 1 + mp.mpf(move)
    spot, price = mp.mpf(index) * factor, mp.mpf(contract.fixed) + (mp.mpf(contract.price) - contract.fixed) * factor
    size = mp.mpf(contract.size)
    if contract.kind == "coin":
        return size * spot
    if contract.kind == "linear":
        return size * price - size * mp.mpf(contract.funding)
    if contract.kind == "inverse":
        return (-size / price - size * mp.mpf(contract.funding)) * spot
    v = option_value(
        is_call=contract.is_call,
        forward=price,
        strike=contract.strike,
        vol=contract.vol if vol is None else vol,
        years=contract.years,
    )
    return size * v if contract.kind == "linear_option" else size * (v / price) * spot


def pnl_usd(contract: Contract, index: float, cell: Cell, price_range: float, shocks: Shocks) -> Any:
    """P&L in USD of one contract in one cell: futures stop at the range, options count in part beyond it."""
    if "option" not in contract.kind:
        held = max(-price_range, min(price_range, cell.move))
        return value_usd(contract, index, held) - value_usd(contract, index)
    vol = shocked_vol(contract.vol, cell.direction, contract.years, shocks)
    weight = min(mp.mpf(1), mp.mpf(price_range) / abs(mp.mpf(cell.move))) if cell.extended else mp.mpf(1)
    return weight * (value_usd(contract, index, cell.move, vol) - value_usd(contract, index))
