"""Runs a log through the worker's own codec, intake, engine and dead letters, and its good records alone.

Two runs side by side. One is given the messages as a broker would give them. The other is given the good records as
they were made, at the positions that they have in the log, and has never seen a bad one. They have to say the same.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from monitor.engine import Sourced, State, collect, confirm, new_state, open_shard, step
from monitor.engine.outbox import Flush
from monitor.engine.state import MAX_POINTS
from monitor.worker.dead_letters import Letter, of_refused, of_rejected, outbound
from monitor.worker.intake import delivered, without_tombstones
from monitor.worker.options import WorkerOptions
from schemas.codec import decode_message
from schemas.headers import read_dead_letter
from schemas.records import Position
from schemas.topics import MARKET_TOPICS
from tests.poison.kinds import BY_ENGINE
from tests.poison.stream import PARTITIONS, Log, Message

COLLECT_EVERY = 2_000  # good records between two flushes of both runs
MAX_SHOWN = 20
OPTIONS = WorkerOptions(broker=("127.0.0.1:1",), partitions=PARTITIONS)  # type: ignore[arg-type]  # never connected to
_MARKET = {topic.name for topic in MARKET_TOPICS}

Place = tuple[str, int, Position]


@dataclass(slots=True)
class Found:
    """What a run found: counts, and the first findings of each kind in words."""

    good: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    letters: int = 0
    events: int = 0
    values: int = 0
    restarts: int = 0
    verified: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)

    def tell(self, kind: str, text: str) -> None:
        """Note a finding."""
        self.findings[kind] += 1
        if len(self.shown) < MAX_SHOWN:
            self.shown.append(f"{kind}: {text}")


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A message as a consumer gives it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Side:
    """One engine with all partitions."""

    def __init__(self) -> None:
        self.state: State = new_state()
        for partition in range(PARTITIONS):
            open_shard(self.state, partition, None, [], partitions=PARTITIONS, epoch=1)
        self.letters: list[Letter] = []

    def give(self, records: list[Sourced]) -> list[str]:
        """Apply records; return the bodies of their events."""
        return [outgoing.body.encode().decode() for outgoing in step(self.state, records)]

    def flush(self) -> Flush:
        """Take what a worker would store, and the letters of what the engine refused."""
        flush = collect(self.state)
        confirm(self.state, flush)
        self.letters += map(of_rejected, flush.rejected)
        return flush

    def deliver(self, message: Message) -> list[Sourced]:
        """Decode a message as the worker does, and keep the letters of what is no record."""
        name, value = message.topic.name, message.value
        given = _Delivery(name, message.partition, message.offset, message.key, value)
        if name in _MARKET:
            decoded = decode_message(name, message.key, value)
            refused = decoded.refused
            records = [
                Sourced(name, 0, message.offset, index, record, value or b"")  # type: ignore[arg-type]
                for index, record in without_tombstones(decoded.records)
            ]
        else:
            taken = delivered(message.topic, given, 0, OPTIONS)
            refused, records = taken.refused, [record for _, record in taken.records]
        self.letters += of_refused(name, message.partition, message.offset, message.key, value, refused)
        return records


class Positions:
    """Puts the positions of a run with bad records back to those of a run without.

    A record that the engine refused is dealt with, so positions move past it. That, and nothing else, may differ.
    """

    def __init__(self) -> None:
        self._bad: dict[tuple[str, int], set[Position]] = defaultdict(set)
        self._good: dict[tuple[str, int], list[Position]] = defaultdict(list)

    def take(self, message: Message) -> None:
        """Note what a message holds."""
        self.take_at(
            message.topic.name, message.partition, [(message.offset, index) for index, _ in message.good],
            [(message.offset, one.row) for one in message.wanted if one.reason in BY_ENGINE],
        )  # fmt: skip

    def take_at(self, topic: str, partition: int, good: list[Position], bad: list[Position]) -> None:
        """Note where good records are, and those that the engine refuses."""
        self._good[topic, partition] += good
        self._bad[topic, partition].update(bad)

    def before(self, topic: str, partition: int, position: Position) -> Position | None:
        """Return the position, or that of the last good record before it if it is a bad one's (None: of none)."""
        place = (topic, 0 if topic in _MARKET else partition)
        if position not in self._bad[place]:
            return position
        good = self._good[place]
        at = bisect.bisect_left(good, position)
        return good[at - 1] if at else None

    def settled(self, body: str | bytes, partition: int) -> object:
        """Return a body with its positions put back."""
        fields = msgspec.json.decode(body)
        if not isinstance(fields, dict):
            return fields
        for unsent in fields.get("outbox", ()):
            unsent["body"] = self.settled(unsent["body"], partition)
        if "positions" in fields:
            fields["positions"] = self._put_back(fields["positions"], partition)
        if "points" in fields:
            fields["points"] = [self._put_back(point, partition) for point in fields["points"]]
        return fields

    def _put_back(self, positions: dict[str, list[int]], partition: int) -> dict[str, list[int]]:
        put = {name: self.before(name, partition, (at[0], at[1])) for name, at in positions.items()}
        return {name: list(at) for name, at in put.items() if at is not None}


