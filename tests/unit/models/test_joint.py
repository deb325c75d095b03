"""Model D of a portfolio: requirement, scenarios of the past, stress, and what is told of both."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from typing import Any

import msgspec
import numpy as np
import pytest

from kernels import scenarios
from kernels._jit import Floats
from kernels.joint import stress
from monitor.models.joint import COMPONENTS, correlation_distance, margin
from monitor.models.portfolio import Portfolio
from schemas.joint import STRESS_MOVES, JointParameters
from tests.joint_books import PLAIN, Row, changed, equal, portfolio, underlying
from tests.support import ROOT

DEFAULT = JointParameters()
CALL = Row("BTC-C", -2.0, scenarios.INVERSE_OPTION, 60_500.0, strike=66_000.0, days=30.0, vol=0.6)
PUT = Row("ETH-X", 30.0, scenarios.LINEAR_OPTION, 2_510.0, strike=2_400.0, days=10.0, vol=0.8, is_call=False)
BTC = underlying("BTC", 60_000.0, CALL, Row("BTC-I", 3_000.0, scenarios.INVERSE, 60_100.0, size=10.0), coins=0.5)
ETH = underlying("ETH", 2_500.0, Row("ETH-P", -20.0), PUT, annual_vol=0.8)
SOL = underlying("SOL", 150.0, Row("SOL-P", 200.0), annual_vol=1.1)
MATRICES = [equal(3, 0.8), equal(3, 0.3), equal(3, 0.5)]
BOOK = portfolio(BTC, ETH, SOL, cash=50_000.0, matrices=MATRICES, k=0.2)


def history(rows: int, columns: int = 3) -> Floats:
    """Return standardised returns with a common factor and fat tails."""
    random = np.random.default_rng(rows)
    common = random.standard_t(4, rows)[:, np.newaxis]
    return np.asarray((0.8 * common + 0.6 * random.standard_t(4, (rows, columns))) / math.sqrt(2.0))


def replace_quantity(row: Row, quantity: float) -> Row:
    return dataclasses.replace(row, quantity=quantity)


def with_history(book: Portfolio, rows: Floats) -> Portfolio:
    return dataclasses.replace(book, correlations=dataclasses.replace(book.correlations, history=rows))


def only(book: Portfolio, **fields: Any) -> Portfolio:
    return dataclasses.replace(book, **fields)


def test_components_sum_to_the_requirements() -> None:
    """Both requirements are sums of the same components, maintenance a fraction of initial, equity the marked value."""
    for parameters in (DEFAULT, PLAIN, changed(DEFAULT, floor=0.5), changed(DEFAULT, procyclicality_blend=0.9)):
        got = margin(BOOK, parameters, "hash")
        assert tuple(got.im_components) == tuple(got.mm_components) == COMPONENTS
        assert math.fsum(got.im_components.values()) == got.im_requirement_usd
        assert math.fsum(got.mm_components.values()) == got.mm_requirement_usd
        assert got.mm_requirement_usd == pytest.approx(0.8 * got.im_requirement_usd, rel=1e-15)
        assert got.equity_usd == BOOK.equity_usd
        assert (got.model, got.parameter_hash, got.market_time_us) == ("D", "hash", BOOK.market_time_us)
        assert got.computed
        assert not got.degraded


def test_the_requirement_is_the_formula_of_its_statistics() -> None:
    """max(ES, floor) + C_corr, and the blend with the long-run stress where that is larger."""
    calm = portfolio(underlying("BTC", 60_000.0, Row("P", 1.0), annual_vol=0.2))
    for book, parameters in (
        (BOOK, DEFAULT), (BOOK, changed(DEFAULT, floor=0.4)), (calm, DEFAULT),
        (calm, changed(DEFAULT, procyclicality_blend=1.0)),
    ):  # fmt: skip
        got = margin(book, parameters, "")
        told = got.statistics
        targets = [told[f"es_{name}_usd"] for name in stress.TARGETS]
        now = max(told["es_usd"], told["floor_usd"]) + max(0.0, max(targets) - told["es_usd"])
        b = parameters.procyclicality_blend
        expected = max(now, (1.0 - b) * now + b * told["long_run_stress_usd"])
        assert got.im_requirement_usd == pytest.approx(expected, rel=1e-12)
    assert got.im_requirement_usd == pytest.approx(0.13 * 60_000.0)
    assert got.im_requirement_usd > 3.0 * now


def test_the_largest_shortfall_of_the_matrices_counts() -> None:
    """`worst` takes the matrix with the largest shortfall; a name takes that one; an unknown name is `worst`."""
    by_name = {
        name: margin(BOOK, changed(DEFAULT, correlation=name), "").statistics["es_usd"]
        for name in ("fast", "slow", "floor")
    }
    told = margin(BOOK, DEFAULT, "").statistics
    assert len(set(by_name.values())) == 3
    assert told["es_usd"] == max(by_name.values())
    assert {name: told[f"es_matrix_{name}_usd"] for name in by_name} == by_name
    assert margin(BOOK, changed(DEFAULT, correlation="other"), "") == margin(BOOK, DEFAULT, "")


def test_a_stress_of_nothing_is_the_base() -> None:
    """A k of 0 charges nothing, and one that is almost nothing almost nothing."""
    got = margin(BOOK, changed(DEFAULT, stress_k=0.0), "")
    assert got.im_components["correlation"] == 0.0
    assert {got.statistics[f"es_{name}_usd"] for name in stress.TARGETS} == {got.statistics["es_usd"]}
    for mode in ("monte_carlo", "historical"):
        told = margin(with_history(BOOK, history(800)), changed(DEFAULT, stress_k=1e-12, scenarios=mode), "").statistics
        assert [told[f"es_{name}_usd"] for name in stress.TARGETS] == pytest.approx([told["es_usd"]] * 3, rel=1e-6)


def test_the_portfolio_says_k_unless_the_parameters_do() -> None:
    """The k in force comes with the correlations."""
    assert margin(BOOK, DEFAULT, "").statistics["k"] == 0.2
    assert margin(BOOK, changed(DEFAULT, stress_k=0.7), "").statistics["k"] == 0.7


def test_only_chosen_targets_are_charged() -> None:
    """A target that is not chosen is told and not charged."""
    got = margin(BOOK, changed(DEFAULT, stress_targets=["all_plus"]), "")
    told = got.statistics
    assert got.im_components["correlation"] == max(0.0, told["es_all_plus_usd"] - told["es_usd"])
    assert told["es_against_me_usd"] > told["es_usd"]
    assert margin(BOOK, changed(DEFAULT, stress_targets=[]), "").im_components["correlation"] == 0.0


def test_at_k_of_one_against_me_adds_what_each_loses_alone() -> None:
    """Linear normal books: the shortfall against me is the sum of the shortfalls alone, to the draws' own error."""
    book = portfolio(
        underlying("A", 100.0, Row("P", 10.0)), underlying("B", 50.0, Row("P", -30.0)),
        underlying("C", 10.0, Row("P", 50.0)), k=1.0, matrices=[equal(3, 0.6)],
    )  # fmt: skip
    parameters = changed(PLAIN, stress_k=1.0, draws=65_536)
    alone = sum(margin(portfolio(one), parameters, "").statistics["es_usd"] for one in book.underlyings)
    told = margin(book, parameters, "").statistics
    assert told["es_against_me_usd"] == pytest.approx(alone, rel=0.03)
    assert told["es_against_me_usd"] > told["es_diversification_lost_usd"] > told["es_all_plus_usd"]


