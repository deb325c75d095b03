"""Doubtful data and an account that they could liquidate: nobody is liquidated by them, and all goes on after them."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from monitor.engine import State, evaluate_account, new_state, open_shard, step
from schemas.records import AccountConfig, Heartbeat, Input, PriceTick, Trade, Transfer
from tests.engine_market import START_US, Log, index_tick, opening

SECOND_US = 1_000_000
VENUES = ("venue-a", "venue-b", "venue-c", "venue-d")
WARNED_BELOW, LIQUIDATED_BELOW = 92_400.0, 86_800.0  # of the account of `long_bitcoin`, added up by hand


def long_bitcoin(account: str = "a", deposit: float = 25_000.0) -> list[Input]:
    """One perpetual bought at 100,000 under model A: needs 17 % of its notional, maintenance 0.8 of that."""
    return [
        AccountConfig(account=account, margin_model="A", event_time_us=START_US),
        Transfer(transfer_id="1", account=account, asset="USD", amount=deposit, event_time_us=START_US),
        Trade(
            trade_id="1", account=account, instrument="BTC-PERPETUAL", quantity=1.0, price=100_000.0,
            event_time_us=START_US,
        ),
    ]  # fmt: skip


def at(second: float) -> int:
    return START_US + round(second * SECOND_US)


def price(second: float, usd: float, venue: str = "venue-a", **fields: Any) -> PriceTick:
    return replace(index_tick("BTC", usd, at(second), venue), **fields)


def beat(second: float) -> Heartbeat:
    return Heartbeat(source="clock", event_time_us=at(second))


class World:
    """An engine with one shard, what it said so far, and its account."""

    def __init__(self, before: Iterable[Input]) -> None:
        self.state: State = new_state()
        self.log = Log()
        self.events: list[dict[str, Any]] = []
        open_shard(self.state, 0, None, [], partitions=1, epoch=1)
        self.take(*before)

    def take(self, *records: Input) -> list[dict[str, Any]]:
        """Apply records; return what was said."""
        said = [json.loads(one.body) for one in step(self.state, [self.log(record) for record in records])]
        self.events += said
        return said

    @property
    def said(self) -> list[tuple[str, bool]]:
        """Kinds so far, with the hold after each."""
        return [(event["kind"], event.get("data_hold", False)) for event in self.events]

    @property
    def flags(self) -> tuple[str, ...]:
        return evaluate_account(self.state, "a").data_quality

    @property
    def index_usd(self) -> float:
        view = self.state.market.ticks.index("BTC")
        assert view is not None
        return view.price_usd

    @property
    def status(self) -> str:
        return self.state.shards[0].accounts["a"].status

    @property
    def held(self) -> bool:
        return self.state.shards[0].accounts["a"].data_hold


def unpriced() -> list[Input]:
    return [*opening(priced=("ETH",)), *long_bitcoin()]


def of_one_venue() -> World:
    """Bitcoin from one source alone, 30 s of it."""
    world = World(unpriced())
    world.take(*(price(second, 100_000.0) for second in range(30)))
    return world


# --- one of several sources -----------------------------------------------------------------------


@pytest.mark.parametrize("sources", [2, 3, 4])
@pytest.mark.parametrize("factor", [0.25, 4.0, 10.0])
def test_one_source_far_off_for_a_minute_changes_nothing(sources: int, factor: float) -> None:
    """One of several at a quarter, four or ten times its price for 60 s: under 2 % of index, no event, no hold."""
    world = World(unpriced())
    for second, number in itertools.product(range(130), range(sources)):
        wick = number == 1 and 30 <= second < 90
        world.take(price(second + 0.1 * number, 100_000.0 * (factor if wick else 1.0), VENUES[number]))
        assert abs(world.index_usd / 100_000.0 - 1.0) < 0.02
        assert world.status == "healthy"
        assert not world.held
    assert world.events == []


def test_of_two_sources_that_part_for_longer_neither_liquidates() -> None:
    """After a minute of disagreement a fall that both show is a hold; when both agree again it is a liquidation."""
    world = World(unpriced())
    for second in range(100):
        world.take(price(second, 100_000.0), price(second, 25_000.0 if second >= 10 else 100_000.0, "venue-b"))
    assert world.events == []
    assert "dispersed:BTC" in world.flags
    said = world.take(price(100, 85_000.0))
    assert [(event["kind"], event["data_hold"]) for event in said] == [("warning", False), ("data_hold", True)]
    said = world.take(price(101, 85_000.0, "venue-b"))
    assert [event["kind"] for event in said if event["kind"] != "margin_call"] == ["data_hold", "liquidation"]
    assert not world.held


def test_a_wick_of_one_venue_in_a_real_fall_liquidates_by_the_others() -> None:
    """All fall by 5 %, one by 75 %: those who can bear 5 % are untouched."""
    world = World(unpriced())
    for second, (number, venue) in itertools.product(range(60), enumerate(VENUES[:3])):
        fallen = 95_000.0 if second >= 20 else 100_000.0
        world.take(price(second + 0.1 * number, 25_000.0 if number == 2 and 20 <= second < 40 else fallen, venue))
    assert world.events == []
    assert world.index_usd == 95_000.0


@pytest.mark.parametrize("kind", ["mark", "trade", "quote"])
def test_a_contracts_own_price_far_off_liquidates_nobody(kind: str) -> None:
    """A perpetual's mark, trades or quotes at a quarter for a minute: its holders are judged by index and basis."""
    world = World(unpriced())
    for second in range(130):
        world.take(*(price(second, 100_000.0, venue) for venue in VENUES[:2]))
        own = 25_000.0 if 30 <= second < 90 else 100_000.0
        shown: dict[str, Any] = {"price": None, "bid": own, "ask": own} if kind == "quote" else {}
        fields = {"instrument": "BTC-PERPETUAL", "index_source": False, "price_kind": kind, **shown}
        world.take(price(second + 0.5, own, **fields))
    assert all(event["kind"] == "warning" for event in world.events)
    assert world.status in {"healthy", "warning"}


