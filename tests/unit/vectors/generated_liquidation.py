"""Drawn cases of the groups of liquidation."""

from __future__ import annotations

import random
from typing import Any

COINS = {"BTC": 65_000.0, "ETH": 3_300.0}


def auction(dice: random.Random) -> dict[str, Any]:
    start, fast, slow = dice.uniform(0.85, 0.98), dice.choice([100.0, 900.0]), dice.choice([14_400.0, 43_200.0])
    params = {
        "starting_mtm_pct": start, "fast_cutoff_pct": start * dice.uniform(0.6, 0.95), "fast_length_s": fast,
        "slow_length_s": slow, "insolvent_length_s": 600.0, "liquidator_fee_rate": 0.02,
        "buffer_margin_pct": dice.uniform(0.0, 0.3),
    }  # fmt: skip
    if dice.random() < 0.2:
        params["small_account_mtm"] = 1e7
    elapsed = sorted([dice.uniform(0.1, 0.9) * fast, fast + dice.uniform(0.1, 0.9) * slow])
    steps, reserved = [], 0.0
    for seconds in elapsed:
        mtm = 10 ** dice.uniform(2, 6)
        steps.append(_step(dice, seconds, mtm, dice.uniform(0.0, 0.5) * mtm if reserved else 0.0))
        reserved = 1.0
    if dice.random() < 0.5:
        steps.append(_step(dice, dice.uniform(0.1, 2.0) * 600.0, -(10 ** dice.uniform(1, 5)), 0.0))
    return {"params": params, "steps": steps}


def _step(dice: random.Random, seconds: float, mtm: float, reserved: float) -> dict[str, Any]:
    return {"elapsed_s": seconds, "mtm": mtm, "mm": mtm - abs(mtm) * dice.uniform(1.05, 4.0), "reserved_cash": reserved,
            "requested_fraction": dice.uniform(0.05, 0.95)}  # fmt: skip


def fillable(dice: random.Random) -> dict[str, Any]:
    oracle = {name: price * dice.uniform(0.5, 1.5) for name, price in COINS.items()}
    positions = {name: dice.choice([-1, 1]) * 10 ** dice.uniform(-2, 2) for name in COINS}
    rates = {name: dice.uniform(0.01, 0.2) for name in COINS}
    worth = sum(q * oracle[name] for name, q in positions.items())
    margin = sum(abs(q) * oracle[name] * rates[name] for name, q in positions.items())
    return {
        "usdc_balance": dice.uniform(-0.5, 1.5) * margin - worth, "positions": positions, "oracle": oracle,
        "mm_ratio": dice.choice([rates, 0.05]), "bankruptcy_adjustment": dice.choice([1.0, 2.0]),
        "spread_to_mm_ratio": dice.uniform(0.05, 1.5), "liquidate": dice.choice(list(COINS)),
    }  # fmt: skip


def insurance(dice: random.Random) -> dict[str, Any]:
    oracle, held = 65_000.0 * dice.uniform(0.5, 1.5), dice.choice([-1, 1]) * 10 ** dice.uniform(-2, 2)
    return {
        "usdc_balance": -held * oracle + abs(held) * oracle * dice.uniform(-0.05, 0.1), "position_btc": held,
        "oracle_btc": oracle, "mm_ratio": 0.1, "close_size": held * dice.choice([-1, 1]) * dice.uniform(0.1, 0.9),
        "fill_price": oracle * dice.uniform(0.97, 1.03), "max_liquidation_fee": dice.uniform(0.001, 0.02),
    }  # fmt: skip


def size(dice: random.Random) -> dict[str, Any]:
    return {
        "margin_shortage": 10 ** dice.uniform(0, 6), "margin_ratio": dice.uniform(0.04, 0.2),
        "liquidator_fee": dice.choice([0.0, 0.02, dice.uniform(0.0, 0.025), 0.3]),
        "insurance_fee": dice.choice([0.0, 0.005]), "oracle_price": 10 ** dice.uniform(0, 5),
        "quote_price": dice.uniform(0.9, 1.01),
    }  # fmt: skip


def transfer(dice: random.Random) -> dict[str, Any]:
    return {
        "margin_shortage": 10 ** dice.uniform(0, 6), "asset_weight": dice.choice([dice.uniform(0.5, 0.85), 0.8, 1.6]),
        "asset_multiplier": dice.uniform(1.0, 1.1), "liability_weight": dice.uniform(1.1, 1.5),
        "liability_multiplier": dice.uniform(0.9, 1.0), "liability_price": 10 ** dice.uniform(0, 5),
        "insurance_fee": dice.choice([0.0, 0.01]),
    }  # fmt: skip


def fees(dice: random.Random) -> dict[str, Any]:
    return {
        "cases": [
            {"margin_shortage": 10 ** dice.uniform(0, 4), "base_amount": dice.choice([0.0, 10 ** dice.uniform(-1, 3)]),
             "margin_ratio": dice.uniform(0.02, 0.2), "liquidator_fee": dice.uniform(0.0, 0.05),
             "oracle_price": 10 ** dice.uniform(0, 4), "max_fee": dice.choice([0.01, 0.05])}
            for _ in range(4)
        ]
    }  # fmt: skip


def ramp(dice: random.Random) -> dict[str, Any]:
    base = dice.uniform(0.001, 0.03)
    return {"base_fee": base, "max_fee": base * dice.uniform(1.0, 3.0), "grace_slots": 1_500,
            "increase_per_slot": 1e-6, "slots_elapsed": [0, 700, 1_600, dice.randint(2_000, 60_000)]}  # fmt: skip


def partial(dice: random.Random) -> dict[str, Any]:
    rates = {name: dice.uniform(0.005, 0.05) for name in COINS}
    positions: list[dict[str, Any]] = [
        {"market": name, "size": dice.choice([-1, 1]) * 10 ** dice.uniform(-2, 2),
         "entry": price * dice.uniform(0.8, 1.2), "mark": price * dice.uniform(0.8, 1.2)}
        for name, price in COINS.items()
    ]  # fmt: skip
    pnl = sum(p["size"] * (p["mark"] - p["entry"]) for p in positions)
    margin = sum(abs(p["size"]) * p["mark"] * rates[p["market"]] for p in positions)
    return {
        "collateral": dice.choice([dice.uniform(0.75, 1.0), dice.uniform(-0.5, 2.0)]) * margin - pnl,
        "positions": positions, "mm_fraction": dice.choice([rates, 0.02]), "target_margin_ratio": 0.9,
        "share_step": dice.choice([0.2, 0.25, 0.07]), "liquidation_fee_of_mmr": dice.choice([0.5, 0.7]),
    }  # fmt: skip
