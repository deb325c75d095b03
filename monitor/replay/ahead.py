"""Reads a stream in a process of its own, ahead of the engine: files, merge and order on one core, `step` on another.

The other process sends its records in batches, encoded by topic; what they cost here is their decoding. Their order,
their ordinals, the reports of the sources and the errors are those of reading them in this process.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import operator
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import msgspec

from monitor.engine import Sourced
from monitor.errors import MonitorError
from monitor.replay.arrival import Merged
from monitor.replay.sequence import Sequence, numbered
from monitor.replay.sources import TOPIC_OF, Report
from schemas.records import Input

BATCH = 4_096  # records a message: half a megabyte, 40 ms of reading; the process is at most two messages ahead
LEAST_BYTES = 4_000_000  # packed files below are read in less time than a process takes to start, about a second

TOPICS = tuple(dict.fromkeys(TOPIC_OF.values()))
_NUMBER_OF = {topic: number for number, topic in enumerate(TOPICS)}
_encode = msgspec.msgpack.Encoder().encode


def _decoder(topic: str) -> msgspec.msgpack.Decoder[list[Input]]:
    kinds = [kind for kind, its_topic in TOPIC_OF.items() if its_topic == topic]
    return msgspec.msgpack.Decoder(list[functools.reduce(operator.or_, kinds)])  # type: ignore[misc]


_DECODERS = tuple(_decoder(topic) for topic in TOPICS)


def packed(items: Iterable[Sourced]) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the number of each record's topic, and the records of each topic together, encoded."""
    order = bytearray()
    rows: list[list[Input]] = [[] for _ in TOPICS]
    for item in items:
        number = _NUMBER_OF[item.topic]
        order.append(number)
        rows[number].append(item.record)
    return bytes(order), tuple(map(_encode, rows))


def unpacked(order: bytes, rows: tuple[bytes, ...], first: int, partitions: int) -> Iterator[Sourced]:
    """Give packed records again, in their order, the first with that ordinal."""
    records = [iter(decoder.decode(data)) for decoder, data in zip(_DECODERS, rows, strict=True)]
    for ordinal, number in enumerate(order, first):
        yield numbered(TOPICS[number], ordinal, next(records[number]), partitions)


@dataclass(slots=True)
class Batch:
    """Packed records, and how far reading is.

    `error` ends the stream: the type, cause and remedy of what a source raised after these records.
    """

    order: bytes
    rows: tuple[bytes, ...]
    fraction: float
    late: int
    counts: dict[str, int]
    span: tuple[int | None, int | None, int, int]
    reports: list[Report]
    last: bool = False
    error: tuple[type[MonitorError], str, str] | None = None


class ReaderLost(MonitorError):
    """The reading process is gone without a word; if it failed, its traceback is on standard error."""

    def __init__(self) -> None:
        super().__init__("the process that reads the files has ended", "see above for why, and start the replay again")


def pays(stream: Merged) -> bool:
    """Return whether there is enough to read, and a second core to read it on."""
    return cores() > 1 and sum(source.size_bytes for source in stream.sources) >= LEAST_BYTES


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def reading_ahead(stream: Merged, partitions: int) -> Iterator[Ahead]:
    """Start the process for a block; nothing of it is left afterwards, however the block ends."""
    context = multiprocessing.get_context("spawn")  # a fork would take over locks of the threads that show progress
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(stream, partitions, sender), name="replay-reader", daemon=True)
    process.start()
    sender.close()  # so that the other process has the only one, and its end is the end of the pipe
    try:
        yield Ahead(stream, partitions, receiver)
    finally:
        receiver.close()
        process.terminate()
        process.join()


@dataclass(slots=True)
class Ahead:
    """The sequence of a stream that another process reads (see `monitor.replay.sequence.Sequence`).

    What the other process has read and left out is written down in `stream` and its sources.
    """

    stream: Merged
    partitions: int
    receiver: Connection
    fraction: float = 0.0
    late: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Sourced]:
        """Give all records in merged order, once; raises what the sources raise, and ReaderLost."""
        taken = 0
        while True:
            try:
                batch: Batch = self.receiver.recv()
            except EOFError as error:
                raise ReaderLost from error
            self._note(batch)
            yield from unpacked(batch.order, batch.rows, taken, self.partitions)
            taken += len(batch.order)
            if batch.error is not None:
                kind, cause, remedy = batch.error
                failure = kind.__new__(kind)
                MonitorError.__init__(failure, cause, remedy)
                raise failure
            if batch.last:
                return

    def _note(self, batch: Batch) -> None:
        stream = self.stream
        self.fraction, self.late, self.counts = batch.fraction, batch.late, batch.counts
        stream.first_us, stream.last_us, stream.repeated, stream.outside = batch.span
        for source, report in zip(stream.sources, batch.reports, strict=True):
            source.report = report


# --- the other process ----------------------------------------------------------------------------


def _send(stream: Merged, partitions: int, sender: Connection) -> None:
    """Read a stream to its end, or to an error, and send it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it, too
    sequence = Sequence(stream, partitions)
    items: list[Sourced] = []

    def send(*, last: bool = False, error: MonitorError | None = None) -> None:
        order, rows = packed(items)
        items.clear()
        span = (stream.first_us, stream.last_us, stream.repeated, stream.outside)
        reports = [source.report for source in stream.sources]
        failure = None if error is None else (type(error), error.cause, error.remedy)
        sender.send(Batch(order, rows, sequence.fraction, sequence.late, sequence.counts, span, reports, last, failure))

    with contextlib.suppress(BrokenPipeError):  # nobody reads any more
        try:
            for item in sequence:
                items.append(item)
                if len(items) == BATCH:
                    send()
        except MonitorError as error:
            send(error=error)
        else:
            send(last=True)