def option_usd(row: Row, forward: float) -> float:
    sign, stdev = (1.0 if row.is_call else -1.0), row.vol * math.sqrt(row.days / 365.0)
    d1 = math.log(forward / row.strike) / stdev + stdev / 2.0
    below = [0.5 * math.erfc(-sign * d / math.sqrt(2.0)) for d in (d1, d1 - stdev)]
    return sign * (forward * below[0] - row.strike * below[1])


def plain_pnl(returns: list[float]) -> float:
    """Return the P&L of BOOK under standardised returns of BTC, ETH and SOL, in plain Python."""
    b, e, s = (max(z * vol * math.sqrt(1.0 / 365.0), -0.99) for z, vol in zip(returns, (0.6, 0.8, 1.1), strict=True))
    coins = 0.5 * 60_000.0 * b
    call = -2.0 * (60_000.0 / 60_500.0) * (option_usd(CALL, 60_500.0 * (1.0 + b)) - option_usd(CALL, 60_500.0))
    put = 30.0 * (option_usd(PUT, 2_510.0 * (1.0 + e)) - option_usd(PUT, 2_510.0))
    return coins + call + put - 20.0 * 2_500.0 * e + 200.0 * 150.0 * s


STILL_PAST = changed(PLAIN, scenarios="historical")


