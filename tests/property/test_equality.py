"""Certificates change no event: mixed streams three ways, and proof that a difference would be found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitor.engine.column import Column
from monitor.engine.state import State
from tests.equality.proof import Outcome, Plan, Proof, Unequal, prove

SMALL = {
    "edge": 3, "wings": 1, "far": 1, "maker": 1, "pair": 1, "hedged": 1, "coins": 1, "wide": 1, "slow": 1, "mixed": 2,
}  # fmt: skip
FEW = {"edge": 2, "mixed": 2}


def checked(outcome: Outcome) -> Outcome:
    """Assert that certificates, where their work is counted, did some of it."""
    if outcome.work is not None:
        assert outcome.work["certified"] > 0
        assert outcome.work["pops"] > 0
    return outcome


@pytest.mark.parametrize(("seed", "few"), [(1, None), (2, 2)])
def test_a_mixed_stream_is_equal_three_ways(seed: int, few: int | None) -> None:
    """Prices, volatilities, time, correlations, trades: events, stored values, figures and conditions are the same."""
    plan = Plan(records=1_200, every=60, families=SMALL, positions=30, minutes=22, quick=True, few=few)
    outcome = checked(prove(seed, plan))
    assert outcome.versions > 5
    assert sum(outcome.events.values()) > 25
    assert outcome.compared > 100


def test_every_record_is_equal_to_a_computation_from_nothing() -> None:
    """After each record of a stream about thresholds, every account is what a new book says it is."""
    plan = Plan(records=700, every=1, families=FEW, minutes=0, only=("saw", "tune", "jump", "vols", "trades", "dwell"))
    outcome = checked(prove(3, plan))
    assert outcome.compared > 400
    assert outcome.events["margin_call"] + outcome.events["liquidation"] > 2


def _altered(proof: Proof) -> State:
    """Return the certified state after enough of a stream that accounts are there."""
    for record in proof.stream.records():
        proof.step([proof._numbered(record)])
        if proof.stream.scene not in {"opening", "quiet"}:
            return proof.certified
    raise AssertionError


def _figure(state: State) -> None:
    state.book._figures.cash[state.book._row_of["edge-0"]] += 0.01


def _position(state: State) -> None:
    segments = state.book._segments
    segments.quantity[segments.start[state.book._figures.slots_of(state.book._row_of["edge-0"])]] *= 1.001


def _timer(state: State) -> None:
    state.shards[state.partition_of["edge-0"]].accounts["edge-0"].timers["leave"] = 1


def _stored(state: State) -> None:
    account = state.shards[state.partition_of["edge-0"]].accounts["edge-0"]
    account.balances["USD"] = account.balances.get("USD", 0.0) + 0.01


@pytest.mark.parametrize("alter", [_figure, _position, _timer, _stored])
def test_a_difference_is_found_at_the_next_comparison(alter: Callable[[State], None]) -> None:
    """A figure, a position, a timer or a balance that differs in one of the states fails the proof."""
    proof = Proof(5, Plan(families=FEW, minutes=0))
    alter(_altered(proof))
    with pytest.raises(Unequal, match="edge-0"):
        proof.compare()


def test_bounds_of_means_that_are_not_allowed_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one underlying's mean move is forgotten with its grid, and the others' stay, a bound is soon none."""

    def forget(column: Column, _: int) -> None:
        segments = column._segments
        live = segments.live(column.index)
        segments.left[live] = segments.right[live] = column.width // 2
        segments.share[live] = 0.0

    monkeypatch.setattr(Column, "_regrid_mixtures", forget)
    plan = Plan(records=1_000, every=25, families={"hedged": 8}, minutes=0, only=("grids", "ticks"))
    with pytest.raises(Unequal, match="bounds"):
        prove(4, plan)
    monkeypatch.undo()
    assert prove(4, plan).compared > 200


def test_a_missed_tick_is_found() -> None:
    """A book with certificates that overlooks what a coin's price does fails the proof, with its seed and record."""
    proof = Proof(4, Plan(records=900, every=5, families=FEW, minutes=0, only=("jump", "saw")))
    book: Any = proof.certified.book
    refresh = book.refresh

    def forgetful(underlyings: list[str], *rest: Any, **options: Any) -> list[str]:
        found: list[str] = refresh([one for one in underlyings if one != "BTC"], *rest, **options)
        return found

    book.refresh = forgetful
    with pytest.raises(Unequal, match=r"^seed 4, record") as found:
        proof.run()
    assert found.value.number < 900
