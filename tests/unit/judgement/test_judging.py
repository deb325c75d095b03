"""Judgements of small runs whose answers are worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.errors import UsageError
from monitor.judgement import calibration, store
from monitor.judgement.calls import calls_in, calls_of
from monitor.judgement.configurations import configuration, parsed, varied
from monitor.judgement.coverage import clustered_error, coverage, windows
from monitor.judgement.differences import differences, disagreement
from monitor.judgement.earlier import audit
from monitor.judgement.insurance import Insurance
from monitor.judgement.paths import MarketPath, Paths, Requirement, beside
from monitor.judgement.policies import Policy, outcome
from monitor.judgement.procyclicality import measures
from monitor.judgement.quality import quality
from monitor.judgement.report.tables import markdown, tables
from monitor.judgement.verdict import Terms, judged

MINUTE_US = 60_000_000
BEGIN_US = 1_760_130_000_000_000  # 2025-10-10 21:00 UTC

# Equity of four accounts by minute; each has a gross notional of 1,000, IM of 100 and MM of 80 under "high", half under
# "low". Worked out by hand below.
FALLS = [200.0, 150.0, 90.0, 75.0, -10.0, -20.0]
DIPS = [200.0, 120.0, 95.0, 120.0, 150.0, 150.0]
CALM = [200.0] * 6
DROPS = [200.0, 200.0, 200.0, 30.0, 30.0, 30.0]
ACCOUNTS = {"calm": CALM, "dips": DIPS, "drops": DROPS, "falls": FALLS}


def run(accounts: dict[str, list[float]] | None = None, kinds: tuple[str, ...] | None = None) -> Paths:
    """Return a run of constant requirements."""
    accounts = ACCOUNTS if accounts is None else accounts
    equity = np.array(list(accounts.values())).T
    steps, size = equity.shape
    flat = np.ones_like(equity)
    market = MarketPath(
        ("BTC",), np.full((steps, 1), 100.0), np.full(steps, 0.5), np.full(steps, 0.5), np.full(steps, 0.6),
        np.zeros(steps, dtype=np.int64),
    )  # fmt: skip
    requirements = tuple(
        Requirement(configuration("E", name=name), level * 100.0 * flat, level * 80.0 * flat)
        for name, level in (("high", 1.0), ("low", 0.5))
    )
    return Paths(
        BEGIN_US + MINUTE_US * np.arange(steps, dtype=np.int64), tuple(accounts), kinds or ("directional",) * size,
        equity, np.zeros_like(equity), 1_000.0 * flat, np.zeros(equity.shape, dtype=bool), market, requirements,
    )  # fmt: skip


def test_calls_follow_the_state_machine() -> None:
    """A call comes a second after v reached 1, a liquidation at once, and a fall past the call is a jump."""
    found = [(one.account, one.kind, (one.at_us - BEGIN_US) / 1e6, one.jump) for one in calls_of(run(), "high")]
    assert ("dips", "margin_call", 121.0, False) in found
    assert ("drops", "liquidation", 180.0, True) in found
    assert [row[1:] for row in found if row[0] == "falls"] == [
        ("warning", 120.0, False), ("margin_call", 121.0, False), ("liquidation", 180.0, False),
        ("bankrupt", 240.0, False),
    ]  # fmt: skip
    assert not [row for row in found if row[0] == "calm"]


def test_doubtful_data_liquidate_nobody() -> None:
    """While data are held there is a data hold in place of a liquidation."""
    paths = run({"drops": DROPS})
    paths.held[3:] = True
    kinds = [one.kind for one in calls_of(paths, "high")]
    assert "liquidation" not in kinds
    assert "data_hold" in kinds


def test_quality_by_hand() -> None:
    """One default, called two minutes less a second before; of the two calls the one that recovered is false."""
    paths = run()
    found = quality(paths, "high", calls_of(paths, "high"), 2 * MINUTE_US)
    assert (found.accounts, found.called, found.liquidated, found.jumps) == (4, 2, 2, 1)
    assert (found.defaults, found.hits, found.missed, found.median_lead_s) == (1, 1, 0, 119.0)
    assert (found.false_calls, found.judged_calls, found.flip_flops) == (1, 2, 0)
    assert (found.mean_capital_usd, found.mean_capital_of_gross) == (400.0, 0.1)
    low = quality(paths, "low", calls_of(paths, "low"), 2 * MINUTE_US)
    assert (low.hits, low.missed) == (0, 1)  # at half the requirement it falls from above to below zero in one sample


def test_coverage_by_hand() -> None:
    """Windows of two minutes: losses 110, 100 and 105; 80 is covered by neither 50 nor, when larger, by 100."""
    paths = run()
    starts, loss, required, known, _ = windows(paths, "high", 2 * MINUTE_US)
    assert starts.tolist() == [BEGIN_US, BEGIN_US + 2 * MINUTE_US]
    assert loss.tolist() == [[0.0, 105.0, 0.0, 110.0], [0.0, -55.0, 170.0, 100.0]]
    assert known.all()
    assert required.min() == required.max() == 100.0
    [everyone] = [one for one in coverage(paths, "high", 2 * MINUTE_US) if one.by == "all"]
    # A loss of exactly the requirement is covered.
    assert (everyone.windows, everyone.observations, everyone.hits, everyone.windows_with_hits) == (2, 8, 3, 2)
    assert (everyone.rate, everyone.worst) == (0.375, 1.7)


def test_transfers_are_no_profit() -> None:
    """Money that comes in does not hide a loss."""
    paths = run({"falls": FALLS})
    paths.flow_usd[1:] += 500.0
    paths.equity_usd[1:] += 500.0
    assert windows(paths, "high", 2 * MINUTE_US)[1].tolist() == [[110.0], [100.0]]


def test_errors_are_clustered() -> None:
    """Rows that hit together have the error of their number, not of the number of accounts."""
    hit = np.zeros((10, 50), dtype=bool)
    hit[0] = True
    known = np.ones_like(hit)
    error = clustered_error(hit, known)
    assert error is not None
    # The ratio estimator with equal clusters is the standard error of ten numbers, one of them 1.
    assert error == pytest.approx(np.std([1.0] + [0.0] * 9, ddof=1) / math.sqrt(10))
    assert clustered_error(hit[:1], known[:1]) is None


def test_a_probe_is_tested_alone() -> None:
    """Probes are judged coin by coin, and neither counted with accounts nor called."""
    series = [1_000.0 - 7.0 * t for t in range(40)]
    paths = run({"probe-long-BTC": series, "x": [200.0] * 40}, kinds=("probe-long", "directional"))
    [probe] = [one for one in coverage(paths, "high", 2 * MINUTE_US) if one.by == "coin"]
    assert probe.group == "long-BTC"
    assert probe.tests is not None
    assert (probe.hits, probe.tests.light.zone) == (0, "green")
    [everyone] = [one for one in coverage(paths, "high", 2 * MINUTE_US) if one.by == "all"]
    assert everyone.observations == probe.observations == 19


def test_procyclicality_by_hand() -> None:
    """Peak to trough over all, rises from an earlier moment within the span, deviation of logarithms."""
    times = np.array([0.0, 3.6e9, 7.2e9, 10.8e9, 14.4e9])
    peak, rises, deviation = measures(times, np.array([2.0, 1.0, 1.5, 4.0, 3.0]))
    assert peak == 4.0
    assert rises["1h"] == pytest.approx(4.0 / 1.5)
    assert rises["24h"] is None  # the series is shorter
    assert deviation == pytest.approx(np.std(np.log([0.5, 1.5, 4.0 / 1.5, 0.75]), ddof=1))


def test_policies_by_hand() -> None:
    """Closing everything a sample after the trigger keeps equity less the cost; a late one leaves debt."""
    paths = run({"falls": FALLS})
    done = outcome(paths, "high", Policy(name="x", close="everything", delay_samples=0, cost_rate=0.01))
    # Liquidated at 75 with 1,000 to close at 1 %: 65 are left, nothing is owed.
    assert (done.acted_on, done.closed_usd, done.cost_usd, done.bad_debt_usd) == (1, 1_000.0, 10.0, 0.0)
    assert (done.defaults_without, done.defaults_avoided, done.cost_per_avoided_usd) == (1, 1, 10.0)
    late = outcome(paths, "high", Policy(name="x", close="everything", delay_samples=1, cost_rate=0.01))
    assert (late.bad_debt_usd, late.defaults_avoided) == (20.0, 0)  # at -10, and 10 to close
    assert late.debt_without_usd == 20.0


def test_a_finite_fund_leaves_the_rest_to_winners() -> None:
    """A debt of 20 on 1,000: the fund pays what it has, then the winner of the highest rank, who is closed."""
    rises = {"a": [200.0, 200.0, 200.0, 210.0, 210.0, 210.0], "b": [200.0, 250.0, 300.0, 300.0, 300.0, 310.0]}
    paths = run({"falls": FALLS, **rises})
    late = Policy(name="x", close="everything", delay_samples=1, cost_rate=0.01)
    asked = []
    for fund in (None, 50.0, 5.0, 0.0):
        done = outcome(paths, "high", late, fund)
        assert done.bad_debt_usd == 20.0
        asked.append((done.insurance_used_usd, done.deleveraged_usd, done.deleveraged, done.unpaid_usd))
    # b has 1/3 of profit at a leverage of 10/3, a 1/21 at 100/21: b takes all 1,000 and bears the rest.
    assert asked == [(20.0, 0.0, 0, 0.0), (20.0, 0.0, 0, 0.0), (5.0, 15.0, 1, 0.0), (0.0, 20.0, 1, 0.0)]
    alone = outcome(run({"falls": FALLS}), "high", late, 0.0)
    assert (alone.deleveraged_usd, alone.unpaid_usd) == (0.0, 20.0)


def test_winners_are_closed_in_the_order_of_their_rank() -> None:
    """1,500 of notional that left 30: the first bears two thirds, the second the rest, one without profit nothing."""
    rank = np.array([0.5, math.nan, 2.0])
    fund = Insurance(0.0)
    borne, closed = fund.deleverage(30.0, 1_500.0, rank, np.array([800.0, 900.0, 1_000.0]))
    assert closed.tolist() == [500.0, 0.0, 1_000.0]
    assert borne.tolist() == [10.0, 0.0, 20.0]
    assert (fund.deleveraged_usd, fund.unpaid_usd) == (30.0, 0.0)
    # Positions of 1,800 against 3,600: half of the debt has no one to bear it.
    fund.deleverage(30.0, 3_600.0, rank, np.array([800.0, 900.0, 1_000.0]))
    assert (fund.deleveraged_usd, fund.unpaid_usd) == (45.0, 15.0)


def test_the_least_share_restores_the_target() -> None:
    """What is closed brings IM to `leave_v` of equity after costs."""
    paths = run({"x": [200.0, 75.0, 75.0]})
    done = outcome(paths, "high", Policy(name="x", delay_samples=0, cost_rate=0.002, leave_v=0.95))
    share = done.closed_usd / 1_000.0
    assert (1.0 - share) * 100.0 == pytest.approx(0.95 * (75.0 - 2.0 * share))


def test_the_smallest_earlier_action_is_enough_and_less_is_not() -> None:
    """The least deposit and reduction keep equity at maintenance exactly; a liquidation has its last chance named."""
    paths = run({"falls": FALLS})
    [found] = audit(paths, "high", calls_of(paths, "high"), cost_rate=0.01)
    assert (found.called_us, found.liquidated_us) == (BEGIN_US + 121_000_000, BEGIN_US + 180_000_000)
    minute = found.actions[0]
    assert minute.lead_s == 60
    assert minute.deposit_usd == 100.0  # at -20, maintenance is 80
    # From 90 on, ending at -20: 90 - 10 x - 110 (1 - x) >= 80 (1 - x).
    assert minute.reduction == pytest.approx(100.0 / 180.0)
    assert found.last_us == BEGIN_US + 2 * MINUTE_US
    assert found.last_small_us is None


def test_differences_and_disagreement() -> None:
    """Accounts are matched with themselves; a lead is what A gains on B."""
    paths = run()
    found = {one.kind: one for one in differences("a", calls_of(paths, "high"), "b", calls_of(paths, "low"))}
    liquidation = found["liquidation"]
    assert (liquidation.both, liquidation.only_a, liquidation.only_b) == (1, 1, 0)
    assert liquidation.accounts[0].account == "falls"
    assert found["bankrupt"].same == 1
    at = disagreement(paths)[2]  # 95 and 90 are below 100, and above 50
    assert (at.highest, at.lowest, at.ratio, at.disputed, at.short) == ("high", "low", 2.0, 2, {"high": 2, "low": 0})


def test_a_run_is_read_back_and_parts_are_put_together(tmp_path: Path) -> None:
    """A stored run is the same run; split by accounts and joined it is, too; a damaged one is refused."""
    paths = run()
    store.save(tmp_path / "run", paths)
    first = (tmp_path / "run" / store.ARRAYS).read_bytes()
    assert store.load(tmp_path / "run").digest() == paths.digest()
    store.save(tmp_path / "run", paths)
    assert (tmp_path / "run" / store.ARRAYS).read_bytes() == first
    odd = np.arange(4) % 2 == 1
    assert beside([paths.where(odd), paths.where(~odd)]).digest() == paths.digest()
    head = tmp_path / "run" / store.HEAD
    head.write_text(head.read_text().replace("falls", "fells"))
    with pytest.raises(UsageError, match="digest"):
        store.load(tmp_path / "run")


def test_configurations_are_read() -> None:
    """Treatments change netting alone; a name may be given; what is twice or unknown is refused."""
    found = parsed(["P", "P+identity_floor", "mine=P+plain_sum"], lambda _: pytest.fail("no file is named"))
    assert [one.name for one in found] == ["P", "P.identity_floor", "mine"]
    assert found[1].parameters.netting.floor_correlation == 0.0
    assert found[2].parameters.netting.breakdown_stress == 1.0
    for texts in (["P", "P"], ["Z"], ["P+nothing"]):
        with pytest.raises(ValueError, match=r"twice|no model|no treatment"):
            parsed(texts, lambda _: pytest.fail("no file is named"))


def test_the_search_shows_everything_and_takes_the_best_in_sample() -> None:
    """Every candidate is there with both scores; the chosen one has the least score on the period it is chosen by."""
    paths = run()
    weights = calibration.Weights(horizon_us=MINUTE_US, false_us=2 * MINUTE_US, probability=0.01)
    found = calibration.search(("a", paths), [("b", paths)], [0.9, 1.0], [1.0, 2.0], weights)
    assert len(found.tried) == 8
    best = min(one.fitted.score for one in found.tried)
    assert found.tried[found.chosen].fitted.score == best
    assert all(one.judged["b"] == one.fitted for one in found.tried)
    # By hand: losses over a minute beyond 50 are 170, 85 and 60 (60 is 150 - 90) of 20, and the default is missed.
    low = next(one for one in found.tried if (one.configuration, one.call_v, one.level) == ("low", 1.0, 1.0))
    assert (low.fitted.hit_rate, low.fitted.missed_rate, low.fitted.capital_of_gross) == (4 / 20, 1.0, 0.05)
    with pytest.raises(ValueError, match="nothing to try"):
        calibration.search(("a", paths), [], [], [1.0])


def test_a_fitted_set_is_a_record(tmp_path: Path) -> None:
    """What is written is read as a parameter set, its thresholds in order; a level is refused."""
    from monitor.asking.reading import set_from  # noqa: PLC0415

    paths = run()
    weights = calibration.Weights(horizon_us=MINUTE_US, false_us=2 * MINUTE_US)
    found = calibration.search(("a", paths), [("b", paths)], [0.9], [1.0], weights)
    chosen = calibration.fitted_set(found, paths, "fitted")
    (tmp_path / "set.json").write_bytes(msgspec.json.encode(chosen))
    read = set_from(tmp_path / "set.json")
    assert read == chosen
    assert read.status.margin_call_enter_v == 0.9
    assert read.status.warning_enter_v == pytest.approx(0.81)
    scaled = calibration.search(("a", paths), [("b", paths)], [0.9], [0.5], weights)
    with pytest.raises(ValueError, match="level"):
        calibration.fitted_set(scaled, paths, "fitted")


def test_a_run_is_judged_whole_and_the_same_again() -> None:
    """Everything is in one record that becomes JSON without NaN, twice the same; tables are whole."""
    terms = Terms(horizons_us=(MINUTE_US,), false_us=2 * MINUTE_US)
    once, _ = judged(run(), terms)
    again, _ = judged(run(), terms)
    assert msgspec.json.encode(once) == msgspec.json.encode(again)
    shown = tables(once)
    assert all(len(row) == len(one.heads) for one in shown for row in one.rows)
    assert markdown(shown).count("\n**") == len(shown) - 1


def test_events_of_other_kinds_are_passed_over() -> None:
    """A line that is no account event is passed over, one that is no JSON is an error."""
    assert calls_in([b'{"id":"x"}']) == []
    with pytest.raises(msgspec.DecodeError):
        calls_in([b"{"])


def test_sets_vary_over_every_combination() -> None:
    """Fields of a part, or of every risk matrix; a factor multiplies; each set has a name and differs there alone."""
    base = DEFAULT_ACTIVE.set
    found = varied(base, ["netting.floor_correlation=0.3,0.7", "matrices.price_range=x1,x1.5"])
    assert [(one.name, one.treatment) for one in found] == [
        ("P.1", "floor_correlation=0.3 price_range=x1"), ("P.2", "floor_correlation=0.3 price_range=x1.5"),
        ("P.3", "floor_correlation=0.7 price_range=x1"), ("P.4", "floor_correlation=0.7 price_range=x1.5"),
    ]  # fmt: skip
    wide = found[-1].parameters
    assert wide.netting == msgspec.structs.replace(base.netting, floor_correlation=0.7)
    assert wide.risk_matrix.price_range == 1.5 * base.risk_matrix.price_range
    assert {coin: one.price_range for coin, one in wide.underlyings.items()} == {
        coin: 1.5 * one.price_range for coin, one in base.underlyings.items()
    }
    assert varied(base, []) == ()


@pytest.mark.parametrize(
    "text",
    ["netting", "netting.floor_correlation=", "netting.none=1", "none.price_range=1", "netting.floor_correlation=1.5",
     "netting.ranges=wide", "netting.fixed_ranges=BTC", "netting.floor_correlation=half"],
)  # fmt: skip
def test_what_does_not_vary_is_refused(text: str) -> None:
    """No field, no value, out of range, or no number."""
    with pytest.raises((ValueError, msgspec.ValidationError)):
        varied(DEFAULT_ACTIVE.set, [text])
