"""What a seed stands for: the deployment, its sizes, and how often each fault comes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from monitor.worker import engine_task, group, live_order, log_view, market_reader, ownership, strict_order
from monitor.worker.options import WorkerOptions

# Every constant of the worker that only decides how much is done at once, and what it may be made.
BUGGIFY: dict[tuple[Any, str], tuple[float, ...]] = {
    (engine_task, "TURN_MS"): (0.05, 1.0, 20.0),
    (engine_task, "STATE_INTERVAL_MS"): (5.0, 50.0, 250.0),
    (engine_task, "MARKER_INTERVAL_MS"): (50.0, 300.0, 1_000.0),
    (engine_task, "FLUSH_RECORDS"): (1, 10, 20_000),
    (engine_task, "LOOK_MS"): (0.0, 5.0, 50.0),
    (engine_task, "STALL_MS"): (300.0, 2_000.0),
    (engine_task, "STALL_MESSAGES"): (1, 100),
    (engine_task, "BEHIND_RECORDS"): (5, 200, 10_000),
    (ownership, "PRIME_S"): (0.0, 0.5, 5.0),
    (ownership, "REBALANCE_TIMEOUT_S"): (5.0, 30.0),
    (live_order, "CHUNK"): (1, 5, 64),
    (strict_order, "CHUNK"): (1, 7, 128),
    (market_reader, "POLL_RECORDS"): (3, 50, 500),
    (log_view, "READ_AHEAD"): (2, 100, 5_000),
    (group, "COMMIT_INTERVAL_S"): (0.02, 0.5, 3.0),
}

# Those that came later have a draw of their own: seeds that were kept still mean what they meant.
BUGGIFY_TOO: dict[tuple[Any, str], tuple[float, ...]] = {
    (engine_task, "FLUSH_ACCOUNTS"): (1, 3, 5_000),
    (live_order, "OWN_CHUNK"): (1, 20, 512),
    (engine_task, "BACKLOG_SHARE"): (0.0, 1.0, 4.0),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One seed's simulation; shares are of one call each, `calm_s` is the mean time between two drawn faults."""

    seed: int
    records: int
    order: Literal["live", "strict"] = "live"
    workers: int = 2
    partitions: int = 3
    session_s: float = 3.0
    queue_records: int = 50_000
    flush_ms: float = 5.0
    audit_every: int = 200
    idempotent: bool = True
    transport: float = 0.0  # how often Faust drops or repeats a message
    lost_ack: float = 0.0
    lost_commit: float = 0.0
    refused: float = 0.0
    calm_s: float = 0.0  # 0: no faults
    rate: float = 60.0  # records a second
    frame: int = 1
    fetch: tuple[int, ...] = (500,)
    buffered: int = 256
    clock_cost_s: float = 1e-6
    buggified: dict[str, float] = field(default_factory=dict)
    snapshot_every: int = 100_000
    snapshot_chunk: int = 300_000

    @property
    def changelog(self) -> str:
        """Topic of the stored state."""
        return options_of(self).changelog

    def point_of(self, doing: str, topic: str) -> str:
        """Name the point at which something happens to a topic."""
        what = "state" if topic.endswith("-state-changelog") else topic.removeprefix("risk.").removesuffix(".v1")
        return f"{doing} {what}"

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Shrink what the seed shrinks."""
        shrunk = (*BUGGIFY, *BUGGIFY_TOO)
        before = [(module, name, getattr(module, name)) for module, name in shrunk]
        for module, name in shrunk:
            if name in self.buggified:
                setattr(module, name, self.buggified[name])
        try:
            yield
        finally:
            for module, name, value in before:
                setattr(module, name, value)


def draw_plan(seed: int, records: int) -> Plan:
    """Return the plan of a seed: all that differs from it follows from the number alone."""
    draw = random.Random(f"plan-{seed}")
    rate = draw.choice((20.0, 40.0, 100.0))
    buggified = {name: draw.choice(values) for (_, name), values in BUGGIFY.items() if draw.random() < 0.5}
    other = random.Random(f"too-{seed}")
    buggified |= {name: other.choice(values) for (_, name), values in BUGGIFY_TOO.items() if other.random() < 0.5}
    return Plan(
        seed=seed, records=records, order=draw.choice(("live", "strict")), workers=draw.choice((1, 2, 3)),
        partitions=draw.choice((2, 3, 4)), session_s=draw.choice((0.4, 0.8, 1.5)),
        queue_records=draw.choice((40, 400, 50_000)), flush_ms=draw.choice((0.0, 5.0, 100.0)),
        audit_every=draw.choice((0, 50, 200)), idempotent=draw.random() < 0.8,
        transport=draw.choice((0.0, 0.01, 0.05)), lost_ack=draw.choice((0.0, 0.02, 0.1)),
        lost_commit=draw.choice((0.0, 0.1, 0.5)), refused=draw.choice((0.0, 0.0, 0.003)),
        calm_s=records / rate / draw.choice((5, 10, 20)), rate=rate,
        frame=draw.choice((1, 1, 8, 40)), fetch=draw.choice(((1,), (1, 3, 20), (500,))),
        buffered=draw.choice((1, 8, 256)), clock_cost_s=draw.choice((1e-6, 2e-5, 2e-4)), buggified=buggified,
        snapshot_every=draw.choice((0, 2, 5, 20)), snapshot_chunk=draw.choice((200, 2_000, 300_000)),
    )  # fmt: skip


def options_of(plan: Plan) -> WorkerOptions:
    """Return the worker's options."""
    return WorkerOptions(
        broker="localhost:1", partitions=plan.partitions, session_timeout_s=plan.session_s,
        queue_records=plan.queue_records, flush_interval_ms=plan.flush_ms, order=plan.order,
        overload_lag_ms=0, audit_every_records=plan.audit_every, audit_ends=True,
        snapshot_every_offsets=plan.snapshot_every, snapshot_chunk_bytes=plan.snapshot_chunk,
    )  # fmt: skip
