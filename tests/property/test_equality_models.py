"""Certificates of accounts under models A and E change no event; bounds without curvature or kinks would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kernels.certificates import joint, places, standard
from monitor.engine import bounded
from monitor.engine.figures import Floats
from schemas.parameters import ParameterSet
from schemas.records import Input, MarginModel
from tests.equality.books import Holder
from tests.equality.proof import Plan, Proof, Unequal, prove
from tests.equality.scenes import Stream
from tests.equality.world import EXPIRIES_US, World, day

PRICES = ("saw", "tune", "jump", "repeats", "ticks", "vols", "marks", "dwell", "broke")
STANDARD = {"edge_standard": 3, "standard": 6}


def test_a_mixed_stream_under_model_e_is_equal_three_ways() -> None:
    """Thresholds, long gamma, far shorts, makers and debts under all forms of model E: nothing differs."""
    outcome = prove(1, Plan(records=1_000, every=50, families=STANDARD, positions=100, minutes=1, quick=True))
    assert outcome.work is not None
    assert outcome.work["certified"] > 100
    assert outcome.work["resplit"] > 100
    assert sum(outcome.events.values()) > 20


@pytest.mark.parametrize("few", [None, 2])
def test_a_mixed_stream_under_model_a_is_equal_three_ways(few: int | None) -> None:
    """Watched throughout, or swept after a few accounts have left their intervals: nothing differs under model A."""
    families = {"edge_added": 3, "added": 3}
    outcome = prove(4, Plan(records=900, every=60, families=families, positions=60, minutes=1, quick=True, few=few))
    assert outcome.work is not None
    assert outcome.work["certified"] > 15
    assert (outcome.work["swept"] > 0) == (few is not None)


def test_every_record_under_model_e_is_equal_to_a_computation_from_nothing() -> None:
    """After each record of a stream about thresholds, every account is what a new book says it is."""
    plan = Plan(records=500, every=1, families={"edge_standard": 3, "edge_added": 1}, minutes=0, only=PRICES)
    assert prove(6, plan).compared > 250


class Walk(Stream):
    """ETH down by a fifth, up by two, and back, in steps that are small against the intervals."""

    def _walked(self, world: World) -> Iterator[Input]:
        before = world.price["ETH"]
        for number in range(160):
            steps = -number if number <= 40 else number - 80 if number <= 120 else 160 - number
            world.passed(700_000)
            yield from world.set_price("ETH", before * (1.0 + 0.005 * steps))


def walk(*holders: Holder) -> Proof:
    """Return what a walk has proved of some accounts, whose equity is twice what is required of them."""
    proof = Proof(2, Plan(families={}, minutes=0, only=("walked",)), Walk)
    proof.holders = proof.stream.holders = list(holders)
    walked = 0
    for record in proof.stream.records():
        walked += proof.stream.scene == "walked"
        if walked == 320:
            break
        proof.step([proof._numbered(record)])
    proof.compare()
    return proof


WEEK = day(EXPIRIES_US[2])
STRANGLE = [(f"ETH-{WEEK}-0.9-P", -80_000.0), (f"ETH-{WEEK}-1.1-C", -80_000.0)]
AHEAD = [("ETH-PERPETUAL", 40_000.0), ("BTC-PERPETUAL", 30_000.0)]  # beside the edges of tiers


def test_a_walk_across_strikes_and_edges_is_equal() -> None:
    """What accounts are charged has kinks at strikes and jumps at tiers: nothing differs on the way across them."""
    outcome = walk(
        Holder("strangle", "E", legs=STRANGLE, utilisation=0.5),
        Holder("tiers", "E-tiered", "sized", legs=AHEAD, utilisation=0.6),
        Holder("short", "E-tiered", "sized", legs=[("ETH-PERPETUAL", -57_000.0)], utilisation=0.35),
        Holder("size", "E-cross", "sized", legs=[*AHEAD, ("ETH-INVERSE", -60_000.0)], utilisation=0.8),
    ).outcome
    assert outcome.events["warning"] > 2
    assert outcome.work is not None
    assert outcome.work["certified"] > 5


CERTIFY, RATES_OF = standard.certify, bounded.rates_of


def _straight(*args: Any) -> int:
    """Certify by slopes alone: curves without curvature and kinks."""
    count: int = CERTIFY(*args)
    slot, curves, made = args[4], args[-3], args[-1]
    for slots in slot[made[:count]]:
        for at in (joint.UPPER_AT, joint.LOWER_AT):
            for part in (places.CURVE, places.KINK):
                curves[slots[slots >= 0], at + part] = 0.0
    return count


def _level(chosen: ParameterSet, underlying: str) -> Floats:
    """Read rates that know of no tier beyond the third."""
    found = RATES_OF(chosen, underlying)
    found[standard.TIERS] = 3
    return found


CAUGHT: dict[str, tuple[object, str, object, Holder]] = {
    "strikes": (standard, "certify", _straight, Holder("strangle", "E", legs=STRANGLE, utilisation=0.5)),
    "tiers": (
        bounded, "rates_of", _level,
        Holder("tiers", "E-tiered", "sized", legs=[("ETH-PERPETUAL", -57_000.0)], utilisation=0.35),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CAUGHT)
def test_certificates_without_a_bound_are_found_out(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals without curvature and kinks, or without what a tier jumps by, are too wide: a walk shows it."""
    of, name, wrong, holder = CAUGHT[what]
    monkeypatch.setattr(of, name, wrong)
    with pytest.raises(Unequal):
        walk(holder)


