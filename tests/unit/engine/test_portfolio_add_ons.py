"""Portfolios of the engine's accounts with what add-ons and owners need of them."""

from __future__ import annotations

import math

import pytest

from monitor.engine import evaluate_account, new_state, open_shard, step
from monitor.engine.composite import TicksFold
from monitor.engine.portfolio import portfolio_of
from monitor.models.add_ons import add_ons, with_add_ons
from monitor.models.collateral import usd_balance, with_collateral
from monitor.models.merging import merge
from monitor.models.owner import SubAccount, owner_view
from monitor.models.registry import MODELS
from schemas.add_ons import PRUDENT, beside
from schemas.collateral import PRUDENT as PRUDENT_COLLATERAL
from schemas.records import Funding, Heartbeat
from tests.engine_market import START_US, Log, random_market
from tests.portfolios import correlations, netted

HOUR_US = 3_600_000_000
ACCOUNTS = tuple("abcdef")


def funding(rate: float, interval_ms: int, time_us: int = START_US) -> Funding:
    return Funding(
        instrument="BTC-PERPETUAL", underlying="BTC", source="venue", rate=rate, interval_ms=interval_ms,
        event_time_us=time_us, received_time_us=time_us,
    )  # fmt: skip


def test_a_rate_is_told_for_eight_hours() -> None:
    """One basis point an hour is eight in eight hours; before any rate, and two intervals after it, there is none."""
    fold = TicksFold()
    assert math.isnan(fold.funding_rate_8h("BTC-PERPETUAL"))
    fold.apply(funding(0.0001, 3_600_000))
    assert fold.funding_rate_8h("BTC-PERPETUAL") == pytest.approx(0.0008)
    fold.apply(Heartbeat(source="clock", event_time_us=START_US + 2 * HOUR_US))
    assert fold.funding_rate_8h("BTC-PERPETUAL") == pytest.approx(0.0008)
    fold.apply(Heartbeat(source="clock", event_time_us=START_US + 2 * HOUR_US + 1_000_000))
    assert math.isnan(fold.funding_rate_8h("BTC-PERPETUAL"))


@pytest.mark.parametrize("seed", [0, 2])
def test_accounts_of_the_engine_have_add_ons_and_an_owner(seed: int) -> None:
    """Every account's portfolio has its balance, its add-ons and haircuts; together they are one owner's."""
    log, state = Log(), new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    for record in random_market(seed, 400, ACCOUNTS):
        step(state, [log(record)])
    chosen = state.market.parameters.get("default")
    assert chosen is not None
    subs, names = [], set()
    for name in ACCOUNTS:
        account = state.shards[0].accounts[name]
        book = portfolio_of(account, state.market)
        assert book.equity_usd == pytest.approx(evaluate_account(state, name).equity_usd, rel=1e-9)
        assert usd_balance(book) == pytest.approx(account.balances.get("USD", 0.0), abs=1e-6)
        for u in book.underlyings:
            listed = [state.market.instruments.get(row) for row in u.names[1:] if row is not None]
            assert u.settlement == (None, *(one.settlement for one in listed if one is not None))
            perpetual = [one is not None and one.type == "perpetual" for one in listed]
            assert all(rate == 0.0 for rate, is_one in zip(u.funding_rate_8h[1:], perpetual, strict=True) if not is_one)
        im, _, _, _ = add_ons(book, PRUDENT)
        assert all(map(math.isfinite, im.values()))
        model = netted(book)
        margin = with_collateral(with_add_ons(model, book, PRUDENT), book, PRUDENT_COLLATERAL)
        assert math.fsum(margin.im_components.values()) == margin.im_requirement_usd
        assert margin.computed
        assert margin.im_requirement_usd > model.im_requirement_usd
        for each in MODELS.values():
            alone = each.compute(book, chosen.set, chosen.hash)
            more = with_add_ons(alone, book, beside(each.name, PRUDENT))
            assert math.fsum(more.im_components.values()) == pytest.approx(more.im_requirement_usd, nan_ok=True)
            added = math.fsum(usd for key, usd in more.im_components.items() if key.startswith("add_on_"))
            assert more.im_requirement_usd - alone.im_requirement_usd == pytest.approx(added, rel=1e-9, nan_ok=True)
            assert more.computed == alone.computed
        subs.append(SubAccount("x", book, model))
        names |= {u.name for u in book.underlyings}
    union = correlations(sorted(names))
    merged = merge([sub.portfolio for sub in subs], union, "owner")
    view = owner_view("owner", subs, union, netted)
    assert merged.equity_usd == pytest.approx(view.equity_usd, rel=1e-9)
    assert view.economic.equity_usd == merged.equity_usd
    assert view.netting_benefit_usd > 0.0
