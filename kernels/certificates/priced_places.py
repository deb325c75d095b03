"""What an account has at one place, from its contracts: priced, prepared for a certificate, and bounded by curves.

`kernels.certificates.book` has the arrays. The order of calls is that of docs/certificates.md.
"""

from __future__ import annotations

import numpy as np

from kernels import move_losses
from kernels._jit import Bools, Floats, Ints, kernel
from kernels.certificates import places, tangents
from kernels.certificates import rows as row_kernels
from kernels.certificates.book import (
    DELTA,
    DIRECTION,
    INDEX,
    LINEAR,
    MOVE,
    NUMBER,
    PRICE,
    PRICED,
    PRICED_FIXED,
    PRICED_FUNDING,
    PRICED_HIGH,
    PRICED_LOW,
    PRICED_SIZE,
    PRICED_STRIKE,
    PRICED_YEARS,
    SCENARIO,
    SHOCK,
    VALUE,
    VOL,
    WEIGHT,
    gather,
    price,
)  # fmt: skip
from kernels.netted_bounds import mixture

MEANS = 3  # of a place: moving, summed, swing


@kernel("f8[::1], i8, i8")
def block(flat: Floats, first: int, last: int) -> Floats:
    """Return what contracts first .. last - 1 have in a flat array of PRICED numbers each, float64[PRICED, k]."""
    return flat[PRICED * first : PRICED * last].reshape(PRICED, last - first)


@kernel(
    "f8[:, ::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], i8[::1], b1[::1], f8[:, ::1], i8[::1], f8[:, ::1],"
    "f8[:, ::1], i8[::1], f8[::1]"
)
def value_place(
    contracts: Floats, held: Ints, amount: Floats, scenario: Floats, market: Floats, kind: Ints, is_call: Bools,
    priced: Floats, code: Ints, parameters: Floats, pnl: Floats, side: Ints, losses: Floats,
) -> float:  # fmt: skip
    """Price the contracts of one place, write its losses by move and return its value, USD, as a sweep does."""
    gather(contracts, held, market[INDEX], kind, is_call, priced, code, parameters)
    price(kind, is_call, priced, market[INDEX], scenario, market[SHOCK:], pnl)
    one, net, curve = np.empty(1), np.empty(1), losses.reshape(1, losses.shape[0])
    indptr = np.array([0, held.shape[0]])
    move_losses.evaluate(
        indptr, np.arange(held.shape[0]), amount, pnl, priced[VALUE], priced[DELTA], side, one, net, curve
    )
    return float(one[0])


@kernel(
    "f8[::1], f8, i8[::1], b1[::1], f8[:, ::1], i8[::1], f8[:, ::1], f8[::1], f8[:, :, ::1], f8[:, ::1], b1[::1],"
    "f8[::1]"
)
def prepare_place(
    amount: Floats, radius: float, kind: Ints, is_call: Bools, priced: Floats, code: Ints, parameters: Floats,
    market: Floats, path: Floats, own: Floats, good: Bools, means: Floats,
) -> bool:  # fmt: skip
    """Prepare the rows of one place and write `places.gross`, float64[MEANS]; return whether all are certifiable."""
    every = np.arange(amount.shape[0])
    row_kernels.prepare(
        every, kind, is_call, priced[PRICED_SIZE], priced[PRICED_STRIKE], priced[PRICE], priced[PRICED_FIXED],
        priced[PRICED_FUNDING], priced[PRICED_YEARS], priced[VOL], code, parameters, priced[PRICED_LOW],
        priced[PRICED_HIGH], market[INDEX], market[SHOCK:], radius, path, own, good,
    )  # fmt: skip
    for k in range(good.shape[0]):
        if not good[k]:
            return False
    means[0], means[1], means[2] = places.gross(every, amount, priced[VALUE], own)
    return True


@kernel(
    "f8[::1], f8, i8[::1], b1[::1], f8[:, ::1], f8[:, ::1], i8[::1], f8[::1], f8[::1], f8,"
    "f8[:, ::1], f8[:, :, ::1], f8[:, ::1], b1[::1], f8, i8[::1], f8[:, ::1], f8[:, ::1]"
)
def bound_place(
    amount: Floats, radius: float, kind: Ints, is_call: Bools, priced: Floats, pnl: Floats, side: Ints, losses: Floats,
    multiplier: Floats, raised: float, scenario: Floats, path: Floats, own: Floats, good: Bools, swing: float,
    chosen: Ints, upper: Floats, lower: Floats,
) -> int:  # fmt: skip
    """Write the curves of one place under both constraints; return how many the upper one has.

    multiplier: float64[6]: `conditions.constraints`, then the hedge in USD and the mean move of the place. swing: the
    most that any curve may fall by within the radius, USD. chosen: int64[>= S + 2], the scenarios of the upper curves,
    of which the first two are those of the lower one.
    """
    every, width = np.arange(amount.shape[0]), losses.shape[0]
    c, d, hedge, mean = multiplier[0], multiplier[1], multiplier[4], multiplier[5]
    _, first, second, right = mixture(losses, width, mean)
    one = places.worst_cell(every, amount, pnl, side, width, first)
    two = places.worst_cell(every, amount, pnl, side, width, second)
    count = places.select(every, amount, pnl, priced[VALUE], scenario[NUMBER], c, d, hedge, one, two, swing, chosen)
    part = np.empty((SCENARIO, count))
    direction = np.empty(count, dtype=np.int64)
    for j in range(count):
        part[MOVE, j], part[LINEAR, j] = scenario[MOVE, chosen[j]], scenario[LINEAR, chosen[j]]
        part[WEIGHT, j], direction[j] = scenario[WEIGHT, chosen[j]], int(scenario[DIRECTION, chosen[j]])
    cells = np.empty((amount.shape[0], tangents.CELL, count))
    tangents.tangents(
        every, kind, is_call, priced[PRICED_STRIKE], priced[PRICE], radius, part[MOVE], part[LINEAR], direction,
        part[WEIGHT], path, own, good, cells,
    )  # fmt: skip
    places.upper_curves(
        every, amount, pnl, priced[VALUE], chosen[:count], cells, own, scenario[WEIGHT], scenario[NUMBER], c, d, hedge,
        upper,
    )  # fmt: skip
    curve = np.empty(places.CURVES)
    places.lower_curve(
        every, amount, pnl, priced[VALUE], chosen[:count], cells, own, scenario[WEIGHT], 1.0 - right, raised,
        multiplier[3],
        curve,
    )  # fmt: skip
    lower[:, 0] = curve
    return count
