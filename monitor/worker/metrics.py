"""What a worker counts and measures, as Prometheus reads it: docs/metrics.md lists all of it.

Two kinds. Meters are fed where things happen. Figures are taken of the whole worker by its own loop, twice a second,
and handed over in one piece: the thread that answers scrapes never looks into a state that changes under it. Labels are
topics, partitions, kinds, names of watchdogs and at most twelve coins; never accounts, instruments or anything else
that grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.worker.exposure import Exposure, families
from monitor.worker.recovery import Progress
from monitor.worker.watchdogs import Verdict
from schemas.records import EventKind

# Times of creation double the series and tell nothing that `process_start_time_seconds` does not.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "liqmon_"

KINDS: Final = (*get_args(EventKind), "regime", "range")
STEP_BUCKETS_S = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
FLUSH_BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
LATENCY_BUCKETS_S = (0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Meters:
    """Counters and histograms that are fed where things happen; cheap, and safe in any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._records = self._counter("records_applied", "Records applied to the engine's state.", "topic")
        self._events = self._counter("events_published", "Events acknowledged by the broker.", "kind")
        for kind in KINDS:
            # From 0 on: of a series that begins with its first events Prometheus sees no increase.
            self._events.labels(kind)
        self._letters = self._counter("dead_letters", "Refused records, acknowledged.", "topic", "reason")
        self._advice = self._counter("advice", "Events advised on, and those that were not.", "outcome")
        self.step_s = self._histogram("step_seconds", "One step of the engine.", STEP_BUCKETS_S)
        self.flush_s = self._histogram("flush_seconds", "One flush, all acknowledgements included.", FLUSH_BUCKETS_S)
        self.latency_s = self._histogram(
            "tick_to_event_seconds", "From a tick's arrival here to its event's acknowledgement.", LATENCY_BUCKETS_S
        )  # fmt: skip

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(PREFIX + name, text, buckets=buckets, registry=self.registry)

    def applied(self, topics: Mapping[str, int]) -> None:
        """Count applied records by topic."""
        for topic, count in topics.items():
            self._records.labels(topic).inc(count)

    def published(self, kinds: Mapping[str, int]) -> None:
        """Count events by kind."""
        for kind, count in kinds.items():
            self._events.labels(kind).inc(count)

    def advised(self, outcome: str) -> None:
        """Count an event by what came of advice on it."""
        self._advice.labels(outcome).inc()

    def refused(self, letters: Iterable[tuple[str, str]]) -> None:
        """Count dead letters, each given as (topic, reason)."""
        for topic, reason in letters:
            self._letters.labels(topic, reason).inc()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a worker's loop saw of itself at `at_s`.

    `ready` is whether all accounts of its partitions are evaluated, `partitions` how many it has. `values` has one
    number for each name in `GAUGES` and `COUNTERS` that applies; the others are by topic and partition, or by status.
    """

    at_s: float
    ready: bool = False
    partitions: int = 0
    settled: bool = False
    verdicts: tuple[Verdict, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    lag_records: Mapping[tuple[str, int], int] = field(default_factory=dict)
    lag_s: Mapping[tuple[str, int], float] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    exposure: Exposure = field(default_factory=Exposure)
    recovery: Progress | None = None


GAUGES: Final[dict[str, str]] = {
    "ready": "1 while all accounts of its partitions are evaluated and no watchdog is raised.",
    "idle": "1 while the group gives it no partition.",
    "recovery_share": "How much is read of the state that it takes over, then of what waits for it; 1 beside that.",
    "recovery_left_seconds": "How long that goes on at the rate of the last seconds, where that is known.",
    "partitions": "Partitions it owns.",
    "partitions_expected": "Partitions of account topics, P: what all workers together should own.",
    "accounts_on_data_hold": "Accounts whose decisions are held because data are doubtful.",
    "accounts_to_be_decided": "Of these, held for longer than the longest data hold: a person has to decide.",
    "outbox_events": "Events that are stored or to be stored, and not known to be published.",
    "intake_records": "Records of account topics that are taken in and not applied.",
    "overloaded": "1 while evaluations are conflated.",
    "market_age_seconds": "This clock, less market time: publishers' clocks, the way here, and lag.",
    "market_lag_seconds": "Event time of the last tick taken in, less market time.",
    "sound": "1 while no account is known to differ from its recomputation.",
}
COUNTERS: Final[dict[str, str]] = {
    "flushes": "Flushes acknowledged.",
    "messages_sent": "Messages acknowledged, of all kinds.",
    "offset_holes": "Holes in the offsets that were found to be legal, and passed.",
    "messages_refetched": "Messages that the framework dropped and that were read again.",
    "messages_stale": "Messages of an older generation of the group, dropped.",
    "recoveries": "Partitions taken over with their state.",
    "recovered_records": "Changelog records read for that.",
    "rewinds": "Folds of the market begun again, from snapshots or from nothing.",
    "snapshots_written": "Snapshots of a market fold written.",
    "snapshots_loaded": "Snapshots that a fold was begun from.",
    "snapshots_refused": "Snapshots, or messages of their topic, that could not be used and were passed over.",
    "snapshots_dropped": "Snapshots that were not written because others waited for the broker.",
    "overloads": "Declared overloads.",
    "conflated_records": "Market records folded without an evaluation of their own.",
    "late_records": "Records given to the engine after one of a later event time.",
    "audit_checks": "Accounts computed again from nothing.",
    "audit_differences": "Of these, differences found.",
    "certificates_left": "Accounts out of the boxes of their certificates.",
    "certificates_evaluated": "Accounts evaluated from nothing because of that, or to be certified.",
    "certificates_proven": "Accounts certified without being evaluated: their status is proven to stand.",
    "certificates_made": "Certificates made.",
    "certificates_given_up": "Times that a group of accounts went back to the exact path.",
}


class Exposed(Collector):
    """Gives the latest figures of a worker to a registry."""

    def __init__(self) -> None:
        self.figures: Figures | None = None

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: names are checked by a test, not at each registration."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield all families of the latest figures; none before there are any."""
        figures = self.figures
        if figures is None:
            return
        for name, text in GAUGES.items():
            if name in figures.values:
                yield _with(GaugeMetricFamily(PREFIX + name, text), figures.values[name])
        for name, text in COUNTERS.items():
            if name in figures.values:
                yield _with(CounterMetricFamily(PREFIX + name, text), figures.values[name])
        yield from _labelled(figures)
        yield from families(figures.exposure)


