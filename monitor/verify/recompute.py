"""Computes one account's events again: the engine's own steps, over the records that the events name.

Pure. In strict order the sequence says what came after what. In live order topics have no order between them; what is
known of it stands in the account's events, each of which names the exact positions that it was computed at and the
record that caused it, and in the states of its partition's accounts, each of which names the positions that a flush
had reached. So from one such point to the next the records in between are applied, and at each point all positions are
what they were. Where accounts' records fell between prices within one flush is the one thing that is written nowhere:
the few orders that there are reasons for are tried (`ORDERS`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from monitor.engine import Sourced, new_state, open_shard, step
from monitor.engine.merge import order_time_us
from schemas.records import START, AccountEvent, Cause, Position
from schemas.topics import MARKET_TOPICS, SOURCE_RANK, TICKS

if TYPE_CHECKING:
    from monitor.engine import State
    from monitor.engine.baseline import Baseline

_MARKET = frozenset(topic.name for topic in MARKET_TOPICS)


class Stamped(NamedTuple):
    """A record, and when the broker got the message that it came in, milliseconds since 1970."""

    source: Sourced
    arrived_ms: int


class _Place(msgspec.Struct):
    """What is read of an event that was computed."""

    account: str | None = None
    sequence: int = 0


_read_place = msgspec.json.Decoder(_Place).decode

Order = Callable[[Stamped], tuple[int, int, int, int]]
Positions = Mapping[str, Position]


def by_event_time(item: Stamped) -> tuple[int, int, int, int]:
    """Order by event time, as the live merge does with all that waits."""
    source = item.source
    return (order_time_us(source), SOURCE_RANK[source.topic], source.offset, source.index)


def by_arrival(item: Stamped) -> tuple[int, int, int, int]:
    """Order by arrival at the broker, as the live merge does when nothing waits."""
    source = item.source
    return (item.arrived_ms, SOURCE_RANK[source.topic], source.offset, source.index)


def accounts_first(item: Stamped) -> tuple[int, int, int, int]:
    """Order accounts' records before prices, as a merge does whose prices were fetched late."""
    return (item.source.topic in _MARKET, *by_event_time(item)[:3])


def accounts_last(item: Stamped) -> tuple[int, int, int, int]:
    """Order accounts' records behind prices, as a merge does that stopped waiting for them."""
    return (item.source.topic not in _MARKET, *by_event_time(item)[:3])


ORDERS: Mapping[str, Order] = {
    "event_time": by_event_time, "arrival": by_arrival, "accounts_first": accounts_first,
    "accounts_last": accounts_last,
}  # fmt: skip


class Run:
    """One account from nothing; `said` are its events by sequence, `others` what else was said, by id.

    Records of other accounts of its partition move positions and nothing else.
    """

    def __init__(self, account: str, partition: int, partitions: int) -> None:
        self._account = account
        self._shard = partition
        self._state = new_state()
        open_shard(self._state, partition, None, [], partitions=partitions, epoch=1)
        self.said: dict[int, bytes] = {}
        self.others: dict[str, bytes] = {}
        self.applied = 0
        self.base: Baseline | None = None
        """What the newest event's attribution counts from."""

    @property
    def state(self) -> State:
        """The engine's state after what was applied: of this one account, and the market."""
        return self._state

    def _baseline(self) -> Baseline | None:
        account = self._state.shards[self._shard].accounts.get(self._account)
        return None if account is None else account.baseline

    def take(self, sources: Sequence[Sourced], *, conflate: bool = False) -> None:
        """Apply records in order."""
        mine = []
        for source in sources:
            self.applied += 1
            if source.topic in _MARKET or getattr(source.record, "account", None) == self._account:
                mine.append(source)
                continue
            self._step(mine, conflate=conflate)
            mine = []
            positions = self._state.shards[self._shard].marker.positions
            positions[source.topic] = max(source.position, positions.get(source.topic, START))
        self._step(mine, conflate=conflate)

    def _step(self, sources: Sequence[Sourced], *, conflate: bool) -> None:
        if not sources:
            return
        base = self._baseline()
        for outgoing in step(self._state, sources, conflate=conflate):
            body = outgoing.body.encode()
            place = _read_place(body)
            if place.account == self._account:
                self.said.setdefault(place.sequence, body)
                self.base = base
            else:
                self.others[outgoing.id] = body
        self._state.rejected.clear()


def in_sequence(event: AccountEvent, records: Iterable[Stamped], partition: int, partitions: int) -> bytes | None:
    """Return the event as the records of its partition give it in their own order; None if they do not."""
    run = Run(event.account, partition, partitions)
    for item in records:
        run.take([item.source])
        if event.sequence in run.said:
            break
    return run.said.get(event.sequence)


