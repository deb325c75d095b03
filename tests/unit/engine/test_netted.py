"""Model P in the engine: what an event says of a netted requirement."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from monitor.engine import State, evaluate_account, new_state, open_shard, step
from monitor.engine.parameters import DEFAULT_SET
from schemas.records import (
    AccountConfig,
    Input,
    Instrument,
    NettingParameters,
    ParameterSet,
    RiskMatrixParameters,
    Trade,
    Transfer,
)
from tests.engine_market import START_US, Log, opening, smile

DAY_US = 86_400_000_000
PLAIN = RiskMatrixParameters(min_annualised_move=0.0, annualised_move_risk=0.0, delta_shock_slope=0.0)


def _engine(records: Sequence[Input]) -> State:
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in [*opening(), *records]])
    assert not state.rejected
    return state


def _account(name: str, model: str, legs: Sequence[tuple[str, float, float]]) -> list[Input]:
    config = AccountConfig(account=name, event_time_us=START_US, margin_model="A" if model == "A" else "P")
    money = Transfer(transfer_id="1", account=name, asset="USD", amount=1e6, event_time_us=START_US)
    return [
        config,
        money,
        *(
            Trade(
                trade_id=str(k), account=name, instrument=instrument, quantity=quantity, price=price,
                event_time_us=START_US,
            )
            for k, (instrument, quantity, price) in enumerate(legs)
        ),
    ]  # fmt: skip


def _set(k: float, floor: float) -> ParameterSet:
    netting = NettingParameters(correlation_stress=k, floor_correlation=floor, ranges="fixed")
    return ParameterSet(name="default", event_time_us=START_US, risk_matrix=PLAIN, netting=netting)


def test_one_underlying_is_the_risk_matrix() -> None:
    """With options and futures of one coin, P and A agree to the last bit where A adds no roll or delta shock."""
    legs = [("BTC-PERPETUAL", 1.5, 100_000.0), ("BTC-P", -4.0, 0.02), ("BTC-C", 3.0, 0.02), ("BTC-FUTURE", -900.0, 1e5)]
    state = _engine([_set(0.1, 0.5), *_account("a", "A", legs), *_account("p", "P", legs)])
    added, netted = evaluate_account(state, "a"), evaluate_account(state, "p")
    assert netted.im_requirement_usd == added.im_requirement_usd > 0.0
    assert netted.mm_requirement_usd == added.mm_requirement_usd
    assert netted.correlation is None
    assert netted.underlyings[0].scenario == added.underlyings[0].scenario


@pytest.mark.parametrize(("k", "floor"), [(0.0, 0.0), (0.1, 0.5), (0.3, 0.9), (1.0, 0.5)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_linear_books_need_the_root_of_their_quadratic_form(k: float, floor: float, sign: float) -> None:
    """Futures in two coins: sqrt((1-k) w'Rw + k (sum |w|)^2), w = range times notional."""
    legs = [("BTC-PERPETUAL", 1.0, 100_000.0), ("ETH-PERPETUAL", sign * 20.0, 4_000.0)]
    state = _engine([_set(k, floor), *_account("p", "P", legs)])
    b, e = 0.16 * 100_000.0, sign * 0.16 * 80_000.0
    expected = ((1.0 - k) * (b * b + 2.0 * floor * b * e + e * e) + k * (abs(b) + abs(e)) ** 2) ** 0.5
    evaluation = evaluate_account(state, "p")
    assert evaluation.im_requirement_usd == pytest.approx(expected, rel=1e-9)
    assert evaluation.mm_requirement_usd == pytest.approx(0.8 * expected, rel=1e-9)
    assert evaluation.correlation is not None
    assert (evaluation.correlation.stress, evaluation.correlation.version) == (k, 0)
    assert evaluation.correlation.matrices == {"floor": 1.0}


def test_parts_sum_to_the_requirement_and_name_their_scenarios() -> None:
    """Contributions of underlyings sum to IM; each is the weighted loss of scenarios whose weights sum to 1."""
    legs = [
        ("BTC-PERPETUAL", 1.0, 100_000.0), ("BTC-P", -5.0, 0.02), ("ETH-INVERSE", -6_000.0, 4_000.0),
        ("ETH-C", -15.0, 0.03),
    ]  # fmt: skip
    state = _engine([*_account("p", "P", legs)])
    evaluation = evaluate_account(state, "p")
    parts = evaluation.underlyings
    assert sum(part.im_usd for part in parts) == pytest.approx(evaluation.im_requirement_usd, rel=2e-9)
    for part in parts:
        assert part.mixture is not None
        assert sum(cell.weight for cell in part.mixture) == pytest.approx(1.0, abs=1e-12)
        assert -sum(cell.weight * cell.pnl_usd for cell in part.mixture) == pytest.approx(part.im_usd, rel=1e-9)
        assert part.scan_usd == -part.scenario_pnl_usd >= part.im_usd
    assert evaluation.im_requirement_usd < sum(part.scan_usd for part in parts)


def test_an_underlying_without_a_price_leaves_the_others_their_own_figures() -> None:
    """The account cannot be valued, but each underlying that can says what it needs alone."""
    coin = Instrument(instrument="NEW-PERPETUAL", type="perpetual", underlying="NEW", settlement="USD",
                      event_time_us=START_US)  # fmt: skip
    legs = [("BTC-PERPETUAL", 1.0, 100_000.0), ("NEW-PERPETUAL", 1.0, 10.0)]
    evaluation = evaluate_account(_engine([coin, *_account("p", "P", legs)]), "p")
    assert not evaluation.valued
    assert "no_price:NEW" in evaluation.data_quality
    bitcoin = evaluation.underlyings[0]
    assert (bitcoin.underlying, bitcoin.im_usd, bitcoin.mixture) == ("BTC", bitcoin.scan_usd, None)


@pytest.mark.parametrize(("days", "moves"), [(30.0, 9), (6.9, 17), (0.9, 33)])
def test_moves_get_finer_as_a_listed_option_nears_its_expiry(days: float, moves: int) -> None:
    """An option that nobody holds refines the grid of its underlying; model A keeps the published nine."""
    expiry_us = START_US + int(days * DAY_US)
    near = Instrument(
        instrument="BTC-NEAR", type="option", underlying="BTC", settlement="BTC", contract="inverse", strike=100_000.0,
        option_type="call", expiry_us=expiry_us, event_time_us=START_US,
    )  # fmt: skip
    legs = [("BTC-P", -1.0, 0.02)]
    records: list[Input] = [near, msgspec.structs.replace(smile("BTC", START_US), expiry_us=expiry_us)]
    state = _engine([*records, *_account("p", "P", legs), *_account("a", "A", legs)])
    evaluate_account(state, "p")
    netted, _ = state.book.basis_of("p")
    added, _ = state.book.basis_of("a")
    assert 2 * netted["BTC"].buckets + 1 == moves
    assert 2 * added["BTC"].buckets + 1 == 9


def _near(underlying: str, days: float) -> list[Input]:
    expiry_us = START_US + int(days * DAY_US)
    strike = 100_000.0 if underlying == "BTC" else 4_000.0
    option = Instrument(
        instrument=f"{underlying}-{days}", type="option", underlying=underlying, settlement=underlying,
        contract="inverse", strike=strike, option_type="call", expiry_us=expiry_us, event_time_us=START_US,
    )  # fmt: skip
    return [option, msgspec.structs.replace(smile(underlying, START_US), expiry_us=expiry_us)]


def _delisted(underlying: str, days: float) -> Input:
    option = _near(underlying, days)[0]
    assert isinstance(option, Instrument)
    return msgspec.structs.replace(option, delisted=True)


@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
@pytest.mark.parametrize("certificates", [False, True])
def test_bounds_hold_when_the_moves_of_one_underlying_get_finer_or_fewer(underlying: str, certificates: bool) -> None:
    """Mean moves are allowed together: that of one coin stays when its grid is another one, or its hedge is gone.

    Nobody trades and no price moves; the accounts were solved before, and are judged by bounds.
    """
    state, log = new_state(certificates=certificates), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    legs = [
        [("BTC-PERPETUAL", 1.0, 100_000.0), ("ETH-PERPETUAL", -share * 25.0, 4_000.0), *options]
        for share in (0.3, 0.9, 1.0, 1.1, 2.0)
        for options in ([], [("BTC-P", -1.0, 0.02), ("ETH-C", 10.0, 0.02)], [("BTC-C", -2.0, 0.02)])
    ]
    names = [f"p{number}" for number in range(len(legs))]
    accounts = [record for name, one in zip(names, legs, strict=True) for record in _account(name, "P", one)]
    for record in [*opening(), _set(0.1, 0.95), *_near(underlying, 30.0), *accounts]:
        step(state, [log(record)])
    changes = [*_near(underlying, 5.0), *_near(underlying, 0.5), _delisted(underlying, 0.5), _delisted(underlying, 5.0)]
    widths = set[int]()
    for record in changes:
        step(state, [log(record)])
        found = [state.book.bounds(name) for name in names]  # before the figures, which solve the accounts
        for name, (equity_usd, least_usd, most_usd) in zip(names, found, strict=True):
            exact_usd, im_usd, _ = state.book.figures(name)
            assert equity_usd == pytest.approx(exact_usd, rel=1e-12)
            assert least_usd <= im_usd * (1.0 + 1e-8)
            assert im_usd <= most_usd * (1.0 + 1e-8)
        widths.add(2 * state.book.basis_of("p0")[0][underlying].buckets + 1)
    assert widths == {9, 17, 33}
    assert not state.rejected


def test_a_published_set_puts_its_netting_in_force_at_once() -> None:
    """With k = 1 nothing is netted: the requirement becomes the plain sum with the record that says so."""
    legs = [("BTC-PERPETUAL", 1.0, 100_000.0), ("ETH-PERPETUAL", -20.0, 4_000.0)]
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in [*opening(), *_account("p", "P", legs)]])
    before = evaluate_account(state, "p").im_requirement_usd
    plain = msgspec.structs.replace(
        DEFAULT_SET, event_time_us=START_US, netting=NettingParameters(correlation_stress=1.0)
    )
    step(state, [log(plain)])
    after = evaluate_account(state, "p")
    assert after.im_requirement_usd == pytest.approx(0.20 * 100_000.0 + 0.20 * 80_000.0, rel=1e-9)
    assert before < after.im_requirement_usd
