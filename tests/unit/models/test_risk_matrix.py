"""Model A of a portfolio, by hand: offset of profits, dampened cells, contingencies of the older rules."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from kernels import contingencies, risk_cells, scenarios
from monitor.models.margin import Margin
from monitor.models.portfolio import Underlying
from monitor.models.risk_matrix import beyond_columns, margin
from schemas.deribit import DERIBIT_BTC, DERIBIT_ETH, DERIBIT_USD, deribit_set
from schemas.parameters import ParameterSet, RiskMatrixParameters
from tests.property.kernels_oracle import Contract
from tests.unit.models.books import NOW_US, Held, portfolio, underlying_of

# Only the scan: no roll, no delta shock.
BARE = {"annualised_move_risk": 0.0, "min_annualised_move": 0.0, "delta_shock_slope": 0.0}


def bare(**fields: object) -> ParameterSet:
    """Return Deribit's set without charges beside the scan."""
    deribit = deribit_set(NOW_US)
    return msgspec.structs.replace(
        deribit,
        risk_matrix=msgspec.structs.replace(deribit.risk_matrix, **BARE, **fields),
        underlyings={
            name: msgspec.structs.replace(matrix, **BARE, **fields) for name, matrix in deribit.underlyings.items()
        },
    )


def dollars(name: str, usd: float) -> Underlying:
    """Return so many dollars of a linear perpetual."""
    return underlying_of(name, 100.0, Held(usd / 100.0, Contract("linear", 1.0, 100.0)))


def needs(parameters: ParameterSet, *held: Underlying) -> Margin:
    return margin(portfolio(*held), parameters, "")


def test_profits_cancel_their_share_of_losses_in_the_same_cell() -> None:
    """Down 18 % ether loses 18,000 and 0.4 of a short's 16,000 counts; up, 16,000 less 0.6 of 18,000 is not as bad."""
    got = needs(bare(), dollars("ETH", 100_000.0), dollars("SOL", -100_000.0))
    assert got.im_requirement_usd == pytest.approx(18_000.0 - 0.4 * 16_000.0)
    assert {part.underlying: part.im_usd for part in got.parts} == pytest.approx({"ETH": 18_000.0, "SOL": -6_400.0})
    assert [one.label for one in got.worst] == [
        "price -18.00%, volatility up", "price -16.00%, volatility up",
    ]  # fmt: skip
    assert got.mm_requirement_usd == pytest.approx(0.8 * 11_600.0)


def test_an_offset_is_capped_in_dollars() -> None:
    """A thousand times as large, no more than a million of the short's 6.4 millions counts."""
    got = needs(bare(), dollars("ETH", 1e8), dollars("SOL", -1e8))
    assert got.im_requirement_usd == pytest.approx(18e6 - 1e6)


def test_an_underlying_without_offset_stands_alone() -> None:
    """Bitcoin cancels nothing and nothing cancels its loss: its own worst case is added."""
    got = needs(bare(), dollars("BTC", 100_000.0), dollars("ETH", -100_000.0))
    assert got.im_requirement_usd == pytest.approx(16_000.0 + 18_000.0)


def test_offsets_are_for_one_grid() -> None:
    """Where underlyings have different numbers of moves no cell is common, and each adds its own worst case."""
    parameters = bare()
    finer = msgspec.structs.replace(parameters.underlyings["ETH"], buckets_each_side=8)
    parameters = msgspec.structs.replace(parameters, underlyings={"ETH": finer})
    got = needs(parameters, dollars("ETH", 100_000.0), dollars("SOL", -100_000.0))
    assert got.im_requirement_usd == pytest.approx(34_000.0)


def test_an_extended_move_inside_one_range_is_the_end_of_that_range() -> None:
    """With a range of 60 % the moves -33 % and +50 % are no cells of that table: the end of its side stands there."""
    narrow = scenarios.scenario_table(0.16, 1, (-0.66, -0.33, 0.5, 1.0))
    wide = scenarios.scenario_table(0.60, 1, (-0.66, -0.33, 0.5, 1.0))
    cells = risk_cells.common_cells([narrow, wide], 1)
    assert cells.tolist() == [[*range(9), 9, 10, 11, 12], [*range(9), 9, 0, 6, 10]]
    assert wide.move[[0, 6]].tolist() == [-0.60, 0.60]
    assert wide.vol_direction[[0, 6]].tolist() == [scenarios.UP, scenarios.UP]


def test_dampening_brings_cells_nearer_to_zero_by_their_reach() -> None:
    """Two ranges out by one dampener, three ranges out by two, never across zero, and nothing inside the range."""
    table = scenarios.scenario_table(0.2, 1, (-0.4, 0.6, 1.0))
    cells = np.array([-50.0, -9.0, 5.0, 0.0, 0.0, 0.0, 7.0, -1.0, -2.0, -100.0, 250.0, -300.0])
    got = risk_cells.dampened(cells, table, 0.2, 100.0)
    assert got.tolist() == [*cells[:9].tolist(), -0.0, pytest.approx(50.0), 0.0]


