"""A view of an account: the engine's figures bit for bit, written down and read again, and never changed."""

from __future__ import annotations

import math

import pytest

from monitor.answers import view
from monitor.engine import State, evaluate_account, new_state, open_shard, step
from monitor.engine.state import encode as encode_account
from tests.engine_market import Log, random_market

ACCOUNTS = tuple(f"acc{n}" for n in range(6))


def folded(seed: int, records: int = 300, pace: int = 20) -> State:
    """Return an engine's state after a random market with its accounts."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in random_market(seed, records, ACCOUNTS, pace)])
    return state


@pytest.fixture(scope="module", params=[1, 2, 3])
def state(request: pytest.FixtureRequest) -> State:
    """Return the state after one of three markets."""
    return folded(request.param)


def test_a_view_has_the_engines_figures(state: State) -> None:
    """What is evaluated from a view is what the running book says, part by part, to its own rounding."""
    seen = 0
    for name in ACCOUNTS:
        account = state.shards[0].accounts[name]
        ours, theirs = view.take(state, name).evaluation(), evaluate_account(state, name)
        assert [one.underlying for one in ours.underlyings] == [one.underlying for one in theirs.underlyings]
        assert ours.data_quality == theirs.data_quality
        for one, other in (
            (ours.equity_usd, theirs.equity_usd), (ours.im_requirement_usd, theirs.im_requirement_usd),
            (ours.mm_requirement_usd, theirs.mm_requirement_usd),
        ):  # fmt: skip
            assert one == pytest.approx(other, rel=1e-12, abs=1e-9, nan_ok=True)
            seen += math.isfinite(one) and one != 0.0 and bool(account.holdings)
    assert seen >= 6


def test_a_view_is_written_down_and_read_again(state: State) -> None:
    """Reading what was written gives the same bytes, and the same figures to the last bit."""
    for name in ACCOUNTS:
        taken = view.take(state, name, history=True)
        data = view.encode(taken)
        again = view.decode(data)
        assert view.encode(again) == data
        one, other = taken.evaluation(), again.evaluation()
        assert one.underlyings == other.underlyings or not one.valued
        if one.valued:
            assert one == other


def test_a_view_stays_as_it_is_when_the_engine_goes_on() -> None:
    """Records after it was taken change the engine and not the view."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    records = [log(record) for record in random_market(4, 300, ACCOUNTS, 20)]
    step(state, records[:200])
    taken = view.take(state, "acc0")
    before = view.encode(taken)
    step(state, records[200:])
    assert encode_account(state.shards[0].accounts["acc0"]) != encode_account(taken.account)
    assert view.encode(taken) == before


def test_an_account_that_is_not_here_is_refused(state: State) -> None:
    """A view of an unknown account raises KeyError."""
    with pytest.raises(KeyError):
        view.take(state, "nobody")
