"""Groups of model E once more, in 40 digits, one position at a time; like `second`, with nothing of ours in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath

mp = mpmath.mp.clone()
mp.dps = 40

Inputs = Mapping[str, Any]


def drift_imf(inputs: Inputs) -> dict[str, Any]:
    weights = []
    for case in inputs["cases"]:
        weight, growth = mp.mpf(case["weight"]), mp.mpf(case["imf"]) * mp.sqrt(mp.fabs(case["size_units"]))
        if case["imf"] != 0:
            both = (
                [weight, mp.mpf(0.8) * weight + growth]
                if case["kind"] == "liability"
                else [weight, mp.mpf(1.1) / (1 + growth)]
            )
            weight = max(both) if case["kind"] == "liability" else min(both)
        weights.append(weight)
    return {"weight": weights}


def black(option: Inputs) -> Any:
    f, k = mp.mpf(option["forward"]), mp.mpf(option["strike"])
    stdev = mp.mpf(option["mark_vol"]) * mp.sqrt(max(mp.mpf(0), mp.mpf(option["expiry_s"])) / 31_536_000)
    sign = 1 if option["type"] == "call" else -1
    if stdev == 0:
        return max(mp.mpf(0), sign * (f - k))
    d1 = mp.log(f / k) / stdev + stdev / 2
    return sign * (f * mp.ncdf(sign * d1) - k * mp.ncdf(sign * (d1 - stdev)))


def intrinsic(option: Inputs, at: Any) -> Any:
    return max(mp.mpf(0), (at - mp.mpf(option["strike"])) * (1 if option["type"] == "call" else -1))


def isolated(option: Inputs, spot: Any, par: Inputs, *, initial: bool) -> Any:
    amount, strike = mp.mpf(option["amount"]), mp.mpf(option["strike"])
    if amount >= 0:
        return mp.mpf(0)
    value, call = amount * black(option), option["type"] == "call"
    moneyness = max(mp.mpf(0), strike - spot if call else spot - strike) / spot
    rate = max(mp.mpf(par["min_spot_req"]), par["max_spot_req"] - moneyness)
    im = rate * spot * amount + value
    if call:
        return im if initial else par["mm_call_spot_req"] * spot * amount + value
    mm = value + min(par["mm_put_spot_req"] * spot * amount, par["mm_put_mtm_req"] * value)
    return min(im, mm * par["mm_offset_scale"]) if initial else mm


def expiry(options: list[Inputs], spot: Any, par: Inputs, *, initial: bool) -> Any:
    """The better of the sum of shorts and the worst payoff, calls that nothing covers at the forward's scale."""
    alone = mp.fsum(isolated(option, spot, par, initial=initial) for option in options)
    prices = [mp.mpf(0), *(mp.mpf(option["strike"]) for option in options)]
    worst = min(mp.fsum(mp.mpf(o["amount"]) * intrinsic(o, at) for o in options) for at in prices)
    calls = mp.fsum(mp.mpf(o["amount"]) for o in options if o["type"] == "call")
    forward = max(mp.mpf(o["forward"]) for o in options)
    scale = par["unpaired_im_scale" if initial else "unpaired_mm_scale"]
    return max(alone, min(mp.mpf(0), worst) + scale * forward * min(mp.mpf(0), calls))


def derive_srm(inputs: Inputs) -> dict[str, Any]:
    par, stable = inputs["params"], mp.mpf(inputs["stable_price"])
    im = mm = mtm = mp.mpf(inputs["cash"])
    peg = max(mp.mpf(0), par["depeg"]["threshold"] - stable) * par["depeg"]["factor"]
    for name, market in inputs["markets"].items():
        spot, perp = mp.mpf(market["spot"]), market["perp"]
        size, sure = mp.fabs(perp["position"]), market["spot_confidence"]
        earned = perp["position"] * (
            mp.mpf(perp["price"])
            - perp["entry_price"]
            - (mp.mpf(perp["funding_index"]) - perp["account_funding_index"])
        )
        coins = mp.mpf(market["base"]) * spot
        im += earned - size * perp["price"] * par["perp"]["im"]
        mm += earned - size * perp["price"] * par["perp"]["mm"]
        im += coins * par["base"]["margin_factor"] * par["base"]["im_scale"]
        mm += coins * par["base"]["margin_factor"]
        mtm += earned + coins / stable
        im -= (
            doubt(min(sure, perp["confidence"]), par["oracle"]["perp_threshold"])
            * par["oracle"]["factor"]
            * spot
            * size
        )
        im -= doubt(sure, par["oracle"]["base_threshold"]) * par["oracle"]["factor"] * coins
        held = [option for option in inputs["options"] if option["market"] == name and option["amount"] != 0]
        for seconds in {option["expiry_s"] for option in held}:
            options = [option for option in held if option["expiry_s"] == seconds]
            shorts = mp.fsum(-mp.mpf(o["amount"]) for o in options if o["amount"] < 0)
            least = min(min(sure, o["forward_confidence"], o["vol_confidence"]) for o in options)
            im += expiry(options, spot, par["option"], initial=True) - peg * spot * shorts
            im -= doubt(least, par["oracle"]["option_threshold"]) * par["oracle"]["factor"] * spot * shorts
            mm += expiry(options, spot, par["option"], initial=False)
            mtm += mp.fsum(mp.mpf(o["amount"]) * black(o) for o in options)
        im -= peg * spot * size
    return {"im": im, "mm": mm, "mtm": mtm}


def doubt(confidence: float, threshold: float) -> Any:
    return 1 - mp.mpf(confidence) if confidence < threshold else mp.mpf(0)