def from_topics(
    event: AccountEvent, before: Sequence[AccountEvent], records: Mapping[str, Sequence[Stamped]], order: Order,
    partition: int, partitions: int, path: Sequence[Positions] = (),
) -> bytes | None:  # fmt: skip
    """Return the event as the topics give it; None if the account has no such event at its positions.

    `before` are the account's earlier events by sequence, `records` those of each topic by position, from the first
    on; `order` says what comes first of what has no order; `path` are positions that the partition is known to have
    been at, in any order.
    """
    anchors = (*before, event)
    return run_through(event.account, anchors, records, order, partition, partitions, path).said.get(event.sequence)


def run_through(
    account: str, anchors: Sequence[AccountEvent], records: Mapping[str, Sequence[Stamped]], order: Order,
    partition: int, partitions: int, path: Sequence[Positions] = (), *, to_end: bool = False,
) -> Run:  # fmt: skip
    """Apply records from one event of the account to the next; `path` as `from_topics`, `to_end` for all of them."""
    run = Run(account, partition, partitions)
    done = dict.fromkeys(records, 0)
    ordered = sorted(path, key=_progress)
    reached: Positions = {}
    for anchor in anchors:
        merged: list[Sourced] = []
        for point in (*_between(reached, ordered, anchor.positions), anchor.positions):
            merged += [item.source for item in heapq.merge(*_stretch(point, records, done), key=order)]
        _apply(run, anchor, _last_put_last(anchor, merged))
        reached = anchor.positions
    if to_end:
        rest = (items[done[topic] :] for topic, items in records.items())
        run.take([item.source for item in heapq.merge(*rest, key=order)])
    return run


def _progress(positions: Positions) -> tuple[int, int]:
    """Return a number that grows along any path: the sum of all offsets, then of all rows."""
    return (sum(offset for offset, _ in positions.values()), sum(row for _, row in positions.values()))


def _between(reached: Positions, ordered: Sequence[Positions], end: Positions) -> Iterator[Positions]:
    """Yield the points that lie on one path from `reached` to `end`; what does not is of another time, or forged."""
    for point in ordered:
        if _precedes(reached, point) and _precedes(point, end):
            yield point
            reached = point


def _precedes(one: Positions, other: Positions) -> bool:
    return all(position <= other.get(topic, START) for topic, position in one.items())


def _stretch(
    point: Positions, records: Mapping[str, Sequence[Stamped]], done: dict[str, int]
) -> Iterator[Sequence[Stamped]]:
    """Yield, of each topic, the records up to some positions that are not `done`."""
    for topic, items in records.items():
        reached = point.get(topic, START)
        start = end = done[topic]
        while end < len(items) and items[end].source.position <= reached:
            end += 1
        done[topic] = end
        yield items[start:end]


def _last_put_last(anchor: AccountEvent, merged: list[Sourced]) -> list[Sourced]:
    """Move the record that caused an event to the end: nothing was applied behind it when the event was computed."""
    place = _causing(anchor)
    for index in range(len(merged) - 1, -1, -1):
        source = merged[index]
        if (source.topic, *source.position) == place:
            return [*merged[:index], *merged[index + 1 :], source]
    return merged


def _causing(anchor: AccountEvent) -> tuple[str, int, int]:
    """Return topic and position of the record at which an event was computed."""
    cause: Cause = anchor.cause
    if cause.offset >= 0 and not anchor.conflated_records:
        return (cause.topic, cause.offset, cause.index)
    # What time does is done by the tick that brings it. With conflation records behind the cause are folded, too.
    reached: Position = anchor.positions.get(TICKS.name, START)
    return (TICKS.name, *reached)


def _apply(run: Run, anchor: AccountEvent, merged: list[Sourced]) -> None:
    """Apply the records up to an event as they were: one by one, or under overload with one evaluation for many."""
    count = anchor.conflated_records
    if not count:
        for source in merged:
            run.take([source])
        return
    # The event stands for that many records before its cause: from the first of them on, nothing was evaluated.
    coins = {risk.underlying for risk in anchor.underlyings}
    left, start = count + 1, len(merged)
    while start and left:
        start -= 1
        left -= getattr(merged[start].record, "underlying", None) in coins
    for source in merged[:start]:
        run.take([source])
    run.take(merged[start:], conflate=True)


def change_of_regime(identity: str, records: Iterable[Stamped], partitions: int) -> bytes | None:
    """Return a regime change or range step by its id as the ticks give it; None if they do not."""
    run = Run("", 0, partitions)
    for item in records:
        if item.source.topic in _MARKET:
            run.take([item.source])
        if identity in run.others:
            break
    return run.others.get(identity)
