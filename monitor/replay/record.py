"""Writes what is on the topics of a deployment into a folder, as it stands there, so that a replay can give it back.

Each partition of each input topic has a file `<topic>-<partition>.jsonl.gz`, a line a record with its position:
`{"topic": ..., "partition": ..., "offset": ..., "index": ..., "record": {...}}`, the record's bytes as they were sent.
Events are in `events.ndjson.gz`, a body a line, as a run through the engine writes them. `manifest.json` says what was
read, and what is no record.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from monitor.brokers import topics as broker_topics
from monitor.connection import Address
from monitor.errors import UsageError
from monitor.replay.output import writing
from monitor.replay.progress import OnStep, Step, ignore
from monitor.replay.read_back import EVENT_TOPICS, ReadFailed
from monitor.worker.log_view import LogView, Unanswered
from schemas import codec
from schemas.topics import ALL, SOURCE_RANK, full_name

LAYOUT = 1
EVENTS_FILE = "events.ndjson.gz"
MANIFEST = "manifest.json"
STEP_EVERY = 5_000  # records between two looks at the clock
MAX_NAMED = 20


@dataclass(slots=True)
class Recorded:
    """What was written: records by file, events, null values, and messages that hold no record (the first by place).

    `begins` and `ends` are the offsets of each partition from which and before which everything was read.
    """

    layout: int = LAYOUT
    prefix: str = ""
    records: dict[str, int] = field(default_factory=dict)
    events: int = 0
    deleted: int = 0
    unreadable: int = 0
    unreadable_at: list[str] = field(default_factory=list)
    begins: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Records of all input topics."""
        return sum(self.records.values())


async def record(
    address: Address, folder: Path, *, prefix: str = "", follow: Callable[[], bool] = lambda: False,
    on_step: OnStep = ignore, clock: Callable[[], float] = time.monotonic,
) -> Recorded:  # fmt: skip
    """Write everything now on the topics under `prefix`, and go on with what comes while `follow` says so.

    Raises UsageError if a topic is missing or the folder is not empty, ReadFailed if the broker fails.
    """
    _check_empty(folder)
    partitions = await _partitions(address, prefix)
    done = Recorded(prefix=prefix)
    start_s = clock()
    view = LogView(address, f"{prefix}record", exact_ends=False)
    try:
        await view.start()
        with _Files(folder, prefix, done) as files:
            async for message in _messages(view, partitions, done, follow):
                files.take(message)
                if done.total % STEP_EVERY == 0:
                    on_step(Step(done.total, 0.0, message.timestamp * 1_000, done.total / max(clock() - start_s, 1e-9)))
    except (KafkaError, Unanswered) as error:
        raise ReadFailed(f"the broker at {address} did not give its records ({error!r})", "check its health") from error
    finally:
        await view.stop()
    (folder / MANIFEST).write_text(json.dumps(asdict(done), indent=2) + "\n")
    return done


def _check_empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "give another folder")


async def _partitions(address: Address, prefix: str) -> list[TopicPartition]:
    names = {*SOURCE_RANK, *(topic.name for topic in EVENT_TOPICS)}
    wanted = broker_topics.wanted_topics(prefix, 1, topics=[topic for topic in ALL if topic.name in names])
    counts = {topic.name: topic.partitions for topic in wanted}
    for difference in await broker_topics.plan(address, wanted):
        if difference.kind == "missing":
            raise UsageError(f"topic {difference.topic} is missing", "check --prefix, or run `liqmon topics apply`")
        if difference.kind == "partitions":
            counts[difference.topic] = int(difference.found)
    return [TopicPartition(name, number) for name, count in sorted(counts.items()) for number in range(count)]


async def _messages(
    view: LogView, partitions: list[TopicPartition], done: Recorded, follow: Callable[[], bool]
) -> AsyncIterator[Any]:  # fmt: skip
    """Give all messages, each partition in order, up to where it ends; then what has come since."""
    places = dict(await view.begins(partitions))
    done.begins = {f"{tp.topic}-{tp.partition}": offset for tp, offset in places.items()}
    while True:
        ends = await view.ends(partitions)
        for tp in partitions:
            async for message in view.read(tp, places[tp], ends[tp]):
                yield message
            places[tp] = max(places[tp], ends[tp])
        done.ends = {f"{tp.topic}-{tp.partition}": offset for tp, offset in places.items()}
        if not follow():
            return


class _Files:
    """The files of a recording: each gets its name when the block ends well."""

    def __init__(self, folder: Path, prefix: str, done: Recorded) -> None:
        self._folder = folder
        self._done = done
        self._topic_of = {full_name(topic, prefix): topic.name for topic in ALL}
        self._events = {topic.name for topic in EVENT_TOPICS}
        self._stack = ExitStack()
        self._open: dict[str, IO[bytes]] = {}

    def __enter__(self) -> _Files:  # noqa: PYI034 (private)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._open[EVENTS_FILE] = self._stack.enter_context(writing(self._folder / EVENTS_FILE))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def take(self, message: Any) -> None:
        """Write a message: its records, or its event."""
        topic = self._topic_of[message.topic]
        if message.value is None:
            self._done.deleted += 1
        elif topic in self._events:
            self._done.events += 1
            self._open[EVENTS_FILE].write(message.value + b"\n")
        else:
            self._write(topic, message)

    def _write(self, topic: str, message: Any) -> None:
        name = f"{topic}-{message.partition}.jsonl.gz"
        for index, row in enumerate(codec.raw_rows(message.value)):
            if isinstance(codec.decode_record(topic, row), codec.Refused):
                self._done.unreadable += 1
                if len(self._done.unreadable_at) < MAX_NAMED:
                    self._done.unreadable_at.append(f"{topic}-{message.partition} {message.offset}/{index}")
                continue
            file = self._open.get(name)
            if file is None:
                file = self._open[name] = self._stack.enter_context(writing(self._folder / name))
            place = (topic.encode(), message.partition, message.offset, index, row.replace(b"\n", b" "))
            file.write(b'{"topic":"%s","partition":%d,"offset":%d,"index":%d,"record":%s}\n' % place)
            self._done.records[name] = self._done.records.get(name, 0) + 1
