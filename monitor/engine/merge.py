"""Live merge of several inputs by event time.

Kafka orders records within a partition only. The merge takes, of the oldest unread record of each input, the one with
the smallest (event time, source rank, offset, index in the frame). Within an input the order is that of its offsets,
whatever the event times say: a late record comes when it comes, and is then taken first.

An input that is empty may still owe an earlier record. It is waited for only while the broker is known to hold records
of it that are not fetched yet (the rule of KIP-695), and for a bounded time until it delivers again; an input
that has been read to its end is never waited for. Definitions (parameters, instruments) are waited for without that
bound, because a trade must not be applied before its instrument exists.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from monitor.engine.clock import CLOCK_LIMIT_US
from monitor.engine.state import Sourced

MAX_WAIT_MS = 50  # a fetch on a healthy broker takes a few ms; twice as long would be felt in the latency of calls


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing may be taken before `inputs` deliver, or `wait_ms` have passed if not for `definitions`."""

    wait_ms: float
    inputs: tuple[str, ...]
    definitions: bool


_Head = tuple[int, int, int, int, int, "_Input"]


class _Input:
    __slots__ = (
        "buffer", "definitions", "head", "key", "last", "max_wait_ms", "open", "order", "rank", "unfetched",
        "waiting_since_ms",
    )  # fmt: skip

    def __init__(self, key: str, rank: int, order: int, definitions: bool, max_wait_ms: float) -> None:
        self.key = key
        self.rank = rank
        self.order = order  # unique: equal records of two inputs are taken in the order of registration
        self.definitions = definitions
        self.max_wait_ms = max_wait_ms
        self.open = True
        self.unfetched = False
        self.buffer: deque[Sourced] = deque()
        self.head: _Head | None = None
        self.last: tuple[int, int] = (-1, -1)
        self.waiting_since_ms: float | None = None

    def __lt__(self, other: _Input) -> bool:
        # Reached only by two entries of one input for the same record (closed and opened again): no order needed.
        return False


