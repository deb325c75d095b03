"""Accounts that are hard to certify, each kind by itself on prices that are made for it, three ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas.records import Input
from tests.equality.proof import Plan, Proof, prove
from tests.equality.scenes import Stream
from tests.equality.world import START_US, World

PRICES = ("saw", "tune", "jump", "repeats", "ticks", "vols", "dwell", "broke", "grids")
KINDS = {
    "threshold": {"edge": 4},
    "gamma": {"wings": 3, "strangle": 2, "far": 2},
    "makers": {"maker": 1},
    "leverage": {"pair": 2, "broke": 3},
    "netting": {"hedged": 6},
    "collateral": {"coins": 3, "single": 3},
}


@pytest.mark.parametrize("kind", KINDS)
def test_hard_accounts_are_equal_three_ways(kind: str) -> None:
    """On thresholds that are walked across, with jumps there and back, repeats and silence, nothing differs."""
    plan = Plan(records=800, every=20, families=KINDS[kind], positions=100, minutes=0, only=PRICES)
    outcome = prove(11, plan)
    assert outcome.records == 800
    assert sum(outcome.events.values()) > 3
    assert outcome.compared > 5


class Walk(Stream):
    """The coins of accounts that are long gamma in the middle, from there down, up beyond it, and back."""

    def _walked(self, world: World) -> Iterator[Input]:
        before = dict(world.price)
        for number in range(160):
            k = number % 160
            percent = -k if k <= 40 else k - 80 if k <= 120 else 160 - k
            for coin in ("BTC", "ETH"):
                world.passed(700_000)
                yield from world.set_price(coin, before[coin] * (1.0 + 0.006 * percent))


def test_long_gamma_is_safe_in_the_middle_and_in_breach_on_both_sides() -> None:
    """An account that is short beyond both of its long strikes is called at each end of a walk."""
    proof = Proof(2, Plan(families={"wings": 2}, minutes=0, only=("walked",)), Walk)
    for holder in proof.holders:
        holder.utilisation = 0.4
    called: dict[str, list[float]] = {"below": [], "above": []}
    for number, record in enumerate(proof.stream.records()):
        if number == 1_200:
            break
        before = proof.outcome.events["margin_call"] + proof.outcome.events["liquidation"]
        proof.step([proof._numbered(record)])
        index = proof.sound.market.ticks.index("BTC")
        if proof.outcome.events["margin_call"] + proof.outcome.events["liquidation"] > before and index is not None:
            called["below" if index.price_usd < 120_000.0 else "above"].append(index.price_usd)
        if number % 40 == 0 and proof.sound.market.time_us > START_US:
            proof.compare()
    assert called["below"]
    assert called["above"]
