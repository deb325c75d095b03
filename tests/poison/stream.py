"""A log with bad records in it: by one seed, the same messages at the same offsets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from monitor.engine import Sourced
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.sequence import Sequence
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource
from schemas.codec import encode, key_of
from schemas.records import Input, ParameterSet, Position
from schemas.topics import ALL, PARAMETERS, Topic
from tests.poison.kinds import BY_ENGINE, KINDS, LARGE, Bad, Kind, model_of

PARTITIONS = 4
FRAMES = 0.03  # of the records of topics that have frames: so many begin one
MAX_ROWS = 12
LARGE_SHARE = 0.002  # of the bad records: a megabyte each or ten
MAX_LARGE = 30  # of a log: more would time the disk
_TOPICS = {topic.name: topic for topic in ALL}
_SMALL = tuple(kind for kind in KINDS if kind.make not in LARGE)
_LARGE = tuple(kind for kind in KINDS if kind.make in LARGE)


class Wanted(NamedTuple):
    """A dead letter that has to come: of which row, and with what."""

    row: int
    name: str
    reason: str
    key: bytes | None
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message at its offset: its good rows by index, and the letters that its bad ones have to become."""

    topic: Topic
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    good: tuple[tuple[int, Input], ...] = ()
    wanted: tuple[Wanted, ...] = ()


@dataclass(slots=True)
class Counts:
    """What a log holds: good and bad records, the latter by kind."""

    good: int = 0
    bad: Counter[str] = field(default_factory=Counter)


def records(seed: int, wanted: int, accounts: int = 60) -> Merged:
    """Return a generated market with accounts, of about that many records."""
    minutes = max(8, min(480, round(wanted / 500.0)))
    rate = max(0.05, min(100.0, (wanted / minutes / 60.0 - 4.0) / 11.5))
    market = MarketParameters(seed=seed, minutes=minutes, ticks_per_second=rate, coins=3)
    per_hour = min(3_600.0, wanted / 20 / accounts * 60 / minutes)
    parameters = AccountParameters(seed=seed + 1, accounts=accounts, fills_per_hour=per_hour)
    generated = generate_accounts(Merged([GeneratedMarket(market)]), parameters).records
    return Merged([GeneratedMarket(market), ListSource("accounts", generated, ACCOUNTS_FILE_TOPICS)])