def _with(family: Any, value: float) -> Metric:
    family.add_metric([], value)
    made: Metric = family
    return made


def _labelled(figures: Figures) -> Iterator[Metric]:
    records = GaugeMetricFamily(
        PREFIX + "lag_records", "Offsets on the broker that are not applied.", labels=("topic", "partition")
    )
    for (topic, partition), lag in figures.lag_records.items():
        records.add_metric([topic, str(partition)], lag)
    yield records
    seconds = GaugeMetricFamily(
        PREFIX + "lag_seconds", "Event time from the oldest waiting record to the newest taken in.",
        labels=("topic", "partition"),
    )  # fmt: skip
    for (topic, partition), lag_s in figures.lag_s.items():
        seconds.add_metric([topic, str(partition)], lag_s)
    yield seconds
    accounts = GaugeMetricFamily(PREFIX + "accounts", "Accounts of its partitions.", labels=("status",))
    for status, count in figures.statuses.items():
        accounts.add_metric([status], count)
    yield accounts
    watchdogs = GaugeMetricFamily(
        PREFIX + "watchdog", "0 well, 1 raised, 2 ends the process.", labels=("name",)
    )  # fmt: skip
    for verdict in figures.verdicts:
        watchdogs.add_metric([verdict.name], int(verdict.level))
    yield watchdogs


def exposed(meters: Meters) -> Exposed:
    """Add figures to the registry of some meters, and return where to put them."""
    made = Exposed()
    meters.registry.register(made)
    return made


def text(registry: CollectorRegistry) -> bytes:
    """Return all metrics in Prometheus' text format."""
    return generate_latest(registry)
