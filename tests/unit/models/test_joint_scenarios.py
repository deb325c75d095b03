"""Scenarios of model D: which draws are whose."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernels import scenarios
from kernels.joint import draws
from monitor.models.joint_scenarios import drawn, held_of, past
from monitor.models.portfolio import Portfolio
from schemas.joint import JointParameters
from tests.joint_books import Row, changed, equal, portfolio, underlying

PARAMETERS = changed(JointParameters(), draws=8_192, horizon_days=4.0)
SEED, N = PARAMETERS.seed, PARAMETERS.draws


def call(name: str, index: float) -> Row:
    return Row(name, -1.0, scenarios.LINEAR_OPTION, index, strike=index, days=30.0, vol=0.6)


BOOK = portfolio(
    underlying("AAA", 100.0, call("C", 100.0), Row("F", 1.0, days=200.0), Row("P", 1.0)),
    underlying("BBB", 10.0, call("C", 10.0)), underlying("CCC", 1.0, Row("P", 5.0)), matrices=[equal(3, 0.5)],
)  # fmt: skip


def test_all_factors_of_a_scenario_share_its_mixing_variable() -> None:
    """Index, own volatility and each basis are a normal column by name times the same Student mixing, and no other."""
    found = drawn(held_of(BOOK, PARAMETERS), PARAMETERS)
    mixing = draws.mixing(SEED, 4, N, antithetic=True)
    assert (found.index[0] == draws.normals(SEED, "index:AAA", N, antithetic=True) * mixing).all()
    common = draws.normals(SEED, "volatility", N, antithetic=True)
    alone = draws.normals(SEED, "volatility:BBB", N, antithetic=True)
    unit = (math.sqrt(0.8) * common + math.sqrt(0.2) * alone) * mixing
    assert found.own[1] == pytest.approx(1.0 * math.sqrt(4.0 / 365.0) * unit, rel=1e-12)
    for bucket, daily in ((0, 0.001), (2, 0.002), (4, 0.008)):
        column = draws.normals(SEED, f"basis:AAA:{bucket}", N, antithetic=True)
        assert found.basis[0][bucket] == pytest.approx(daily * 2.0 * column * mixing, rel=1e-12)
    assert found.group == 2


def test_what_has_no_options_has_no_volatility_of_its_own() -> None:
    """Nor is a basis drawn beyond the last bucket that is held."""
    found = drawn(held_of(BOOK, PARAMETERS), PARAMETERS)
    assert not found.own[2].any()
    assert [len(basis) for basis in found.basis] == [5, 3, 1]


def test_rows_are_moved_by_the_bucket_of_their_tenor() -> None:
    """Coins by none, perpetuals by the first, an expiry by the first bucket that does not end before it."""
    (one, *_) = held_of(BOOK, PARAMETERS).books
    assert dict(zip(("coin", "C", "F", "P"), one.bucket.tolist(), strict=True)) == {"coin": -1, "C": 2, "F": 4, "P": 0}


def test_volatilities_of_two_coins_move_together_as_told() -> None:
    """Their own moves have the correlation `common`, to what the draws leave."""
    found = drawn(held_of(BOOK, PARAMETERS), changed(PARAMETERS, degrees_of_freedom=None))
    assert np.corrcoef(found.own[0], found.own[1])[0, 1] == pytest.approx(0.8, abs=0.02)


def test_draws_do_not_depend_on_what_else_is_held() -> None:
    """A coin's column is the same in every portfolio."""
    alone: Portfolio = portfolio(BOOK.underlyings[1])
    whole, single = (drawn(held_of(book, PARAMETERS), PARAMETERS) for book in (BOOK, alone))
    assert whole.index[1].tolist() == single.index[0].tolist()
    assert whole.own[1].tolist() == single.own[0].tolist()
    assert whole.basis[1].tolist() == single.basis[0].tolist()


def test_the_past_is_taken_row_by_row() -> None:
    """Scenarios are the rows in their order, none of them mirrored, and errors are told of runs of them."""
    rows = np.random.default_rng(1).normal(size=(600, 3))
    found = past(held_of(BOOK, PARAMETERS), PARAMETERS, rows, np.zeros(3, dtype=np.bool_))
    assert found.index.tolist() == rows.T.tolist()
    assert found.group == PARAMETERS.history_group
    assert found.own[0].shape == (600,)
