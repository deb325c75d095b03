"""Checkpoints of a run through the engine: a folder from which it goes on, and says what it would have said.

`events.jsonl` has every event so far. A checkpoint `at-<ordinal>.bin` is the engine between two records of the
sequence: the market's folds as their snapshots, the accounts as a worker stores them, the counts, and how long the
events were.
Going on reads the files again, for the order of what follows, and steps from the checkpoint's record on.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import msgspec
from msgspec import Struct

from monitor.engine import decode_account, decode_marker, new_state, open_shard, rewind
from monitor.engine.snapshot import UnusableSnapshot, market_of, parts, restore, take
from monitor.engine.state import encode
from monitor.errors import UsageError
from monitor.replay.lane import OWN, AccountTime, Lane, Settings, Summary
from schemas.records import MarketSnapshotPart
from schemas.topics import MARKET_TOPICS

LAYOUT = 1
EVENTS = "events.jsonl"
LEVEL = 1  # of zlib: a third of a second for 10,000 accounts
DEFAULT_EVERY_US = 3_600_000_000


class Kept(Struct):
    """One checkpoint. `of` names the run that it is of; `event_bytes` is how much of `events.jsonl` belongs to it."""

    layout: int
    of: list[str]
    ordinal: int
    market_time_us: int
    partitions: int
    event_bytes: int
    folds: list[MarketSnapshotPart]
    shards: list[tuple[bytes, list[bytes]]]
    summary: dict[str, Any]
    account_time: dict[str, Any]


class UnusableCheckpoint(UsageError):
    """A folder from which this run cannot go on."""


@dataclass(slots=True)
class Checkpoints:
    """The checkpoints of one run in a folder.

    `of` is what the run is of: files, spans, settings. A folder of another run is refused. With `resume` the run goes
    on from the newest checkpoint, or from the newest that is not after `at_us` of market time; later ones are
    forgotten. Use it as a context; `copy_events` has all events when the run has ended.
    """

    folder: Path
    of: list[str]
    every_us: int = DEFAULT_EVERY_US
    resume: bool = False
    at_us: int | None = None
    settings: Settings = OWN
    _events: IO[bytes] | None = None
    _next_us: int = 0
    _out: IO[bytes] | None = field(default=None)

    def __enter__(self) -> Self:
        """Open the folder; raises UnusableCheckpoint if it has another run, or none to go on from."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found = _found(self.folder)
        if not self.resume and found:
            raise UnusableCheckpoint(f"{self.folder} has checkpoints already", "add --resume, or give another folder")
        if self.resume and not found:
            raise UnusableCheckpoint(f"{self.folder} has no checkpoint", "leave --resume out")
        path = self.folder / EVENTS
        self._events = path.open("r+b" if self.resume and path.exists() else "w+b")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the events."""
        if self._events is not None:
            self._events.close()

    def lane(self, out: IO[bytes] | None, partitions: int) -> Lane:
        """Return a new lane, or one as it was at the checkpoint; raises UnusableCheckpoint."""
        assert self._events is not None, "not entered"
        self._out = out
        if not self.resume:
            return Lane(self._events, partitions=partitions, settings=self.settings)
        kept = self._chosen(partitions)
        lane = restored(kept, self._events, self.settings)
        self._events.truncate(kept.event_bytes)
        self._events.seek(kept.event_bytes)
        self._next_us = kept.market_time_us + self.every_us
        return lane

    def reach(self, lane: Lane) -> None:
        """Keep a checkpoint if one is due."""
        now_us = lane.state.market.time_us
        if not self._next_us:
            self._next_us = now_us + self.every_us
        if now_us < self._next_us:
            return
        self._next_us = now_us + self.every_us
        self.keep(lane)

    def keep(self, lane: Lane) -> None:
        """Keep a checkpoint: complete or not there at all."""
        assert self._events is not None, "not entered"
        self._events.flush()
        os.fsync(self._events.fileno())
        data = zlib.compress(msgspec.msgpack.encode(kept_of(lane, self.of, self._events.tell())), LEVEL)
        path = self.folder / f"at-{lane.done:012d}.bin"
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def copy_events(self) -> None:
        """Copy all events to what the lane was given as its output."""
        assert self._events is not None, "not entered"
        if self._out is None:
            return
        self._events.seek(0)
        while block := self._events.read(1 << 20):
            self._out.write(block)

    def _chosen(self, partitions: int) -> Kept:
        assert self._events is not None, "not entered"
        size = os.fstat(self._events.fileno()).st_size
        chosen: Kept | None = None
        for path in _found(self.folder):
            kept = read(path)
            if kept.of != self.of or kept.partitions != partitions:
                raise UnusableCheckpoint(
                    f"{self.folder} is of another run ({'; '.join(kept.of)}, {kept.partitions} partitions)",
                    "give the files and options of that run, or another folder",
                )
            if kept.event_bytes > size or (self.at_us is not None and kept.market_time_us > self.at_us):
                path.unlink()  # of a future that is run again
            else:
                chosen = kept
        if chosen is None:
            raise UnusableCheckpoint(f"{self.folder} has no checkpoint that early", "go on from a later time")
        return chosen


def kept_of(lane: Lane, of: list[str], event_bytes: int) -> Kept:
    """Return a lane as it is between two records; what it has to store counts as stored."""
    lane.collect()
    state = lane.state
    folds = [part for topic in MARKET_TOPICS for part in parts(take(state.market, topic.name, lane.done))]
    shards = [
        (encode(shard.marker), [encode(account) for account in shard.accounts.values()])
        for _, shard in sorted(state.shards.items())
    ]
    return Kept(
        LAYOUT, of, lane.done, state.market.time_us, lane.partitions, event_bytes, folds, shards,
        msgspec.to_builtins(lane.summary), lane.account_time.kept(),
    )  # fmt: skip


def restored(kept: Kept, out: IO[bytes] | None, settings: Settings = OWN) -> Lane:
    """Return a lane as it was kept."""
    state = new_state()
    by_topic: dict[str, list[MarketSnapshotPart]] = {}
    for part in kept.folds:
        by_topic.setdefault(part.topic, []).append(part)
    try:
        market = market_of({topic: restore(found) for topic, found in by_topic.items()})
    except UnusableSnapshot as error:
        raise UnusableCheckpoint(f"a checkpoint cannot be used: {error}", "run without --resume") from error
    rewind(state, market)
    for data, accounts in kept.shards:
        marker = decode_marker(data)
        open_shard(
            state, marker.partition, marker, map(decode_account, accounts), partitions=kept.partitions,
            epoch=marker.epoch,
        )  # fmt: skip
    lane = Lane(out, partitions=kept.partitions, settings=settings, state=state, opened=True)
    lane.done = kept.ordinal
    lane.summary = msgspec.convert(kept.summary, Summary)
    lane.account_time = AccountTime.of_kept(kept.account_time)
    return lane


_decode = msgspec.msgpack.Decoder(Kept).decode


def read(path: Path) -> Kept:
    """Read a checkpoint; raises UnusableCheckpoint if it is damaged or of another layout."""
    try:
        kept = _decode(zlib.decompress(path.read_bytes()))
    except (OSError, zlib.error, msgspec.MsgspecError) as error:
        raise UnusableCheckpoint(
            f"{path} cannot be read: {error}", "delete it, and resume from the one before"
        ) from error
    if kept.layout != LAYOUT:
        raise UnusableCheckpoint(f"{path} has layout {kept.layout}, this build reads {LAYOUT}", "run without --resume")
    return kept


def _found(folder: Path) -> list[Path]:
    return sorted(folder.glob("at-*.bin"))


def listed(folder: Path) -> Iterator[tuple[int, int]]:
    """Give ordinal and market time of each checkpoint in a folder, the oldest first."""
    for path in _found(folder):
        kept = read(path)
        yield kept.ordinal, kept.market_time_us
