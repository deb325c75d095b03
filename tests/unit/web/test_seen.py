"""What is taken of an engine's state for the page."""

from __future__ import annotations

import math
from typing import Any

import pytest

from monitor.engine.state import State
from monitor.web.sampler import SHARE, Sampler
from monitor.web.seen import Memory, correlation_of, market_of, sample_of
from monitor.worker.order import MarketSeen
from tests.answers_books import folded


@pytest.fixture(scope="module")
def state() -> State:
    """A market with an account under each model."""
    return folded(2)


class _Order:
    """An order as far as a look needs it."""

    def __init__(self, state: State) -> None:
        self.states = [state]
        self.shards = state.shards

    def market_seen(self) -> MarketSeen:
        return MarketSeen({}, {}, 5.0, 250_000)


def test_the_market_table_is_the_markets_own(state: State) -> None:
    """Indices, marks and what they rest on agree with what the engine reads."""
    ticks = state.market.ticks
    found = market_of(state.market, Memory(), 1.0)
    assert [one.underlying for one in found.indices] == list(ticks.underlyings)
    for one in found.indices:
        view = ticks.index(one.underlying)
        assert view is not None
        assert (one.price_usd, one.held, one.flags) == (view.price_usd, view.held, view.flags)
    prices = {one.underlying: one.price_usd for one in found.indices}
    assert found.contracts
    for contract in found.contracts:
        assert contract.type in {"perpetual", "future"}
        price = prices[contract.underlying]
        assert price is not None
        assert contract.mark_usd == price * (1.0 + ticks.basis(contract.instrument))
        assert contract.rests_on == ticks.basis_kind(contract.instrument)


def test_an_index_that_does_not_move_is_told(state: State) -> None:
    """For how long, by the clock of who looks."""
    memory = Memory()
    first = market_of(state.market, memory, 10.0)
    later = market_of(state.market, memory, 14.5)
    assert {one.quiet_s for one in first.indices} == {0.0}
    assert {one.quiet_s for one in later.indices} == {4.5}


def test_correlations_are_the_published_ones(state: State) -> None:
    """Matrices in the order of their coins."""
    found, view = correlation_of(state.market), state.market.ticks.correlation
    assert (found.underlyings, found.version) == (view.underlyings, view.version)
    assert found.fast == view.fast.tolist()
    assert found.regime == state.market.ticks.regime.regime


def test_samples_are_the_books_figures_and_change_nothing(state: State) -> None:
    """A look at every account leaves conditions and figures as they are."""
    names = sorted(state.partition_of)
    conditions = {name: state.book.conditions(name) for name in names}
    for name in names:
        found = sample_of(state, name)
        told = (found.equity_usd, found.im_requirement_usd, found.mm_requirement_usd)
        assert all(
            a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(told, state.book.figures(name), strict=True)
        )
    assert {name: state.book.conditions(name) for name in names} == conditions


def test_every_account_comes_round(state: State) -> None:
    """However little time a look has: those whose page is open first, and all in the end."""
    sampler = Sampler(_Order(state))
    names = sorted(state.partition_of)
    sampler.watched, sampler.highest = (names[-1],), (names[0], "nobody")
    sampler.look(1.0)
    assert sampler.seen is not None
    assert (sampler.seen.heard_s, sampler.seen.lag_s) == (5.0, 0.25)
    assert sampler.samples[0].account == names[-1]
    for number in range(10_000):
        if sampler.rounds:
            break
        sampler.look(2.0 + number)
    assert {one.account for one in sampler.samples} == set(names)


def test_what_a_slow_account_takes_is_paid_back(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """The share of a core holds over many looks, whatever one account costs."""
    clock: dict[str, Any] = {"s": 0.0}

    def thread_time() -> float:
        clock["s"] += 0.05  # each reading: an account costs 50 ms
        return float(clock["s"])

    monkeypatch.setattr("monitor.web.sampler.time.thread_time", thread_time)
    sampler = Sampler(_Order(state))
    for number in range(200):
        sampler.look(float(number))
    assert len(sampler.samples) * 0.05 <= 200 * 0.5 * SHARE + 0.05


def test_nothing_is_taken_of_a_worker_without_a_state() -> None:
    """Before it has one, and in strict order without a partition."""

    class Nothing(_Order):
        def __init__(self) -> None:
            self.states = []
            self.shards = {}

    sampler = Sampler(Nothing())
    sampler.look(1.0)
    assert sampler.seen is None