# --- a lone source --------------------------------------------------------------------------------


def test_a_lone_source_is_flagged_and_a_jump_holds() -> None:
    """A single-source coin says so; a fall of more than 10 % within 10 s is held, and taken when it has lasted 10 s."""
    world = of_one_venue()
    assert world.flags == ("single_source:BTC",)
    for second in range(30, 41):
        world.take(price(second, 80_000.0))
        assert world.index_usd == 100_000.0
        assert "jump:BTC" in world.flags
    assert world.events == []
    said = [event for second in range(41, 60) for event in world.take(price(second, 80_000.0))]
    assert [(event["kind"], event["data_hold"]) for event in said] == [("liquidation", False)]
    assert "single_source:BTC" in said[0]["data_quality"]
    assert world.index_usd == 80_000.0


def test_a_fall_of_less_than_a_tenth_in_ten_seconds_is_taken() -> None:
    """Steps of 1 % a second for 9 s are a market, not a jump; at 14 % below a holder is liquidated without a hold."""
    world = of_one_venue()
    for number, second in enumerate(range(30, 60)):
        world.take(price(second, 100_000.0 * (1.0 - 0.009 * min(number, 16))))
    assert ("data_hold", True) not in world.said
    assert world.said[-1] == ("liquidation", False)


def test_a_wick_of_a_lone_source_liquidates_nobody() -> None:
    """A print at a quarter that comes back within seconds is never in the index."""
    world = of_one_venue()
    for second in range(30, 90):
        world.take(price(second, 25_000.0 if second < 33 else 100_000.0))
        assert world.index_usd == 100_000.0
    assert world.events == []
    assert world.flags == ("single_source:BTC",)


# --- silence --------------------------------------------------------------------------------------


def quiet_ether(world: World, second: float, max_age_ms: int) -> None:
    """Prices of ETH from both venues for the last time before it falls silent."""
    world.take(*(replace(index_tick("ETH", 4_000.0, at(second), venue), max_age_ms=max_age_ms) for venue in VENUES[:2]))


@pytest.mark.parametrize("silence_s", [5, 60, 600])
def test_a_silent_coin_holds_what_another_coin_would_liquidate(silence_s: int) -> None:
    """Stale within a second of its age; then no liquidation on any account that holds it; its next prices decide."""
    world = World([*unpriced(), Trade(
        trade_id="2", account="a", instrument="ETH-PERPETUAL", quantity=0.1, price=4_000.0, event_time_us=START_US,
    )])  # fmt: skip
    quiet_ether(world, 0, 1_000 * silence_s)
    for second in range(silence_s + 1):
        world.take(*(price(second, 100_000.0, venue) for venue in VENUES[:2]))
        assert "stale:ETH" not in world.flags
    world.take(*(price(silence_s + 1, 100_000.0, venue) for venue in VENUES[:2]))
    assert "stale:ETH" in world.flags
    assert world.events == []
    for second in range(silence_s + 2, silence_s + 20):
        world.take(*(price(second, 85_000.0, venue) for venue in VENUES[:2]))
    assert world.held
    assert [kind for kind, _ in world.said] == ["warning", "data_hold", "margin_call"]
    quiet_ether(world, silence_s + 20, 60_000)
    assert world.said[-2:] == [("data_hold", False), ("liquidation", False)]


def test_a_hold_that_lasts_calls_a_human_and_never_liquidates_by_itself() -> None:
    """After 300 s one more event asks for a person; then nothing more, until good data decide."""
    world = World(unpriced())
    world.take(*(price(0, 100_000.0, venue, max_age_ms=10_000) for venue in VENUES[:2]))
    world.take(beat(20))
    world.take(Transfer(transfer_id="2", account="a", asset="USD", amount=-12_000.0, event_time_us=at(20)))
    raised = world.events[-1]
    assert (raised["kind"], raised["data_hold"]) == ("data_hold", True)
    for second in range(21, 1_000):
        world.take(beat(second))
    called = world.events[-1]
    assert (called["event_time_us"] - raised["event_time_us"]) == 300 * SECOND_US
    assert (called["kind"], called["data_hold"], called["cause"]["topic"]) == ("data_hold", True, "timer")
    assert "human" in called["reason"]
    assert world.said.count(("data_hold", True)) == 2
    assert "liquidation" not in {kind for kind, _ in world.said}
    world.take(*(price(1_000, 101_000.0, venue) for venue in VENUES[:2]))
    assert world.said[-1] == ("data_hold", False)
    assert world.status == "margin_call"