@pytest.mark.parametrize("model", ["E", "E-cross", "E-tiered"])
def test_curves_stay_below_what_the_model_says_within_their_radius(model: MarginModel) -> None:
    """C E - d R of the model at prices all over the radius is nowhere below the fixed part and the kept curves."""
    legs = [*STRANGLE, ("ETH-PERPETUAL", 55_000.0), ("ETH-INVERSE", -30_000.0), (f"ETH-{WEEK}-1-P", 30_000.0)]
    proof = Proof(3, Plan(families={}, minutes=0), Stream)
    proof.holders = proof.stream.holders = [Holder("one", model, "sized", legs, {"ETH": -2.0}, utilisation=0.6)]
    for record in proof.stream.records():
        if proof.stream.scene != "opening":
            break
        proof.step([proof._numbered(record)])
    for record in World(proof.stream.draw, time_us=proof.sound.market.time_us + 1).set_price("ETH", 4_300.0):
        proof.step([proof._numbered(record)])
    book = proof.certified.book
    (slot,) = book._figures.slots_of(book._row_of["one"])
    assert book._certificates is not None
    curve, cover = book._segments.curves[slot].copy(), book._certificates.covers[book._row_of["one"]].copy()
    held = np.empty((2, 3))
    assert standard.constraints(0, *proof.sound.book.figures("one"), book._judged.thresholds[0], held)
    assert cover[joint.UPPER_FULL] > 0.0
    radius, at = curve[joint.RADIUS], joint.UPPER_AT
    world = World(proof.stream.draw, time_us=proof.sound.market.time_us)
    for x in np.linspace(-radius, radius, 41).tolist():
        world.passed(30_000_000)
        for record in world.set_price("ETH", float(curve[joint.CENTER]) * (1.0 + x)):
            proof.step([proof._numbered(record)])
        index = proof.sound.market.ticks.index("ETH")
        assert index is not None
        y = index.price_usd / curve[joint.CENTER] - 1.0
        bound = cover[joint.UPPER_FIXED] + y * (
            curve[at + places.SLOPE] - 0.5 * y * curve[at + places.CURVE]
        ) - curve[at + places.KINK] * abs(y)  # fmt: skip
        equity, im, mm = proof.sound.book.figures("one")
        required = mm if held[0, standard.WHICH] == standard.MM else im
        assert abs(y) > radius or held[0, 0] * equity - held[0, 1] * required >= bound
