"""Values of one option of each row under every scenario: what all portfolios of an underlying share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from kernels import black76
from kernels._jit import Bools, Floats, Ints, inlined, kernel
from kernels.scenarios_table import DOWN, SAME, UP, tenor_scale, vol_down_by, vol_up_by

LINEAR, ABS = 2, 3  # scenarios of the volatility skew, beside the three directions of its level
DIRECTIONS: Final = {"up": UP, "none": SAME, "down": DOWN, "linear": LINEAR, "abs": ABS}


class Scenarios(NamedTuple):
    """Scenarios as columns: float64[S] spot (a factor) and damping (of the P&L), int64[S] direction."""

    spot: Floats
    direction: Ints
    damping: Floats


class VolShock(NamedTuple):
    """Shock of the level of volatility at 30 days, and how it goes with the tenor."""

    range_up: float
    range_down: float
    short_term_power: float
    long_term_power: float
    dte_floor_days: float
    min_vol_up: float


class Skew(NamedTuple):
    """Shock of the slope and of the wings of a slice: caps by the root of time, and where the slice goes flat."""

    linear_base_cap: float
    linear_c: float
    abs_base_cap: float
    abs_c: float
    min_k_star: float
    width_scale: float
    vol_param_static: float
    vol_param_scale: float


def scenario_table(rows: Sequence[tuple[float, str, float]]) -> Scenarios:
    """Return scenarios of rows (spot factor, direction, damping).

    Directions are the keys of DIRECTIONS. Raises ValueError on no rows, another direction, a factor that is not
    positive and finite, or a damping that is negative or not finite.
    """
    if not rows:
        raise ValueError("at least one scenario is needed")
    for spot, direction, damping in rows:
        if direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}")
        if not (spot > 0.0 and math.isfinite(spot)):
            raise ValueError(f"spot factor must be positive and finite, got {spot}")
        if not (damping >= 0.0 and math.isfinite(damping)):
            raise ValueError(f"damping must be finite and not negative, got {damping}")
    return Scenarios(
        np.array([row[0] for row in rows], dtype=np.float64),
        np.array([DIRECTIONS[row[1]] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.float64),
    )


@inlined()
def skewed_vol(vol: float, log_moneyness: float, cap: float, k_star: float) -> float:
    """Return a volatility times 1 + k cap/k*, of which the second term stays within the cap on k's side.

    A cap below zero (very long expiries) bounds from above on the right and from below on the left, as the source does.
    """
    term = log_moneyness * cap / k_star
    term = min(cap, term) if log_moneyness >= 0.0 else max(-cap, term)
    return vol * max(0.0, 1.0 + term)


@kernel(
    "b1[::1], f8[::1], f8[::1], i8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], i8[::1], "
    "f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8[:, ::1]"
)
def unit_values(
    is_call: Bools,
    strike: Floats,
    vol: Floats,
    expiry: Ints,
    years: Floats,
    rate: Floats,
    forward_fixed: Floats,
    forward_variable: Floats,
    spot: Floats,
    direction: Ints,
    range_up: float,
    range_down: float,
    short_term_power: float,
    long_term_power: float,
    dte_floor_days: float,
    min_vol_up: float,
    linear_base_cap: float,
    linear_c: float,
    abs_base_cap: float,
    abs_c: float,
    min_k_star: float,
    width_scale: float,
    vol_param_static: float,
    vol_param_scale: float,
    out: Floats,
) -> None:
    """Write the price of one option of each row in each scenario, discounted at the expiry's rate, USD.

    Rows: is_call, strike, vol and expiry, an index into years, rate and the two parts of the forward. Scenarios: spot
    and direction. out: float64[rows, scenarios]. The level scenarios move the variable part of the forward by spot and
    volatility by its tenor (`scenarios_table`); the skew scenarios leave the forward and turn the slice around it:
    k = ln(K/F), its absolute value in `abs`; cap = c sqrt(T) + base_cap;
    k* = max(min_k_star, sqrt(T) width_scale (vol_param_static + sqrt(T) vol_param_scale)).
    What is degenerate is priced as in `black76`; NaN stays NaN. Source: PMRMLib_2.
    """
    for i in range(strike.size):
        e = expiry[i]
        t, k, v = years[e], strike[i], vol[i]
        root, discount = math.sqrt(t), math.exp(-rate[e] * t)
        scale = tenor_scale(t, short_term_power, long_term_power, dte_floor_days)
        up, down = vol_up_by(v, range_up * scale, min_vol_up), vol_down_by(v, range_down * scale)
        forward = forward_fixed[e] + forward_variable[e]
        log_moneyness = math.log(k / forward)
        k_star = max(min_k_star, root * width_scale * (vol_param_static + root * vol_param_scale))
        for s in range(spot.size):
            f, shocked = forward_variable[e] * spot[s] + forward_fixed[e], v
            if direction[s] == UP:
                shocked = up
            elif direction[s] == DOWN:
                shocked = down
            elif direction[s] == LINEAR:
                f, shocked = forward, skewed_vol(v, log_moneyness, linear_c * root + linear_base_cap, k_star)
            elif direction[s] == ABS:
                f, shocked = forward, skewed_vol(v, abs(log_moneyness), abs_c * root + abs_base_cap, k_star)
            out[i, s] = black76.price(is_call[i], f, k, shocked * root, discount)
