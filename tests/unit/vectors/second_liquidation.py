"""Groups of liquidation once more, in rational numbers, by what each formula is meant to bring about.

The largest fraction of an auction is the root of the margin after a bid, the value at bankruptcy is what leaves the
account as well collateralised as it was, and the share of a partial liquidation is found by trying.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

Inputs = Mapping[str, Any]
ZERO, ONE = Fraction(0), Fraction(1)
BILLIONTH = Fraction(1, 10**9)  # per USD, or of the maintenance: less is a rounding of a decimal number


def within(low: Fraction, value: Fraction, high: Fraction) -> Fraction:
    return max(low, min(value, high))


def asked(par: Inputs, seconds: Fraction) -> Fraction:
    """The share of the value, between the corners of its path."""
    fast, slow = Fraction(par["fast_length_s"]), Fraction(par["slow_length_s"])
    corners = [(ZERO, Fraction(par["starting_mtm_pct"])), (fast, Fraction(par["fast_cutoff_pct"])), (fast + slow, ZERO)]
    for (t0, y0), (t1, y1) in pairwise(corners):
        if t0 <= seconds < t1:
            return y0 + (y1 - y0) * (seconds - t0) / (t1 - t0)
    return ZERO


def short(par: Inputs, mm: Fraction, mtm: Fraction) -> Fraction:
    return mm + Fraction(par["buffer_margin_pct"]) * (mm - mtm)


def left(par: Inputs, mtm: Fraction, mm: Fraction, kept: Fraction, share: Fraction, sold: Fraction) -> dict[str, Any]:
    """What an account has after a fraction was sold."""
    cash = (mtm - kept) * share * sold
    after = {"cash": cash, "reserved": kept + cash}
    after["mtm"] = (mtm - kept) * (1 - sold) + kept + cash
    after["mm"] = (mm - kept) * (1 - sold) + kept + cash
    after["buffer"] = short(par, after["mm"], after["mtm"])
    return after


def most(par: Inputs, mtm: Fraction, mm: Fraction, kept: Fraction, share: Fraction) -> Fraction:
    """The fraction that brings the buffer margin to zero: it is linear in the fraction."""
    if short(par, mm, mtm) >= 0:
        return ZERO
    if mtm < par.get("small_account_mtm", 0):
        return ONE
    none, everything = (left(par, mtm, mm, kept, share, sold)["buffer"] for sold in (ZERO, ONE))
    return within(ZERO, none / (none - everything), ONE)


def derive_dutch_auction(inputs: Inputs) -> dict[str, Any]:
    par, steps, remaining = inputs["params"], [], ONE
    for step in inputs["steps"]:
        mtm, mm = Fraction(step["mtm"]), Fraction(step["mm"])
        kept, seconds = Fraction(step["reserved_cash"]), Fraction(step["elapsed_s"])
        wanted, share, paid = Fraction(step["requested_fraction"]), asked(par, seconds), ZERO
        if mtm <= 0:
            bottom, last = min(ZERO, mm), Fraction(par["insolvent_length_s"])
            part = ONE if seconds >= last else seconds / last
            sold, available, share = min(wanted, ONE), ONE, ZERO
            paid = -(mtm + (bottom - mtm) * part) * sold
        else:
            available = most(par, mtm, mm, kept, share)
            sold = min(wanted, available)
        after = left(par, mtm, mm, kept, share, sold)
        if mtm <= 0:
            share = asked(par, seconds)
        steps.append({
            "buffer_margin": short(par, mm, mtm), "max_fraction": available, "filled_fraction": sold * remaining,
            "filled_of_current": sold, "cash_from_bidder": after["cash"], "cash_to_bidder": paid,
            "post_mtm": after["mtm"], "post_mm": after["mm"], "post_reserved_cash": after["reserved"],
            "post_buffer_margin": after["buffer"],
            "post_max_fraction": most(par, after["mtm"], after["mm"], after["reserved"], share),
        })  # fmt: skip
        remaining -= sold * remaining
    return {"steps": steps}


def dydx_fillable_price(inputs: Inputs) -> dict[str, Any]:
    ratio, market = inputs["mm_ratio"], inputs["liquidate"]
    notional = {m: Fraction(q) * Fraction(inputs["oracle"][m]) for m, q in inputs["positions"].items()}
    margin = {m: abs(x) * Fraction(ratio[m] if isinstance(ratio, dict) else ratio) for m, x in notional.items()}
    collateral = Fraction(inputs["usdc_balance"]) + sum(notional.values())
    lacking = Fraction(inputs["bankruptcy_adjustment"]) * (1 - collateral / sum(margin.values()))
    spread = within(ZERO, lacking, ONE) * Fraction(inputs["spread_to_mm_ratio"]) * margin[market]
    return {"fillable_price": (notional[market] - spread) / Fraction(inputs["positions"][market])}


def dydx_insurance_delta(inputs: Inputs) -> dict[str, Any]:
    oracle, held = Fraction(inputs["oracle_btc"]), Fraction(inputs["position_btc"])
    side = 1 if held > 0 else -1
    closed = side * min(abs(Fraction(inputs["close_size"])), abs(held))
    collateral = Fraction(inputs["usdc_balance"]) + held * oracle
    neutral = collateral * (held - closed) / held - (collateral - closed * oracle)
    proceeds = closed * Fraction(inputs["fill_price"])
    gain = proceeds - neutral
    fee = min(gain, Fraction(inputs["max_liquidation_fee"]) * abs(proceeds))
    return {"insurance_fund_delta": fee if gain > 0 else gain, "bankruptcy_value": neutral}


def drift_liquidation_size(inputs: Inputs) -> dict[str, Any]:
    price, quote = Fraction(inputs["oracle_price"]), Fraction(inputs["quote_price"])
    freed = price * (quote * (Fraction(inputs["margin_ratio"]) - Fraction(inputs["liquidator_fee"])))
    freed -= price * Fraction(inputs["insurance_fee"])
    nothing = freed <= 0 or freed < price * BILLIONTH
    return {"base_amount": None if nothing else Fraction(inputs["margin_shortage"]) / freed}


def drift_liability_transfer(inputs: Inputs) -> dict[str, Any]:
    debt, asset = Fraction(inputs["liability_weight"]), Fraction(inputs["asset_weight"])
    given_up = asset * Fraction(inputs["asset_multiplier"]) / Fraction(inputs["liability_multiplier"])
    price = Fraction(inputs["liability_price"])
    freed = price * (debt * (1 - Fraction(inputs["insurance_fee"])) - given_up)
    nothing = freed <= 0 or freed < price * BILLIONTH
    return {"liability_transfer": None if nothing else Fraction(inputs["margin_shortage"]) / freed}


def drift_insurance_fee(inputs: Inputs) -> dict[str, Any]:
    fees = []
    for case in inputs["cases"]:
        notional = Fraction(case["base_amount"]) * Fraction(case["oracle_price"])
        spare = Fraction(case["margin_ratio"]) - Fraction(case["liquidator_fee"])
        over = spare - Fraction(case["margin_shortage"]) / notional if notional else ZERO
        fees.append(within(ZERO, over * Fraction(19, 20), Fraction(case["max_fee"])))
    return {"fee": fees}


def drift_fee_ramp(inputs: Inputs) -> dict[str, Any]:
    base, top, rise = (Fraction(inputs[name]) for name in ("base_fee", "max_fee", "increase_per_slot"))
    return {
        "fee": [
            base if slots < inputs["grace_slots"] else min(base + rise * Fraction(slots), top)
            for slots in inputs["slots_elapsed"]
        ]
    }


def paradex_liquidation(inputs: Inputs) -> dict[str, Any]:
    fraction, fee = inputs["mm_fraction"], Fraction(inputs["liquidation_fee_of_mmr"])
    target, step = Fraction(inputs["target_margin_ratio"]), Fraction(inputs["share_step"])
    margin = pnl = ZERO
    for held in inputs["positions"]:
        rate = Fraction(fraction[held["market"]] if isinstance(fraction, dict) else fraction)
        size, mark = Fraction(held["size"]), Fraction(held["mark"])
        margin, pnl = margin + abs(size) * mark * rate, pnl + size * (mark - Fraction(held["entry"]))
    value, share = Fraction(inputs["collateral"]) + pnl, ZERO
    if margin - value > BILLIONTH * margin:
        share = step
        while share < 1 and target * (value - share * fee * margin) - margin * (1 - share) <= BILLIONTH * margin:
            share += step
        share = min(share, ONE)
    worth, rest = value - share * fee * margin, margin * (1 - share)
    return {
        "account_value": value, "mmr": margin, "liquidation_share": share, "penalty": share * fee * margin,
        "collateral_after": Fraction(inputs["collateral"]) + share * pnl - share * fee * margin,
        "account_value_after": worth,
        "margin_ratio_after": ZERO if rest == 0 else (rest / worth if worth > 0 else None),
        "sizes_after": [Fraction(held["size"]) * (1 - share) for held in inputs["positions"]],
        "shortfall": max(ZERO, -worth) if share == 1 else ZERO,
    }  # fmt: skip
