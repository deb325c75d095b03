"""Charges of one risk unit, MR1 to MR7 and MR9, from its positions' P&L and deltas.

A unit is one underlying with all its contracts, whatever they settle in. Arrays have n rows. Sources: OKX's help and
support pages; where they print no figure or formula, docs/margin-model-a-okx.md says what is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels._jit import Bools, Floats, Ints
from kernels.contingencies import offset_between
from kernels.marginal_tiers import Tier, marginal_charge
from kernels.scenarios_table import DAYS_PER_YEAR, DOWN, SAME, UP, ScenarioTable


class Charges(NamedTuple):
    """Charges of a unit, USD, by the venue's numbers; mr7 is raised by its multipliers already."""

    mr1: float
    mr2: float
    mr3: float
    mr4: float
    mr5: float
    mr6: float
    mr7: float
    mr9: float


class Maintenance(NamedTuple):
    """What each charge adds to the maintenance requirement of a unit, USD; all of them sum to it."""

    spot_usd: float
    theta_usd: float
    extreme_usd: float
    vega_term_usd: float
    basis_usd: float
    rate_usd: float
    depeg_usd: float
    minimum_usd: float


def scenario_table(spot_moves: Sequence[float], extreme_move: float) -> ScenarioTable:
    """Return the cells of a unit: 2k + 1 moves ascending, each with the volatility up, same, down, then two extremes.

    k is the number of `spot_moves`; the last two cells are -extreme_move and +extreme_move, volatility unchanged.
    Every contract counts whole at every move.
    """
    moves = [*(-move for move in reversed(spot_moves)), 0.0, *spot_moves]
    move = np.concatenate([np.repeat(np.array(moves), 3), [-extreme_move, extreme_move]])
    direction = np.array([*([UP, SAME, DOWN] * len(moves)), SAME, SAME], dtype=np.int64)
    return ScenarioTable(move, move.copy(), direction, np.ones(len(move)))


def scan_and_extreme(cells_usd: Floats, extreme_share: float) -> tuple[float, int, float, int]:
    """Return MR1 and its cell, MR6 and its cell: the worst of the scan, and a share of the worst extreme.

    cells_usd: float64[S] in the order of `scenario_table`. The lowest cell wins ties.
    """
    spot = len(cells_usd) - 2
    scan, extreme = int(np.argmin(cells_usd[:spot])), spot + int(np.argmin(cells_usd[spot:]))
    return (
        max(0.0, -float(cells_usd[scan])), scan,
        extreme_share * max(0.0, -float(cells_usd[extreme])), extreme,
    )  # fmt: skip


def vega_term(up_usd: Floats, down_usd: Floats, years: Floats, tenors_days: Sequence[float], charge: float) -> float:
    """Return MR3: a share of what tenors offset when all volatilities move one way, the larger of both ways.

    up_usd, down_usd: P&L of each position (options) at an unmoved price; years: time to expiry. A tenor ends at its
    bound, which belongs to it.
    """
    tenor = np.searchsorted(np.array(tenors_days, dtype=np.float64), years * DAYS_PER_YEAR, side="left")
    return charge * max(offset_between(up_usd, tenor), offset_between(down_usd, tenor))


def basis(delta_usd: Floats, expiry_us: Ints, years: Floats, annual_move: float, min_days: float) -> float:
    """Return MR4: each expiry's net delta times how far its basis moves; expiries do not offset each other.

    delta_usd: of each position, to its own forward. Perpetuals (expiry 0) are one expiry.
    """
    total = []
    for expiry in np.unique(expiry_us):
        at = expiry_us == expiry
        move = annual_move * max(float(years[at][0]), min_days / DAYS_PER_YEAR)
        total.append(abs(math.fsum(delta_usd[at].tolist())) * move)
    return math.fsum(total)


def rate(value_usd: Floats, years: Floats, move: float) -> float:
    """Return MR5: the larger loss of options' values when all rates rise or fall: value (exp(-+ move T) - 1)."""
    changes = [math.fsum((value_usd * np.expm1(-shift * years)).tolist()) for shift in (move, -move)]
    return max(0.0, -min(changes))


def raw_charge(notional_usd: Floats, is_option: Bools, future_charge: float, option_charge: float) -> float:
    """Return MR7's raw charge: every contract's notional, whichever its side, at the rate of its kind."""
    return math.fsum((np.abs(notional_usd) * np.where(is_option, option_charge, future_charge)).tolist())


def hedged_across(delta_usd: Floats, quote: Sequence[str]) -> float:
    """Return the size hedged across quote currencies: the smaller of the long and the short net deltas by quote."""
    names = sorted(set(quote))
    return offset_between(delta_usd, np.array([names.index(one) for one in quote], dtype=np.int64))


def minimum(raw_usd: float, multipliers: Sequence[Tier]) -> float:
    """Return MR7: the raw charge, each slice of it times its own multiplier."""
    return marginal_charge(raw_usd, multipliers).charge


def maintenance(charges: Charges) -> Maintenance:
    """Return max(max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9, MR7) by what makes it up.

    Of the three in the inner maximum the first of equals counts; the minimum is what MR7 is above all others.
    """
    largest = max(charges.mr1, charges.mr2, charges.mr6)
    chosen = (charges.mr1, charges.mr2, charges.mr6).index(largest)
    rest = math.fsum((charges.mr3, charges.mr4, charges.mr5, charges.mr9))
    return Maintenance(
        spot_usd=largest if chosen == 0 else 0.0,
        theta_usd=largest if chosen == 1 else 0.0,
        extreme_usd=largest if chosen == 2 else 0.0,
        vega_term_usd=charges.mr3,
        basis_usd=charges.mr4,
        rate_usd=charges.mr5,
        depeg_usd=charges.mr9,
        minimum_usd=max(0.0, charges.mr7 - (largest + rest)),
    )
