"""Model D of accounts that the engine has built from a stream of records."""

from __future__ import annotations

import math

import pytest

from monitor.engine import new_state, open_shard, step
from monitor.engine.portfolio import portfolio_of
from monitor.models.joint import margin
from schemas.joint import JointParameters
from tests.engine_market import Log, random_market

PARAMETERS = JointParameters(draws=256)


def test_every_account_of_a_market_has_a_margin_or_reasons() -> None:
    """Where all has a price the requirement is finite and its parts sum up; where not, a reason says why."""
    log, state = Log(), new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    list(step(state, [log(record) for record in random_market(2, 1_000, tuple("abcdef"))]))
    accounts = [account for shard in state.shards.values() for account in shard.accounts.values()]
    computed = 0
    for account in accounts:
        portfolio = portfolio_of(account, state.market)
        got = margin(portfolio, PARAMETERS, "")
        if portfolio.missing:
            assert set(portfolio.missing) <= set(got.degraded)
            assert not got.computed
            continue
        computed += 1
        assert got.computed
        assert got.equity_usd == portfolio.equity_usd
        held = [one.name for one in portfolio.underlyings if (one.quantity != 0.0).any() and math.isnan(one.annual_vol)]
        assert {f"assumed_volatility:{name}" for name in held} <= set(got.degraded)
        assert math.fsum(part.im_usd for part in got.parts) == pytest.approx(got.im_components["shortfall"], rel=1e-9)
        assert got.im_requirement_usd >= got.mm_requirement_usd >= 0.0
    assert computed >= 4
