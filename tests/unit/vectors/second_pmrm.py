"""Group `derive_pmrm2` once more, in 40 digits: the venue's steps one after the other, on plain lists."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import mpmath

mp = mpmath.mp.clone()
mp.dps = 40
YEAR_S = 365 * 86_400
Inputs = Mapping[str, Any]


@lru_cache(maxsize=100_000)  # most moves leave most prices: a case takes seconds, not half a minute
def black(kind: str, forward: Any, strike: Any, vol: Any, years: Any, discount: Any) -> Any:
    stdev = vol * mp.sqrt(years)
    if stdev == 0:
        return discount * max(mp.mpf(0), (forward - strike) * (1 if kind == "call" else -1))
    d1 = mp.log(forward / strike) / stdev + stdev / 2
    if kind == "call":
        return discount * (forward * mp.ncdf(d1) - strike * mp.ncdf(d1 - stdev))
    return discount * (strike * mp.ncdf(stdev - d1) - forward * mp.ncdf(-d1))


class Expiry:
    """One expiry: its options valued under any shock."""

    def __init__(self, given: Any, options: list[Any], params: Any) -> None:
        self.t = mp.mpf(given["expiry_s"]) / YEAR_S
        self.rate = max(mp.mpf(0), mp.mpf(given["rate"]))
        self.discount = mp.exp(-self.rate * self.t)
        self.fixed, self.variable = mp.mpf(given["forward_fixed"]), mp.mpf(given["forward_variable"])
        self.confidence = min(given["forward_confidence"], given["rate_confidence"], given["vol_confidence"])
        self.options, self.params = options, params
        self.now = self.level(1, "none")

    def value(self, forward: Any, vol_of: Any) -> Any:
        return sum(
            (o["amount"] * black(o["type"], forward, mp.mpf(o["strike"]), vol_of(o), self.t, self.discount)
             for o in self.options), mp.mpf(0))  # fmt: skip

    def level(self, spot: Any, word: str) -> Any:
        by = self.params["vol_shock"]
        days = self.t * 365
        power = by["short_term_power"] if days <= 30 else by["long_term_power"]
        shape = (30 / max(days, mp.mpf(by["dte_floor_days"]))) ** mp.mpf(power)

        def vol_of(option: Any) -> Any:
            vol = mp.mpf(option["mark_vol"])
            if word == "up":
                return max(vol * (1 + by["range_up"] * shape), mp.mpf(by["min_vol_up"]))
            return max(mp.mpf(0), vol * (1 - by["range_down"] * shape)) if word == "down" else vol

        return self.value(self.variable * spot + self.fixed, vol_of)

    def skewed(self, word: str) -> Any:
        by, root, forward = self.params["skew"], mp.sqrt(self.t), self.variable + self.fixed
        cap = by[f"{word}_c"] * root + by[f"{word}_base_cap"]
        width = root * by["width_scale"] * (by["vol_param_static"] + root * by["vol_param_scale"])
        flat = max(mp.mpf(by["min_k_star"]), width)

        def vol_of(option: Any) -> Any:
            k = mp.log(mp.mpf(option["strike"]) / forward)
            k = abs(k) if word == "abs" else k
            change = min(cap, k * cap / flat) if k >= 0 else max(-cap, k * cap / flat)
            return option["mark_vol"] * max(mp.mpf(0), 1 + change)

        return self.value(forward, vol_of)

    def gain(self, spot: Any, word: str, damping: Any) -> Any:
        by = self.params["margin"]
        skew = word in {"linear", "abs"}
        after = self.skewed(word) if skew else self.level(spot, word)
        if after >= 0:
            after *= by["long_static_discount"] * mp.exp(
                -self.t * (self.rate * by["long_rate_mult"] + by["long_rate_add"])
            )
        else:
            growth = mp.exp(self.t * (self.rate * by["short_rate_mult"] + by["short_rate_add"]))
            after *= min(by["short_static_discount"] * growth, 1 / self.discount)
        gain = (after - self.now) * damping
        return -abs(gain) if skew else gain

    def basis(self) -> Any:
        by = self.params["basis"]
        changes = [self.level(mp.mpf(by[name]), "none") - self.now for name in ("spot_up", "spot_down")]
        return min(mp.mpf(0), *changes) * (by["add_factor"] + by["mult_factor"] * self.t)

    def naked(self) -> Any:
        """The venue's cases, one strike after the other; each strike has at most one call and one put here."""
        total = mp.mpf(0)
        for strike in {o["strike"] for o in self.options}:
            legs = [mp.mpf(o["amount"]) for o in self.options if o["strike"] == strike]
            if len(legs) == 1:
                total += abs(legs[0]) if legs[0] < 0 else 0
            elif legs[0] < 0 and legs[1] < 0:
                total += abs(legs[0]) + abs(legs[1])
            elif legs[0] * legs[1] < 0:
                short, long = sorted(legs)
                total += -short - min(-short, long)
        return total