class LiveMerge:
    """Merges inputs as they arrive.

    The caller bounds the buffers (`buffered`), says what the broker still holds (`set_unfetched`), and gives the time.
    `late` counts records taken after one of a later event time, `waits` and `waited_ms` the waiting.
    """

    def __init__(self) -> None:
        self._inputs: dict[str, _Input] = {}
        self._order = 0
        self._heap: list[_Head] = []
        self._hungry: dict[str, _Input] = {}  # open, empty, with unfetched records
        self._waiting_since_ms: float | None = None
        self._newest_us = 0
        self.late = 0
        self.waits = 0
        self.waited_ms = 0.0

    # --- inputs ---------------------------------------------------------------------------------

    def add_input(
        self, key: str, rank: int, *, definitions: bool = False, is_open: bool = True, max_wait_ms: float = MAX_WAIT_MS
    ) -> None:
        """Register an input; `rank` is its topic's `SOURCE_RANK`. Raises ValueError if the key is taken."""
        if key in self._inputs:
            raise ValueError(f"input {key} exists")
        self._order += 1
        self._inputs[key] = _Input(key, rank, self._order, definitions, max_wait_ms)
        if not is_open:
            self.close(key)

    def remove_input(self, key: str) -> int:
        """Forget an input with what it holds; return how many records were dropped."""
        record = self._inputs.pop(key)
        record.open = False
        record.head = None
        self._hungry.pop(key, None)
        return len(record.buffer)

    def close(self, key: str) -> None:
        """Shut the gate of an input: it keeps and receives records, but is neither read nor waited for."""
        record = self._inputs[key]
        record.open = False
        record.head = None
        record.waiting_since_ms = None
        self._hungry.pop(key, None)

    def open(self, key: str) -> None:
        """Open the gate of an input."""
        record = self._inputs[key]
        if not record.open:
            record.open = True
            self._expose(record)

    def set_unfetched(self, key: str, unfetched: bool, *, max_wait_ms: float | None = None) -> None:
        """Say whether the broker holds records of an input that have not been pushed yet.

        `max_wait_ms`, infinity for as long as it takes, is how long to wait for them from now on.
        """
        record = self._inputs[key]
        record.unfetched = unfetched
        if max_wait_ms is not None:
            record.max_wait_ms = max_wait_ms
        if not record.open or record.buffer:
            return
        if unfetched:
            self._hungry.setdefault(key, record)
        else:
            self._hungry.pop(key, None)
            record.waiting_since_ms = None

    def buffered(self, key: str | None = None) -> int:
        """Return how many records wait, of one input or of all."""
        if key is not None:
            return len(self._inputs[key].buffer)
        return sum(len(record.buffer) for record in self._inputs.values())

    def waiting_us(self, key: str) -> int:
        """Return the event time from the oldest to the newest record that waits of an input, 0 if none does."""
        buffer = self._inputs[key].buffer
        return max(0, order_time_us(buffer[-1]) - order_time_us(buffer[0])) if buffer else 0

    # --- records --------------------------------------------------------------------------------

    def push(self, key: str, item: Sourced) -> None:
        """Append a record to its input; raises ValueError if it is not after the last one pushed."""
        record = self._inputs[key]
        position = (item.offset, item.index)
        if position <= record.last:
            raise ValueError(f"input {key}: position {position} after {record.last}")
        record.last = position
        record.buffer.append(item)
        if len(record.buffer) == 1 and record.open:
            record.waiting_since_ms = None
            self._hungry.pop(key, None)
            self._expose(record)

    def next(self, now_ms: float) -> Sourced | Wait | None:
        """Take the next record; `Wait` if an input must be waited for, None if nothing is there.

        `now_ms` is a monotonic time of the caller's.
        """
        if self._hungry:
            wait = self._wait(now_ms)
            if wait is not None:
                return wait
        if self._waiting_since_ms is not None:
            self.waited_ms += now_ms - self._waiting_since_ms
            self._waiting_since_ms = None
        heap = self._heap
        while heap:
            head = heap[0]
            record = head[5]
            if record.head is not head:  # removed or closed since
                heapq.heappop(heap)
                continue
            buffer = record.buffer
            item = buffer.popleft()
            if buffer:
                following = buffer[0]
                record.head = (
                    order_time_us(following), record.rank, following.offset, following.index, record.order, record
                )  # fmt: skip
                heapq.heapreplace(heap, record.head)
            else:
                heapq.heappop(heap)
                record.head = None
                if record.unfetched:
                    self._hungry[record.key] = record
            time_us = head[0]
            if time_us < self._newest_us:
                self.late += 1
            else:
                self._newest_us = time_us
            return item
        return None

    def _expose(self, record: _Input) -> None:
        if not record.buffer:
            if record.unfetched:
                self._hungry.setdefault(record.key, record)
            return
        item = record.buffer[0]
        record.head = (order_time_us(item), record.rank, item.offset, item.index, record.order, record)
        heapq.heappush(self._heap, record.head)

    def _wait(self, now_ms: float) -> Wait | None:
        """Return what to wait for, None if every hungry input has had its time."""
        definitions = [record for record in self._hungry.values() if record.definitions]
        if definitions:
            self._start_waiting(now_ms)
            return Wait(MAX_WAIT_MS, tuple(record.key for record in definitions), True)
        until_ms = now_ms
        keys: list[str] = []
        for record in self._hungry.values():
            if record.waiting_since_ms is None:
                record.waiting_since_ms = now_ms
            if record.waiting_since_ms + record.max_wait_ms > now_ms:
                keys.append(record.key)
                until_ms = max(until_ms, record.waiting_since_ms + record.max_wait_ms)
        if not keys:
            return None
        self._start_waiting(now_ms)
        return Wait(min(until_ms - now_ms, MAX_WAIT_MS), tuple(keys), False)

    def _start_waiting(self, now_ms: float) -> None:
        if self._waiting_since_ms is None:
            self._waiting_since_ms = now_ms
            self.waits += 1


def order_time_us(item: Sourced) -> int:
    """Return the time an item is ordered by."""
    return record_time_us(item.record)


def record_time_us(record: Any) -> int:
    """Return the time a record is ordered by: its event time, or its arrival if its clock is ahead of that.

    A market record that claims to come from the future would otherwise hold back all that follow it in its input.
    """
    time_us: int = record.event_time_us
    received_us = getattr(record, "received_time_us", None)
    if received_us is not None and time_us > received_us + CLOCK_LIMIT_US:
        return int(received_us)
    return time_us


def merge_sorted(inputs: Iterable[tuple[int, Iterable[Sourced]]]) -> Iterator[Sourced]:
    """Merge complete inputs, given as (source rank, records in offset order), by the same rule without waiting.

    Lazy: one record of each input is held at a time. Equal keys are taken in the order of the inputs.
    """
    for _, item in heapq.merge(*(_keyed(rank, records) for rank, records in inputs), key=lambda pair: pair[0]):
        yield item


def _keyed(rank: int, records: Iterable[Sourced]) -> Iterator[tuple[tuple[int, int, int, int], Sourced]]:
    for item in records:
        yield (order_time_us(item), rank, item.offset, item.index), item
