"""Drift: how much is closed at once to cover a shortage of margin, and the fees of doing it.

Source: drift-labs/protocol-v2, programs/drift/src/math/liquidation.rs; its tests are golden vectors. The venue computes
in integers and rounds between the steps; these are the forms it rounds. An amount that no close can cover is infinite:
the venue then takes the largest integer, and closes all there is.
"""

from __future__ import annotations

import math

from kernels.liquidation import checks

TINY_SHORTAGE_USD = 50.0  # [code] below it the whole shortage is covered in one step
# The venue's ratios are whole ten-thousandths and millionths, so what they leave is 0 or far more than this; in floats
# 0.1 - 0.06 - 0.04 is 1e-17, and a shortage over that is a number of coins that nobody has.
LEAST_RELEASE = 1e-9


def base_to_cover(
    shortage_usd: float,
    mm_ratio: float,
    liquidator_fee: float,
    insurance_fee: float,
    oracle_price: float,
    quote_price: float = 1.0,
) -> float:
    """Return the coins of a perpetual to close: shortage/(price quote (mm - liquidator fee) - price insurance fee).

    Infinite where a coin closed releases nothing. Raises ValueError on what is negative or not finite.
    """
    checks.not_negative(
        shortage_usd=shortage_usd, mm_ratio=mm_ratio, liquidator_fee=liquidator_fee, insurance_fee=insurance_fee,
        oracle_price=oracle_price, quote_price=quote_price,
    )  # fmt: skip
    return _coins(shortage_usd, oracle_price, quote_price * (mm_ratio - liquidator_fee) - insurance_fee)


def liability_transfer(
    shortage_usd: float,
    asset_weight: float,
    asset_multiplier: float,
    liability_weight: float,
    liability_multiplier: float,
    liability_price: float,
    insurance_fee: float,
) -> float:
    """Return the coins of a debt to take over: shortage/(price (w_l - w_a m_a/m_l) - price fee w_l).

    Multipliers: what a unit is worth to the liquidator, above 1 for the asset and below 1 for the debt. Infinite where
    a coin taken over releases nothing. Raises ValueError on what is negative or not finite, and m_l = 0.
    """
    checks.not_negative(
        shortage_usd=shortage_usd, asset_weight=asset_weight, asset_multiplier=asset_multiplier,
        liability_weight=liability_weight, liability_multiplier=liability_multiplier, liability_price=liability_price,
        insurance_fee=insurance_fee,
    )  # fmt: skip
    if liability_multiplier == 0.0:
        raise ValueError("a debt that is worth nothing to the liquidator is not taken over")
    released = liability_weight - asset_weight * asset_multiplier / liability_multiplier
    return _coins(shortage_usd, liability_price, released - insurance_fee * liability_weight)


def insurance_fee(
    shortage_usd: float,
    base_coins: float,
    mm_ratio: float,
    liquidator_fee: float,
    oracle_price: float,
    max_fee: float,
    quote_price: float = 1.0,
) -> float:
    """Return the insurance fund's fee: min(max, 0.95 max(0, mm - liquidator fee - shortage/(base price quote))).

    It is what a close of all leaves over; 0 where there is nothing to close or no price. Raises ValueError on what is
    negative or not finite.
    """
    checks.not_negative(
        shortage_usd=shortage_usd, base_coins=base_coins, mm_ratio=mm_ratio, liquidator_fee=liquidator_fee,
        oracle_price=oracle_price, max_fee=max_fee, quote_price=quote_price,
    )  # fmt: skip
    notional_usd = base_coins * oracle_price * quote_price
    if notional_usd == 0.0:
        return 0.0
    return min(max_fee, 0.95 * max(0.0, mm_ratio - liquidator_fee - shortage_usd / notional_usd))


def ramped_fee(
    base_fee: float, max_fee: float, grace_slots: float, increase_per_slot: float, slots_elapsed: float
) -> float:
    """Return the liquidator's fee after a time: the base, and from the end of the grace on all slots count.

    min(base + increase elapsed, max); inside the grace the base, whatever the maximum. Raises ValueError on what is
    negative or not finite.
    """
    checks.not_negative(
        base_fee=base_fee, max_fee=max_fee, grace_slots=grace_slots, increase_per_slot=increase_per_slot,
        slots_elapsed=slots_elapsed,
    )  # fmt: skip
    if slots_elapsed < grace_slots:
        return base_fee
    return min(base_fee + increase_per_slot * slots_elapsed, max_fee)


def step_share(
    shortage_usd: float, freed_usd: float, slots_elapsed: float, initial_share: float, duration_slots: float
) -> float:
    """Return the share of the present shortage that may be covered in this step, in [0, 1].

    Of the whole shortage, what is left and what was freed before, min(1, initial + elapsed/duration) may be freed by
    now; a shortage under 50 USD, or a duration of 0, is covered at once. Raises ValueError on a share outside [0, 1]
    and on what is negative or not finite.
    """
    checks.not_negative(
        shortage_usd=shortage_usd, freed_usd=freed_usd, slots_elapsed=slots_elapsed, duration_slots=duration_slots
    )
    checks.share(initial_share=initial_share)
    if shortage_usd < TINY_SHORTAGE_USD or slots_elapsed >= duration_slots * (1.0 - initial_share):
        return 1.0
    allowed_usd = (shortage_usd + freed_usd) * (initial_share + slots_elapsed / duration_slots)
    return min(max(allowed_usd - freed_usd, 0.0) / shortage_usd, 1.0)


def _coins(shortage_usd: float, price: float, released: float) -> float:
    """Return the coins that cover a shortage if each releases this much per USD; infinite if none does."""
    return shortage_usd / (price * released) if released >= LEAST_RELEASE and price > 0.0 else math.inf
