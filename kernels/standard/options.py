"""Standard margin of options, one by one, as Deribit charges accounts without portfolio margin.

In units of the underlying, with mark m and out-of-the-money amount OTM over the underlying price U:

| short | IM | MM |
|---|---|---|
| call | max(.15 - OTM/U, .1) + m | .075 + m |
| put | max(max(.15 - OTM/U, .1) + m, MM) | max(.075, .075 m) + m |

A long option needs its premium and nothing more. Nothing is netted: a spread costs what its short leg costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from kernels.standard.margin import Margin, fsum, of_requirements


class OptionRates(NamedTuple):
    """Rates on the underlying: initial at the money, least initial, maintenance; a put's maintenance on its mark."""

    max_initial: float = 0.15
    min_initial: float = 0.10
    maintenance: float = 0.075
    put_mark_maintenance: float = 0.075


class OptionPosition(NamedTuple):
    """Options of one instrument: signed contracts of one unit, mark in units of the underlying."""

    is_call: bool
    strike: float
    mark: float
    quantity: float


def short_option(
    is_call: bool, underlying_price: float, strike: float, mark: float, rates: OptionRates
) -> tuple[float, float]:
    """Return initial and maintenance margin of one option sold, in units of the underlying; NaN without its prices."""
    if not (0.0 < underlying_price < math.inf and 0.0 < strike < math.inf and 0.0 <= mark < math.inf):
        return math.nan, math.nan
    out = (strike - underlying_price) if is_call else (underlying_price - strike)
    initial = max(rates.max_initial - max(0.0, out) / underlying_price, rates.min_initial) + mark
    if is_call:
        return initial, rates.maintenance + mark
    maintenance = max(rates.maintenance, rates.put_mark_maintenance * mark) + mark
    return max(initial, maintenance), maintenance


def option_margin(
    positions: Sequence[OptionPosition], underlying_price: float, equity: float, rates: OptionRates
) -> Margin:
    """Return the margin of options on one underlying, in its units: every short by itself, longs nothing.

    Times the underlying price it is the margin in USD. Raises ValueError on rates that no venue could mean.
    """
    check_rates(rates)
    parts: dict[str, tuple[list[float], list[float]]] = {"short calls": ([], []), "short puts": ([], [])}
    for position in positions:
        if position.quantity >= 0.0:
            continue
        im, mm = short_option(position.is_call, underlying_price, position.strike, position.mark, rates)
        initial, maintenance = parts["short calls" if position.is_call else "short puts"]
        initial.append(-position.quantity * im)
        maintenance.append(-position.quantity * mm)
    if any(math.isnan(position.quantity) for position in positions):
        raise ValueError("quantities have to be numbers")
    return of_requirements(
        equity, {name: fsum(im) for name, (im, _) in parts.items()}, {name: fsum(mm) for name, (_, mm) in parts.items()}
    )


def check_rates(rates: OptionRates) -> None:
    """Refuse rates outside [0, 1], or a least initial margin above the one at the money or below maintenance."""
    if not all(0.0 <= rate <= 1.0 for rate in rates):
        raise ValueError("option rates lie in [0, 1]")
    if not rates.maintenance <= rates.min_initial <= rates.max_initial:
        raise ValueError("rates rise from maintenance over the least initial margin to the one at the money")
