"""Metrics: what is counted, how it reads, and that the page about them lists them all."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from monitor.engine import new_state
from monitor.engine.outbox import Event
from monitor.engine.state import Account
from monitor.engine.status import conditions, on_conditions, on_timer
from monitor.worker.intake import Delivered, Source
from monitor.worker.market_reader import MarketReader
from monitor.worker.metrics import COUNTERS, GAUGES, Figures, Meters, exposed, text
from monitor.worker.observer import holds, measure_events, of_books, offsets_of
from monitor.worker.options import WorkerOptions
from monitor.worker.watchdogs import WATCHDOGS, Level, SourceOffsets, Verdict
from schemas.records import AccountConfig, StatusParameters
from schemas.topics import TICKS, TRADES
from tests.support import ROOT


def samples(meters: Meters) -> dict[str, float]:
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text(meters.registry).decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def event(kind: str, offset: int | None) -> Event:
    body: dict[str, Any] = {"kind": kind, "account": "secret-account"}
    if offset is not None:
        body["cause"] = {"topic": TICKS.name, "offset": offset}
    return Event(0, "t", b"secret-account", "id", msgspec.json.encode(body), 1)


def test_events_are_counted_by_kind_and_timed_from_their_tick() -> None:
    """Each event counts; only one whose tick's arrival is known is timed; no account is in any label."""
    meters = Meters()
    arrivals = {7: 9.99, 8: 9.5}
    events = [event("warning", 7), event("warning", 8), event("liquidation", 6), event("regime", None)]
    measure_events(meters, events, lambda topic, offset: arrivals.get(offset) if topic == TICKS.name else None, 10.0)
    found = samples(meters)
    assert found["liqmon_events_published_total{kind=warning}"] == 2
    assert found["liqmon_events_published_total{kind=liquidation}"] == 1
    assert found["liqmon_events_published_total{kind=regime}"] == 1
    assert found["liqmon_tick_to_event_seconds_count"] == 2
    assert found["liqmon_tick_to_event_seconds_bucket{le=0.015}"] == 1
    assert abs(found["liqmon_tick_to_event_seconds_sum"] - 0.51) < 1e-9
    assert not any("secret" in name for name in found)


def test_figures_replace_each_other_as_one() -> None:
    """Before the first look only meters are there; then each figure is that of the newest look."""
    meters = Meters()
    shown = exposed(meters)
    assert "liqmon_ready" not in samples(meters)
    for value in (1.0, 2.0):
        shown.figures = Figures(
            at_s=value, values=dict.fromkeys([*GAUGES, *COUNTERS], value), lag_records={("t", 3): int(value)},
            lag_s={("t", 3): value}, statuses={"healthy": int(value)},
            verdicts=(Verdict("disk", Level.RAISED, "full"),),
        )  # fmt: skip
        found = samples(meters)
        assert {found[f"liqmon_{name}"] for name in GAUGES} == {value}
        assert {found[f"liqmon_{name}_total"] for name in COUNTERS} == {value}
        assert found["liqmon_lag_records{partition=3,topic=t}"] == value
        assert found["liqmon_lag_seconds{partition=3,topic=t}"] == value
        assert found["liqmon_accounts{status=healthy}"] == value
        assert found["liqmon_watchdog{name=disk}"] == 1.0


def test_the_page_lists_every_metric_and_every_watchdog() -> None:
    """docs/metrics.md names exactly what is exposed, and docs/watchdogs.md exactly the registry."""
    meters = Meters()
    meters.applied({"t": 1})
    meters.published({"k": 1})
    meters.refused([("t", "r")])
    exposed(meters).figures = Figures(at_s=0.0, values=dict.fromkeys([*GAUGES, *COUNTERS], 0.0))
    families = {family.name: family.type for family in text_string_to_metric_families(text(meters.registry).decode())}
    names = {name + "_total" * (kind == "counter" and not name.endswith("_total")) for name, kind in families.items()}
    ours = {name for name in names if name.startswith("liqmon_")}
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"^\| `(liqmon_[a-z_]+)", page, re.MULTILINE)) == ours
    table = (ROOT / "docs" / "watchdogs.md").read_text()
    assert re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)[: len(WATCHDOGS)] == list(WATCHDOGS)


def test_a_tick_is_timed_from_the_poll_that_brought_it() -> None:
    """An offset belongs to the first poll that reached it; what came before the oldest known one is not guessed."""
    reader = MarketReader(WorkerOptions("b:1", 1), SimpleNamespace(set=lambda: None))  # type: ignore[arg-type]
    reader._arrivals.extend([(10, 1.0), (20, 2.0)])
    assert [reader.arrived_s(offset) for offset in (5, 10, 11, 20, 21)] == [1.0, 1.0, 2.0, 2.0, None]
    reader._arrivals.extend((20 + number, 3.0) for number in range(1, 5_000))
    assert reader.arrived_s(5) is None
    assert reader.arrived_s(5_000) == 3.0
    reader.rewind()
    assert reader.arrived_s(5_000) is None


def test_holds_that_wait_for_a_person_are_counted_apart() -> None:
    """An account whose hold has outlasted its time is one that a person has to decide; good data take it out again."""
    account = Account(config=AccountConfig(account="a", event_time_us=0))
    limits = StatusParameters(max_data_hold_ms=300_000)
    held = conditions(0.0, 1.0, 1.0, True, held=True, parameters=limits)
    on_conditions(account, held, 0, limits)
    assert holds([account]) == (1, 0)
    on_timer(account, held, 300_000_000, limits)
    assert holds([account, Account(config=account.config)]) == (1, 1)
    on_conditions(account, conditions(9.0, 1.0, 1.0, True, held=False, parameters=limits), 400_000_000, limits)
    assert holds([account]) == (0, 0)


def test_counters_of_books_are_summed() -> None:
    """What the certificates of all books of a worker did is one number each."""
    states = [new_state(), new_state()]
    for state in states:
        state.book.work.pops, state.book.work.swept = 2, 1
    found = of_books(states)
    assert (found["certificates_left"], found["certificates_given_up"], found["certificates_made"]) == (4.0, 2.0, 0.0)


def test_records_that_were_never_given_to_the_engine_show() -> None:
    """Messages that count as dealt with hold no more records than were applied, or it is told how many are missing."""
    source = Source(TRADES.name, 2, expected=3, primed=True)
    for offset in range(3):
        record: Any = None
        source.unacked.append(Delivered(TRADES.name, 2, offset, 1, b"k", b"v", [(0, record)], []))
    source.applied, source.applied_records = (1, 0), 1
    assert len(source.take_applied()) == 2
    source.done = 2
    assert offsets_of([source]) == [SourceOffsets(TRADES.name, 2, 2, 2, 3, lost=1)]
