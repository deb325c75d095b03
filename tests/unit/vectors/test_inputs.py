"""Inputs that a function cannot read are refused by their place."""

from __future__ import annotations

import math
from typing import Any

import pytest

from monitor.vectors.inputs import InvalidInputs
from monitor.vectors.registry import CALLABLES
from tests.unit.vectors.generated import drawn

GOOD = dict(drawn())  # one case of each group
FUTURES = GOOD["deribit_pme"]
PERPETUAL = next(iter(FUTURES["positions_base"]))
ROW = ["call", 100.0, 100.0, 0.0, 0.05, 0.5, 0.3]


def refused(group: str, inputs: dict[str, Any]) -> InvalidInputs:
    with pytest.raises(InvalidInputs) as caught:
        CALLABLES[group](inputs)
    return caught.value


@pytest.mark.parametrize("group", sorted(CALLABLES))
def test_no_group_reads_nothing(group: str) -> None:
    """Empty inputs are refused by every function."""
    assert "missing required field" in str(refused(group, {}))


@pytest.mark.parametrize(("group", "name"), [(group, name) for group, inputs in GOOD.items() for name in inputs])
def test_a_field_of_another_kind_is_refused(group: str, name: str) -> None:
    """A flag in place of anything is refused, and the error begins with the field."""
    assert refused(group, {**GOOD[group], name: True}).place == name


