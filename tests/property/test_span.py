"""Properties of model C: against rational arithmetic, and what holds of every book."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.span.requirement import SpanMargin, requirement
from kernels.span.scenarios import worst
from tests.unit.kernels.span import plain
from tests.unit.kernels.span.build import arrays, columns, commodity, inter_spread

COMMODITIES = 3
PERCENT = st.integers(0, 100).map(lambda x: Fraction(x, 100))
RATIO = st.sampled_from([Fraction(1), Fraction(2), Fraction(1, 2), Fraction(3)])

Book = tuple[list[tuple[Fraction, dict[str, Any]]], list[dict[str, Any]], list[Any], bool]


@st.composite
def contracts(draw: st.DrawFn, tiers: list[int]) -> dict[str, Any]:
    c = draw(st.integers(0, COMMODITIES - 1))
    option = draw(st.sampled_from([0, 1, -1]))
    return {
        "pnl": [Fraction(draw(st.integers(-900, 900))) for _ in range(16)],
        "value": Fraction(draw(st.integers(0, 300))),
        "delta": Fraction(draw(st.integers(-64, 64)), 64), "commodity": c, "tier": draw(st.integers(-1, tiers[c] - 1)),
        "option": option, "premium": option != 0 and draw(st.booleans()),
        "size": Fraction(draw(st.sampled_from([1, 10]))),
    }  # fmt: skip


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Positions, commodities, inter-commodity spreads and the side of the short option minimum."""
    commodities: list[dict[str, Any]] = []
    for _ in range(COMMODITIES):
        tiers = draw(st.integers(1, 3))
        pairs = [(a, b) for a in range(tiers) for b in range(tiers) if a != b]
        commodities.append({
            "index": Fraction(draw(st.sampled_from([1, 8, 128]))), "range": draw(PERCENT), "tiers": tiers,
            "calendar": [(*draw(st.sampled_from(pairs)), draw(RATIO), draw(RATIO), Fraction(draw(st.integers(0, 9))))
                         for _ in range(draw(st.integers(0, 3)) if pairs else 0)],
            "short_option_usd": Fraction(draw(st.integers(0, 50))), "delivery_usd": Fraction(draw(st.integers(0, 5))),
        })  # fmt: skip
    held = draw(st.lists(contracts([one["tiers"] for one in commodities]), max_size=7))
    quantity = [Fraction(draw(st.integers(-40, 40))) for _ in held]
    inter = []
    for _ in range(draw(st.integers(0, 3))):
        names = draw(st.permutations(range(COMMODITIES)))[: draw(st.integers(2, COMMODITIES))]
        sides = [1, -1, draw(st.sampled_from([1, -1]))]
        legs = [(c, side, draw(RATIO)) for c, side in zip(names, sides, strict=False)]
        inter.append((legs, draw(PERCENT), draw(st.sampled_from(["normal", "scan_range_capped", "scan_range"]))))
    return list(zip(quantity, held, strict=True)), commodities, inter, draw(st.booleans())


def evaluate(book: Book) -> SpanMargin:
    positions, commodities, inter, larger_side = book
    return requirement(
        np.array([float(q) for q, _ in positions]), columns([one for _, one in positions]),
        [commodity(one) for one in commodities], [inter_spread(*one) for one in inter],
        larger_side=larger_side, mm_factor=0.8,
    )  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(books())
def test_every_component_equals_rational_arithmetic(book: Book) -> None:
    """Scan, scenario, price risk, charges, credits, minimum and requirement are those of the plain sums."""
    want = plain.requirement(*book[:3], larger_side=book[3])
    got = evaluate(book)
    for one, expected in zip(got.commodities, want, strict=True):
        assert (one.scan_usd, one.scenario, one.price_risk_usd) == (
            expected["scan"], expected["number"], expected["price_risk"],
        )  # fmt: skip
        for name, value in (
            ("intra", one.intra_usd), ("credit", one.credit_usd), ("minimum", one.short_option_minimum_usd),
            ("risk", one.risk_usd), ("nov", one.net_option_value_usd), ("requirement", one.requirement_usd),
        ):  # fmt: skip
            assert value == pytest.approx(float(expected[name]), rel=1e-12, abs=1e-8), name
    total = sum(one["requirement"] for one in want)
    assert got.im_requirement_usd == pytest.approx(float(total), rel=1e-12, abs=1e-8)
    assert got.mm_requirement_usd == 0.8 * got.im_requirement_usd


@settings(deadline=None, max_examples=150)
@given(books(), st.randoms(use_true_random=False))
def test_order_of_positions_does_not_matter(book: Book, random: Any) -> None:
    """Shuffled positions need the same, to the bit where sums are exact."""
    shuffled = random.sample(book[0], len(book[0]))
    assert evaluate((shuffled, *book[1:])) == evaluate(book)


@settings(deadline=None, max_examples=150)
@given(books(), st.sampled_from([2, 4, 64]))
def test_requirements_scale(book: Book, factor: int) -> None:
    """Twice the positions need twice as much, where no fixed delivery charge is in it, by the same scenarios."""
    commodities = [{**one, "delivery_usd": Fraction(0)} for one in book[1]]
    one = evaluate((book[0], commodities, *book[2:]))
    many = evaluate(([(q * factor, k) for q, k in book[0]], commodities, *book[2:]))
    assert many.im_requirement_usd == factor * one.im_requirement_usd
    assert [c.scenario for c in many.commodities] == [c.scenario for c in one.commodities]


