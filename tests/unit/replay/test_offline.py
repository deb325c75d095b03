from __future__ import annotations

import io
import itertools
from typing import Literal

import msgspec
import pytest

from monitor.replay import offline
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged, Span
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.offline import AccountTime, Summary
from monitor.replay.progress import Step
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource
from schemas.ids import canonical, digest
from schemas.records import AccountConfig, AccountEvent, Cause, Funding, Heartbeat, Input, PriceTick
from schemas.topics import TICKS

TIMER = Cause(topic="timer")
MARKET = MarketParameters(seed=8, minutes=8, ticks_per_second=0.2, coins=3)


@pytest.fixture(scope="module")
def accounts() -> list[tuple[str, Input]]:
    parameters = AccountParameters(seed=6, accounts=40, fills_per_hour=10.0)
    return generate_accounts(Merged([GeneratedMarket(MARKET)]), parameters).records


def run(accounts: list[tuple[str, Input]], partitions: int = 1, batch: int = 256) -> tuple[Summary, list[bytes]]:
    out = io.BytesIO()
    stream = Merged([GeneratedMarket(MARKET), ListSource("accounts", accounts, ACCOUNTS_FILE_TOPICS)])
    return offline.run(stream, out, partitions=partitions, batch=batch), out.getvalue().splitlines()


def test_a_run_gives_canonical_events_and_counts_them(accounts: list[tuple[str, Input]]) -> None:
    """Each line of the output is one event's canonical body, and the summary adds up."""
    summary, bodies = run(accounts)
    events = [msgspec.json.decode(body, type=AccountEvent) for body in bodies]
    assert [canonical(event) for event in events] == bodies
    assert len(events) == sum(summary.events.values()) > 5
    assert summary.accounts == 40
    assert summary.rejected == {}
    for kind, first in summary.first.items():
        found = next(event for event in events if event.kind == kind)
        assert (found.account, found.event_time_us, found.reason) == (first.account, first.event_time_us, first.reason)
    assert summary.total == sum(1 for _ in Merged([GeneratedMarket(MARKET)])) + len(accounts)


def test_a_run_can_be_repeated(accounts: list[tuple[str, Input]]) -> None:
    """The same stream gives the same events, byte for byte."""
    assert digest(run(accounts)[1]) == digest(run(accounts)[1])


@pytest.mark.parametrize("batch", [1, 100, 10_000])
def test_the_number_of_records_a_step_changes_nothing(accounts: list[tuple[str, Input]], batch: int) -> None:
    """Events are the same bytes in the same order, whether records come one by one or thousands at once."""
    assert run(accounts, partitions=4, batch=batch)[1] == run(accounts, partitions=4, batch=777)[1]


def test_the_number_of_partitions_changes_no_decision(accounts: list[tuple[str, Input]]) -> None:
    """Ids of events do not depend on how accounts are spread."""
    one, twelve = (
        sorted(msgspec.json.decode(body)["id"] for body in run(accounts, partitions=count)[1]) for count in (1, 12)
    )
    assert one == twelve


def test_a_span_ends_the_run(accounts: list[tuple[str, Input]]) -> None:
    """Nothing at or after `until` is stepped."""
    stop_us = accounts[0][1].event_time_us + 60_000_000
    stream = Merged(
        [GeneratedMarket(MARKET), ListSource("accounts", accounts, ACCOUNTS_FILE_TOPICS)], Span(until_us=stop_us)
    )
    assert offline.run(stream).last_us < stop_us


def test_progress_is_reported(accounts: list[tuple[str, Input]]) -> None:
    """Steps come with growing counts and shares."""
    steps: list[Step] = []
    ticking = itertools.count()
    stream = Merged([GeneratedMarket(MARKET), ListSource("accounts", accounts, ACCOUNTS_FILE_TOPICS)])
    offline.run(stream, on_step=steps.append, clock=lambda: float(next(ticking)))
    assert len(steps) > 3
    assert [step.records for step in steps] == sorted(step.records for step in steps)
    assert 0.0 < steps[-1].fraction <= 1.0


def test_account_time_is_shared_out_by_status() -> None:
    """Shares are of the time between an account's settings and the end."""
    spent = AccountTime()
    at = 1_700_000_000_000_000
    for name in ("a", "b"):
        spent.opened(AccountConfig(account=name, event_time_us=at))
    moves: tuple[tuple[Literal["warning", "margin_call"], int], ...] = (("warning", 10), ("margin_call", 40))
    for state, second in moves:
        spent.event(
            AccountEvent(
                id="0" * 32, kind=state, account="a", episode=1, sequence=second,
                state_from="healthy", state_to=state, data_hold=second == 40, jump=False,
                event_time_us=at + second * 1_000_000, valid_until_us=at, cause=TIMER, positions={}, model="A",
                parameter_set="default", parameter_hash="0", equity_usd=1.0, im_requirement_usd=1.0,
                mm_requirement_usd=1.0, shortfall_usd=0.0, reason="r", underlyings=(), v=1,
            )
        )  # fmt: skip
    summary = Summary()
    spent.finish(at + 100_000_000, summary)
    assert summary.status_share == pytest.approx({"healthy": 0.55, "warning": 0.15, "margin_call": 0.30})
    assert summary.data_hold_share == pytest.approx(0.30)
    assert (summary.accounts, summary.touched) == (2, 1)


def test_a_market_alone_runs_through_the_engine() -> None:
    """Without accounts there are no events, and every record is folded."""
    summary = offline.run(Merged([GeneratedMarket(MARKET)]))
    assert (summary.accounts, summary.events, summary.status_share) == (0, {}, {})
    ticks = sum(isinstance(record, PriceTick | Heartbeat | Funding) for _, record in Merged([GeneratedMarket(MARKET)]))
    assert summary.records[TICKS.name] == ticks
