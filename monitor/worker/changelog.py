"""The state changelog: what recovery keeps of it, and what it refuses.

Faust's Table reads the changelog back; it never writes it (its writes cost ten times our producer's, and are
reported as done before they are). Kafka keeps the *last* value of a key. A worker that was paused may have written
its old value last, so recovery keeps the value of the largest (epoch, version) and writes it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from monitor.engine.outbox import marker_key
from monitor.engine.state import Account, Marker, decode_account, decode_marker
from monitor.worker.errors import CorruptState
from schemas.ids import canonical
from schemas.records import Position

LETTERS_PREFIX = b"!dead-letters/"
LAYOUT = 1
MIN_COMPACTION_LAG_MS = 3_600_000
"""Both values of a fenced key must survive until somebody recovers: an hour is longer than any takeover."""

CONFIG = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(MIN_COMPACTION_LAG_MS)}
"""Compact only: with retention an idle account would disappear."""


class Letters(Struct, frozen=True):
    """Dead letters that a partition owes: stored before the marker that passes their records.

    `rows` are (topic, offset, index, kind, text) of the last flush that refused records of this partition; their
    bytes come with the redelivered messages. `market` is, in partition 0, the last refused market record reported.
    """

    epoch: int
    flush: int
    rows: tuple[tuple[str, int, int, str, str], ...] = ()
    market: dict[str, Position] = {}
    layout: int = LAYOUT


_decode_letters = msgspec.json.Decoder(Letters).decode


def letters_key(partition: int) -> bytes:
    """Changelog key of a partition's owed dead letters."""
    return LETTERS_PREFIX + b"%d" % partition


def encode_letters(letters: Letters) -> bytes:
    """Canonical bytes of a stored value."""
    return canonical(letters)


def decode_letters(data: bytes) -> Letters:
    """Read a stored value; raises `msgspec.MsgspecError` or ValueError on another layout."""
    letters = _decode_letters(data)
    if letters.layout != LAYOUT:
        raise ValueError(f"stored dead letters have layout {letters.layout}, this build reads {LAYOUT}")
    return letters


@dataclass(slots=True)
class _Kept:
    """The value that counts for one key, and whether a lesser one came after it."""

    order: tuple[int, int]
    value: Account | Marker | Letters
    data: bytes
    overwritten: bool = False


@dataclass(slots=True)
class Recovered:
    """What the changelog says about one partition; `repairs` are (key, value) to be written again."""

    partition: int
    marker: Marker | None = None
    letters: Letters | None = None
    accounts: list[Account] = field(default_factory=list)
    epoch: int = 0
    repairs: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class _Partition:
    first: int | None = None
    last: int = -1
    epoch: int = 0
    kept: dict[bytes, _Kept] = field(default_factory=dict)
    taken: bool = False


class RecoveredState:
    """Collects changelog records by partition until their owner takes them."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._partitions: dict[int, _Partition] = {}

    def add(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Keep a record if it is the newest of its key; raises CorruptState naming partition and offset."""
        try:
            decoded, order, epoch = _read(partition, key, value)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise CorruptState(
                f"{self._topic} partition {partition} offset {offset} is no valid state ({error})",
                "restore the topic; starting without this record would mean wrong positions",
            ) from error
        assert key is not None
        assert value is not None
        found = self._partitions.setdefault(partition, _Partition())
        if found.first is None:
            found.first = offset
        found.last = max(found.last, offset)
        found.epoch = max(found.epoch, epoch)
        if found.taken:
            return  # ours: the engine holds newer values; only a foreign epoch would matter
        kept = found.kept.get(key)
        if kept is None or order >= kept.order:
            found.kept[key] = _Kept(order, decoded, value)
        else:
            kept.overwritten = True

    def span(self, partition: int) -> tuple[int | None, int]:
        """First and last offset seen of a partition (None, -1 before any)."""
        found = self._partitions.get(partition)
        return (None, -1) if found is None else (found.first, found.last)

    def epoch(self, partition: int) -> int:
        """Largest epoch seen in a partition, 0 before any."""
        found = self._partitions.get(partition)
        return 0 if found is None else found.epoch

    def take(self, partition: int) -> Recovered:
        """Hand a partition's values over to its owner; later records only count towards `epoch`."""
        found = self._partitions.setdefault(partition, _Partition())
        recovered = Recovered(partition, epoch=found.epoch)
        for key, kept in found.kept.items():
            if kept.overwritten:
                recovered.repairs.append((key, kept.data))
            if isinstance(kept.value, Marker):
                recovered.marker = kept.value
            elif isinstance(kept.value, Letters):
                recovered.letters = kept.value
            else:
                recovered.accounts.append(kept.value)
        found.kept = {}
        found.taken = True
        return recovered

    def keep_only(self, partitions: Iterable[int]) -> None:
        """Forget partitions that are not ours: they are read again from the start when they come back."""
        ours = set(partitions)
        for partition in set(self._partitions) - ours:
            del self._partitions[partition]


def _read(
    partition: int, key: bytes | None, value: bytes | None
) -> tuple[Account | Marker | Letters, tuple[int, int], int]:
    """Decode a record and say how new it is; raises ValueError where key and value do not fit."""
    if key is None:
        raise ValueError("the key is null")
    if value is None:
        raise ValueError("the value is null: nothing here is ever deleted")
    if key.startswith(b"!"):
        if key == marker_key(partition):
            marker = decode_marker(value)
            if marker.partition != partition:
                raise ValueError(f"the marker is of partition {marker.partition}")
            return marker, (marker.epoch, marker.flush), marker.epoch
        if key == letters_key(partition):
            letters = decode_letters(value)
            return letters, (letters.epoch, letters.flush), letters.epoch
        raise ValueError(f"key {key[:40]!r} is not known")
    account = decode_account(value)
    if account.name != key.decode():
        raise ValueError("the key does not name the account")
    return account, (account.epoch, account.version), account.epoch
