"""Drawn cases of the groups of model E."""

from __future__ import annotations

import random
from typing import Any

SPOT = {"BTC": 65_000.0, "ETH": 3_300.0}
EXPIRIES = (500_400, 2_592_000)


def imf(dice: random.Random) -> dict[str, Any]:
    return {
        "cases": [
            {"kind": kind, "weight": dice.uniform(0.05, 1.2), "imf": dice.choice([0.0, 0.0005, 0.02]),
             "size_units": 10 ** dice.uniform(-2, 6)}
            for kind in ("asset", "liability") for _ in range(3)
        ]
    }  # fmt: skip


def srm(dice: random.Random) -> dict[str, Any]:
    markets = {name: _market(dice, spot * dice.uniform(0.5, 1.5)) for name, spot in SPOT.items()}
    return {
        "cash": dice.gauss(0, 50_000), "stable_price": dice.choice([1.0, 0.95, 1.01]), "markets": markets,
        "options": [_option(dice, markets) for _ in range(dice.choice([0, 3, 6]))],
        "params": {
            "option": {"max_spot_req": 0.15, "min_spot_req": dice.choice([0.1, 0.13]), "mm_call_spot_req": 0.075,
                       "mm_put_spot_req": 0.09, "mm_put_mtm_req": 0.075, "unpaired_im_scale": 1.2,
                       "unpaired_mm_scale": 1.1, "mm_offset_scale": 1.05},
            "perp": {"im": 0.1, "mm": 0.065},
            "oracle": {"perp_threshold": 0.55, "option_threshold": 0.55, "base_threshold": 0.55, "factor": 0.4},
            "base": {"margin_factor": 0.8, "im_scale": 0.9375}, "depeg": {"threshold": 0.99, "factor": 2.0},
        },
    }  # fmt: skip


def _market(dice: random.Random, spot: float) -> dict[str, Any]:
    held = dice.choice([0.0, dice.gauss(0, 3)])
    return {
        "spot": spot, "spot_confidence": dice.choice([1.0, 0.8, 0.3]), "base": dice.choice([0.0, dice.uniform(0, 5)]),
        "perp": {"position": held, "price": spot * dice.uniform(0.99, 1.01), "confidence": dice.choice([1.0, 0.4]),
                 "entry_price": spot * dice.uniform(0.7, 1.3), "funding_index": dice.gauss(0, 30),
                 "account_funding_index": dice.gauss(0, 30)},
    }  # fmt: skip


def _option(dice: random.Random, markets: dict[str, Any]) -> dict[str, Any]:
    name = dice.choice(sorted(markets))
    spot, seconds = markets[name]["spot"], dice.choice(EXPIRIES)
    return {
        "market": name, "expiry_s": seconds, "strike": spot * dice.uniform(0.6, 1.5),
        "type": dice.choice(["call", "put"]), "amount": dice.gauss(0, 4),
        "mark_vol": dice.uniform(0.3, 1.5), "vol_confidence": dice.choice([1.0, 0.5]),
        "forward": spot * (1.002 if seconds == EXPIRIES[0] else 1.01), "forward_confidence": dice.choice([1.0, 0.7]),
    }  # fmt: skip
