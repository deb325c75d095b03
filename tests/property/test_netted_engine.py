"""Model P of a portfolio says what the engine says of the account."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from monitor.engine import State, evaluate_account, new_state, open_shard, step
from monitor.engine.contributions import entries_usd
from monitor.engine.evaluation import Evaluation
from monitor.engine.portfolio import active_set, portfolio_of
from monitor.models.margin import Margin
from monitor.models.netted import NettedParameters, margin
from tests.engine_market import Log, random_market

ACCOUNTS = tuple("abcdef")
EXACT = 1e-12


def modelled(state: State, name: str) -> Margin:
    """An account's margin by the model."""
    account = state.shards[0].accounts[name]
    active = active_set(account, state.market)
    parameters = NettedParameters(active.set.risk_matrix, active.set.underlyings, active.set.netting)
    return margin(portfolio_of(account, state.market), parameters, active.hash)


def agree(got: Margin, expected: Evaluation, entries: Mapping[str, float]) -> None:
    """Assert that figures, parts and worst cells are those of the engine, whose values have the entries in them."""
    for ours, theirs in (
        (got.equity_usd, expected.equity_usd),
        (got.im_requirement_usd, expected.im_requirement_usd),
        (got.mm_requirement_usd, expected.mm_requirement_usd),
    ):
        assert ours == pytest.approx(theirs, rel=EXACT, abs=1e-9)
    assert [part.underlying for part in got.parts] == [risk.underlying for risk in expected.underlyings]
    for part, risk in zip(got.parts, expected.underlyings, strict=True):
        assert part.im_usd == pytest.approx(risk.im_usd, rel=EXACT, abs=1e-9)
        value_usd = part.value_usd + entries.get(part.underlying, 0.0)
        assert value_usd == pytest.approx(risk.value_usd, rel=EXACT, abs=1e-9)
        assert part.delta_coins == pytest.approx(risk.delta_coins, rel=EXACT, abs=1e-15)
        cells = [(cell.scenario, cell.weight, cell.pnl_usd) for cell in got.worst if cell.underlying == part.underlying]
        assert cells == [(cell.scenario, cell.weight, cell.pnl_usd) for cell in risk.mixture or ()]
    if expected.correlation is not None:
        weights = {f"matrix_weight:{name}": weight for name, weight in expected.correlation.matrices.items()}
        assert {name: got.statistics[name] for name in weights} == weights
        assert got.statistics["correlation_stress"] == expected.correlation.stress


@pytest.mark.parametrize("seed", range(4))
def test_the_model_gives_the_figures_of_the_engine(seed: int) -> None:
    """Through trades, gaps, expiries and new matrices, for every account of model P, to 1e-12."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    compared = unvalued = netted = refined = 0
    for number, record in enumerate(random_market(seed, 500, ACCOUNTS, pace=20)):
        step(state, [log(record)])
        if number % 37:
            continue
        for name, account in state.shards[0].accounts.items():
            if account.config.margin_model != "P":
                continue
            got, expected = modelled(state, name), evaluate_account(state, name)
            if expected.valued:
                agree(got, expected, entries_usd(account, state.market))
                assert not any(reason.startswith("no_") for reason in got.degraded)
                compared += 1
                netted += len(got.parts) > 1
                refined += any(u.refinement > 1 for u in portfolio_of(account, state.market).underlyings)
            else:
                assert not got.computed
                assert math.isnan(got.im_requirement_usd)
                assert set(got.degraded) & {"no_price:ETH", "no_value:ETH-C", "no_value:ETH-P"}
                unvalued += 1
    assert compared > 20
    assert netted > 10
    assert refined > 0
    assert (unvalued > 0) == (seed % 2 == 1)
