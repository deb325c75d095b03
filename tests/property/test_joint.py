"""Properties of model D on random books."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import scenarios
from kernels.joint import stress
from monitor.models.joint import margin
from monitor.models.portfolio import Portfolio, Underlying
from schemas.joint import JointParameters
from tests.joint_books import Row, changed, equal, portfolio, underlying

FAST = changed(JointParameters(), draws=512)
COHERENT = changed(FAST, floor=0.0, procyclicality_blend=0.0, stress_k=0.0, correlation="fast")
INDEX = {"AAA": 60_000.0, "BBB": 2_500.0, "CCC": 1.5}
NAMES = tuple(INDEX)
MATRICES = [equal(3, 0.85), np.array([[1.0, 0.7, 0.1], [0.7, 1.0, 0.4], [0.1, 0.4, 1.0]])]

KINDS = (
    scenarios.LINEAR, scenarios.INVERSE, scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION,
)  # fmt: skip


@st.composite
def rows(draw: st.DrawFn, name: str) -> list[Row]:
    found = []
    for i in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(KINDS))
        is_option = kind in {scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION}
        days = draw(st.sampled_from([2.0, 14.0, 100.0])) if is_option or draw(st.booleans()) else 0.0
        usd = draw(st.integers(-50, 50)) * 1_000.0
        found.append(
            Row(
                f"{name}-{i}",
                usd / 10.0 if kind == scenarios.INVERSE else usd / INDEX[name],
                kind,
                INDEX[name] * draw(st.sampled_from([0.99, 1.0, 1.02])),
                10.0 if kind == scenarios.INVERSE else 1.0,
                INDEX[name] * draw(st.sampled_from([0.7, 0.95, 1.0, 1.1, 1.6])),
                days,
                0.7,
                draw(st.booleans()),
            )
        )
    return found


@st.composite
def books(draw: st.DrawFn) -> Portfolio:
    """A book of three coins, in each of which it may hold nothing; coins of a thousand dollars or none."""
    coins = [draw(st.integers(0, 20)) * 1_000.0 / INDEX[name] for name in NAMES]
    ones = [
        underlying(name, INDEX[name], *draw(rows(name)), coins=coin, annual_vol=vol)
        for name, coin, vol in zip(NAMES, coins, (0.5, 0.8, 1.2), strict=True)
    ]
    return portfolio(*ones, cash=draw(st.integers(-10, 10)) * 1_000.0, matrices=MATRICES, k=0.3)


def scaled(one: Underlying, by: float) -> Underlying:
    return dataclasses.replace(one, quantity=one.quantity * by)


def merged(one: Underlying, other: Underlying) -> Underlying:
    """Return both holdings of a coin as one, their rows beside each other."""
    columns = [np.concatenate([a, b[1:]]) for a, b in zip(one.rows, other.rows, strict=True)]
    quantity = np.concatenate([one.quantity, other.quantity[1:]])
    quantity[0] += other.quantity[0]
    blank = np.zeros(quantity.size)
    return dataclasses.replace(
        one, names=(*one.names, *(f"{name}'" for name in other.names[1:])), quantity=quantity,
        rows=type(one.rows)(*columns), average_price=blank, entry_usd=blank, entry_coins=blank,
    )  # fmt: skip


def of(book: Portfolio, *underlyings: Underlying, **fields: Any) -> Portfolio:
    return dataclasses.replace(book, underlyings=underlyings, **fields)


def gross_usd(book: Portfolio) -> float:
    """What rounding is relative to."""
    return 1.0 + math.fsum(
        math.fsum(
            np.abs(one.quantity * one.rows.size) * np.where(one.rows.kind == scenarios.INVERSE, 1.0, one.index_price)
        )
        for one in book.underlyings
    )


@settings(max_examples=60, deadline=None)
@given(books(), st.integers(-100, 100))
def test_cash_moves_equity_and_excess_one_for_one(book: Portfolio, thousands: int) -> None:
    """A dollar more is a dollar more of excess, and requirements stay to the bit."""
    cash = 1_000.0 * thousands
    before, after = margin(book, FAST, ""), margin(dataclasses.replace(book, cash_usd=book.cash_usd + cash), FAST, "")
    assert after.im_requirement_usd == before.im_requirement_usd
    assert after.mm_requirement_usd == before.mm_requirement_usd
    assert after.equity_usd - before.equity_usd == pytest.approx(cash, abs=1e-6)
    assert after.im_excess_usd - before.im_excess_usd == pytest.approx(cash, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(books(), st.sampled_from([0.125, 0.3, 2.0, 7.0]))
def test_a_book_of_another_size_needs_as_much_more(book: Portfolio, by: float) -> None:
    """Every component and statistic in dollars scales with the book."""
    one = margin(book, FAST, "")
    other = margin(of(book, *(scaled(u, by) for u in book.underlyings)), FAST, "")
    tolerance = 1e-11 * by * gross_usd(book)
    for name, usd in one.im_components.items():
        assert other.im_components[name] == pytest.approx(by * usd, rel=1e-10, abs=tolerance)
    for name in ("var_usd", "es_usd", "standard_error_usd", "delta_normal_var_usd", "long_run_stress_usd"):
        assert other.statistics[name] == pytest.approx(by * one.statistics[name], rel=1e-10, abs=tolerance)


@settings(max_examples=60, deadline=None)
@given(books(), st.permutations(range(3)))
def test_the_order_of_underlyings_does_not_matter(book: Portfolio, order: list[int]) -> None:
    """With their matrices permuted alike, requirements are the same to rounding."""
    matrices = book.correlations.matrices[:, order][:, :, order]
    moved = of(
        book, *(book.underlyings[u] for u in order),
        correlations=dataclasses.replace(book.correlations, matrices=matrices),
    )  # fmt: skip
    one, other = margin(book, FAST, ""), margin(moved, FAST, "")
    tolerance = 1e-10 * gross_usd(book)
    assert other.im_requirement_usd == pytest.approx(one.im_requirement_usd, abs=tolerance)
    assert {part.underlying: part.im_usd for part in other.parts} == pytest.approx(
        {part.underlying: part.im_usd for part in one.parts}, abs=tolerance
    )


@settings(max_examples=60, deadline=None)
@given(books())
def test_a_book_and_its_mirror_image_need_nothing(book: Portfolio) -> None:
    """Beside each other, not netted: every loss is a gain of the other half, to rounding."""
    mirrored = of(book, *(merged(u, scaled(u, -1.0)) for u in book.underlyings))
    got = margin(mirrored, changed(FAST, floor=0.0), "")
    assert got.im_requirement_usd == pytest.approx(0.0, abs=1e-10 * gross_usd(book))
    netted = margin(of(book, *(scaled(u, 0.0) for u in book.underlyings)), FAST, "")
    assert netted.im_requirement_usd == 0.0


@settings(max_examples=60, deadline=None)
@given(books(), books())
def test_two_books_together_need_no_more(one: Portfolio, other: Portfolio) -> None:
    """Under one matrix and without stress the shortfall is subadditive: all scenarios are common."""
    together = of(one, *(merged(a, b) for a, b in zip(one.underlyings, other.underlyings, strict=True)))
    whole = margin(with_all(together), COHERENT, "").statistics["es_usd"]
    parts = [margin(with_all(book), COHERENT, "").statistics["es_usd"] for book in (one, other)]
    assert whole <= sum(parts) + 1e-9 * (gross_usd(one) + gross_usd(other))


def with_all(book: Portfolio) -> Portfolio:
    """Return the book with a trace of each coin: what is not held is not drawn, and scenarios would not be common."""
    traces = [u.quantity + 1e-12 / u.index_price * (np.arange(u.quantity.size) == 0) for u in book.underlyings]
    return of(book, *(dataclasses.replace(u, quantity=q) for u, q in zip(book.underlyings, traces, strict=True)))


@settings(max_examples=40, deadline=None)
@given(books())
def test_more_matrices_and_targets_never_lower_it(book: Portfolio) -> None:
    """The worst of several counts, among matrices and among targets."""
    told = [
        margin(book, changed(FAST, correlation=name), "").statistics["es_usd"] for name in ("fast", "slow", "worst")
    ]
    assert told[2] == max(told[:2])
    charged = [margin(book, changed(FAST, stress_targets=stress.TARGETS[:n]), "").im_requirement_usd for n in range(4)]
    assert charged == sorted(charged)


@settings(max_examples=40, deadline=None)
@given(books())
def test_a_shortfall_is_at_least_the_value_at_risk(book: Portfolio) -> None:
    """And every requirement at least zero, with parts that sum to the shortfall."""
    got = margin(book, FAST, "")
    told = got.statistics
    assert told["es_usd"] >= told["var_usd"] - 1e-12 * gross_usd(book)
    assert got.im_requirement_usd >= got.mm_requirement_usd >= 0.0
    assert math.fsum(part.im_usd for part in got.parts) == pytest.approx(told["es_usd"], abs=1e-10 * gross_usd(book))