@pytest.mark.parametrize("move", [-0.66, -0.33, 0.5, 5.0])
def test_a_dampened_cell_is_the_published_form_in_coins(move: float) -> None:
    """In coins at the end of the range: the raw P&L in coins times its weight, moved by the dampener in coins."""
    index, price_range, factor, dampener = 65_000.0, 0.16, 0.9, 25_000.0
    raw_usd = -3e6
    raw_coins = raw_usd / (index * (1.0 + move))
    end = 1.0 + math.copysign(price_range, move)
    weight = factor * (price_range / abs(move)) * (1.0 + move) / end
    step = (max(abs(move) / price_range, 1.0) - 1.0) * dampener / (end * index)
    wanted_coins = math.copysign(max(abs(raw_coins * weight) - step, 0.0), raw_coins)
    table = risk_cells.scaled_extension(scenarios.scenario_table(price_range, 1, (move,)), price_range, factor)
    cells = np.zeros(10)
    cells[9] = table.weight[9] * raw_usd
    got = risk_cells.dampened(cells, table, price_range, dampener)[9]
    assert got / (index * end) == pytest.approx(wanted_coins, rel=1e-12)


def test_the_dampened_table_asks_less_for_far_options() -> None:
    """A short put far below is at its worst beyond the range: there the dampener counts, reach by reach."""
    put = Contract("linear_option", 1.0, 100.0, 60.0, is_call=False, years=30 / 365, vol=0.5)
    held = underlying_of("SOL", 100.0, Held(-10_000.0, put))
    plain = needs(bare(pnl_offset=0.0), held)
    dampened = needs(bare(pnl_offset=0.0, extended_table="dampened", extended_dampener_usd=1_000.0), held)
    assert plain.worst[0].label == dampened.worst[0].label == "price -66.00%, volatility up"
    assert plain.im_requirement_usd - dampened.im_requirement_usd == pytest.approx((0.66 / 0.16 - 1.0) * 1_000.0)


def test_naked_shorts_net_by_strike() -> None:
    """Two short calls against a long put of their strike leave one; a long at another strike or expiry covers none."""
    strikes, expiries = np.array([100.0, 100.0, 110.0, 100.0]), np.array([1, 1, 1, 2])
    assert contingencies.naked_short_coins(np.array([-2.0, 1.0, 5.0, -3.0]), expiries, strikes) == 4.0


def test_offsets_are_the_smaller_side() -> None:
    """Groups net to +3, -2 and +1: two are set against each other; one NaN leaves no number."""
    amounts, group = np.array([2.0, 1.0, -2.0, 1.0]), np.array([0, 0, 1, 2])
    assert contingencies.offset_between(amounts, group) == 2.0
    assert math.isnan(contingencies.offset_between(np.array([1.0, math.nan]), np.array([0, 1])))


def test_the_older_rules_charge_what_the_grid_does_not_see() -> None:
    """0.01 coins a naked short, 1 % of futures that offset, and a share of volatility gains against losses."""
    week, month = (Contract("linear", 1.0, 100.0, years=days / 365) for days in (7, 30))
    call = Contract("linear_option", 1.0, 100.0, 100.0, years=30 / 365, vol=0.6)
    near = Contract("linear_option", 1.0, 100.0, 100.0, years=7 / 365, vol=0.6)
    held = underlying_of("SOL", 100.0, Held(50.0, week), Held(-80.0, month), Held(-20.0, call), Held(5.0, near))
    rates = {"short_option_rate": 0.01, "futures_offset_rate": 0.01, "vega_offset_rate": 0.25}
    got = needs(bare(**rates), held)
    one = dict(zip(("call", "near"), (_vol_up(call), _vol_up(near)), strict=True))
    assert got.im_components["short_options_usd"] == pytest.approx(0.01 * 20.0 * 100.0)
    assert got.im_components["futures_offset_usd"] == pytest.approx(0.01 * 50.0 * 100.0)
    assert got.im_components["vega_offset_usd"] == pytest.approx(0.25 * min(20.0 * one["call"], 5.0 * one["near"]))
    assert needs(bare(), held).im_components["short_options_usd"] == 0.0


def _vol_up(option: Contract) -> float:
    """What one option at the money, worth 2N(s/2) - 1 forwards, gains by the shock of its tenor."""
    up = 0.5 * (30 / (option.years * 365)) ** 0.30
    root = math.sqrt(option.years)
    worth = [100.0 * math.erf(vol * root / 2 / math.sqrt(2)) for vol in (0.6, 0.6 * (1 + up))]
    return worth[1] - worth[0]


def test_the_correlation_contingency_is_a_share_of_the_own_worst_case() -> None:
    """Two percent of 18,000 and of 16,000, whatever offsets."""
    got = needs(bare(correlation_contingency_rate=0.02), dollars("ETH", 100_000.0), dollars("SOL", -100_000.0))
    assert got.im_components["correlation_usd"] == pytest.approx(0.02 * 34_000.0)


def test_fields_that_only_the_model_computes_are_named() -> None:
    """No default, no factor without its table, and each field that is switched on."""
    assert beyond_columns(RiskMatrixParameters()) == beyond_columns(DERIBIT_BTC) == ()
    assert beyond_columns(RiskMatrixParameters(extended_factor=0.5, pnl_offset=0.5)) == ()
    assert beyond_columns(DERIBIT_ETH) == beyond_columns(DERIBIT_USD) == ("pnl_offset",)
    switched = RiskMatrixParameters(
        extended_table="dampened", correlation_contingency_rate=0.1, short_option_rate=0.01, futures_offset_rate=0.01,
        vega_offset_rate=0.25,
    )  # fmt: skip
    assert beyond_columns(switched) == (
        "extended_table", "correlation_contingency_rate", "short_option_rate", "futures_offset_rate",
        "vega_offset_rate",
    )  # fmt: skip
