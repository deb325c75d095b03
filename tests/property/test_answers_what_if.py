"""`what-if` against the engine: a supposed fill is what the engine has after the real one."""

from __future__ import annotations

import math
import re
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.answers import view as views
from monitor.answers.between import change_between
from monitor.answers.pre_trade import pre_trade
from monitor.answers.shock import Shock
from monitor.answers.since import since_baseline
from monitor.answers.what_if import Fill, Hypothesis, Move, RefusedQuestion, standing, supposed, what_if
from monitor.engine import State, new_state, open_shard, step
from monitor.engine.state import Account
from schemas.records import Input, Trade, Transfer
from tests.answers_books import NAMES, folded, records
from tests.engine_market import Log, random_market

CONTRACTS = ("BTC-PERPETUAL", "BTC-INVERSE", "BTC-C", "BTC-P", "ETH-PERPETUAL", "ETH-INVERSE", "ETH-P", "BTC-FUTURE")


def portfolio_of(account: Account) -> tuple[object, ...]:
    """Return what an account has, without what says when and how it came."""
    return account.balances, account.holdings, account.config.margin_model


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from([name for name in NAMES if not name.startswith("acc-d")]),
    instrument=st.sampled_from(CONTRACTS),
    lots=st.integers(-40, 40).filter(bool),
    amount=st.sampled_from([-1_500.0, 25_000.0]),
)
def test_a_supposed_fill_is_the_state_after_it(name: str, instrument: str, lots: int, amount: float) -> None:
    """Holdings, balances and figures after a supposed fill and transfer are those of the engine after real ones."""
    state = folded(2)
    view = views.take(state, name, also=(instrument,))
    if view.facts.contracts.get(instrument) is None:
        return
    quantity = lots * (10.0 if instrument.endswith("INVERSE") else 0.05)
    price = 0.02 if instrument[-2:] in ("-C", "-P") else 50_000.0
    hypothesis = Hypothesis(fills=(Fill(instrument, quantity, price, 1.5),), transfers=(Move("USD", amount),))
    try:
        after, prices = supposed(view, hypothesis)
    except RefusedQuestion:
        return
    assert prices == {instrument: price}
    copied = _copy_of_state()
    at_us = view.facts.time_us
    log = copied[1]
    real: list[Input] = [
        Trade(trade_id="real", account=name, instrument=instrument, quantity=quantity, price=price, fee=1.5,
              event_time_us=at_us),
        Transfer(transfer_id="real", account=name, asset="USD", amount=amount, event_time_us=at_us),
    ]  # fmt: skip
    step(copied[0], [log(record) for record in real])
    engine = views.take(copied[0], name)
    assert portfolio_of(after.account) == portfolio_of(engine.account)
    one, other = standing(after), standing(engine)
    for field in ("equity_usd", "im_requirement_usd", "mm_requirement_usd"):
        assert getattr(one, field) == pytest.approx(getattr(other, field), rel=1e-12, abs=1e-9)
    assert one.standing == other.standing


FIGURES = ("equity_usd", "im_requirement_usd", "mm_requirement_usd", "im_excess_usd", "mm_excess_usd", "v", "u")


@pytest.mark.parametrize("certificates", [False, True])
def test_the_check_before_a_trade_says_what_if(certificates: bool) -> None:
    """Under every model and for every contract, held or not, asked of the state or of a view of it; neither changes."""
    state, log = new_state(certificates=certificates), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in records(3)])
    seen = 0
    for name in NAMES:
        for instrument in CONTRACTS:
            quantity = 30.0 if instrument.endswith("INVERSE") else 0.15
            hypothesis = Hypothesis(fills=(Fill(instrument, quantity), Fill(instrument, -0.5 * quantity, 0.02)),
                                    transfers=(Move("BTC", 0.01), Move("USD", -50.0)))  # fmt: skip
            before = views.encode(views.take(state, name))
            view = views.take(state, name, also=hypothesis.names)
            try:
                asked = what_if(view, hypothesis, attributed=False)
            except RefusedQuestion as refusal:
                with pytest.raises(RefusedQuestion, match=re.escape(str(refusal))):
                    pre_trade(state, name, hypothesis)
                continue
            found = pre_trade(state, name, hypothesis)
            assert (found.account, found.market_time_us, found.change) == (name, asked.market_time_us, None)
            assert found.prices == pytest.approx(asked.prices, rel=1e-12)
            for one, other in ((found.before, asked.before), (found.after, asked.after)):
                for field in FIGURES:
                    said = getattr(other, field)
                    near = None if said is None else pytest.approx(said, rel=1e-10, abs=1e-8)
                    assert getattr(one, field) == near, field
                assert (one.model, one.parameter_set, one.standing) == (
                    other.model, other.parameter_set, other.standing
                )  # fmt: skip
            assert views.encode(views.take(state, name)) == before
            seen += 1
    assert seen > 40


def test_the_check_before_a_trade_is_of_trades() -> None:
    """What changes more than the account is refused: it is asked of a view."""
    for hypothesis in (Hypothesis(model="A"), Hypothesis(shock=Shock(vol=0.1))):
        with pytest.raises(RefusedQuestion, match="fills and transfers"):
            pre_trade(folded(2), NAMES[0], hypothesis)


