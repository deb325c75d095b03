"""Model A's reductions: the published example, missing numbers, and refused shapes."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from kernels import blocks, risk_matrix, scenarios
from tests.support import ROOT

VECTORS = ROOT.parent / "shared" / "vectors.json"
SECONDS_PER_YEAR = 31_536_000


def inputs(pnl: list[list[float]], positions: list[tuple[int, float]]) -> list[Any]:
    """Arguments of `evaluate` for one segment, up to its outputs; every instrument in expiry group 0 at 1 %."""
    n = len(pnl)
    return [
        np.array([0, len(positions)], dtype=np.int64),
        np.array([r for r, _ in positions], dtype=np.int64),
        np.array([q for _, q in positions], dtype=np.float64),
        np.array(pnl, dtype=np.float64),
        np.ones(n), np.ones(n), np.ones(n), np.zeros(n, dtype=np.int64), np.array([0.01]),
        100.0, 5e-5, 2e7, 0.1,
    ]  # fmt: skip


def outputs(m: int) -> list[Any]:
    out: list[Any] = [np.full(m, 99.0) for _ in range(6)]
    out[2] = np.full(m, 99, dtype=np.int64)
    return out


def run(arguments: list[Any]) -> dict[str, Any]:
    out = outputs(len(arguments[0]) - 1)
    risk_matrix.evaluate(*arguments, *out)
    return dict(zip(("value", "scan", "worst", "roll", "shock", "delta"), (column[0] for column in out), strict=True))


@pytest.mark.data
@pytest.mark.skipif(not VECTORS.exists(), reason="the reference vectors are not beside the checkout")
def test_published_portfolio() -> None:
    """Deribit's documented portfolio of two inverse futures: buckets, worst case, roll and margins in BTC."""
    (case,) = (c for c in json.loads(VECTORS.read_text())["cases"] if c["id"] == "deribit/btc-perp-and-future")
    given, expected, tolerance = case["inputs"], case["expected"], case["tolerance"]
    p, index, names = given["params"], given["index_price"], list(given["positions_base"])
    table = scenarios.scenario_table(p["price_range"], p["buckets_each_side"], ())
    kind = np.array([scenarios.COIN] + [scenarios.INVERSE] * len(names), dtype=np.int64)
    price = np.array([np.nan] + [given["mark_prices"][name] for name in names])
    n = len(kind)
    pnl, value, delta, market = np.empty((n, len(table.move))), np.empty(n), np.empty(n), np.empty(n)
    zero = np.zeros(n)
    scenarios.risk_array(
        kind, np.zeros(n, dtype=np.bool_), np.ones(n), np.ones(n), price, zero, zero, zero, zero, index, *table,
        0.5, 0.25, 0.5, 0.3, 0.13, 1.0, pnl, value, delta, market,
    )  # fmt: skip

    # Entered at its mark, a position of b coins is b p contracts of 1 USD and b coins on its entry side.
    base = np.array([given["positions_base"][name] for name in names])
    legs = [[(0, b), (k, b * price[k])] for k, b in enumerate(base, start=1)]
    book = [*legs, [leg for both in legs for leg in both]]
    indptr = np.cumsum([0, *(len(positions) for positions in book)], dtype=np.int64)
    row = np.array([r for positions in book for r, _ in positions], dtype=np.int64)
    quantity = np.array([q for positions in book for _, q in positions])
    block = np.empty((3, len(table.move)))
    blocks.blocks(indptr, row, quantity, pnl, block)
    coins = block / (index * (1.0 + table.move))
    for a, name in enumerate(names):
        assert coins[a, 1::3] == pytest.approx(expected["initial_vector_standard_by_bucket"][name], **tolerance)

    expiry = datetime(2024, 6, 28, 8, tzinfo=UTC).timestamp()
    years = (expiry - given["evaluation_timestamp_ms"] * 1e-3) / SECONDS_PER_YEAR
    rate = [max(p["min_annualised_move"], p["annualised_move_risk"] * t) for t in (0.0, years)]
    out = outputs(3)
    risk_matrix.evaluate(
        indptr, row, quantity, pnl, value, delta, market, np.array([-1, 0, 1]), np.array(rate), index,
        p["m_inc"], p["delta_total_liq_shock_threshold_usd"], p["max_delta_shock"], *out,
    )  # fmt: skip
    _, scan, worst, roll, shock, _ = (column[2] for column in out)
    scan_coins = scan / (index * (1.0 + table.move[worst]))
    assert scan_coins == pytest.approx(expected["worst_case"], **tolerance)
    assert roll / index == pytest.approx(expected["roll_shock"], **tolerance)
    assert shock == expected["delta_shock"]
    margin = scan_coins + roll / index + shock / index
    assert margin == pytest.approx(expected["risk_matrix_margin"], **tolerance)
    assert p["mm_factor"] * margin == pytest.approx(expected["maintenance_margin"], **tolerance)


