"""Paradex's portfolio margin by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from kernels import scenarios
from kernels.paradex import net
from monitor.models.margin import Margin
from monitor.models.paradex import margin
from monitor.models.portfolio import Underlying
from schemas.fields import InvalidRecord
from schemas.paradex import PARADEX_TAILS, ParadexParameters, ParadexScan
from tests.property.kernels_oracle import Contract
from tests.unit.models.books import Held, portfolio, underlying_of

PERPETUAL = Contract("linear", 1.0, 100.0)


def needs(*held: Underlying, **fields: float) -> Margin:
    return margin(portfolio(*held), ParadexParameters(**fields), "")  # type: ignore[arg-type]


def test_there_are_24_cells() -> None:
    """Nine with the volatility up, the seven inner ones with it down, eight tails with it up."""
    table = net.scenario_table(ParadexScan().moves, [(tail.move, tail.weight) for tail in PARADEX_TAILS])
    assert len(table.move) == 24
    assert table.vol_direction.tolist() == [scenarios.UP] * 9 + [scenarios.DOWN] * 7 + [scenarios.UP] * 8
    assert table.move[[0, 8, 9, 15]].tolist() == [-0.16, 0.16, -0.12, 0.12]


def test_printed_weights_are_range_over_move() -> None:
    """Each tail's weight is the largest move over its own, to the digits printed."""
    for tail in PARADEX_TAILS:
        assert tail.weight == pytest.approx(0.16 / abs(tail.move), abs=0.005)


def test_a_perpetual_needs_the_end_of_the_scan() -> None:
    """1,000 dollars short lose 160 at +16 %, at +50 % and at +100 %; maintenance is half of it; no fee, no funding."""
    got = needs(underlying_of("BTC", 100.0, Held(-10.0, PERPETUAL)), fee_rate=0.0)
    assert got.im_requirement_usd == pytest.approx(160.0)
    assert got.mm_requirement_usd == pytest.approx(80.0)


def test_a_hedged_book_needs_the_minimum() -> None:
    """10 long and 8 short: 2 % on the 2 that are left and 1 % on the 8 that are hedged, above the scan's loss."""
    future = Contract("linear", 1.0, 100.0, years=0.25)
    held = underlying_of("BTC", 100.0, Held(100.0, PERPETUAL), Held(-99.0, future))
    got = needs(held, fee_rate=0.0)
    assert got.im_components["scan_usd"] == pytest.approx(16.0)
    assert got.im_requirement_usd == pytest.approx((0.02 * 1.0 + 0.01 * 99.0) * 100.0)
    assert got.mm_requirement_usd == pytest.approx(0.5 * got.im_requirement_usd)


def test_an_inverse_perpetual_hedges_with_its_own_delta() -> None:
    """One coin long by an inverse perpetual against one short by a linear one is one coin hedged, not none."""
    inverse = Held(10.0, Contract("inverse", 10.0, 100.0))
    got = needs(underlying_of("BTC", 100.0, inverse, Held(-1.0, PERPETUAL)), fee_rate=0.0)
    assert got.im_requirement_usd == pytest.approx(1.0)


def test_provisions_are_whole_in_both_margins() -> None:
    """Who pays 0.1 % in eight hours sets it aside, who receives it does not; a fee of 0.03 % for everybody."""
    long, short = (
        needs(underlying_of("BTC", 100.0, Held(quantity, PERPETUAL, funding_rate_8h=0.001))) for quantity in (10, -10)
    )
    assert long.im_components["funding_provision_usd"] == pytest.approx(1.0)
    assert long.mm_components["funding_provision_usd"] == pytest.approx(1.0)
    assert short.im_components["funding_provision_usd"] == 0.0
    assert short.im_components["fee_provision_usd"] == short.mm_components["fee_provision_usd"] == pytest.approx(0.3)


def test_receipts_of_one_perpetual_do_not_pay_for_another() -> None:
    """Positions that pay are counted, positions that receive are not."""
    assert net.funding_provision(np.array([1_000.0, -1_000.0]), np.array([0.002, 0.001])) == 2.0


@pytest.mark.parametrize("rates", [np.zeros(0), np.array([0.0, math.nan])])
def test_an_unknown_rate_is_a_reason(rates: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """Without a rate there is no provision, and the margin says for which perpetual."""
    got = needs(replace(underlying_of("BTC", 100.0, Held(10.0, PERPETUAL)), funding_rate_8h=rates))
    assert got.computed
    assert got.im_components["funding_provision_usd"] == 0.0
    assert got.degraded == ("no_funding_rate:BTC-0",)


def test_a_dollar_token_is_cash() -> None:
    """Collateral in tokens is not shocked."""
    assert needs(underlying_of("USDC", 1.0, coins=1e6)).im_requirement_usd == 0.0


def test_cells_may_differ_by_underlying() -> None:
    """A wider scan of one coin is not one of another."""
    parameters = ParadexParameters(scans={"PEPE": ParadexScan(moves=(0.2, 0.4))}, fee_rate=0.0)
    held = [underlying_of(name, 100.0, Held(10.0, PERPETUAL)) for name in ("BTC", "PEPE")]
    got = margin(portfolio(*held), parameters, "")
    assert [part.im_usd for part in got.parts] == pytest.approx([160.0, 400.0])


def test_moves_out_of_order_are_refused() -> None:
    """Moves ascend."""
    with pytest.raises(InvalidRecord):
        ParadexScan(moves=(0.16, 0.12))


def test_a_missing_value_gives_no_number() -> None:
    """Without an index there is no figure, and a reason."""
    got = needs(replace(underlying_of("BTC", 100.0, Held(1.0, PERPETUAL)), index_price=math.nan))
    assert not got.computed
    assert got.degraded == ("no_price:BTC",)