Kept = tuple[State, Log, dict[str, Account]]


@cache
def _to_be_stepped() -> Kept:
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in records(2)])
    return state, log, {name: views.copy_account(one) for name, one in state.shards[0].accounts.items()}


def _copy_of_state() -> tuple[State, Log]:
    """Return an engine's state like `folded(2)`, to be stepped further."""
    state, log, accounts = _to_be_stepped()
    for name, account in accounts.items():  # as before the last example's records
        fresh = views.copy_account(account)
        fresh.positions = dict(state.shards[0].accounts[name].positions)
        state.shards[0].accounts[name] = fresh
        state.book.set_account(fresh, state.market)
    return state, log


def test_changes_between_views_sum_under_every_model() -> None:
    """The parts of a hypothesis sum to its change in both splits, and the figures are those before and after."""
    state = folded(2)
    hypothesis = Hypothesis(
        fills=(Fill("BTC-PERPETUAL", -0.3), Fill("BTC-P", 0.2)), transfers=(Move("USD", 500.0),),
        shock=Shock(moves={"BTC": -0.05}, vol=0.1),
    )  # fmt: skip
    seen = 0
    for name in NAMES:
        view = views.take(state, name, also=hypothesis.names, history=True)
        found = what_if(view, hypothesis, shapley=True)
        if found.change is None or found.after.im_requirement_usd is None or found.before.im_requirement_usd is None:
            continue
        near = 1e-9 * max(1.0, found.after.im_requirement_usd)
        total = found.after.im_requirement_usd - found.before.im_requirement_usd
        assert found.change.change_usd == pytest.approx(total, abs=near)
        assert math.fsum(one.sequential_usd for one in found.change.groups) == pytest.approx(total, abs=near)
        assert math.fsum(one.shapley_usd or 0.0 for one in found.change.groups) == pytest.approx(total, abs=near)
        moved = {one.group for one in found.change.groups if abs(one.sequential_usd) > near}
        assert moved <= {"price", "vol", "collateral", "trades"}
        seen += 1
    assert seen >= 8


def test_views_and_baselines_split_a_change_alike() -> None:
    """Between a view taken when the baseline was and one taken now, the parts are those since the baseline."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    names = tuple(f"acc{n}" for n in range(6))
    found = [log(record) for record in random_market(4, 300, names, 5)]
    seen = 0
    before: dict[str, tuple[views.View, object]] = {}
    for number, record in enumerate(found):
        step(state, [record])
        for name in names:
            partition = state.partition_of.get(name)
            if partition is None:
                continue
            account = state.shards[0].accounts[name]
            base = account.baseline
            if name not in before or before[name][1] is not base:
                before.pop(name, None)
                if base is not None and base.time_us == state.market.time_us:  # not on the way to this record
                    before[name] = (views.take(state, name), base)
            elif number % 10 == 0 and number > 100:
                new = views.take(state, name)
                ours, theirs = change_between(before[name][0], new), since_baseline(new)
                if ours is None or theirs is None or not theirs.change_usd:
                    continue
                near = 1e-7 * max(1.0, theirs.after_usd)
                for one, other in zip(ours.groups, theirs.groups, strict=True):
                    assert one.sequential_usd == pytest.approx(other.sequential_usd, abs=near), (one, other)
                    assert one.alone_usd == pytest.approx(other.alone_usd, abs=near), (one, other)
                seen += 1
    assert seen >= 5


def test_another_model_and_other_parameters() -> None:
    """A model or parameter set that is supposed is the one that the figures are of."""
    state = folded(2)
    view = views.take(state, "acc-a", history=True)
    active = view.active.set
    for model in ("P", "E-cross", "B"):
        found = what_if(view, Hypothesis(model=model))
        assert found.after.model == model
        own = views.take(state, "acc-a", history=True)
        account = views.copy_account(own.account)
        account.config = msgspec.structs.replace(account.config, margin_model=model)
        assert found.after == standing(own.with_account(account))
    wide = msgspec.structs.replace(
        active, name="wider", risk_matrix=msgspec.structs.replace(active.risk_matrix, price_range=0.5), underlyings={}
    )
    found = what_if(view, Hypothesis(parameters=wide))
    assert found.after.parameter_set == "wider"
    assert found.change is not None
    assert {one.group for one in found.change.groups if one.sequential_usd} <= {"parameters"}


@pytest.mark.parametrize(
    "hypothesis",
    [
        Hypothesis(fills=(Fill("NOTHING", 1.0),)), Hypothesis(fills=(Fill("BTC-PERPETUAL", 0.0),)),
        Hypothesis(model="Z"), Hypothesis(shock=Shock(moves={"BTC": -1.0})), Hypothesis(shock=Shock(stress=2.0)),
        Hypothesis(transfers=(Move("USD", 0.0),)), Hypothesis(shock=Shock(moves={"XYZ": 0.1})),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(hypothesis: Hypothesis) -> None:
    """A hypothesis without meaning raises RefusedQuestion and changes nothing."""
    view = views.take(folded(2), "acc-a", also=("BTC-PERPETUAL",))
    before = views.encode(view)
    with pytest.raises(RefusedQuestion):
        what_if(view, hypothesis)
    assert views.encode(view) == before
