"""The engine while ranges step: with a ladder that begins after minutes, in markets of hours."""

from __future__ import annotations

import msgspec
import pytest

from monitor.engine import evaluate_account, new_state, ranges, step
from monitor.engine.composite import TicksFold
from monitor.engine.ranges import RangeView
from schemas.records import AccountEvent, RangeStep
from tests.property import test_engine as engine

pytestmark = pytest.mark.usefixtures("quick_ladder")


@pytest.fixture
def quick_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates from twenty returns on, and days of twenty."""
    monkeypatch.setattr(ranges, "MIN_RETURNS", 20.0)
    monkeypatch.setattr(ranges, "DAY_RETURNS", 20)


@pytest.mark.parametrize("seed", range(3))
def test_bounds_decide_as_exact_solves_do_while_ranges_step(seed: int) -> None:
    """After every step of a range, and now and then, conditions are those of a book built from nothing."""
    state = new_state()
    engine._open(state, {}, 1)
    views: dict[str, RangeView | None] = {}
    stepped = 0
    for number, source in enumerate(engine._sources(seed, 450, pace=20)):
        step(state, [source])
        now = {name: state.market.ticks.range_step(name) for name in ("BTC", "ETH")}
        changed, views = now != views, now
        stepped += changed
        if changed or number % 37 == 0:
            known = {name for shard in state.shards.values() for name in shard.accounts}
            exact = engine._rebuilt(state)
            assert {name: state.book.conditions(name) for name in known} == {
                name: exact.conditions(name) for name in known
            }
    assert stepped >= 4


@pytest.mark.parametrize("seed", range(3))
def test_a_book_built_from_nothing_says_the_same_after_steps(seed: int) -> None:
    """Incremental figures equal a recomputation bit for bit, and the range in force is in them."""
    _, state = engine._reference(engine._sources(seed, 600, pace=20))
    assert state.market.ticks.range_step("BTC") is not None
    kept = {name: evaluate_account(state, name) for name in engine.ACCOUNTS}
    state.book = engine._rebuilt(state)
    assert {name: evaluate_account(state, name) for name in engine.ACCOUNTS} == kept


@pytest.mark.parametrize("seed", range(3))
def test_attributions_sum_while_ranges_step(seed: int) -> None:
    """The parts of every event sum to the change of IM, and in some of them a range has stepped.

    Nobody publishes a parameter set here after the first records, so what stands under `parameters` is the ladder.
    """
    events, _ = engine._reference(engine._sources(seed, 900, pace=20))
    stepped = 0
    for body in events.values():
        if b'"sequence"' not in body:
            continue  # a step itself
        event = msgspec.json.decode(body, type=AccountEvent)
        if event.attribution is None or event.attribution_base is None:
            continue
        parts = {part.group: part.change_usd for part in event.attribution}
        change = event.im_requirement_usd - event.attribution_base.im_requirement_usd
        assert abs(sum(parts.values()) - change) <= 1e-9 * max(1.0, event.im_requirement_usd)
        stepped += event.model == "P" and parts["parameters"] != 0.0
        if event.model == "A" and event.attribution_base.sequence:
            assert parts["parameters"] == 0.0
    assert stepped >= 1


@pytest.mark.parametrize("seed", range(3))
def test_a_market_read_again_from_its_snapshot_steps_the_same(seed: int) -> None:
    """A fold restored in the middle publishes the same steps from there on."""
    fold, copy = TicksFold(), None
    sources = [s for s in engine._sources(seed, 500, pace=20) if s.topic == "market.ticks.v1"]
    first: list[RangeStep] = []
    second: list[RangeStep] = []
    for k, source in enumerate(sources):
        if k == len(sources) // 2:
            copy, first = TicksFold.restore(fold.snapshot()), []
        first += fold.apply(source.record).steps  # type: ignore[arg-type]  # ticks only
        if copy is not None:
            second += copy.apply(source.record).steps  # type: ignore[arg-type]
    assert first == second
    assert len(first) >= 2
