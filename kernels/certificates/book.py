"""An account of the book at the present prices, from nothing: what its certificate is made from.

An account that left its certificate is priced by itself, its own contracts alone: a tick of an index prices nothing
else. Arrays by account, by segment and by column as in `kernels.netted_accounts`; beside them, by column,

* `contracts`, float64[R, FIELDS]: what is known of an instrument apart from the index, and the CLASS of its drift, from
  row `columns[c, CONTRACTS]` on, in the order of the column's rows;
* `scenarios`: move, linear move, direction, weight and normalised move of each scenario, float64[5 S] from element
  `columns[c, SCENARIOS]` on;
* `market`, float64[C, MARKET]: index, and the six shocks of `kernels.scenarios.risk_array`.
"""

from __future__ import annotations

import numpy as np

from kernels import surface
from kernels._jit import Bools, Floats, Ints, kernel
from kernels.certificates import rows as row_kernels
from kernels.scenarios import risk_array

KIND, IS_CALL, SIZE, STRIKE, BASIS, FIXED, SHARE, FUNDING, YEARS, CODE, LOW, HIGH, CLASS, SURFACE = range(14)
FIELDS = SURFACE + surface.PARAMETERS
INDEX, SHOCK = range(2)
MARKET = SHOCK + row_kernels.SHOCKS
MOVE, LINEAR, DIRECTION, WEIGHT, NUMBER = range(5)  # of `scenarios`
SCENARIO = 5
(PRICED_SIZE, PRICED_STRIKE, PRICE, PRICED_FIXED, PRICED_FUNDING, PRICED_YEARS, VOL, PRICED_LOW, PRICED_HIGH, VALUE,
 DELTA, MARKET_DELTA, PRICED_CLASS) = range(13)  # fmt: skip
PRICED = 13


@kernel("i8[::1], f8[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1]")
def write_surface(
    rows: Ints, basis: Floats, code: Ints, parameters: Floats, low: Floats, high: Floats, contracts: Floats
) -> None:
    """Write what an update of volatilities moves of some rows, all of them options: forward and surface row.

    basis, code, parameters, low, high: by row, float64[n, 5] the parameters.
    """
    for k in range(rows.shape[0]):
        i = rows[k]
        of = contracts[i]
        of[BASIS], of[CODE], of[LOW], of[HIGH] = basis[i], code[i], low[i], high[i]
        for n in range(surface.PARAMETERS):
            of[SURFACE + n] = parameters[i, n]


@kernel("f8[:, ::1], i8[::1], f8, i8[::1], b1[::1], f8[:, ::1], i8[::1], f8[:, ::1]")
def gather(
    contracts: Floats, held: Ints, index: float, kind: Ints, is_call: Bools, priced: Floats, code: Ints,
    parameters: Floats,
) -> None:  # fmt: skip
    """Lay out some contracts at an index as `kernels.scenarios.risk_array` and `certificates.rows` take them.

    held: int64[k], rows of contracts. Outputs: kind, is_call, code: [k]; parameters: float64[k, 5]; priced:
    float64[PRICED, k], all but value and deltas.
    """
    for k in range(held.shape[0]):
        of = contracts[held[k]]
        kind[k], is_call[k], code[k] = int(of[KIND]), of[IS_CALL] != 0.0, int(of[CODE])
        parameters[k] = of[SURFACE:]
        priced[PRICED_SIZE, k], priced[PRICED_STRIKE, k], priced[PRICED_FIXED, k] = of[SIZE], of[STRIKE], of[FIXED]
        priced[PRICED_FUNDING, k], priced[PRICED_YEARS, k] = of[FUNDING], of[YEARS]
        priced[PRICED_LOW, k], priced[PRICED_HIGH, k], priced[PRICED_CLASS, k] = of[LOW], of[HIGH], of[CLASS]
        # In the order of `monitor.engine.pricing`: exactly (1 + basis) index where nothing is fixed.
        priced[PRICE, k] = (of[BASIS] + 1.0) * index * of[SHARE] + of[FIXED]
        priced[VOL, k] = surface.volatility(
            code[k], of[SURFACE], of[SURFACE + 1], of[SURFACE + 2], of[SURFACE + 3], of[SURFACE + 4], of[LOW], of[HIGH],
            of[STRIKE], priced[PRICE, k], of[YEARS],
        )  # fmt: skip


@kernel("i8[::1], b1[::1], f8[:, ::1], f8, f8[:, ::1], f8[::1], f8[:, ::1]")
def price(
    kind: Ints, is_call: Bools, priced: Floats, index: float, scenario: Floats, shocks: Floats, pnl: Floats
) -> None:
    """Write value, deltas and P&L of contracts that `gather` laid out; scenario: float64[SCENARIO, S]."""
    direction = np.empty(scenario.shape[1], dtype=np.int64)
    for s in range(scenario.shape[1]):
        direction[s] = int(scenario[DIRECTION, s])
    risk_array(
        kind, is_call, priced[PRICED_SIZE], priced[PRICED_STRIKE], priced[PRICE], priced[PRICED_FIXED],
        priced[PRICED_FUNDING], priced[PRICED_YEARS], priced[VOL], index, scenario[MOVE], scenario[LINEAR], direction,
        scenario[WEIGHT], shocks[0], shocks[1], shocks[2], shocks[3], shocks[4], shocks[5], pnl, priced[VALUE],
        priced[DELTA], priced[MARKET_DELTA],
    )  # fmt: skip
