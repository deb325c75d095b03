"""`explain`: parts that sum to the requirement, and changes that sum to the change."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from monitor.answers import view as views
from monitor.answers.explain import explain
from monitor.answers.greeks import greeks_of
from monitor.answers.groups import GROUPS, change_of
from monitor.answers.shock import Shock, shocked
from monitor.answers.since import since_baseline
from monitor.engine import State, evaluate_account, new_state, open_shard, step
from monitor.engine.attribution import attribute
from schemas.records import AccountConfig, AccountEvent, Input, Trade, Transfer
from tests.answers_books import NAMES, folded, holding_most
from tests.engine_market import START_US, Log, both, opening, random_market, smile

MINUTE_US = 60_000_000
ACCOUNTS = tuple(f"acc{n}" for n in range(6))


@pytest.fixture(scope="module")
def state() -> State:
    """Return a market with an account under each model."""
    return folded(2)


def room(im_usd: float) -> float:
    """Return how near sums have to be."""
    return 1e-9 * max(1.0, abs(im_usd))


def test_parts_sum_to_the_requirement(state: State) -> None:
    """Underlyings and components, and where a model has them positions and expiries, sum to the requirement."""
    split = 0
    for one_state, name in [(one, name) for one in (state, folded(4)) for name in holding_most(one)]:
        found = explain(views.take(one_state, name, history=True))
        evaluation = evaluate_account(one_state, name)
        if not evaluation.valued:
            assert found.im_requirement_usd is None
            continue
        assert found.im_requirement_usd == pytest.approx(evaluation.im_requirement_usd, rel=1e-12)
        assert found.equity_usd == pytest.approx(evaluation.equity_usd, rel=1e-12)
        im = found.im_requirement_usd
        assert im is not None
        if found.components:
            assert math.fsum(found.components.values()) == pytest.approx(im, rel=1e-9)
        assert math.fsum(g.delta_usd for g in (p.greeks for p in found.positions) if g) == pytest.approx(
            math.fsum(u.greeks.delta_usd for u in found.underlyings), rel=1e-9, abs=1e-6
        )
        parts = [one.requirement_usd for one in found.positions]
        if any(part is None for part in parts):
            continue
        split += 1
        scans = im if not found.components else found.components["scan"]
        assert math.fsum(part for part in parts if part is not None) == pytest.approx(scans, rel=1e-9)
        assert math.fsum(e.requirement_usd or 0.0 for e in found.expiries) == pytest.approx(scans, rel=1e-9)
        in_scenarios = -math.fsum(s.weight * s.pnl_usd for s in found.scenarios)
        assert in_scenarios == pytest.approx(scans, rel=1e-9)
    assert split >= 2


def test_every_model_explains_itself(state: State) -> None:
    """Whatever the model, an answer has scenarios and positions, and can be written as JSON without NaN."""
    for name in NAMES:
        found = explain(views.take(state, name, history=True), shapley=True)
        data = msgspec.json.encode(found)
        assert b"NaN" not in data
        assert msgspec.json.decode(data)["account"] == name


def test_greeks_are_slopes_of_the_value() -> None:
    """Delta, gamma, vega and theta agree with differences of the engine's own values."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    records = list(random_market(4, 200, ACCOUNTS, 1))
    step(state, [log(record) for record in records])
    seen = 0
    for name in ACCOUNTS:
        taken = views.take(state, name)
        portfolio = taken.portfolio()
        for k, underlying in enumerate(portfolio.underlyings):
            if not math.isfinite(underlying.index_price):
                continue
            h = 1e-4
            up, down = (
                shocked(taken, Shock(moves={underlying.name: move})).portfolio().underlyings[k] for move in (h, -h)
            )
            # The volatility of a smile moves with the price; Greeks are at the volatility of now.
            fixed = underlying.rows.vol
            if not np.allclose(up.rows.vol, fixed, rtol=1e-3):
                continue
            found = greeks_of(underlying.rows, underlying.index_price)
            linear = ~underlying.is_option
            slope = (up.rows.value_usd - down.rows.value_usd) / (2.0 * h)
            np.testing.assert_allclose(found.delta_usd[linear], slope[linear], rtol=1e-6, atol=1e-6)
            curve = (up.rows.value_usd - 2.0 * underlying.rows.value_usd + down.rows.value_usd) / h**2 * 0.01
            np.testing.assert_allclose(found.gamma_usd_per_pct[linear], curve[linear], atol=1e-2, rtol=1e-3)
            seen += 1
    assert seen >= 4


def _account_of(state: State) -> views.View:
    return views.take(state, "acc0")


