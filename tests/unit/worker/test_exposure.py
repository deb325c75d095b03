"""What dashboards show: money of accounts in trouble, ranks without names, indices and correlations."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from monitor.engine import new_state, step
from monitor.engine.state import Account
from monitor.worker.exposure import MAX_COINS, RANKS, Exposure, families, look
from monitor.worker.metrics import Figures, Meters, exposed, text
from schemas.records import AccountConfig
from tests.engine_market import Log, opening


def account(name: str, status: Any, equity: float, maintenance: float) -> Account:
    return Account(
        config=AccountConfig(account=name, event_time_us=0), status=status, equity_usd=equity,
        im_requirement_usd=1.25 * maintenance, mm_requirement_usd=maintenance,
    )  # fmt: skip


def samples(seen: Exposure) -> dict[tuple[str, tuple[str, ...]], float]:
    meters = Meters()
    exposed(meters).figures = Figures(at_s=0.0, exposure=seen)
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text(meters.registry).decode()) for sample in family.samples
    }  # fmt: skip


def test_money_of_accounts_in_trouble_is_summed_by_status() -> None:
    """Healthy and closed accounts do not count, and the ranks carry numbers and no names."""
    accounts = [
        account("secret-1", "margin_call", 100.0, 80.0), account("secret-2", "margin_call", 50.0, 45.0),
        account("secret-3", "healthy", 1e9, 1.0), account("secret-4", "bankrupt", -5.0, 10.0),
    ]  # fmt: skip
    found = samples(look(accounts, None))
    assert found["liqmon_trouble_equity_usd", ("margin_call",)] == 150.0
    assert found["liqmon_trouble_requirement_usd", ("maintenance", "margin_call")] == 125.0
    assert found["liqmon_trouble_requirement_usd", ("initial", "bankrupt")] == 12.5
    assert found["liqmon_utilisation_ratio", ("01",)] == 0.9
    assert found["liqmon_utilisation_ratio", ("02",)] == 0.8
    assert ("liqmon_utilisation_ratio", ("03",)) not in found
    assert not any("secret" in label or label == "healthy" for _, labels in found for label in labels)


def test_ranks_and_coins_do_not_grow_with_the_book() -> None:
    """A thousand accounts are twenty ranks; forty coins are twelve."""
    seen = look([account(f"a{n}", "warning", 100.0, float(n)) for n in range(1_000)], None)
    assert seen.utilisation == tuple(n / 100.0 for n in range(999, 999 - RANKS, -1))
    assert MAX_COINS**2 == 144


def test_the_market_is_shown_as_the_engine_has_it() -> None:
    """Indices that are fresh and held, the regime, and what the published correlations say."""
    state, log = new_state(), Log()
    step(state, [log(record) for record in opening()])
    seen = look((), state.market)
    ticks = state.market.ticks
    assert sum(seen.indices.values()) == len(ticks.underlyings) > 0
    views = [ticks.index(name) for name in ticks.underlyings]
    assert seen.indices["held"] == sum(view is None or view.held for view in views)
    assert seen.regime == "calm"
    found = samples(seen)
    assert found["liqmon_regime", ("calm",)] == 1.0
    assert found["liqmon_regime", ("breakdown",)] == 0.0


def test_before_the_first_look_there_are_families_and_no_samples() -> None:
    """What is not known yet has no value, not zero."""
    assert all(not family.samples for family in families(Exposure()))