def test_the_lowest_scenario_wins_ties() -> None:
    """Of equal losses the first scenario is named."""
    assert run(inputs([[-1.0, -7.0, -7.0, 3.0]], [(0, 1.0)]))["worst"] == 1


def test_a_gain_everywhere_needs_nothing() -> None:
    """Where every scenario gains, scan is zero and the worst scenario the smallest gain."""
    got = run(inputs([[5.0, 2.0, 9.0]], [(0, 1.0)]))
    assert (got["scan"], got["worst"]) == (0.0, 1)


def test_zero_is_not_negative() -> None:
    """A scan of nothing is +0.0, so that no event carries a minus sign."""
    for positions in ([], [(0, 1.0)], [(0, -1.0)], [(0, 0.0)]):
        assert math.copysign(1.0, run(inputs([[0.0, 0.0]], positions))["scan"]) == 1.0


def test_an_empty_segment_is_zero() -> None:
    """An account without positions has zero everywhere and scenario 0."""
    assert set(run(inputs([[-1.0, 1.0]], [])).values()) == {0}


@pytest.mark.parametrize("cell", [0, 1, 2])
def test_a_missing_cell_is_never_skipped(cell: int) -> None:
    """One NaN in the P&L makes scan NaN and the worst scenario -1, in whichever scenario it stands."""
    row = [-5.0, -9.0, 2.0]
    row[cell] = math.nan
    got = run(inputs([row, [1.0, 1.0, 1.0]], [(1, 1.0), (0, 1.0)]))
    assert math.isnan(got["scan"])
    assert got["worst"] == risk_matrix.NO_SCENARIO


def test_a_missing_number_stays_in_its_segment() -> None:
    """NaN value, delta and market delta reach their own account only; the next one's roll starts from nothing."""
    arguments = inputs([[-1.0], [-2.0]], [(0, 1.0), (1, 3.0)])
    arguments[0] = np.array([0, 1, 2], dtype=np.int64)
    for column in (4, 5, 6):
        arguments[column][0] = math.nan
    out = outputs(2)
    risk_matrix.evaluate(*arguments, *out)
    value, scan, _, roll, shock, delta = out
    assert np.isnan([value[0], roll[0], shock[0], delta[0]]).all()
    assert (value[1], scan[1], roll[1], shock[1], delta[1]) == (3.0, 6.0, 3.0, 0.0, 3.0)


def test_a_missing_index_reaches_roll_and_shock() -> None:
    """Without an index roll and delta shock are NaN."""
    arguments = inputs([[-1.0]], [(0, 1.0)])
    arguments[9] = math.nan
    got = run(arguments)
    assert math.isnan(got["roll"])
    assert math.isnan(got["shock"])