def derive_pmrm2(inputs: Inputs) -> dict[str, Any]:
    par, spot, stable = inputs["params"], mp.mpf(inputs["spot"]), mp.mpf(inputs["stable_price"])
    perp, other = inputs["perp"], par["other"]
    expiries = [
        Expiry(e, [o for o in inputs["options"] if o["expiry_s"] == e["expiry_s"]], par) for e in inputs["expiries"]
    ]
    values = [mp.mpf(c["amount"]) * c["price"] / stable for c in inputs["collaterals"]]
    cancelling = sum(
        (v for v, c in zip(values, inputs["collaterals"], strict=True) if c["is_risk_cancelling"]), mp.mpf(0)
    )
    gains = []
    for x, word, damping in par["scenarios"]:
        moved = (perp["position"] * mp.mpf(perp["price"]) + cancelling) * (mp.mpf(x) - 1) * damping
        gains.append(moved + sum((e.gain(mp.mpf(x), word, damping) for e in expiries), mp.mpf(0)))
    basis = sum((e.basis() for e in expiries), mp.mpf(0))
    worst = min([*gains, basis])

    def doubt(confidence: Any, notional: Any) -> Any:
        missing = (1 - mp.mpf(confidence)) * other["conf_margin"] * notional
        return missing if confidence < other["conf_threshold"] else mp.mpf(0)

    size, sure = abs(mp.mpf(perp["position"])) * spot, inputs["spot_confidence"]
    if perp["position"]:
        sure = min(sure, perp["confidence"])
    naked = sum((e.naked() for e in expiries), mp.mpf(0)) * spot
    mm_charge, im_charge = size * other["mm_perp_pct"], size * other["im_perp_pct_extra"] + doubt(sure, size)
    mm_charge += naked * other["mm_option_pct"]
    im_charge += naked * other["im_option_pct_extra"]
    for e in expiries:
        im_charge += doubt(min(sure, e.confidence), spot * sum(abs(o["amount"]) for o in e.options))
    for value, c in zip(values, inputs["collaterals"], strict=True):
        mm_charge += value * c["mm_haircut"]
        im_charge += value * c["im_haircut_extra"]
        im_charge += doubt(min(inputs["spot_confidence"], c["confidence"]), value)
    options = sum((e.now for e in expiries), mp.mpf(0))
    equity = options + sum(values, mp.mpf(0)) + inputs["cash"] + perp["unrealised_pnl"] + perp["unrealised_funding"]
    peg = max(mp.mpf(0), other["peg_threshold"] - stable) * other["peg_factor"]
    im = worst * (par["margin"]["im_factor"] + peg) - mm_charge - im_charge
    mm = worst * par["margin"]["mm_factor"] - mm_charge
    return {
        "im": equity + im, "mm": equity + mm, "option_mtm": options, "collateral_mtm": sum(values, mp.mpf(0)),
        "basis_contingency": basis, "scenario_pnl": gains, "equity": equity, "im_requirement": -im,
        "mm_requirement": -mm,
    }  # fmt: skip