@pytest.mark.parametrize("convention", ["weighted", "tail_mean", "beyond"])
def test_the_past_is_that_of_a_plain_implementation(convention: str) -> None:
    """Standardised returns times today's deviations, everything of one scenario at one time, options repriced."""
    rows = history(1_237)
    got = margin(with_history(BOOK, rows), changed(STILL_PAST, es_convention=convention), "")
    losses = sorted((-plain_pnl(row) for row in rows.tolist()), reverse=True)
    a, k = 12.37, 13
    expected = {
        "weighted": (sum(losses[:12]) + 0.37 * losses[12]) / a,
        "tail_mean": sum(losses[:k]) / k,
        "beyond": sum(losses[: k - 1]) / (k - 1),
    }
    told = got.statistics
    assert got.im_components["shortfall"] == pytest.approx(expected[convention], rel=1e-10)
    assert told["var_usd"] == pytest.approx(losses[12], rel=1e-10)
    assert {f"es_{name}_usd": pytest.approx(usd, rel=1e-10) for name, usd in expected.items()}.items() <= told.items()
    assert [worst.pnl_usd for worst in got.worst] == pytest.approx([-loss for loss in losses[:10]], rel=1e-10)


def test_the_past_under_stress_is_whitened_and_correlated_anew() -> None:
    """Returns times the inverse root of their own correlations and the root of the stressed ones, as with numpy's."""

    def root(matrix: Floats, power: float) -> Floats:
        values, vectors = np.linalg.eigh(matrix)
        return np.asarray((vectors * np.maximum(values, 0.0) ** power) @ vectors.T)

    rows = history(1_000)
    moments = rows.T @ rows
    own = moments / np.sqrt(np.outer(np.diag(moments), np.diag(moments)))
    told = margin(with_history(BOOK, rows), changed(STILL_PAST, stress_k=0.6), "").statistics
    for name, goal in (("all_plus", np.ones((3, 3))), ("diversification_lost", np.eye(3))):
        moved = rows @ root(own, -0.5) @ root(0.4 * own + 0.6 * goal, 0.5)
        losses = sorted((-plain_pnl(row) for row in moved.tolist()), reverse=True)
        assert told[f"es_{name}_usd"] == pytest.approx(sum(losses[:10]) / 10, rel=1e-8)
    now = changed(STILL_PAST, historical_correlation="now", correlation="slow")
    moved = rows @ root(own, -0.5) @ root(MATRICES[1], 0.5)
    losses = sorted((-plain_pnl(row) for row in moved.tolist()), reverse=True)
    assert margin(with_history(BOOK, rows), now, "").statistics["es_usd"] == pytest.approx(
        sum(losses[:10]) / 10, rel=1e-8
    )


