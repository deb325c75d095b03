"""The state changelog: what recovery keeps of it, and what it refuses.

Faust's Table has the changelog assigned with the sources; we write and read it (its writes cost ten times our
producer's and are reported as done before they are, its reading passes every record through the framework). Kafka keeps
the *last* value of a key. A worker that was paused may have written its old value last, so recovery keeps the value of
the largest (epoch, version) and writes it again. What such a worker wrote behind the first marker of a larger epoch is
void, whatever its version: its successor has not seen it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from monitor.engine.outbox import marker_key
from monitor.engine.state import Account, Marker, decode_account, decode_marker, encode
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

    `rows` are (topic, offset, index, kind, text) of the last flush that refused records of this partition, and what
    was owed before and not known to be sent; their bytes come with the redelivered messages. `market` is, in partition
    0, the last refused market record reported.
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
    """The value that counts for one key, where it stands, and whether a lesser one came after it."""

    order: tuple[int, int]
    data: bytes
    offset: int
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
    epoch: int = 0
    opened: int = 0  # the largest epoch of a marker so far
    markers: int = 0  # how many there were of the largest epoch
    kept: dict[bytes, _Kept] = field(default_factory=dict)


class RecoveredState:
    """Collects changelog records by partition until their owner takes them."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._partitions: dict[int, _Partition] = {}

    def add(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Keep a record if it is the newest of its key; raises CorruptState naming partition and offset."""
        with self._naming(partition, offset):
            order = _order(partition, key, value)
        assert key is not None
        assert value is not None
        found = self._partitions.setdefault(partition, _Partition())
        found.epoch = max(found.epoch, order[0])
        kept = found.kept.get(key)
        if key == marker_key(partition) and order[0] >= found.opened:
            found.markers = 1 + (found.markers if order[0] == found.opened else 0)
            found.opened = order[0]
        if order[0] < found.opened:
            if kept is not None:
                kept.overwritten = True
        elif kept is None or order >= kept.order:
            found.kept[key] = _Kept(order, value, offset)
        else:
            kept.overwritten = True

    def marker(self, partition: int) -> Marker | None:
        """Return the marker that is kept of a partition; raises as `take`."""
        kept = self._of(partition).kept.get(marker_key(partition))
        if kept is None:
            return None
        with self._naming(partition, kept.offset):
            return decode_marker(kept.data)

    def epoch(self, partition: int) -> int:
        """Return the largest epoch that was ever written to a partition."""
        return self._of(partition).epoch

    def openings(self, partition: int) -> int:
        """Return how many markers of the largest epoch a partition has."""
        return self._of(partition).markers

    def has_accounts(self, partition: int) -> bool:
        """Whether anything but a marker and letters is kept of a partition."""
        return any(not key.startswith(b"!") for key in self._of(partition).kept)

    def take(self, partition: int) -> Recovered:
        """Hand over what is kept of a partition; raises CorruptState if a value cannot be read.

        `epoch` is the largest that was ever written to it, its owner's. Repairs are of that epoch: with their own they
        would be void.
        """
        found = self._partitions.pop(partition, _Partition())
        recovered = Recovered(partition, epoch=found.epoch)
        for key, kept in found.kept.items():
            with self._naming(partition, kept.offset):
                if key == marker_key(partition):
                    recovered.marker = decode_marker(kept.data)
                elif key == letters_key(partition):
                    recovered.letters = decode_letters(kept.data)
                    if kept.overwritten:
                        recovered.letters = replace(recovered.letters, epoch=found.epoch)
                        recovered.repairs.append((key, encode_letters(recovered.letters)))
                else:
                    account = decode_account(kept.data)
                    if kept.overwritten:
                        account.epoch = found.epoch
                        recovered.repairs.append((key, encode(account)))
                    recovered.accounts.append(account)
        return recovered

    def _of(self, partition: int) -> _Partition:
        return self._partitions.get(partition, _Partition())

    @contextmanager
    def _naming(self, partition: int, offset: int) -> Iterator[None]:
        """Turn what a decoder raises into a CorruptState that says where."""
        try:
            yield
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise CorruptState(
                f"{self._topic} partition {partition} offset {offset} is no valid state ({error})",
                "restore the topic; starting without this record would mean wrong positions",
            ) from error


class _Config(Struct):
    account: str


class _Head(Struct):
    """What of a stored value says how new it is; the newest is read as a whole, the many before it are not."""

    layout: int
    epoch: int
    version: int = 0
    flush: int = 0
    partition: int = -1
    config: _Config | None = None


_decode_head = msgspec.json.Decoder(_Head).decode


def epoch_of(partition: int, key: bytes | None, value: bytes | None) -> int:
    """Return the epoch of whoever wrote a record; raises ValueError where key and value do not fit."""
    return _order(partition, key, value)[0]


def _order(partition: int, key: bytes | None, value: bytes | None) -> tuple[int, int]:
    """Return epoch and number of a record; raises ValueError where key and value do not fit."""
    if key is None:
        raise ValueError("the key is null")
    if value is None:
        raise ValueError("the value is null: nothing here is ever deleted")
    head = _decode_head(value)
    if key.startswith(b"!"):
        if key not in {marker_key(partition), letters_key(partition)}:
            raise ValueError(f"key {key[:40]!r} is not known here")
        if head.partition not in {partition, -1}:
            raise ValueError(f"the marker is of partition {head.partition}")
        return (head.epoch, head.flush)
    if head.config is None or head.config.account != key.decode():
        raise ValueError("the key does not name the account")
    return (head.epoch, head.version)