@pytest.mark.parametrize(
    ("group", "change", "place"),
    [
        ("bsm_price", {"rows": [ROW, ROW[:6]]}, "rows[1]"),
        ("bsm_price", {"rows": [[*ROW, 1.0]]}, "rows[0]"),
        ("bsm_price", {"rows": [3]}, "rows[0]"),
        ("bsm_price", {"rows": [["straddle", *ROW[1:]]]}, "rows[0][0]"),
        ("bsm_price", {"rows": [["call", "100", *ROW[2:]]]}, "rows[0][1]"),
        ("bsm_price", {"rows": [[*ROW[:5], -0.5, 0.3]]}, "rows[0][5]"),
        ("bsm_price", {"rows": [[*ROW[:6], -0.3]]}, "rows[0][6]"),
        ("bsm_price", {"rows": [ROW], "row_format": "[type, strike, spot, q, r, years]"}, "row_format"),
        ("bsm_price", {"rows": [ROW], "row_format": "[type, strike, spot, q, r, years, years]"}, "row_format"),
        ("bsm_price", {"rows": [ROW], "row_format": "[type, strike, forward, q, r, years, vol]"}, "row_format"),
        ("bsm_price", {"rows": [ROW], "row_format": ""}, "row_format"),
        ("bsm_greeks", {"rows": [["charm", *ROW]]}, "rows[0]"),
        ("bsm_greeks", {"rows": [["delta", "call", 100.0, 0.0, *ROW[3:]]]}, "rows[0][3]"),
        ("black76_price", {"discount": 0.0}, "discount"),
        ("black76_price", {"discount": -0.9}, "discount"),
        ("black76_greeks", {"spot": 0.0}, "spot"),
        ("black76_greeks", {"forward": 0.0}, "forward"),
        ("black76_greeks", {"maturity": -1.0}, "maturity"),
        ("black76_greeks", {"maturity": 0.0}, "maturity"),
        ("black76_greeks_edge", {"total_stdev": -0.1}, "total_stdev"),
        ("ewma", {"lambda_": 1.01}, "lambda_"),
        ("ewma", {"lambda_": -0.01}, "lambda_"),
        ("gaussian_var_es", {"confidence": 1.0}, "cases[0]"),
        ("gaussian_var_es", {"cases": [{"mean": 0.0, "sigma": 1.0}, {"mean": 0.0, "sigma": -1.0}]}, "cases[1]"),
        ("gaussian_var_es", {"cases": [{"mean": 0.0}]}, "cases[0]"),
        ("historical_var_es", {"returns_pct": []}, "returns_pct"),
        ("historical_var_es", {"confidence": 0.0}, "returns_pct"),
        ("historical_var_es", {"convention": "median"}, "convention"),
        ("delta_normal_var", {"daily_vols": [0.1]}, "daily_vols"),
        ("delta_normal_var", {"horizon_days": -1.0}, "correlation"),
        ("delta_normal_var", {"correlation": [[1.0]]}, "correlation"),
        ("delta_normal_var", {"correlation": -1.0, "positions_usd": [1, 1, 1], "daily_vols": [1, 1, 1]}, "correlation"),
        ("delta_normal_var", {"correlation": [[1.0, 0.0, 0.0], [0.0, 1.0], [0.0, 0.0, 1.0]]}, "correlation[1]"),
        ("correlation", {"x": [1.0]}, "x"),
        ("correlation", {"x": [1.0], "y": [1.0]}, "x"),
        ("psd_repair", {"matrix": [[1.0, 0.5]]}, "matrix"),
        ("psd_repair", {"matrix": []}, "matrix"),
        ("psd_repair", {"matrix": [[]]}, "matrix"),
        ("psd_repair", {"matrix": [[1.0, 0.5], [0.5]]}, "matrix[1]"),
        ("psd_repair", {"matrix": [[0.0, 0.0], [0.0, 1.0]]}, "matrix"),
        ("psd_repair_higham", {"matrix": [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0]]}, "matrix"),
        ("oas", {"x": []}, "x"),
        ("ledoit_wolf", {"x": [[1.0, 2.0], [1.0]]}, "x[1]"),
        ("span_scan", {"positions": {}}, "positions"),
        ("span_scan", {"positions": {"gone": 1.0}}, "risk_array_pnl_long.gone"),
        ("span_scan", {"positions": {"a": 1.0}, "risk_array_pnl_long": {"a": []}}, "risk_array_pnl_long.a"),
        (
            "span_scan",
            {"positions": {"a": 1.0, "b": 1.0}, "risk_array_pnl_long": {"b": [1.0], "a": [1.0, 2.0]}},
            "risk_array_pnl_long.b",
        ),
        ("paradex_scan", {"moves": [-1.0]}, "moves"),
        ("paradex_scan", {"price_range": 0.0}, "moves"),
        ("deribit_pme", {"contract": "quanto"}, "contract"),
        ("deribit_pme", {"index_price": 0.0}, "index_price"),
        ("deribit_pme", {"mark_prices": {}}, f"mark_prices.{PERPETUAL.split('-')[0]}-26SEP25"),
        ("deribit_pme", {"mark_prices": dict.fromkeys(FUTURES["mark_prices"], -1.0)}, "mark_prices[...]"),
        ("deribit_pme", {"evaluation_timestamp_ms": None}, "evaluation_timestamp_ms"),
        ("deribit_pme", {"params": {}}, "params"),
        ("deribit_pme", {"params": {**FUTURES["params"], "price_range": 1.0}}, "params.price_range"),
        ("deribit_pme", {"params": {**FUTURES["params"], "buckets_each_side": 0}}, "params.buckets_each_side"),
        ("deribit_pme", {"params": {**FUTURES["params"], "buckets_each_side": 4.5}}, "params.buckets_each_side"),
        ("deribit_pme", {"params": {**FUTURES["params"], "pnl_offset": -0.1}}, "params.pnl_offset"),
    ],
)
def test_inputs_that_mean_nothing_are_refused_at_their_place(group: str, change: dict[str, Any], place: str) -> None:
    """A value out of its range, a row of another length, a mark that is missing: each by name."""
    assert refused(group, {**GOOD[group], **change}).place == place


@pytest.mark.parametrize("name", ["BTC-28JUN24-60000-C", "BTC-31FEB25", "BTC-28XXX24", "BTC", "btc-PERP", ""])
def test_futures_are_told_by_their_names(name: str) -> None:
    """Options and names without an expiry are refused: they need what the inputs do not have."""
    inputs = {**FUTURES, "positions_base": {name: 1.0}, "mark_prices": {name: 65_000.0}}
    assert refused("deribit_pme", inputs).place == f"positions_base.{name}"