def _start(moves: list[Input]) -> State:
    """Return the state after two positions were opened, an event's baseline was taken and `moves` came."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    records: list[Input] = [
        *opening(),
        AccountConfig(account="acc0", event_time_us=START_US),
        Transfer(transfer_id="d", account="acc0", asset="USD", amount=200_000.0, event_time_us=START_US),
        Transfer(transfer_id="c", account="acc0", asset="ETH", amount=1.0, event_time_us=START_US),
        _trade("1", "BTC-PERPETUAL", 0.9), _trade("2", "ETH-P", -9.0), _trade("3", "ETH-INVERSE", 300.0),
    ]  # fmt: skip
    step(state, [log(record) for record in records])
    account = state.shards[0].accounts["acc0"]
    account.sequence = 1  # as after an event: own records do not move the baseline any more
    assert account.baseline is not None
    step(state, [log(record) for record in moves])
    return state


def _trade(trade_id: str, instrument: str, quantity: float) -> Trade:
    return Trade(
        trade_id=trade_id, account="acc0", instrument=instrument, quantity=quantity,
        price=0.03 if instrument.endswith(("-C", "-P")) else {"BTC": 100_000.0, "ETH": 4_000.0}[instrument[:3]],
        event_time_us=START_US,
    )  # fmt: skip


def _im(state: State) -> float:
    return evaluate_account(state, "acc0").im_requirement_usd


LATER_US = START_US + 1_000_000
MOVES: dict[str, list[Input]] = {
    "trades": [_trade("4", "BTC-PERPETUAL", -0.4), _trade("5", "ETH-P", -3.0)],
    "vol": [smile("ETH", LATER_US, vol=0.9)],
}


@pytest.mark.parametrize("group", sorted(MOVES))
def test_a_group_alone_is_its_own_replacement(group: str) -> None:
    """What a group changes alone, of a change of several, is the change in an engine where nothing else moved."""
    before = _im(_start([]))
    everything: list[Input] = [*both("BTC", 97_000.0, LATER_US)]
    if group != "vol":  # a volatility is a number here: a price that moves along the smile changes it too
        everything += both("ETH", 3_700.0, LATER_US)
    everything += [record for records in MOVES.values() for record in records]
    change = since_baseline(_account_of(_start(everything)), shapley=True)
    assert change is not None
    alone = {one.group: one.alone_usd for one in change.groups}
    only = _im(_start(MOVES[group])) - before
    assert abs(only) > 1.0
    assert alone[group] == pytest.approx(only, rel=1e-9)
    assert change.before_usd == pytest.approx(before, rel=1e-12)


def test_changes_sum_and_agree_with_the_events() -> None:
    """Over random markets both splits sum to the change, and the sequential one is what the engine attributes."""
    seen = 0
    for seed in (1, 2, 3):
        state, log = new_state(), Log()
        open_shard(state, 0, None, [], partitions=1, epoch=1)
        records = [log(record) for record in random_market(seed, 300, ACCOUNTS, 20)]
        for cut in (150, 300):
            step(state, records[cut - 150 : cut])
            for name in ACCOUNTS:
                taken = views.take(state, name)
                change = since_baseline(taken, shapley=True)
                parts = attribute(taken.account, state.market, taken.active)
                assert (change is None) == (parts is None)
                if change is None or parts is None:
                    continue
                assert [one.sequential_usd for one in change.groups] == [part.change_usd for part in parts]
                near = room(change.after_usd)
                total = change.after_usd - change.before_usd
                assert math.fsum(one.sequential_usd for one in change.groups) == pytest.approx(total, abs=near)
                assert math.fsum(one.shapley_usd or 0.0 for one in change.groups) == pytest.approx(total, abs=near)
                assert change.after_usd == pytest.approx(evaluate_account(state, name).im_requirement_usd, abs=near)
                seen += total != 0.0
    assert seen >= 12


def test_shapley_of_a_known_game() -> None:
    """Of a product of two groups each gets half of what they do together; a group without effect gets nothing."""

    def requirement(chosen: frozenset[str]) -> float:
        return (3.0 if "price" in chosen else 1.0) * (5.0 if "vol" in chosen else 2.0) + ("time" in chosen)

    change = change_of(requirement, shapley=True)
    assert change is not None
    values = {one.group: one.shapley_usd for one in change.groups}
    # price: (4 + 10) / 2, vol: (3 + 9) / 2 by hand
    assert values == pytest.approx({**dict.fromkeys(GROUPS, 0.0), "price": 7.0, "vol": 6.0, "time": 1.0})


def test_since_healthy_adds_up_the_episode() -> None:
    """The parts since an account was healthy sum to its requirement now less that of then."""
    seen = 0
    for seed in range(1, 7):
        state, log = new_state(), Log()
        open_shard(state, 0, None, [], partitions=1, epoch=1)
        out = step(state, [log(record) for record in random_market(seed, 400, ACCOUNTS, 5)])
        events = [msgspec.json.decode(one.body, type=AccountEvent) for one in out if b'"account"' in one.body.encode()]
        for name in ACCOUNTS:
            found = explain(views.take(state, name), events=[event for event in events if event.account == name])
            if found.healthy is None:
                continue
            total = found.healthy.after_usd - found.healthy.before_usd
            near = room(found.healthy.after_usd) * 10
            assert math.fsum(found.healthy.groups.values()) == pytest.approx(total, abs=near)
            assert found.im_requirement_usd == pytest.approx(found.healthy.after_usd, abs=near)
            seen += 1
    assert seen >= 2


def test_the_same_question_has_the_same_answer(state: State) -> None:
    """Asked twice, an answer is the same bytes."""
    name = holding_most(state)[0]
    one, other = (msgspec.json.encode(explain(views.take(state, name), shapley=True)) for _ in range(2))
    assert one == other