def test_a_hold_ends_without_a_liquidation_when_the_danger_was_none() -> None:
    """Two venues part, one of them below: the account is held; they meet above, and it is released."""
    world = World(unpriced())
    for second in range(10):
        world.take(*(price(second, 100_000.0, venue) for venue in VENUES[:2]))
    for second in range(10, 80):
        world.take(price(second, 70_000.0), price(second, 80_000.0 if second >= 72 else 100_000.0, "venue-b"))
    assert world.held
    assert "liquidation" not in {kind for kind, _ in world.said}
    world.take(*(price(80, 99_000.0, venue) for venue in VENUES[:2]))
    assert not world.held
    assert world.said[-1] == ("data_hold", False)


# --- late, repeated, and no prices at all ---------------------------------------------------------


def swinging(seed: int) -> list[PriceTick]:
    """Ten minutes of three venues through the thresholds of the account, down and up again."""
    draw = random.Random(seed)
    ticks = []
    for second, (number, venue) in itertools.product(range(600), enumerate(VENUES[:3])):
        usd = 93_500.0 + 6_500.0 * math.cos(math.tau * second / 300.0) + draw.gauss(0.0, 60.0)
        ticks.append(price(second + 0.1 * number + 0.05 * draw.random(), round(usd, 1), venue))
    return ticks


def disturbed(ticks: Sequence[PriceTick], seed: int) -> list[PriceTick]:
    """In order of arrival: a tenth comes up to 180 s late, a twentieth comes twice."""
    draw = random.Random(seed)
    arrivals = []
    for number, tick in enumerate(ticks):
        delay_us = draw.uniform(0.0, 180e6) if draw.random() < 0.10 else 0.0
        arrivals.append((tick.event_time_us + delay_us, number, tick))
        if draw.random() < 0.05:
            arrivals.append((tick.event_time_us + delay_us + draw.uniform(0.0, 180e6), number, tick))
    return [tick for _, _, tick in sorted(arrivals, key=lambda one: one[:2])]


def without_positions(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [dict(event) for event in events]
    for event in kept:
        del event["positions"]
        event["cause"] = {**event["cause"], "offset": -1}
    return kept


@pytest.mark.parametrize("seed", range(3))
def test_late_and_repeated_ticks_leave_no_trace_in_the_events(seed: int) -> None:
    """Events, positions aside, are those of a run without the late ticks; the newest event time wins per source."""
    arrived = disturbed(swinging(seed), seed)
    newest: dict[str, int] = {}
    punctual = []
    for tick in arrived:
        if tick.event_time_us >= newest.get(tick.source, 0):
            newest[tick.source] = tick.event_time_us
            punctual.append(tick)
    assert len(arrived) - len(punctual) > 100
    disturbed_world, clean = World(unpriced()), World(unpriced())
    disturbed_world.take(*arrived)
    clean.take(*punctual)
    assert len(clean.events) >= 4
    assert without_positions(disturbed_world.events) == without_positions(clean.events)
    assert disturbed_world.state.market.ticks.late_ticks == len(arrived) - len(punctual)


BAD: list[tuple[str, Callable[[float], PriceTick], str]] = [
    ("zero", lambda second: price(second, 0.0), "bad_price"),
    ("negative", lambda second: price(second, -1.0), "bad_price"),
    ("nan", lambda second: price(second, math.nan), "bad_price"),
    ("infinite", lambda second: price(second, math.inf), "bad_price"),
    ("early", lambda second: price(second + 3_600, 1.0, received_time_us=at(second)), "clock_ahead"),
    ("year 2099", lambda second: price(second + 73 * 365 * 86_400, 1.0), "clock_ahead"),
]


@pytest.mark.parametrize(("make", "reason"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_what_is_no_price_is_refused_and_decides_nothing(make: Callable[[float], PriceTick], reason: str) -> None:
    """Each becomes a refusal with its reason; index, time and account stay what they were, whatever comes between."""
    world = World(unpriced())
    for second in range(30):
        world.take(*(price(second, 100_000.0, venue) for venue in VENUES[:2]))
        before = world.state.market.time_us
        world.take(make(second))
        assert (world.index_usd, world.state.market.time_us) == (100_000.0, before)
    assert world.events == []
    assert [one.error_kind for one in world.state.rejected] == [reason] * 30


def test_heartbeats_alone_let_time_pass_and_a_tick_ahead_of_them_does_not() -> None:
    """A tick without arrival time, an hour ahead of the clock, makes no other source stale."""
    world = World(unpriced())
    for second in range(60):
        world.take(beat(second), *(price(second, 100_000.0, venue) for venue in VENUES[:2]))
        world.take(price(second + 3_600, 50_000.0, "venue-c"))
    assert world.flags == ()
    assert world.index_usd == 100_000.0
    assert {one.error_kind for one in world.state.rejected} == {"clock_ahead"}
