"""What a margin of model B must do whatever is held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.pmrm.model import Margin
from schemas.pmrm import SCENARIOS, Direction, PmrmMargin, PmrmParameters, Scenario
from tests.unit.kernels.pmrm.books import Book, Collateral, Expiry, Option

RUNS = settings(deadline=None, max_examples=60)
STRIKES = (1_200.0, 1_800.0, 2_000.0, 2_300.0, 4_000.0)
EXPIRIES = (Expiry(0.001, 2_002.0, fixed=900.0), Expiry(30 / 365, 2_010.0), Expiry(1.4, 2_150.0, rate=0.09))
VOLS = (0.8, 0.6, 0.55, 0.58, 0.9)
amounts = st.one_of(st.just(0.0), st.floats(-50.0, 50.0).map(lambda x: round(x, 3)))
options = st.builds(
    lambda expiry, kind, i, amount: Option(expiry, kind, STRIKES[i], amount, VOLS[i]),
    st.integers(0, 2), st.sampled_from(["call", "put"]), st.integers(0, 4), amounts,
)  # fmt: skip
collaterals = st.builds(
    Collateral, st.floats(0.0, 20.0), st.sampled_from([1_990.0, 1.0, 0.0]), cancels=st.booleans(),
    confidence=st.sampled_from([1.0, 0.3]),
)  # fmt: skip
sets = st.sampled_from([
    PmrmParameters(),
    PmrmParameters(margin=PmrmMargin(long_rate_mult=1.0, short_rate_mult=0.5, im_factor=1.3)),
    PmrmParameters(margin=PmrmMargin(long_static_discount=1.05, short_static_discount=0.95), allow_imprudent=True),
])  # fmt: skip


def books(parameters: st.SearchStrategy[PmrmParameters] = sets, *, doubt: bool = True) -> st.SearchStrategy[Book]:
    certain = collaterals.map(lambda c: replace(c, confidence=1.0))
    confidence = st.sampled_from([1.0, 0.5] if doubt else [1.0, 0.6])
    return st.builds(
        Book, cash=st.floats(-1e5, 1e5), perp=amounts, unrealised=st.floats(-1e4, 1e4),
        options=st.lists(options, max_size=6),
        collaterals=st.lists(collaterals if doubt else certain, max_size=2),
        expiries=st.just(EXPIRIES), spot_confidence=confidence, perp_confidence=confidence,
        stable_price=st.sampled_from([1.0, 0.9]), parameters=parameters,
    )  # fmt: skip


def size(*margins: Margin) -> float:
    """The scale of what is added up: a bound on rounding is a share of it."""
    return 1.0 + sum(sum(map(abs, margin.components.values())) for margin in margins) + 2_000.0 * 50.0 * 8


@RUNS
@given(books(), st.floats(-1e6, 1e6))
def test_cash_moves_net_margins_one_for_one(book: Book, cash: float) -> None:
    """More cash leaves every requirement bit for bit and moves equity by exactly that cash."""
    before, after = book.margin(), replace(book, cash=book.cash + cash).margin()
    assert after.im_requirement_usd == before.im_requirement_usd
    assert after.mm_requirement_usd == before.mm_requirement_usd
    assert np.array_equal(after.scenario_pnl_usd, before.scenario_pnl_usd)
    for name in ("equity_usd", "im_excess_usd", "mm_excess_usd"):
        shift = getattr(after, name) - getattr(before, name)
        assert shift == pytest.approx(cash, abs=1e-14 * (size(before, after) + abs(cash)))


@RUNS
@given(books(), st.floats(0.01, 100.0))
def test_a_portfolio_twice_as_large_needs_twice_as_much(book: Book, by: float) -> None:
    """Scaling every holding scales equity and requirements; by a power of two, exactly."""
    once, scaled, doubled = book.margin(), book.scaled(by).margin(), book.scaled(2.0).margin()
    for name in ("equity_usd", "im_requirement_usd", "mm_requirement_usd", "basis_contingency_usd"):
        assert getattr(doubled, name) == 2.0 * getattr(once, name)
        assert getattr(scaled, name) == pytest.approx(by * getattr(once, name), abs=1e-13 * by * size(once))
    assert doubled.worst_scenario == once.worst_scenario


@RUNS
@given(books())
def test_a_portfolio_and_its_mirror_image_need_nothing(book: Book) -> None:
    """Merged with its opposite, a portfolio of options and perpetuals has no equity and no requirement at all."""
    bare = replace(book, collaterals=())
    got = bare.plus(bare.scaled(-1.0)).margin()
    assert (got.equity_usd, got.im_requirement_usd, got.mm_requirement_usd) == (0.0, 0.0, 0.0)


directions: st.SearchStrategy[Direction] = st.sampled_from(["up", "none", "down", "linear", "abs"])
scenarios = st.tuples(st.floats(0.05, 6.0), directions, st.floats(0.0, 2.0))


@RUNS
@given(books(), st.lists(scenarios, min_size=1, max_size=4), st.integers(1, 33))
def test_more_scenarios_never_need_less(book: Book, more: Sequence[Scenario], kept: int) -> None:
    """A list of scenarios that contains another one gives requirements at least as large."""
    few = under(book, SCENARIOS[:kept]).margin()
    many = under(book, (*SCENARIOS[:kept], *more)).margin()
    assert many.im_requirement_usd >= few.im_requirement_usd
    assert many.mm_requirement_usd >= few.mm_requirement_usd
    assert np.array_equal(many.scenario_pnl_usd[:kept], few.scenario_pnl_usd)


def under(book: Book, rows: tuple[Scenario, ...]) -> Book:
    p = book.parameters
    return replace(book, parameters=PmrmParameters(scenarios=rows, margin=p.margin, allow_imprudent=True))


@RUNS
@given(books(), st.randoms(use_true_random=False))
def test_no_order_of_rows_changes_a_bit(book: Book, dice: Random) -> None:
    """Options, expiries and collateral in any order give the same bits."""
    turn = dice.sample([0, 1, 2], 3)
    mixed = list(book.options)
    dice.shuffle(mixed)
    other = replace(
        book, options=[replace(o, expiry=turn.index(o.expiry)) for o in mixed],
        expiries=[EXPIRIES[i] for i in turn], collaterals=book.collaterals[::-1],
    )  # fmt: skip
    one, two = book.margin(), other.margin()
    assert np.array_equal(one.scenario_pnl_usd, two.scenario_pnl_usd)
    shown = [{k: v for k, v in got._asdict().items() if k != "scenario_pnl_usd"} for got in (one, two)]
    assert shown[0] == shown[1]


@RUNS
@given(books())
def test_requirements_are_ordered(book: Book) -> None:
    """No requirement is negative, initial margin is not below maintenance, excess is equity less requirement."""
    got = book.margin()
    assert got.im_requirement_usd >= got.mm_requirement_usd >= 0.0
    assert got.im_excess_usd == got.equity_usd - got.im_requirement_usd
    assert got.worst_pnl_usd == min(*got.scenario_pnl_usd, got.basis_contingency_usd) <= 0.0
    assert got.unusable == ()


prudent = books(st.just(PmrmParameters()), doubt=False)


@RUNS
@given(prudent, prudent, st.floats(0.0, 1.0))
def test_net_margin_is_concave_in_positions(one: Book, other: Book, share: float) -> None:
    """With prudent discounts and data not in doubt, a mixture of portfolios has at least the mixture of net margins."""
    other = replace(other, stable_price=one.stable_price)
    mixed = one.scaled(share).plus(other.scaled(1.0 - share)).margin()
    a, b = one.margin(), other.margin()
    slack = 1e-12 * size(a, b, mixed)
    for name in ("im_excess_usd", "mm_excess_usd"):
        assert getattr(mixed, name) >= share * getattr(a, name) + (1.0 - share) * getattr(b, name) - slack


@RUNS
@given(prudent, prudent)
def test_merged_portfolios_need_no_more_than_apart(one: Book, other: Book) -> None:
    """The requirement of two portfolios together is at most the sum of both."""
    other = replace(other, stable_price=one.stable_price)
    together, a, b = one.plus(other).margin(), one.margin(), other.margin()
    slack = 1e-12 * size(a, b)
    assert together.im_requirement_usd <= a.im_requirement_usd + b.im_requirement_usd + slack
    assert together.mm_requirement_usd <= a.mm_requirement_usd + b.mm_requirement_usd + slack


def test_a_rewarding_discount_breaks_concavity() -> None:
    """With the deployment script's discounts a short and a long apart have more net margin than half of each."""
    rewarding = PmrmParameters(
        margin=PmrmMargin(long_static_discount=1.05, short_static_discount=0.95), scenarios=((1.0, "none", 1.0),),
        allow_imprudent=True,
    )  # fmt: skip
    long = Book(options=[Option(0, "call", 2_000.0, 1.0)], parameters=rewarding)
    gains = [book.margin().scenario_pnl_usd[0] for book in (long, long.scaled(-1.0))]
    assert min(gains) > 0.0
    assert long.plus(long.scaled(-1.0)).margin().scenario_pnl_usd[0] == 0.0


def test_doubtful_data_breaks_concavity() -> None:
    """A perpetual of low confidence, however small, is a charge on all options: a step, which no mixture smooths."""
    short = Book(options=[Option(0, "call", 4_000.0, -10.0)], perp_confidence=0.3)
    touched = replace(short, perp=1e-9)
    step = touched.margin().im_requirement_usd - short.margin().im_requirement_usd
    assert step == pytest.approx(0.7 * 10.0 * 2_000.0, rel=1e-9)
    assert math.isclose(touched.margin().mm_requirement_usd, short.margin().mm_requirement_usd, rel_tol=1e-9)