def test_times_that_miss_a_return_are_left_out() -> None:
    """A scenario needs the returns of all that is held, and of nothing else."""
    rows = history(1_200)
    holes = rows.copy()
    holes[100:300, 1] = math.nan
    complete = np.delete(rows, range(100, 300), axis=0)
    assert margin(with_history(BOOK, holes), STILL_PAST, "") == margin(with_history(BOOK, complete), STILL_PAST, "")
    empty = underlying("XRP", 2.0)
    wide = np.column_stack([rows, np.full(1_200, math.nan)])
    more = portfolio(BTC, ETH, SOL, empty, cash=50_000.0, matrices=[equal(4, 0.5)], history=wide)
    got = margin(more, STILL_PAST, "")
    assert got.statistics["es_usd"] == margin(with_history(BOOK, rows), STILL_PAST, "").statistics["es_usd"]


def test_too_short_a_past_is_no_past() -> None:
    """Fewer rows than the least give no requirement, with the underlyings that lack them."""
    few = history(800)
    few[:400, 2] = math.nan
    for rows, reasons in (
        (history(499), ("no_history:BTC", "no_history:ETH", "no_history:SOL")),
        (few, ("no_history:SOL",)),
        (np.zeros((0, 0)), ("no_history",)),
    ):
        got = margin(with_history(BOOK, rows), changed(DEFAULT, scenarios="historical"), "")
        assert got.degraded == reasons
        assert math.isnan(got.im_requirement_usd)
        assert math.isnan(got.mm_requirement_usd)
        assert all(math.isnan(usd) for usd in (*got.im_components.values(), *got.mm_components.values()))
        assert got.equity_usd == BOOK.equity_usd
        assert not got.computed


def test_returns_that_are_never_there_together_are_no_past() -> None:
    """Each underlying may have enough rows and all of them together too few."""
    rows = history(1_200)
    rows[:600, 0] = math.nan
    rows[600:, 1] = math.nan
    got = margin(with_history(BOOK, rows), changed(DEFAULT, scenarios="historical"), "")
    assert got.degraded == ("no_history",)
    assert not got.computed


def test_a_dollar_token_without_a_past_is_drawn() -> None:
    """Its moves are small and known to be; the figure is told as one that stands in."""
    token = underlying("USDC", 1.0, coins=100_000.0, annual_vol=math.nan)
    rows = np.column_stack([history(1_000), np.full(1_000, math.nan)])
    book = portfolio(BTC, ETH, SOL, token, stable_price={"USDC": 1.0}, history=rows, matrices=[equal(4, 0.5)])
    got = margin(book, STILL_PAST, "")
    assert got.degraded == ("assumed_volatility:USDC", "no_history:USDC")
    alone = margin(with_history(BOOK, history(1_000)), STILL_PAST, "").statistics["es_usd"]
    assert got.statistics["es_usd"] == pytest.approx(alone, rel=0.05)
    assert got.statistics["es_usd"] != alone


def test_coins_that_are_collateral_are_revalued() -> None:
    """The same equity in coins needs more than in cash for a long book, and less for a short one."""
    for quantity, sign in ((1.0, 1.0), (-1.0, -1.0)):
        in_cash = portfolio(underlying("BTC", 60_000.0, Row("P", quantity)), cash=60_000.0)
        in_coins = portfolio(underlying("BTC", 60_000.0, Row("P", quantity), coins=1.0))
        assert in_cash.equity_usd == in_coins.equity_usd
        cash, coins = (margin(book, PLAIN, "").im_requirement_usd for book in (in_cash, in_coins))
        assert sign * (coins - cash) > 0.0
    # A short against its own coin is flat.
    assert coins == pytest.approx(0.0, abs=1e-9)


def test_the_floor_counts_contracts_that_can_lose_more_than_their_value() -> None:
    """Futures at their price, inverse ones at their dollars, short options at the index; no coins, no long options."""
    told = margin(BOOK, changed(DEFAULT, floor=0.02), "").statistics
    notional = 3_000 * 10.0 * 60_000 / 60_100 + 2.0 * 60_000.0 + 20.0 * 2_500.0 + 200.0 * 150.0
    assert told["floor_usd"] == pytest.approx(0.02 * notional, rel=1e-12)
    hedged = portfolio(underlying("BTC", 60_000.0, Row("P", -1.0), coins=1.0))
    got = margin(hedged, changed(PLAIN, floor=0.02), "")
    assert got.im_components["floor"] == pytest.approx(1_200.0)
    assert got.im_requirement_usd == pytest.approx(1_200.0)