class Log:
    """Spoils a stream: `share` of all records are bad. Iterate once; `counts` tells what was given."""

    def __init__(
        self, stream: Merged, seed: int, share: float, *, limit: int | None = None, large: bool = True
    ) -> None:  # fmt: skip
        self._stream = stream
        self._draw = random.Random(seed)
        self._odds = share / (1.0 - share)
        self._limit = limit
        self._large = large
        self._models: dict[Topic, Input] = {}
        self._offsets: Counter[tuple[Topic, int]] = Counter()
        self._number = 0
        # Each kind comes once before any comes by chance, those that are rare by their size among them.
        self._owed = [kind for kind in KINDS if large or kind.make not in LARGE]
        self.counts = Counts()

    def __iter__(self) -> Iterator[Message]:
        """Give all messages in the order in which they are to be applied."""
        first = self._wide_set()
        yield self._message(PARAMETERS, 0, key_of(PARAMETERS.name, first), encode(first), good=((0, first),))
        batch: list[Sourced] = []
        room = 0
        for item in Sequence(self._stream, PARTITIONS):
            if self._limit is not None and self.counts.good + len(batch) >= self._limit:
                break
            if batch and ((item.topic, item.partition) != (batch[0].topic, batch[0].partition) or len(batch) >= room):
                yield self._frame(batch)
                batch = []
            if not batch:
                yield from self._some_bad()
            self._models[_TOPICS[item.topic]] = item.record
            if batch:
                batch.append(item)
            elif _TOPICS[item.topic].framed and self._draw.random() < FRAMES:
                batch, room = [item], self._draw.randrange(1, MAX_ROWS)
            else:
                yield self._single(item)
        if batch:
            yield self._frame(batch)

    def _wide_set(self) -> ParameterSet:
        """Return a set that nobody uses, so that the topic of sets has a good record, too."""
        record = ParameterSet(name="unused", event_time_us=1_700_000_000_000_000)
        self._models[PARAMETERS] = record
        return record

    def _some_bad(self) -> Iterator[Message]:
        """Give bad messages between two good ones; what is bad inside a frame is put there when it is closed."""
        while self._draw.random() < self._odds / (1.0 + self._odds):
            bad, kind = self._bad(self._owed) or self._bad(self._kinds()) or _unfit()
            if kind in self._owed:
                self._owed.remove(kind)
            name = kind.make.__name__
            self.counts.bad[name] += 1
            wanted = Wanted(0, name, bad.reason, bad.key, bad.value)
            yield self._message(bad.topic, bad.partition, bad.key, bad.value, wanted=(wanted,))

    def _kinds(self) -> Iterable[Kind]:
        seen = sum(self.counts.bad[kind.make.__name__] for kind in _LARGE)
        if self._large and seen < MAX_LARGE and self._draw.random() < LARGE_SHARE:
            return _LARGE
        return _SMALL

    def _bad(self, kinds: Iterable[Kind], topic: Topic | None = None) -> tuple[Bad, Kind] | None:
        """Make a bad record of a drawn kind, of a topic that has had a good one; None where there is no such topic."""
        fitting = [
            (kind, one) for kind in kinds for one in kind.topics
            if one in self._models and (topic is None or one is topic) and _fits(kind, self._models[one])
        ]  # fmt: skip
        if not fitting:
            return None
        name = self._draw.choice(sorted({kind.make.__name__ for kind, _ in fitting}))
        kind, one = self._draw.choice([item for item in fitting if item[0].make.__name__ == name])
        self._number += 1
        return kind.make(model_of(one, self._models[one], self._number, PARTITIONS), self._draw), kind

    def _single(self, item: Sourced) -> Message:
        topic, value = _TOPICS[item.topic], encode(item.record)
        return self._message(topic, item.partition, key_of(item.topic, item.record), value, good=((0, item.record),))

    def _frame(self, batch: list[Sourced]) -> Message:
        """Put records into one frame, with bad rows among them."""
        topic, partition = _TOPICS[batch[0].topic], batch[0].partition
        self._models[topic] = batch[-1].record  # of this partition
        rows: list[tuple[bytes, Input | None]] = [(encode(item.record), item.record) for item in batch]
        inside = [kind for kind in KINDS if kind.row and topic in kind.topics]
        spoiled: dict[int, Wanted] = {}
        for _ in batch:
            if self._draw.random() >= self._odds:
                continue
            bad, kind = self._bad(inside, topic) or _unfit()
            assert bad.value is not None, "a kind that can be in a frame has bytes"
            name = kind.make.__name__
            self.counts.bad[name] += 1
            at = self._draw.randrange(len(rows) + 1)
            rows.insert(at, (bad.value, None))
            spoiled = {index + (index >= at): one for index, one in spoiled.items()}
            spoiled[at] = Wanted(at, name, bad.reason, _row_key(bad), bad.value)
        value = b'{"v":1,"rows":[' + b",".join(raw for raw, _ in rows) + b"]}"
        good = tuple((index, record) for index, (_, record) in enumerate(rows) if record is not None)
        wanted = tuple(one._replace(row=index) for index, one in sorted(spoiled.items()))
        return self._message(topic, partition, None, value, good=good, wanted=wanted)

    def _message(
        self, topic: Topic, partition: int, key: bytes | None, value: bytes | None, *,
        good: tuple[tuple[int, Input], ...] = (), wanted: tuple[Wanted, ...] = (),
    ) -> Message:  # fmt: skip
        place = (topic, partition)
        offset = self._offsets[place]
        self._offsets[place] += 1
        self.counts.good += len(good)
        return Message(topic, partition, offset, key, value, good, wanted)


def _unfit() -> NoReturn:
    raise AssertionError("there is no good record to be spoiled yet")


def _row_key(bad: Bad) -> bytes | None:
    """Return the key that the letter of a row has: of a record that could be read, its own."""
    return bad.key if bad.reason in BY_ENGINE else None


def _fits(kind: Kind, record: Input) -> bool:
    """Whether a record has what a kind spoils."""
    name = kind.make.__name__
    if name in {"negative_price", "crossed_quote", "clock_ahead", "bad_pattern", "contradiction", "not_finite"}:
        return type(record).__name__ not in {"Heartbeat", "Funding"}
    return True


def place_of(message: Message, index: int) -> tuple[str, int, Position]:
    """Return topic, partition and position of a row."""
    return (message.topic.name, message.partition, (message.offset, index))
