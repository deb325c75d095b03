"""Files of our own records: JSON lines `{"topic": "market.ticks.v1", "record": {...}}`, plain or gzip.

The same form serves a generated market, a file of accounts, and anything somebody wants to hand to the monitor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import msgspec
from msgspec import Raw, Struct

from monitor.replay.sources.errors import Truncated
from monitor.replay.sources.packed import DAMAGE, opened
from monitor.replay.sources.table import Report, Watch
from schemas import codec, topics
from schemas.fields import MAX_RECORD_BYTES
from schemas.records import Input, Record

MAX_LINE_BYTES = MAX_RECORD_BYTES + 256  # a record at its limit and the envelope around it
ACCOUNT_TOPICS = frozenset(topic.name for topic in topics.ACCOUNT_TOPICS)
INPUT_TOPICS = frozenset(topics.SOURCE_RANK)


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One line: the topic's name in the topic table, and a record of that topic; a recorded one with its place."""

    topic: str
    record: Raw
    partition: int = 0
    offset: int = 0
    index: int = 0


_decode_line = msgspec.json.Decoder(Line).decode


class Lines:
    """One open file of records; `line` is the number of the line given last."""

    def __init__(self, path: Path) -> None:
        """Open the file; raises SourceError if it cannot be read."""
        self.path = path
        self.line = 0
        self.watch: Watch | None = None
        self._raw, self._unpacked = opened(path)

    def records(self, report: Report) -> Iterator[tuple[str, Input]]:
        """Give (topic, record) line by line; count lines that hold no record. Raises Truncated at damage."""
        try:
            while data := self._unpacked.readline(MAX_LINE_BYTES + 1):
                self.line += 1
                if not data.strip():
                    continue
                report.rows += 1
                if self.watch is not None:
                    self.watch(self.line, (data,))
                found = self._decode(data)
                if isinstance(found, str):
                    report.refuse(self.path, self.line, found)
                    self._skip_rest(data)
                else:
                    yield found
        except DAMAGE as error:
            raise Truncated(self.path, self.line, str(error)) from error
        finally:
            self.close()

    @property
    def fraction(self) -> float:
        """Share of the file's bytes read so far."""
        if self._raw.closed:
            return 1.0
        return self._raw.tell() / max(1, self.path.stat().st_size)

    def close(self) -> None:
        """Close the file."""
        self._unpacked.close()
        self._raw.close()

    def _decode(self, data: bytes) -> tuple[str, Input] | str:
        try:
            line = _decode_line(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return f"no record line: {error}"
        if line.topic not in INPUT_TOPICS:
            return f"{line.topic[:60]} is not an input topic"
        record = codec.decode_record(line.topic, bytes(line.record))
        if isinstance(record, codec.Refused):
            return f"{record.error_kind}: {record.error_text}"
        return line.topic, cast("Input", record)

    def _skip_rest(self, data: bytes) -> None:
        """Leave the rest of an overlong line behind, in pieces, so that it costs no memory."""
        while data and not data.endswith(b"\n"):
            data = self._unpacked.readline(MAX_LINE_BYTES)


def write_lines(stream: IO[bytes], records: Iterable[tuple[str, Record]]) -> int:
    """Write (topic, record) pairs as lines; return how many. Raises ValueError on NaN or infinity."""
    count = 0
    for topic, record in records:
        stream.write(b'{"topic":"%s","record":%s}\n' % (topic.encode(), codec.encode(record)))
        count += 1
    return count


def arrival_us(record: Any) -> int:
    """When a record arrives: its recorder's clock if it has one, else its event time."""
    received: int | None = getattr(record, "received_time_us", None)
    event: int = record.event_time_us
    return event if received is None else received
