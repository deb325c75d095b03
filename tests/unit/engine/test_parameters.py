from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from monitor.engine import parameters
from monitor.engine.parameters import DEFAULT_SET, ParametersFold, RejectedParameters, validate
from schemas.ids import parameter_hash
from schemas.records import MIN_TIME_US, ParameterSet, RiskMatrixParameters, StatusParameters
from tests.unit.engine.market_records import at


def named(name: str = "desk", seconds: float = 0, **fields: Any) -> ParameterSet:
    return ParameterSet(name=name, event_time_us=at(seconds), **fields)


def test_the_default_set_exists_before_any_record() -> None:
    """A set named default is in force from the start, older than any record, with its hash."""
    active = ParametersFold().get("default")
    assert active is not None
    assert active.set.event_time_us == MIN_TIME_US
    assert active.hash == parameter_hash(active.set)


def test_the_default_set_is_a_valid_record() -> None:
    """The built-in values pass the wire's own limits and the relations between them."""
    assert msgspec.json.decode(msgspec.json.encode(DEFAULT_SET), type=ParameterSet) == DEFAULT_SET
    validate(DEFAULT_SET)


@pytest.mark.parametrize(
    ("underlying", "published"),
    [
        ("BTC", (0.16, 0.50, 0.25, 0.50, 0.30, 0.13, 0.075, 0.010, 0.000050, 20e6, 0.1, 0.8)),
        ("ETH", (0.18, 0.40, 0.25, 0.50, 0.30, 0.13, 0.050, 0.005, 0.000004, 20e6, 0.1, 0.8)),
    ],
)
def test_published_values(underlying: str, published: tuple[float, ...]) -> None:
    """BTC and ETH carry the values that the venue's interface returns."""
    active = ParametersFold().get("default")
    assert active is not None
    p = active.risk_matrix(underlying)
    assert published == (
        p.price_range,
        p.volatility_range_up,
        p.volatility_range_down,
        p.min_volatility_for_shock_up,
        p.short_term_vega_power,
        p.long_term_vega_power,
        p.annualised_move_risk,
        p.min_annualised_move,
        p.delta_shock_slope,
        p.delta_shock_threshold_usd,
        p.max_delta_shock,
        p.mm_factor,
    )


def test_coins_without_values_of_their_own_are_shocked_more() -> None:
    """Other coins have a wider range than ETH, stablecoins a narrower one than BTC."""
    active = ParametersFold().get("default")
    assert active is not None
    assert active.risk_matrix("ANYCOIN") == active.set.risk_matrix
    ranges = [active.risk_matrix(name).price_range for name in ("USDC", "BTC", "ETH", "SOL", "ANYCOIN")]
    assert ranges == sorted(ranges)
    assert active.risk_matrix("USDE").price_range > active.risk_matrix("USDT").price_range


def test_a_set_is_in_force_from_its_record_on() -> None:
    """A new set, and a changed one, is reported by name; the same values published again are no change."""
    fold = ParametersFold()
    assert fold.get("desk") is None
    assert fold.apply(named()) == ("desk",)
    first = fold.get("desk")
    assert fold.apply(named(seconds=1)) == ()
    assert fold.apply(named(seconds=2, risk_matrix=RiskMatrixParameters(price_range=0.2))) == ("desk",)
    second = fold.get("desk")
    assert first is not None
    assert second is not None
    assert first.hash != second.hash
    assert second.risk_matrix("BTC").price_range == 0.2
    assert fold.apply(named("default")) == ("default",)


def test_a_late_set_is_counted() -> None:
    """A set older than the one in force changes nothing."""
    fold = ParametersFold()
    fold.apply(named(seconds=2))
    assert fold.apply(named(seconds=1, risk_matrix=RiskMatrixParameters(price_range=0.2))) == ()
    assert fold.late_sets == 1
    active = fold.get("desk")
    assert active is not None
    assert active.risk_matrix("BTC").price_range == 0.16


def status(**fields: Any) -> dict[str, Any]:
    return {"status": StatusParameters(**fields)}


def matrix(**fields: Any) -> dict[str, Any]:
    return {"underlyings": {"BTC": RiskMatrixParameters(**fields)}}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (status(warning_leave_v=0.9), "thresholds"),
        (status(margin_call_leave_v=1.0), "thresholds"),
        (status(margin_call_leave_v=0.8), "thresholds"),
        (status(warning_enter_v=1.0), "thresholds"),
        (status(warning_enter_v=math.nan), "thresholds"),
        (status(liquidation_enter_u=math.inf), "thresholds"),
        (status(liquidation_enter_u=0.0), "thresholds"),
        (status(liquidation_leave_v=1.25), "thresholds"),
        (status(event_validity_ms=0), "thresholds"),
        (status(max_data_hold_ms=0), "thresholds"),
        (matrix(mm_factor=1.0), "thresholds"),
        (matrix(extended_moves=(-1.0,)), "extended_moves"),
        (matrix(extended_moves=(0.0,)), "extended_moves"),
        (matrix(extended_moves=(math.nan,)), "extended_moves"),
        (matrix(extended_moves=(101.0,)), "extended_moves"),
        (matrix(extended_moves=(0.5, 0.5)), "extended_moves"),
        (matrix(extended_moves=tuple(0.01 * k for k in range(1, 66))), "extended_moves"),
        (matrix(delta_shock_threshold_usd=-1.0), "delta_shock"),
    ],
)
def test_values_that_contradict_each_other_are_refused(fields: dict[str, Any], kind: str) -> None:
    """A set whose thresholds cross or whose moves are impossible is refused and the one in force stays."""
    fold = ParametersFold()
    fold.apply(named())
    before = fold.snapshot()
    with pytest.raises(RejectedParameters) as refusal:
        fold.apply(named(seconds=1, **fields))
    assert refusal.value.kind == kind
    assert fold.snapshot() == before


def test_random_names_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of sets is bounded; known ones can still change."""
    monkeypatch.setattr(parameters, "MAX_SETS", 2)
    fold = ParametersFold()
    fold.apply(named())
    with pytest.raises(RejectedParameters) as refusal:
        fold.apply(named("other"))
    assert refusal.value.kind == "too_many"
    assert fold.apply(named(seconds=1, **matrix(price_range=0.3))) == ("desk",)


def test_another_layout_of_snapshot_is_refused() -> None:
    """A snapshot of another build's layout is not read."""
    with pytest.raises(ValueError, match="layout"):
        ParametersFold.restore({**ParametersFold().snapshot(), "layout": 99})