def test_expiries_do_not_net_against_each_other() -> None:
    """Roll adds the size of each expiry's net delta: opposite expiries add, positions of one expiry net."""
    arguments = inputs([[0.0], [0.0], [0.0]], [(0, 2.0), (1, -2.0), (2, 5.0)])
    arguments[7] = np.array([0, 1, -1], dtype=np.int64)
    arguments[8] = np.array([0.01, 0.02])
    assert run(arguments)["roll"] == pytest.approx(100.0 * (2.0 * 0.01 + 2.0 * 0.02))
    arguments[7][:] = 0
    assert run(arguments)["roll"] == pytest.approx(100.0 * 5.0 * 0.01)


@pytest.mark.parametrize(
    ("delta_coins", "expected"),
    [
        (0.0, 0.0),
        (200.0, 0.0),
        (-200.0, 0.0),
        (300.0, 10e6 * 5e-5 * 10e6 / 100_000.0),
        (-300.0, 10e6 * 5e-5 * 10e6 / 100_000.0),
        (100_000.0, 0.1 * (1e10 - 20e6)),
    ],
)
def test_delta_shock_grows_with_the_excess_and_is_capped(delta_coins: float, expected: float) -> None:
    """Nothing up to the threshold, quadratic beyond, at most the maximum share of the excess; sign does not matter."""
    got = risk_matrix.delta_shock(delta_coins, 100_000.0, 5e-5, 20e6, 0.1)
    assert got == pytest.approx(expected, rel=1e-14)


def test_shapes_and_rows_that_do_not_fit_are_refused() -> None:
    """A row, group or length that does not exist is a ValueError, not a read beyond an array."""
    for position, broken in (
        (0, np.array([0, 3], dtype=np.int64)),
        (0, np.array([1, 0], dtype=np.int64)),
        (0, np.array([-1, 1], dtype=np.int64)),
        (0, np.array([0, 1, 1], dtype=np.int64)),
        (0, np.array([], dtype=np.int64)),
        (1, np.array([1], dtype=np.int64)),
        (1, np.array([-1], dtype=np.int64)),
        (2, np.ones(2)),
        (3, np.ones((1, 0))),
        (4, np.ones(2)),
        (5, np.ones(2)),
        (6, np.ones(2)),
        (7, np.array([1], dtype=np.int64)),
        (7, np.array([-2], dtype=np.int64)),
        (7, np.array([0, 0], dtype=np.int64)),
    ):
        arguments = inputs([[-1.0]], [(0, 1.0)])
        arguments[position] = broken
        with pytest.raises(ValueError, match=r"fit|decrease|exist|length|segment"):
            risk_matrix.evaluate(*arguments, *outputs(1))
    for k in range(6):
        out = outputs(1)
        out[k] = np.concatenate([out[k], out[k]])
        with pytest.raises(ValueError, match="segment"):
            risk_matrix.evaluate(*inputs([[-1.0]], [(0, 1.0)]), *out)


def test_blocks_refuse_what_does_not_fit() -> None:
    """Blocks check rows, segments and outputs before they write."""
    indptr, row, quantity = np.array([0, 1], dtype=np.int64), np.zeros(1, dtype=np.int64), np.ones(1)
    for shape in ((2, 2), (1, 3)):
        with pytest.raises(ValueError, match="segment"):
            blocks.blocks(indptr, row, quantity, np.ones((1, 2)), np.empty(shape))
    with pytest.raises(ValueError, match="exist"):
        blocks.blocks(indptr, row + 1, quantity, np.ones((1, 2)), np.empty((1, 2)))


def test_a_missing_row_reaches_every_holder_and_nobody_else() -> None:
    """A NaN row makes the blocks of its holders NaN, even at quantity zero, and no other."""
    indptr, row = np.array([0, 1, 2, 2], dtype=np.int64), np.array([0, 1], dtype=np.int64)
    out = np.empty((3, 2))
    blocks.blocks(indptr, row, np.array([0.0, 2.0]), np.array([[math.nan, math.nan], [1.0, -1.0]]), out)
    assert np.isnan(out[0]).all()
    assert out[1:].tolist() == [[2.0, -2.0], [0.0, 0.0]]