@settings(deadline=None, max_examples=100)
@given(books())
def test_a_book_with_its_mirror_image_needs_nothing(book: Book) -> None:
    """Long and short the same contracts net to nothing before anything is charged."""
    net = [(q - q, one) for q, one in book[0]]
    commodities = [{**one, "delivery_usd": Fraction(0)} for one in book[1]]
    got = evaluate((net, commodities, *book[2:]))
    assert (got.im_requirement_usd, got.mm_requirement_usd, got.net_option_value_usd) == (0.0, 0.0, 0.0)


@settings(deadline=None, max_examples=150)
@given(books(), st.integers(-1_000, 1_000), st.integers(0, COMMODITIES - 1))
def test_cash_moves_the_excess_one_for_one(book: Book, cash: int, c: int) -> None:
    """Cash held as a contract whose price never moves changes no component, so an excess moves by the cash alone."""
    money = {"pnl": [Fraction(0)] * 16, "value": Fraction(1), "delta": Fraction(0), "commodity": c, "tier": -1,
             "option": 0, "premium": False, "size": Fraction(1)}  # fmt: skip
    assert evaluate(([*book[0], (Fraction(cash), money)], *book[1:])) == evaluate(book)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(-100, 100), min_size=1, max_size=40), st.integers(-100, 100))
def test_one_more_scenario_never_lowers_the_scan(pnl: list[int], extra: int) -> None:
    """Appending a scenario keeps or raises the scan, and takes over only when it is worse."""
    risk, number = worst(np.array(pnl, dtype=np.float64))
    more, then = worst(np.array([*pnl, extra], dtype=np.float64))
    assert more >= risk
    assert then == (number if extra >= min(pnl) else len(pnl) + 1)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(*[st.integers(-500, 500)] * 16), min_size=2, max_size=2), st.fractions(0, 1, max_denominator=64)
)
def test_scan_risk_is_convex_and_subadditive(pnl: list[tuple[int, ...]], share: Fraction) -> None:
    """A mixture of two books scans to at most the mixture of their scans, and together to at most the sum."""
    first, second = (np.array(row, dtype=np.float64) for row in pnl)
    one, two, w = worst(first)[0], worst(second)[0], float(share)
    assert worst(w * first + (1 - w) * second)[0] <= w * one + (1 - w) * two + 1e-9
    assert worst(first + second)[0] <= one + two


@st.composite
def priced(draw: st.DrawFn) -> dict[str, Any]:
    """A contract as a market has it, now and then inside its settlement average."""
    kind = draw(st.sampled_from(["coin", "linear", "inverse", "linear_option", "inverse_option"]))
    price = draw(st.floats(0.9, 1.1)) * 3_000.0
    return {
        "kind": kind, "size": draw(st.sampled_from([0.01, 1.0, 10.0])), "price": 3_000.0 if kind == "coin" else price,
        "type": draw(st.sampled_from(["call", "put"])), "strike": price * draw(st.floats(0.3, 3.0)),
        "years": draw(st.sampled_from([0.0, 0.001, 0.01, 0.1, 1.0])), "vol": draw(st.floats(0.05, 3.0)),
        "fixed": draw(st.sampled_from([0.0, 0.0, 0.25, 0.5])) * price,
    }  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(priced(), st.floats(0.05, 0.9), st.floats(0.0, 0.6), st.booleans(), st.sampled_from([0.0, 1.0, 5.0]))
def test_risk_arrays_equal_forty_digits(
    contract: dict[str, Any], price_range: float, vol_scan: float, relative: bool, look_ahead_days: float
) -> None:
    """Every scenario of every kind of contract is that of the definitions."""
    got = arrays([contract], 3_000.0, price_range, vol_scan, relative=relative, look_ahead_days=look_ahead_days)
    want = plain.array(contract, 3_000.0, price_range, vol_scan, relative=relative, look_ahead_days=look_ahead_days,
                       table=plain.scenarios())  # fmt: skip
    scale = contract["size"] * 3_000.0
    assert got.pnl_usd[0].tolist() == pytest.approx([float(x) for x in want], rel=1e-11, abs=1e-13 * scale)


@settings(deadline=None, max_examples=60)
@given(priced(), st.floats(0.05, 0.45), st.floats(0.0, 0.6))
def test_a_call_less_a_put_is_a_future(contract: dict[str, Any], price_range: float, vol_scan: float) -> None:
    """Put-call parity holds scenario by scenario: the volatility drops out."""
    call, put = ({**contract, "kind": "linear_option", "type": kind} for kind in ("call", "put"))
    got = arrays([call, put, {**contract, "kind": "linear"}], 3_000.0, price_range, vol_scan).pnl_usd
    assert (got[0] - got[1]).tolist() == pytest.approx(got[2].tolist(), abs=1e-12 * contract["size"] * 10_000.0)
