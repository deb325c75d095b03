"""The table of accounts: which state counts, which figures, and what is found."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.web.accounts import Accounts, Query, Sample
from schemas.records import AccountState


def state(account: str = "a", **more: Any) -> AccountState:
    told: dict[str, Any] = {
        "account": account, "status": "healthy", "data_hold": False, "episode": 0, "sequence": 0, "version": 1,
        "event_time_us": 1_000, "equity_usd": 100.0, "im_requirement_usd": 50.0, "mm_requirement_usd": 40.0,
        "model": "P", "parameter_set": "default", "parameter_hash": "9bdc34f03cf6f719", "positions": {}, "v": 1,
    }  # fmt: skip
    return AccountState(**(told | more))


def names(accounts: Accounts, **query: Any) -> list[str]:
    return [one.account for one in accounts.find(Query(**query))[1]]


@given(
    st.permutations(
        [
            (epoch, version, status)
            for epoch, version, status in [
                (1, 1, "healthy"),
                (1, 7, "bankrupt"),
                (2, 2, "warning"),
                (2, 3, "liquidation"),
            ]
        ]
    )
)
def test_the_state_of_the_latest_epoch_and_version_counts(order: list[tuple[int, int, Any]]) -> None:
    """In whatever order they are read: a worker that was put out does not bring an older status back."""
    accounts = Accounts()
    for epoch, version, status in order:
        accounts.state(state(version=version, status=status), epoch)
    assert accounts.counts()["liquidation"] == 1
    assert sum(accounts.counts().values()) == 1


def test_the_newest_figures_count_and_the_published_status() -> None:
    """A sample renews the figures and nothing else; an older one changes nothing."""
    accounts = Accounts()
    accounts.sample(Sample("a", 5_000, 1.0, 1.0, 1.0))
    assert len(accounts) == 0  # nobody has said yet what it is
    accounts.state(state(status="warning"), 1)
    accounts.sample(Sample("a", 2_000, 200.0, 190.0, 152.0))
    accounts.sample(Sample("a", 1_500, 1.0, 1.0, 1.0))
    found = accounts.row("a")
    assert found is not None
    assert (found.equity_usd, found.status, found.time_us, found.here) == (200.0, "warning", 2_000, True)
    assert (found.u, found.v) == (0.76, 0.95)
    accounts.state(state(status="margin_call", version=2, event_time_us=3_000, equity_usd=80.0), 1)
    found = accounts.row("a")
    assert found is not None
    assert (found.equity_usd, found.status) == (80.0, "margin_call")
    accounts.disown()
    found = accounts.row("a")
    assert found is not None
    assert not found.here


def test_a_closed_account_is_gone_and_may_come_back() -> None:
    """Closed, deleted and opened again."""
    accounts = Accounts()
    accounts.state(state(closed=True), 1)
    assert (len(accounts), accounts.row("a"), "a" in accounts) == (0, None, False)
    accounts.state(state(version=2), 1)
    assert len(accounts) == 1
    accounts.remove("a")
    accounts.remove("nobody")
    assert len(accounts) == 0


def test_totals_leave_out_what_has_no_figures() -> None:
    """A sum is never spoilt by one account without a price, and says how many it lacks."""
    accounts = Accounts()
    for name in "abc":
        accounts.state(state(name), 1)
    accounts.sample(Sample("b", 2_000, math.nan, math.nan, math.nan))
    totals = accounts.totals()
    assert (totals.accounts, totals.unknown, totals.equity_usd, totals.im_requirement_usd) == (3, 1, 200.0, 100.0)
    row = accounts.row("b")
    assert row is not None
    assert (row.equity_usd, row.u) == (None, None)
    assert accounts.point("b") is None


def test_orders_and_filters() -> None:
    """The worst comes first, without equity before all, unknown last; text, status and hold narrow it."""
    accounts = Accounts()
    told = {"low": 400.0, "high": 45.0, "broke": -5.0, "mid": 80.0, "unknown": 1.0}
    for name, equity in told.items():
        status = "bankrupt" if equity < 0 else "margin_call" if name == "high" else "healthy"
        accounts.state(state(name, equity_usd=equity, status=status, data_hold=name == "mid"), 1)
    accounts.sample(Sample("unknown", 2_000, math.nan, math.nan, math.nan))
    assert names(accounts) == ["broke", "high", "mid", "low", "unknown"]
    assert accounts.highest(2) == ["broke", "high"]
    assert names(accounts, sort="equity")[:2] == ["low", "mid"]
    assert names(accounts, sort="account") == sorted(told)
    assert names(accounts, sort="status")[:2] == ["broke", "high"]
    assert names(accounts, text="I") == ["high", "mid"]
    assert names(accounts, held=True) == ["mid"]
    assert names(accounts, statuses=("healthy",), limit=1, offset=1) == ["low"]
    assert accounts.find(Query(statuses=("healthy",), limit=1))[0] == 3


@pytest.mark.parametrize("count", [63, 64, 65, 500])
def test_any_number_of_accounts(count: int) -> None:
    """Columns grow."""
    accounts = Accounts()
    for number in range(count):
        accounts.state(state(f"a-{number}", equity_usd=float(number + 1)), 1)
    assert (len(accounts), accounts.totals().equity_usd) == (count, count * (count + 1) / 2)
    assert names(accounts, limit=1) == ["a-0"]