def test_a_row_format_may_order_the_columns() -> None:
    """The case's own row format is what its rows are read by."""
    usual = CALLABLES["bsm_price"]({"rows": [ROW]})
    assert CALLABLES["bsm_price"]({"rows": [ROW], "row_format": "[type, strike, spot, q, r, years, vol]"}) == usual
    turned = {"rows": [ROW[::-1]], "row_format": "[Vol, years, r, q, spot, strike, type]"}
    assert CALLABLES["bsm_price"](turned) == usual
    named = {"rows": [ROW], "row_format": "[option_type, K, S, dividend_yield, rate, maturity (years), sigma]"}
    assert CALLABLES["bsm_price"](named) == usual


def test_a_row_format_may_explain_a_column() -> None:
    """What follows a column's name explains it."""
    inputs = {"forward": 100.0, "discount": 1.0, "rows": [["call", 100.0, 0.2]]}
    stated = {**inputs, "row_format": "[type, strike, total_stdev = vol*sqrt(T)]"}
    assert CALLABLES["black76_price"](stated) == CALLABLES["black76_price"](inputs)
    forwards = {"rows": [["put", 90.0, 100.0, 0.05, 0.5, 0.3]]}
    assert CALLABLES["black76_price_bsm"](
        {**forwards, "row_format": "[type, strike, forward, r, years, vol]"}
    ) == CALLABLES["black76_price_bsm"](forwards)


def test_no_rows_are_no_prices() -> None:
    """An empty table has an empty result."""
    assert CALLABLES["bsm_price"]({"rows": []}) == {"price": []}
    assert CALLABLES["bsm_greeks"]({"rows": []}) == {"value": []}


def test_what_leaves_the_floats_is_not_a_number() -> None:
    """A rate that no discount can be taken of gives NaN, which fails a case, and neither an error nor a price."""
    (price,) = CALLABLES["bsm_price"]({"rows": [["call", 100.0, 100.0, 0.0, -1e6, 1.0, 0.3]]})["price"]
    assert math.isnan(price)
    (value,) = CALLABLES["bsm_greeks"]({"rows": [["elasticity", "call", 200.0, 100.0, 0.0, 0.0, 0.0, 0.3]]})["value"]
    assert math.isnan(value)


def test_profits_count_in_part_and_up_to_a_cap() -> None:
    """Positive cells are pnl_offset of themselves and at most the cap over the index; losses stay whole."""
    name = "BTC-PERPETUAL"
    parameters = {**FUTURES["params"], "price_range": 0.16, "buckets_each_side": 1, "pnl_offset": 0.5}
    inputs = {**FUTURES, "contract": "inverse", "index_price": 50_000.0, "mark_prices": {name: 50_000.0},
              "positions_base": {name: 1.0}, "params": parameters}  # fmt: skip
    down, up = -0.16 / 0.84, 0.16 / 1.16
    for cap, want in ((1_000.0, 0.02), (50_000.0, 0.5 * up), (None, 0.5 * up)):
        del parameters["max_offsetable_pnl_usd"]
        parameters |= {} if cap is None else {"max_offsetable_pnl_usd": cap}
        got = CALLABLES["deribit_pme"](inputs)
        assert got["aggregated_standard_by_bucket"] == pytest.approx([down, 0.0, want], rel=1e-14)
        assert got["worst_case"] == pytest.approx(-down, rel=1e-14)


def test_an_account_without_futures_requires_nothing() -> None:
    """No positions: empty vectors, and only the margins that came with the inputs."""
    got = CALLABLES["deribit_pme"]({**FUTURES, "positions_base": {}, "open_orders_margin": 0.25, "mmp_margin": 0.5})
    assert got["initial_vector_standard_by_bucket"] == {}
    assert set(got["aggregated_standard_by_bucket"]) == {0.0}
    assert (got["worst_case"], got["risk_matrix_margin"], got["initial_margin"]) == (0.0, 0.0, 0.75)
