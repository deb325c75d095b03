"""Answers against the engine: what they say of another market is what the engine says of it."""

from __future__ import annotations

import math

import pytest

from monitor.answers import view as views
from monitor.answers.figures import Evaluator
from monitor.answers.shock import MARKET, Shock, shocked
from monitor.engine import State
from tests.answers_books import NAMES, folded, holding_most

SHOCKS = (
    Shock(), Shock(moves={"BTC": -0.07}), Shock(moves={"ETH": 0.4}), Shock(moves={MARKET: -0.2}), Shock(vol=0.3),
    Shock(moves={"BTC": 0.1, "ETH": -0.1}, vol=-0.05), Shock(stress=0.9), Shock(moves={"USDT": -0.05}),
)  # fmt: skip


@pytest.fixture(scope="module")
def state() -> State:
    """Return a market with an account under each model."""
    return folded(2)


def test_an_evaluator_says_what_a_book_says(state: State) -> None:
    """Under every model and shock, figures without a book are those of a book at the same view."""
    seen = 0
    for name in NAMES:
        taken = views.take(state, name, also=("BTC", "ETH", "USDT"), history=True)
        account = views.copy_account(taken.account)
        account.kept = None  # of an earlier moment: the book would keep it
        taken = taken.with_account(account)
        evaluator = Evaluator(taken)
        for shock in SHOCKS:
            other = shocked(taken, shock)
            found = evaluator.figures(other)
            figures = other.book().figures(name)
            for one, engine in zip(found, figures, strict=True):
                assert one == pytest.approx(engine, rel=1e-12, abs=1e-8, nan_ok=True), (name, shock)
            seen += found.known and bool(account.holdings)
    assert len(holding_most(state)) >= 6
    assert seen >= 40
    assert math.isfinite(seen)