def test_the_long_run_stress_is_that_of_the_recorded_moves() -> None:
    """Each move of the list revalues the book, tokens stay, and the worst loss is told."""
    linear = portfolio(
        underlying("BTC", 60_000.0, Row("P", 1.0)), underlying("XYZ", 1.0, Row("P", 1_000.0)),
        underlying("USDC", 1.0, coins=5_000.0), stable_price={"USDC": 1.0}, matrices=[equal(3, 0.5)],
    )  # fmt: skip
    told = margin(linear, DEFAULT, "").statistics
    losses = {one.name: -(60_000.0 * one.moves["BTC"] + 1_000.0 * one.other) for one in STRESS_MOVES}
    for name, loss in losses.items():
        assert told[f"stress_{name}_usd"] == pytest.approx(loss)
    assert told["long_run_stress_usd"] == pytest.approx(max(losses.values()))
    assert margin(linear, changed(DEFAULT, stress_moves=[]), "").statistics["long_run_stress_usd"] == 0.0


def test_a_calm_market_lowers_the_requirement_by_less() -> None:
    """At a quarter of the volatility the blend holds the requirement above the shortfall of then."""
    calm = portfolio(underlying("BTC", 60_000.0, Row("P", 1.0), annual_vol=0.15))
    wild = portfolio(underlying("BTC", 60_000.0, Row("P", 1.0), annual_vol=0.60))
    blend = changed(PLAIN, procyclicality_blend=0.25)
    blended = [margin(book, blend, "").im_requirement_usd for book in (calm, wild)]
    free = [margin(book, PLAIN, "").im_requirement_usd for book in (calm, wild)]
    assert free[1] / free[0] == pytest.approx(4.0)
    assert blended[1] / blended[0] < 3.0
    assert blended[0] > free[0]


def test_options_that_are_nearer_move_more_in_volatility() -> None:
    """A short strangle needs more with moves of volatility than without, and a long one loses less than its value."""
    rows = [replace_quantity(CALL, q) for q in (-2.0, 2.0)]
    short, long = (portfolio(underlying("BTC", 60_000.0, row)) for row in rows)
    moving = changed(DEFAULT, floor=0.0, procyclicality_blend=0.0)
    still = changed(moving, volatility={"beta_down": 0.0, "beta_up": 0.0, "annual_vol": 0.0})
    assert margin(short, moving, "").im_requirement_usd > margin(short, still, "").im_requirement_usd
    value = 2.0 * 60_000.0 / 60_500.0 * option_usd(CALL, 60_500.0)
    assert margin(long, moving, "").im_requirement_usd < value


def test_looking_ahead_costs_the_long_side_a_day() -> None:
    """With time that passes in every scenario a long option loses its decay and a short one gains it."""
    for quantity, sign in ((2.0, 1.0), (-2.0, -1.0)):
        book = portfolio(underlying("BTC", 60_000.0, replace_quantity(CALL, quantity)))
        now, later = (margin(book, changed(PLAIN, look_ahead_days=days), "").im_requirement_usd for days in (0.0, 1.0))
        assert sign * (later - now) > 0.0


def test_parts_and_the_tail_tell_where_the_shortfall_comes_from() -> None:
    """Parts sum to the shortfall, weights of a tail that is listed whole to one, labels name the moves."""
    got = margin(BOOK, changed(DEFAULT, draws=800), "")
    assert math.fsum(part.im_usd for part in got.parts) == pytest.approx(got.im_components["shortfall"], rel=1e-12)
    assert math.fsum(part.mm_usd for part in got.parts) == pytest.approx(got.mm_components["shortfall"], rel=1e-12)
    assert [part.underlying for part in got.parts] == ["BTC", "ETH", "SOL"]
    assert [part.value_usd for part in got.parts] == [one.position_usd for one in BOOK.underlyings]
    assert math.fsum(worst.weight for worst in got.worst) == pytest.approx(1.0)
    weighted = -math.fsum(worst.weight * worst.pnl_usd for worst in got.worst)
    assert weighted == pytest.approx(got.im_components["shortfall"], rel=1e-12)
    label = got.worst[0].label
    assert label.startswith("BTC ")
    assert "volatility" in label
    assert ", SOL " in label
    assert len(margin(BOOK, DEFAULT, "").worst) == 10


