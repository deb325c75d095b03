"""Accounts that chose a model without kernels over the whole book."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import pytest

from monitor.engine import Sourced, new_state, open_shard, step
from monitor.engine.book import Book
from monitor.engine.column import SWEPT
from monitor.engine.portfolio import active_set, portfolio_of
from monitor.engine.state import State
from monitor.models.registry import MODELS
from schemas.add_ons import PRUDENT
from schemas.collateral import PRUDENT as SELLING
from schemas.records import AccountConfig, AccountEvent, Input, Transfer
from tests.engine_market import START_US, Log, random_market

OTHERS = tuple(name for name in MODELS if name not in SWEPT)
ACCOUNTS = tuple(f"acc-{name}" for name in OTHERS)
decode = msgspec.json.Decoder(AccountEvent).decode


def records(seed: int, count: int) -> Iterator[Input]:
    """A random market whose accounts have one model each."""
    for record in random_market(seed, count, ACCOUNTS):
        if isinstance(record, AccountConfig):
            continue
        if isinstance(record, Transfer) and record.amount > 1_000.0:
            yield msgspec.structs.replace(record, amount=1_000.0)  # so that every model calls
            continue
        yield record


def run(seed: int, count: int = 400) -> tuple[State, list[AccountEvent]]:
    """The state and the events after a random market."""
    log, state = Log(), new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    events = []
    configs = [AccountConfig(account=f"acc-{name}", event_time_us=START_US, margin_model=name) for name in OTHERS]  # type: ignore[arg-type]
    sources: list[Sourced] = [*map(log, configs), *map(log, records(seed, count))]
    for source in sources:
        events += [decode(event.body) for event in step(state, [source])]
    return state, events


@pytest.mark.parametrize("seed", [0, 2])
def test_the_book_has_what_the_models_say(seed: int) -> None:
    """After any sequence equity and requirements are those of a computation from nothing."""
    state, _ = run(seed)
    for name in ACCOUNTS:
        account = state.shards[0].accounts[name]
        active = state.market.parameters.get("default")
        assert active is not None
        fresh = Book()
        fresh.set_account(account, state.market)
        margin = MODELS[account.config.margin_model].compute(
            portfolio_of(account, state.market), active.set, active.hash
        )
        for book in (state.book, fresh):
            equity, im, mm = book.figures(name)
            if not MODELS[account.config.margin_model].each_tick and book is state.book:
                im, mm = margin.im_requirement_usd, margin.mm_requirement_usd  # its minute is not over
            if not margin.computed:
                assert math.isnan(im)
                continue
            assert math.isclose(equity, margin.equity_usd, rel_tol=1e-12, abs_tol=1e-7)
            assert math.isclose(im, margin.im_requirement_usd, rel_tol=1e-12, abs_tol=1e-7)
            assert math.isclose(mm, margin.mm_requirement_usd, rel_tol=1e-12, abs_tol=1e-7)


def test_events_say_what_the_model_said() -> None:
    """An event of such an account has its components, its scenario in words, and parts that sum to the requirement."""
    _, events = run(0, 600)
    told = [event for event in events if event.kind in {"warning", "margin_call", "liquidation"}]
    assert {event.model for event in told} >= {"A-okx", "A-paradex", "B", "C", "D", "E-derive"}
    for event in told:
        assert event.components is not None
        assert math.isclose(math.fsum(event.components.values()), event.im_requirement_usd, abs_tol=1e-6)
        by_underlying = event.components["shortfall"] if event.model == "D" else event.im_requirement_usd
        assert math.isclose(math.fsum(u.im_usd for u in event.underlyings), by_underlying, abs_tol=1e-6)
        assert all(underlying.worst for underlying in event.underlyings)
        assert event.underlyings[0].worst is not None
        assert event.underlyings[0].worst in event.reason
        assert event.attribution is None


def test_a_parameter_set_may_ask_for_more() -> None:
    """Add-ons, haircuts and offsets reach accounts under A and P with the record that brings them, and leave so."""
    log, state = Log(), new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    names = tuple("abcdef")  # models A and P, two parameter sets
    step(state, [log(record) for record in random_market(2, 200, names)])
    state.rejected.clear()
    plain = {name: state.book.figures(name) for name in names}
    wide = state.market.parameters.get("wide")
    assert wide is not None
    on_top = {
        "add_ons": msgspec.structs.replace(wide.set, add_ons=PRUDENT),
        "haircuts": msgspec.structs.replace(wide.set, collateral=SELLING),
        "contingencies": msgspec.structs.replace(
            wide.set, risk_matrix=msgspec.structs.replace(wide.set.risk_matrix, short_option_rate=0.01)
        ),
    }
    for on_top_set in on_top.values():
        for chosen in (on_top_set, wide.set):
            step(state, [log(msgspec.structs.replace(chosen, event_time_us=state.market.time_us))])
            assert not state.rejected
            for name in names:
                account = state.shards[0].accounts[name]
                fresh = Book()
                fresh.set_account(account, state.market)
                assert state.book.figures(name) == fresh.figures(name)
                active = active_set(account, state.market)
                portfolio = portfolio_of(account, state.market)
                margin = MODELS[account.config.margin_model].compute(portfolio, active.set, active.hash)
                assert math.isclose(state.book.figures(name)[1], margin.im_requirement_usd, rel_tol=1e-9, abs_tol=1e-6)
                if chosen is wide.set or account.config.parameter_set != "wide":
                    assert state.book.figures(name) == plain[name]
    step(state, [log(msgspec.structs.replace(on_top["add_ons"], event_time_us=state.market.time_us))])
    assert any(state.book.figures(name)[1] > plain[name][1] + 1.0 for name in names)


def test_an_account_may_change_its_model() -> None:
    """A new model is in force with the next record, whatever computed the account before."""
    state, _ = run(2, 200)
    account = state.shards[0].accounts[ACCOUNTS[0]]
    figures: dict[str, list[tuple[float, float, float]]] = {}
    for name in ("A", *OTHERS, "P", "B"):
        config = msgspec.structs.replace(account.config, margin_model=name, event_time_us=state.market.time_us)
        account.config = config
        state.book.set_account(account, state.market)
        figures.setdefault(name, []).append(state.book.figures(account.name))
        fresh = Book()
        fresh.set_account(account, state.market)
        assert repr(state.book.figures(account.name)) == repr(fresh.figures(account.name))
    assert figures["B"][0] == figures["B"][1]
    assert len({found[0][1] for found in figures.values()}) > 8