def passes_through(points: list[Any], others: list[Any]) -> bool:
    """Whether others, from the newest back, are among points in their order: refused records have points as well.

    Only the newest points are kept, so those of refused records may have pushed the oldest out.
    """
    left = iter(reversed(points))
    found = sum(1 for _ in itertools.takewhile(lambda other: other in left, reversed(others)))
    return found == len(others) or (found > 0 and len(points) == MAX_POINTS)


def run(log: Log, found: Found | None = None) -> Found:
    """Run a log and its good records alone; return what was found."""
    found = found or Found()
    check = _Check(found)
    for message in log:
        check.take(message)
    check.flush()
    found.good, found.bad = log.counts.good, log.counts.bad
    return found


class _Check:
    def __init__(self, found: Found) -> None:
        self._found = found
        self._spoiled, self._clean = Side(), Side()
        self._positions = Positions()
        self._wanted: dict[Place, tuple[str, str, bytes | None, bytes | None]] = {}
        self._since = 0

    def take(self, message: Message) -> None:
        """Give a message to one run and its good rows to the other; compare what they say."""
        self._positions.take(message)
        for one in message.wanted:
            place = (message.topic.name, message.partition, (message.offset, one.row))
            self._wanted[place] = (one.name, one.reason, one.key, one.raw)
        said = self._spoiled.give(self._spoiled.deliver(message))
        name, partition = message.topic.name, 0 if message.topic.name in _MARKET else message.partition
        alone = [Sourced(name, partition, message.offset, index, record) for index, record in message.good]
        expected = self._clean.give(alone) if alone else []
        self._compare(said, expected, message)
        self._since += len(message.good)
        if self._since >= COLLECT_EVERY:
            self.flush()

    def _compare(self, said: list[str], expected: list[str], message: Message) -> None:
        self._found.events += len(expected)
        if said == expected:
            return
        if len(said) != len(expected):
            self._found.tell("events", f"{len(said)} for {len(expected)} at {message.topic.name} {message.offset}")
            return
        for one, other in zip(said, expected, strict=True):
            home = OPTIONS.partition_of(msgspec.json.decode(other).get("account", "").encode())
            if self._positions.settled(one, home) != self._positions.settled(other, home):
                self._found.tell("events", f"differ at {message.topic.name} {message.offset}: {one} {other}")

    def flush(self) -> None:
        """Compare what both would store, and the letters with those that have to be there."""
        self._since = 0
        spoiled, clean = self._spoiled.flush(), self._clean.flush()
        if self._clean.letters:
            self._found.tell("rejected", f"the good records alone gave {self._clean.letters[0]}")
            self._clean.letters = []
        self._compare_values(spoiled, clean)
        letters, self._spoiled.letters = self._spoiled.letters, []
        for letter, message in zip(letters, outbound(letters, OPTIONS), strict=True):
            self._judge(letter, message.value, message.key, read_dead_letter(message.headers or []).error_kind)
        for place, (name, reason, _, raw) in self._wanted.items():
            self._found.tell("missing", f"{name} ({reason}) at {place}: {(raw or b'')[:200]!r}")
        self._wanted = {}

    def _compare_values(self, spoiled: Flush, clean: Flush) -> None:
        """Compare stored accounts; markers, which hold nothing but positions, are left out."""
        values = {value.key: value for value in spoiled.values if not value.key.startswith(b"!")}
        for value in clean.values:
            if value.key.startswith(b"!"):
                continue
            self._found.values += 1
            other = values.pop(value.key, None)
            if other is None:
                self._found.tell("state", f"{value.key.decode()} is not stored by the run with bad records")
                continue
            settled, expected = (
                cast("dict[str, Any]", self._positions.settled(one.value, value.partition)) for one in (other, value)
            )
            points = passes_through(settled.pop("points", []), expected.pop("points", []))
            if settled != expected or not points:
                self._found.tell("state", f"{value.key.decode()}: {settled} for {value.value!r}")
        for key in values:
            self._found.tell("state", f"{key.decode()} is stored by the run with bad records alone")

    def _judge(self, letter: Letter, raw: bytes | None, key: bytes | None, reason: str) -> None:
        self._found.letters += 1
        place = (letter.topic, letter.partition, letter.position)
        wanted = self._wanted.pop(place, None)
        if wanted is None:
            self._found.tell("unasked", f"{letter.kind} at {place}: {letter.text} {(raw or b'')[:200]!r}")
        elif (reason, key, raw) != wanted[1:]:
            self._found.tell(
                "wrong", f"{wanted[0]} at {place}: {reason} for {wanted[1]}, key {key!r} for {wanted[2]!r}, "
                f"bytes {(raw or b'')[:200]!r} for {(wanted[3] or b'')[:200]!r}",
            )  # fmt: skip