def test_gamma_is_what_deltas_do_not_see() -> None:
    """A linear book has none, a short straddle has it, and it is at most the worst loss of a book without delta."""
    linear = margin(portfolio(SOL), PLAIN, "").statistics["gamma_shock_usd"]
    assert linear == pytest.approx(0.0, abs=1e-9)
    assert margin(BOOK, DEFAULT, "").statistics["gamma_shock_usd"] > 100.0


def test_a_missing_price_makes_no_figure() -> None:
    """A held underlying without a price, or a contract without a value, refuses with its name."""
    for broken, reason in (
        (dataclasses.replace(ETH, index_price=math.nan), "no_price:ETH"),
        (
            underlying("ETH", 2_500.0, Row("ETH-X", 1.0, scenarios.LINEAR_OPTION, strike=2_000.0, days=9.0)),
            "no_value:ETH-X",
        ),
    ):
        got = margin(portfolio(BTC, broken, SOL), DEFAULT, "")
        assert got.degraded == (reason,)
        assert not got.computed
        assert math.isnan(got.equity_usd)
    unlisted = only(BOOK, unlisted=("ABC",))
    assert margin(unlisted, DEFAULT, "").degraded == ("unlisted:ABC",)


def test_a_volatility_that_is_not_known_is_assumed_and_told() -> None:
    """By name, by kind, or refused where nothing may be assumed."""
    unknown = portfolio(
        underlying("XYZ", 10.0, Row("P", 1_000.0), annual_vol=math.nan),
        underlying("USDT", 1.0, coins=10_000.0, annual_vol=0.0), stable_price={"USDT": 1.0},
    )  # fmt: skip
    got = margin(unknown, DEFAULT, "")
    assert got.degraded == ("assumed_volatility:USDT", "assumed_volatility:XYZ")
    assert got.computed
    known = margin(portfolio(underlying("XYZ", 10.0, Row("P", 1_000.0), annual_vol=1.5)), PLAIN, "")
    named = portfolio(underlying("XYZ", 10.0, Row("P", 1_000.0), annual_vol=math.nan))
    assumed = margin(named, changed(PLAIN, assumed_annual_vol={"XYZ": 1.5}), "")
    assert assumed.im_requirement_usd == known.im_requirement_usd
    refused = margin(unknown, changed(DEFAULT, assumed_annual_vol_other=None), "")
    assert refused.degraded == ("assumed_volatility:USDT", "no_volatility:XYZ")
    assert not refused.computed


def test_correlations_that_are_not_estimated_are_told() -> None:
    """Version 0 is an assumption, which one underlying does not need; a matrix that is not finite is none."""
    assumed = only(BOOK, correlations=dataclasses.replace(BOOK.correlations, version=0))
    assert margin(assumed, DEFAULT, "").degraded == ("assumed_correlation",)
    single = portfolio(SOL, version=0)
    assert margin(single, DEFAULT, "").degraded == ()
    past = changed(DEFAULT, scenarios="historical")
    assert margin(with_history(assumed, history(600)), past, "").degraded == ()
    holes = only(BOOK, correlations=dataclasses.replace(BOOK.correlations, matrices=np.full((3, 3, 3), math.nan)))
    got = margin(holes, DEFAULT, "")
    assert got.degraded == ("no_correlation",)
    assert not got.computed
    one_left = np.array([np.full((3, 3), math.nan), MATRICES[1], np.full((3, 3), math.nan)])
    left = only(BOOK, correlations=dataclasses.replace(BOOK.correlations, matrices=one_left))
    assert (
        margin(left, DEFAULT, "").statistics["es_usd"]
        == margin(BOOK, changed(DEFAULT, correlation="slow"), "").statistics["es_usd"]
    )


