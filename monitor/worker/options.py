"""What one worker needs to know, and the names that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from aiokafka.partitioner import murmur2

from monitor.brokers.endpoint import endpoint
from monitor.config import Answering, Order, Settings
from monitor.connection import Address, read_keys
from monitor.engine.snapshot import CHUNK_BYTES
from schemas.signatures import Keys
from schemas.topics import ACCOUNT_TOPICS, SEQUENCED, Topic, full_name

STATE_TABLE = "state"


@lru_cache(maxsize=1 << 18)  # hashed in Python, at 5 us; accounts come again and again
def _murmur2(key: bytes) -> int:
    return int(murmur2(key) & 0x7FFFFFFF)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Options of one worker; `broker` is where and how to connect, `partitions` is P.

    `order` is live or strict, `sequence_prefix` that of the sequence if it is not `prefix`.
    """

    broker: Address
    partitions: int
    prefix: str = ""
    application_id: str = "liquidation-monitor-v1"
    session_timeout_s: float = 10.0
    queue_records: int = 50_000
    flush_interval_ms: float = 5.0
    ready_timeout_s: float = 120.0
    shutdown_timeout_s: float = 9.0
    data_dir: Path | None = None
    order: Order = "live"
    sequence_prefix: str | None = None
    overload_lag_ms: int = 2_000
    audit_every_records: int = 10_000
    audit_ends: bool = False
    risk_arrays_every_s: int = 0
    risk_arrays_sets: tuple[str, ...] = ("default",)
    snapshot_every_offsets: int = 100_000
    snapshot_chunk_bytes: int = CHUNK_BYTES
    signing_keys: Keys | None = None
    health_host: str = "127.0.0.1"
    health_port: int = 0
    health_token_file: Path | None = None
    page_acknowledgements: Answering = "auto"
    commit_stalled_s: float = 30.0
    market_silent_s: float = 10.0
    publish_stalled_s: float = 5.0
    lag_growing_s: float = 60.0
    min_free_mb: int = 50
    advice: bool = True

    @property
    def group(self) -> str:
        """Consumer group; it carries the prefix, so that deployments share a cluster.

        Strict order has a group of its own, and with it a changelog: positions mean something else there.
        """
        return f"{self.prefix}{self.application_id}{'-strict' if self.order == 'strict' else ''}"

    @property
    def inputs(self) -> tuple[Topic, ...]:
        """Topics that are read through the group."""
        return (SEQUENCED,) if self.order == "strict" else ACCOUNT_TOPICS

    @property
    def changelog(self) -> str:
        """Topic of the stored state, named as Faust names it."""
        return f"{self.group}-{STATE_TABLE}-changelog"

    def topic(self, topic: Topic) -> str:
        """Name of a topic on the broker."""
        shared = self.sequence_prefix if topic is SEQUENCED else None
        return full_name(topic, self.prefix if shared is None else shared)

    def partition_of(self, key: bytes) -> int:
        """Partition of an account: what Kafka's default partitioner gives for its key."""
        return _murmur2(key) % self.partitions


def from_settings(settings: Settings, *, ready_timeout_s: float = 120.0) -> WorkerOptions:
    """Take a worker's options from the settings; raises what `endpoint` raises."""
    return WorkerOptions(
        broker=endpoint(settings),
        partitions=settings.partitions,
        prefix=settings.topic_prefix,
        application_id=settings.application_id,
        session_timeout_s=settings.session_timeout_s,
        queue_records=settings.queue_records,
        flush_interval_ms=settings.flush_interval_ms,
        ready_timeout_s=ready_timeout_s,
        shutdown_timeout_s=settings.shutdown_timeout_s,
        data_dir=Path(settings.data_dir) if settings.data_dir else None,
        order=settings.order,
        sequence_prefix=settings.sequence_prefix,
        overload_lag_ms=settings.overload_lag_ms,
        audit_every_records=settings.audit_every_records,
        audit_ends=settings.audit_ends,
        risk_arrays_every_s=settings.risk_arrays_every_s,
        risk_arrays_sets=tuple(settings.risk_arrays_sets.split(",")),
        snapshot_every_offsets=settings.snapshot_every_offsets,
        signing_keys=read_keys(settings.signing_key_file) if settings.signing_key_file else None,
        health_host=settings.health_host,
        health_port=settings.health_port,
        health_token_file=Path(settings.health_token_file) if settings.health_token_file else None,
        page_acknowledgements=settings.page_acknowledgements,
        commit_stalled_s=settings.commit_stalled_s,
        market_silent_s=settings.market_silent_s,
        publish_stalled_s=settings.publish_stalled_s,
        lag_growing_s=settings.lag_growing_s,
        min_free_mb=settings.min_free_mb,
        advice=settings.advice,
    )
