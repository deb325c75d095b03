"""Model C of a portfolio by its parameters."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from kernels.scenarios_units import LINEAR, LINEAR_OPTION
from monitor.models.span import SpanUnderlying, arrays
from monitor.models.span import span_margin as margin
from schemas.fields import InvalidRecord
from schemas.span import SpanCalendarSpread, SpanInterSpread, SpanLeg, SpanParameters, SpanSet

Row = tuple[float, int, float, int]  # quantity, kind, strike, tier


def underlying(*rows: Row, index: float = 100.0, vol: float = 0.5, tiers: int = 2) -> SpanUnderlying:
    n = len(rows)
    quantity, kind, strike, tier = (np.array(column) for column in zip(*rows, strict=True))
    return SpanUnderlying(
        index, vol, (index,) * tiers, quantity, kind, np.ones(n, dtype=np.bool_), np.ones(n), strike,
        np.full(n, index), np.zeros(n), np.full(n, 30 / 365), np.full(n, vol), tier,
    )  # fmt: skip


FUTURE: Row = (1.0, LINEAR, 0.0, 0)
LONG = underlying(FUTURE)
SHORT = underlying((-1.0, LINEAR, 0.0, 0))
BTC_A, BTC_B = SpanLeg(underlying="BTC", side="A"), SpanLeg(underlying="BTC", side="B")
CREDIT = SpanInterSpread(
    legs=(SpanLeg(underlying="BTC", side="A"), SpanLeg(underlying="ETH", side="B")), rate=0.5, method="normal"
)


def test_an_empty_portfolio_needs_nothing() -> None:
    """No underlying, no requirement."""
    assert margin({}, SpanSet(inter_spreads=(CREDIT,))) == (0.0, 0.0, 0.0, ())


def test_underlyings_have_their_own_parameters() -> None:
    """A floor of 40 % for one coin does not change the other, which has 6 * 50 % * sqrt(2/365)."""
    parameters = SpanSet(underlyings={"ETH": SpanParameters(price_floor=0.4)})
    got = margin({"ETH": LONG, "BTC": LONG}, parameters)
    assert [one.scan_usd for one in got.commodities] == pytest.approx([100 * 3 * (2 / 365) ** 0.5, 40.0])
    assert got.mm_requirement_usd == pytest.approx(0.8 * got.im_requirement_usd)


def test_credits_need_all_their_underlyings() -> None:
    """Opposite deltas are credited by half their price risk, and a spread of an absent coin is left out."""
    parameters = SpanSet(inter_spreads=(CREDIT,))
    alone = margin({"BTC": LONG}, parameters).im_requirement_usd
    assert margin({"BTC": LONG, "ETH": SHORT}, parameters).im_requirement_usd == pytest.approx(alone)
    assert margin({"BTC": LONG, "ETH": LONG}, parameters).im_requirement_usd == pytest.approx(2 * alone)
    assert alone == margin({"BTC": LONG}, SpanSet()).im_requirement_usd


def test_a_list_of_calendar_spreads_replaces_the_rule() -> None:
    """By rule a spread costs 1.75 % of the later price; a list has its own, and may name expiries not listed yet."""
    book = {"BTC": underlying(FUTURE, (-1.0, LINEAR, 0.0, 1))}
    assert margin(book, SpanSet()).im_requirement_usd == pytest.approx(1.75)
    listed = (SpanCalendarSpread(tier_a=0, tier_b=9, rate=0.5), SpanCalendarSpread(tier_a=0, tier_b=1, rate=0.03))
    parameters = SpanSet(default=SpanParameters(calendar_spreads=listed))
    assert margin(book, parameters).im_requirement_usd == pytest.approx(3.0)


def test_styles_and_scans_of_options() -> None:
    """A relative scan is a share of the option's own volatility; futures-style options have no value to credit."""
    book = underlying((1.0, LINEAR_OPTION, 100.0, 0), vol=0.5)
    points = arrays(book, SpanParameters(volatility_share=0.25))
    relative = arrays(book, SpanParameters(volatility_share=0.25, volatility_scan="relative"))
    assert points.pnl_usd.tolist() == relative.pnl_usd.tolist()  # where coin and option have one volatility
    premium = margin({"BTC": book}, SpanSet())
    settled = margin({"BTC": book}, SpanSet(default=SpanParameters(option_style="futures")))
    assert premium.net_option_value_usd > 0.0
    assert settled.net_option_value_usd == 0.0
    assert settled.im_requirement_usd == premium.commodities[0].risk_usd


def test_short_options_cost_their_minimum() -> None:
    """Far calls that no scenario reaches cost 1 % of the index each."""
    far = (-1.0, LINEAR_OPTION, 5_000.0, 0)
    assert margin({"BTC": underlying(far, far)}, SpanSet()).im_requirement_usd == pytest.approx(2.0)


@pytest.mark.parametrize(
    "change", [{"index_price": np.nan}, {"annual_vol": np.nan}, {"price_or_forward": np.array([np.nan])}]
)
def test_a_market_that_is_missing_is_no_requirement_of_nothing(change: dict[str, Any]) -> None:
    """Without a price or a volatility a requirement is not a number."""
    got = margin({"BTC": LONG._replace(**change)}, SpanSet())
    assert np.isnan([got.im_requirement_usd, got.mm_requirement_usd]).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SpanParameters(price_floor=0.6), lambda: SpanParameters(delta_weights=(0.0,) * 7),
        lambda: SpanInterSpread(legs=(BTC_A, SpanLeg(underlying="ETH", side="A")), rate=1.0),
        lambda: SpanInterSpread(legs=(BTC_A, BTC_B), rate=1.0),
        lambda: SpanCalendarSpread(tier_a=1, tier_b=1, rate=0.1),
    ],
)  # fmt: skip
def test_parameters_that_contradict_each_other_are_refused(wrong: Any) -> None:
    """A floor above its cap, weights of nothing, one-sided spreads and an expiry against itself are errors."""
    with pytest.raises(InvalidRecord):
        wrong()


@pytest.mark.parametrize(
    "text",
    [
        '{"covered_fraction":0}', '{"extreme_multiplier":0.5}', '{"price_cap":1.5}', '{"delta_weights":[1]}',
        '{"volatility_scan":"both"}', '{"look_ahead":1}', '{"calendar_rate":-0.1}',
    ],
)  # fmt: skip
def test_parameters_out_of_range_and_unknown_names_are_refused(text: str) -> None:
    """A number out of its range, a word that is none of the choices and a misspelt name do not decode."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=SpanParameters)


def test_a_set_survives_its_wire_form() -> None:
    """What was written is what is read, credits included."""
    parameters = SpanSet(inter_spreads=(CREDIT,), underlyings={"ETH": SpanParameters(price_floor=0.2)}, mm_factor=0.7)
    assert msgspec.json.decode(msgspec.json.encode(parameters), type=SpanSet) == parameters