def test_flags_of_the_data_are_handed_on() -> None:
    """What is doubtful about the market stands in the result."""
    assert margin(only(BOOK, flags=("stale:BTC",)), DEFAULT, "").flags == ("stale:BTC",)


def test_nothing_held_needs_nothing() -> None:
    """An account of cash alone has a requirement of zero under either kind of scenarios."""
    for book in (portfolio(cash=100.0), portfolio(underlying("BTC", 60_000.0), cash=100.0)):
        for parameters in (DEFAULT, changed(DEFAULT, scenarios="historical")):
            got = margin(book, parameters, "")
            assert (got.equity_usd, got.im_requirement_usd, got.mm_requirement_usd) == (100.0, 0.0, 0.0)
            assert got.parts == ()
            assert got.worst == ()
            assert got.degraded == ()


def test_the_correlation_distance_is_the_first_breach() -> None:
    """At k* maintenance equals equity; it is 0 where that is breached now, and infinite where it never is."""
    pair = (underlying("BTC", 60_000.0, Row("P", 1.0)), underlying("ETH", 2_500.0, Row("P", -24.0), annual_vol=0.6))

    def funded(equity: float) -> Portfolio:
        book = portfolio(*pair, matrices=[equal(2, 0.9)])
        return only(book, cash_usd=equity - book.equity_usd)

    def maintenance(k: float) -> float:
        return margin(funded(0.0), changed(DEFAULT, stress_k=k), "").mm_requirement_usd

    equity = 0.5 * (maintenance(0.3) + maintenance(0.5))
    k = correlation_distance(funded(equity), DEFAULT)
    assert 0.3 < k < 0.5
    assert maintenance(k) == pytest.approx(equity, rel=1e-5)
    assert correlation_distance(funded(0.9 * maintenance(0.0)), DEFAULT) == 0.0
    assert correlation_distance(funded(1.1 * maintenance(1.0)), DEFAULT) == math.inf
    assert math.isnan(correlation_distance(only(BOOK, unlisted=("ABC",)), DEFAULT))


def test_another_process_computes_the_same_bits() -> None:
    """Requirement, tail and statistics do not depend on the process."""
    program = (
        "from tests.unit.models.test_joint import BOOK, DEFAULT\n"
        "from monitor.models.joint import margin\n"
        "print(repr(margin(BOOK, DEFAULT, '')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == repr(margin(BOOK, DEFAULT, ""))


@pytest.mark.parametrize(
    "fields",
    [
        {"draws": 101},
        {"confidence": 1.0},
        {"degrees_of_freedom": 2},
        {"stress_k": 1.5},
        {"stress_targets": ["all_plus", "all_plus"]},
        {"stress_targets": ["sideways"]},
        {"least_move": -1.0},
        {"seed": -1},
        {"es_convention": "mean"},
        {"basis": {"tenor_days": [30.0, 7.0], "daily": [0.1, 0.1, 0.1]}},
        {"basis": {"tenor_days": [7.0], "daily": [0.1]}},
        {"stress_moves": [{"name": "x", "other": -1.0, "volatility": 0.0}]},
        {"unknown": 1},
    ],
)
def test_parameters_without_a_meaning_are_refused(fields: dict[str, Any]) -> None:
    """What a file says wrong is a typed error."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(fields), type=JointParameters)


def test_parameters_survive_a_file() -> None:
    """Encoded and decoded they are the same, defaults left out."""
    parameters = changed(DEFAULT, seed=5, stress_k=0.5, assumed_annual_vol={"ABC": 2.0})
    assert msgspec.json.decode(msgspec.json.encode(parameters), type=JointParameters) == parameters
    assert msgspec.json.encode(DEFAULT) == b"{}"
