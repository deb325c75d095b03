"""Blocks and model A's reductions against exact rational arithmetic, and the properties a requirement must have."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import blocks, risk_matrix

SHOCK = (5e-5, 1_000.0, 0.1)  # slope, threshold, maximum


@dataclass(frozen=True, slots=True)
class Market:
    """Rows of one underlying: integers, so that float64 sums are exact and order cannot matter."""

    pnl: tuple[tuple[int, ...], ...]
    value: tuple[int, ...]
    delta: tuple[int, ...]
    market_delta: tuple[int, ...]
    group: tuple[int, ...]
    rate: tuple[float, ...]
    index_price: float = 128.0


Positions = list[tuple[int, int]]  # (row, quantity)


@st.composite
def markets(draw: st.DrawFn) -> Market:
    n, scenarios, groups = draw(st.integers(1, 5)), draw(st.integers(1, 7)), draw(st.integers(1, 3))
    number = st.integers(-1_000, 1_000)
    column = st.tuples(*[number] * n)
    return Market(
        pnl=draw(st.tuples(*[st.tuples(*[number] * scenarios)] * n)),
        value=draw(column),
        delta=draw(column),
        market_delta=draw(column),
        group=draw(st.tuples(*[st.integers(-1, groups - 1)] * n)),
        rate=draw(st.tuples(*[st.sampled_from([0.0, 0.125, 0.25, 1.0])] * groups)),
    )


@st.composite
def books(draw: st.DrawFn, accounts: int | None = None) -> tuple[Market, list[Positions]]:
    market = draw(markets())
    row = st.integers(0, len(market.value) - 1)
    position = st.tuples(row, st.integers(-50, 50))
    least, most = (0, 6) if accounts is None else (accounts, accounts)
    return market, draw(st.lists(st.lists(position, max_size=8), min_size=least, max_size=most))


def columns(book: list[Positions]) -> tuple[Any, Any, Any]:
    indptr = np.cumsum([0, *(len(p) for p in book)], dtype=np.int64)
    row = np.array([r for p in book for r, _ in p], dtype=np.int64)
    quantity = np.array([q for p in book for _, q in p], dtype=np.float64)
    return indptr, row, quantity


def evaluate(market: Market, book: list[Positions]) -> dict[str, Any]:
    m = len(book)
    out = {name: np.empty(m) for name in ("value", "scan", "roll", "delta_shock", "delta")}
    worst = np.empty(m, dtype=np.int64)
    risk_matrix.evaluate(
        *columns(book),
        np.array(market.pnl, dtype=np.float64),
        np.array(market.value, dtype=np.float64),
        np.array(market.delta, dtype=np.float64),
        np.array(market.market_delta, dtype=np.float64),
        np.array(market.group, dtype=np.int64),
        np.array(market.rate, dtype=np.float64),
        market.index_price,
        *SHOCK,
        out["value"], out["scan"], worst, out["roll"], out["delta_shock"], out["delta"],
    )  # fmt: skip
    return {**out, "worst": worst}


def exact(market: Market, positions: Positions) -> dict[str, Any]:
    """One segment in rational numbers, scenario by scenario, expiry by expiry."""
    cells = [sum(q * market.pnl[r][s] for r, q in positions) for s in range(len(market.pnl[0]))]
    delta = sum(q * market.delta[r] for r, q in positions)
    slope, threshold, limit = (Fraction(x) for x in SHOCK)
    index = Fraction(market.index_price)
    excess = max(Fraction(0), abs(delta) * index - threshold)
    nets = {g: sum(q * market.market_delta[r] for r, q in positions if market.group[r] == g) for g in set(market.group)}
    return {
        "value": sum(q * market.value[r] for r, q in positions),
        "scan": max(0, -min(cells)),
        "worst": cells.index(min(cells)),
        "roll": index * sum(abs(net) * Fraction(market.rate[g]) for g, net in nets.items() if g >= 0),
        "delta_shock": min(limit, slope * excess / index) * excess,
        "delta": delta,
    }


@settings(deadline=None, max_examples=300)
@given(books())
def test_every_segment_equals_exact_arithmetic(case: tuple[Market, list[Positions]]) -> None:
    """Value, scan, lowest worst scenario, roll and delta equal rational arithmetic exactly, the shock to rounding."""
    market, book = case
    got = evaluate(market, book)
    for a, positions in enumerate(book):
        want = exact(market, positions)
        for name in ("value", "scan", "worst", "roll", "delta"):
            assert got[name][a] == want[name], name
        assert abs(Fraction(got["delta_shock"][a]) - want["delta_shock"]) <= want["delta_shock"] * Fraction(1, 10**14)


@settings(deadline=None, max_examples=200)
@given(books())
def test_blocks_are_sparse_products(case: tuple[Market, list[Positions]]) -> None:
    """Blocks equal the exact sums over positions, and their minimum is the scan."""
    market, book = case
    pnl = np.array(market.pnl, dtype=np.float64)
    block = np.empty((len(book), pnl.shape[1]))
    blocks.blocks(*columns(book), pnl, block)
    assert block.tolist() == [
        [sum(q * market.pnl[r][s] for r, q in positions) for s in range(pnl.shape[1])] for positions in book
    ]
    scan = evaluate(market, book)["scan"]
    assert scan.tolist() == [max(0.0, -min(row)) for row in block.tolist()]


@settings(deadline=None, max_examples=150)
@given(books(), st.randoms(use_true_random=False))
def test_order_of_positions_and_accounts_does_not_matter(case: tuple[Market, list[Positions]], random: Any) -> None:
    """Shuffled accounts have the shuffled results, and shuffled positions the same ones."""
    market, book = case
    order = list(range(len(book)))
    random.shuffle(order)
    shuffled = [random.sample(book[a], len(book[a])) for a in order]
    got, again = evaluate(market, book), evaluate(market, shuffled)
    for name, column in got.items():
        assert column[order].tolist() == again[name].tolist()


@settings(deadline=None, max_examples=150)
@given(books(accounts=1), st.sampled_from([2, 4, 64]))
def test_scan_and_roll_scale_with_the_portfolio(case: tuple[Market, list[Positions]], factor: int) -> None:
    """Twice the portfolio has twice the scan and roll and the same worst scenario."""
    market, (positions,) = case
    one, many = evaluate(market, [positions]), evaluate(market, [[(r, q * factor) for r, q in positions]])
    assert many["scan"][0] == factor * one["scan"][0]
    assert many["roll"][0] == factor * one["roll"][0]
    assert many["worst"][0] == one["worst"][0]


@settings(deadline=None, max_examples=150)
@given(books(accounts=2))
def test_netting_never_costs(case: tuple[Market, list[Positions]]) -> None:
    """The scan and roll of two portfolios together are at most the sum of the two."""
    market, (first, second) = case
    got = evaluate(market, [first, second, first + second])
    for name in ("scan", "roll"):
        assert got[name][2] <= got[name][0] + got[name][1]


@settings(deadline=None, max_examples=150)
@given(books(accounts=1))
def test_a_portfolio_with_its_mirror_image_needs_nothing(case: tuple[Market, list[Positions]]) -> None:
    """Long and short the same contracts: value, scan, roll, shock and delta are zero, the worst scenario the first."""
    market, (positions,) = case
    got = evaluate(market, [positions + [(r, -q) for r, q in positions]])
    assert {name: column[0] for name, column in got.items()} == dict.fromkeys(got, 0)


@settings(deadline=None, max_examples=150)
@given(books(accounts=1), st.data())
def test_one_more_scenario_never_lowers_the_scan(case: tuple[Market, list[Positions]], data: st.DataObject) -> None:
    """Appending a scenario keeps or raises the scan, and keeps the worst scenario unless it is worse."""
    market, (positions,) = case
    extra = data.draw(st.tuples(*[st.integers(-1_000, 1_000)] * len(market.value)))
    longer = Market(
        tuple((*row, x) for row, x in zip(market.pnl, extra, strict=True)),
        market.value, market.delta, market.market_delta, market.group, market.rate,
    )  # fmt: skip
    before, after = evaluate(market, [positions]), evaluate(longer, [positions])
    assert after["scan"][0] >= before["scan"][0]
    assert after["worst"][0] in (before["worst"][0], len(market.pnl[0]))
