"""Computes one account's events again: the engine's own steps, over the records that the events name.

Pure. In strict order the sequence says what came after what. In live order topics have no order between them; what is
known of it stands in the account's events, each of which names the exact positions that it was computed at and the
record that caused it, and in the states of its partition's accounts, each of which names the positions that a flush
had reached. So from one such point to the next the records in between are applied, and at each point all positions are
what they were. Where accounts' records fell between prices within one flush is written nowhere, but for the last one
before an account's first event, whose market time the event names (`attribution_base`): the few orders that there are
reasons for are tried (`ORDERS`).
"""

from __future__ import annotations

import bisect
import copy
import heapq
import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from monitor.answers.moment import step_watched
from monitor.engine import Sourced, new_state, open_shard, step
from monitor.engine.book import status_parameters
from monitor.engine.market import TICKS as TICK_RECORDS
from monitor.engine.merge import order_time_us
from monitor.engine.step import REJECTIONS
from monitor.engine.transitions import TIMER_CAUSE
from schemas.ids import canonical
from schemas.records import START, AccountEvent, Cause, Position
from schemas.topics import MARKET_TOPICS, SOURCE_RANK, TICKS

if TYPE_CHECKING:
    from monitor.engine import State
    from monitor.engine.baseline import Baseline
    from monitor.engine.state import Outgoing

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
_read_event = msgspec.json.Decoder(AccountEvent).decode

Order = Callable[[Stamped], tuple[int, int, int, int]]
Positions = Mapping[str, Position]
TakesMoment = Callable[["State", "Outgoing", "Baseline | None"], None]


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


class Path(NamedTuple):
    """Positions of all inputs that are known to have been passed, in any order.

    `flushes`: those of the partition when an account's state was published. `own`: those of the account right behind
    each of its own records; no other record of it is missing between them.
    """

    flushes: Sequence[Positions] = ()
    own: Sequence[Positions] = ()


NO_PATH = Path()


class Tried(NamedTuple):
    """An order, and what is made of the market times that events name.

    `early`: at such a time, what is put there is put before all but the first tick of that time. `timers`: an account's
    last record of a flush is put where a timer began that fires in an event.
    """

    order: Order
    early: bool = False
    timers: bool = False


ORDERS: Mapping[str, Tried] = {
    "event_time": Tried(by_event_time), "arrival": Tried(by_arrival), "accounts_first": Tried(accounts_first),
    "accounts_last": Tried(accounts_last), "event_time_early": Tried(by_event_time, early=True),
    "timers": Tried(by_event_time, timers=True), "timers_early": Tried(by_event_time, early=True, timers=True),
}  # fmt: skip


class Run:
    """One account from nothing; `said` are its events by sequence, `others` what else was said, by id.

    Records of other accounts of its partition move positions and nothing else.
    """

    def __init__(self, account: str, partition: int, partitions: int, told: TakesMoment | None = None) -> None:
        self._account = account
        self._told = told
        self._shard = partition
        self._state = new_state()
        open_shard(self._state, partition, None, [], partitions=partitions, epoch=1)
        self.said: dict[int, bytes] = {}
        self.others: dict[str, bytes] = {}
        self.applied = 0

    @property
    def state(self) -> State:
        """The engine's state after what was applied: of this one account, and the market."""
        return self._state

    def take(self, sources: Sequence[Sourced], *, conflate: bool = False) -> None:
        """Apply records in order."""
        if conflate:
            step(self._state, (), conflate=True)  # an overload begins before the records of others, too
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

    def take_all(self, sources: Sequence[Sourced], *, conflate: bool = False) -> None:
        """Apply records with an evaluation behind each, or without those that may be left out."""
        if conflate:
            self.take(sources, conflate=True)
            return
        for source in sources:
            self.take([source])

    def forget_timer(self, sequence: int) -> None:
        """Let an event not say where its timer began: its worker had taken the account over since."""
        event = _read_event(self.said[sequence]) if sequence in self.said else None
        if event is not None and event.left_out is not None and event.left_out.timer is not None:
            left_out = msgspec.structs.replace(event.left_out, timer=None)
            self.said[sequence] = canonical(msgspec.structs.replace(event, left_out=left_out))

    def _step(self, sources: Sequence[Sourced], *, conflate: bool) -> None:
        if not sources:
            return
        for outgoing in self._applied(sources, conflate=conflate):
            body = outgoing.body.encode()
            place = _read_place(body)
            if place.account == self._account:
                self.said.setdefault(place.sequence, body)
            else:
                self.others[outgoing.id] = body
        self._state.rejected.clear()

    def _applied(self, sources: Sequence[Sourced], *, conflate: bool) -> list[Outgoing]:
        told, state = self._told, self._state
        if told is None:
            return step(state, sources, conflate=conflate)
        return step_watched(
            state, sources, (self._account,), lambda one, base: told(state, one, base), conflate=conflate
        )


def in_sequence(event: AccountEvent, records: Iterable[Stamped], partition: int, partitions: int) -> bytes | None:
    """Return the event as the records of its partition give it in their own order; None if they do not."""
    run = Run(event.account, partition, partitions)
    for item in records:
        run.take([item.source])
        if event.sequence in run.said:
            break
    return run.said.get(event.sequence)


def from_topics(
    event: AccountEvent, before: Sequence[AccountEvent], records: Mapping[str, Sequence[Stamped]], tried: Tried,
    partition: int, partitions: int, path: Path = NO_PATH,
) -> bytes | None:  # fmt: skip
    """Return the event as the topics give it; None if the account has no such event at its positions.

    `before` are the account's earlier events by sequence, `records` those of each topic by position, from the first
    on; `tried` says what comes first of what has no order.
    """
    anchors = (*before, event)
    return run_through(event.account, anchors, records, tried, partition, partitions, path).said.get(event.sequence)


def run_through(  # noqa: PLR0913 (what is known of an order, and who looks)
    account: str, anchors: Sequence[AccountEvent], records: Mapping[str, Sequence[Stamped]], tried: Tried,
    partition: int, partitions: int, path: Path = NO_PATH, *, to_end: bool = False,
    told: TakesMoment | None = None,
) -> Run:  # fmt: skip
    """Apply records from one event of the account to the next; `path` as `from_topics`, `to_end` for all of them.

    `told` is called with each event of the account at its moment.
    """
    run = Run(account, partition, partitions, told)
    done = dict.fromkeys(records, 0)
    known = Path(sorted(path.flushes, key=_progress), sorted(path.own, key=_progress))
    mine = {
        (topic, item.source.position) for topic, items in records.items() for item in items if _is_of(item, account)
    }
    reached: Positions = {}
    time_us = 0
    for anchor in anchors:
        noted = _noted(anchor, records)
        begun_us = _begun_us(run, anchor) if tried.timers else None
        for stop, conflate in _stages(reached, anchor):
            merged: list[Sourced] = []
            for point, is_own in _between(reached, known, stop, mine):
                stretch = [item.source for item in heapq.merge(*_stretch(point, records, done), key=tried.order)]
                if is_own:
                    merged += _own_last(stretch, account, point)
                else:
                    at = noted or _starting(stretch, begun_us, account, time_us)
                    merged += _put_at(stretch, at, time_us, early=tried.early)
                time_us = max(time_us, *map(_tick_us, stretch), 0)
            if stop is not anchor.positions:
                run.take_all(merged, conflate=conflate)
            else:
                _apply(run, anchor, _last_put_last(anchor, merged), conflate=conflate)
            reached = stop
        if anchor.left_out is not None and anchor.left_out.timer is None:
            run.forget_timer(anchor.sequence)
    if to_end:
        rest = (items[done[topic] :] for topic, items in records.items())
        run.take([item.source for item in heapq.merge(*rest, key=tried.order)])
    return run


def _progress(positions: Positions) -> tuple[int, int]:
    """Return a number that grows along any path: the sum of all offsets (of nothing, 0), then of all rows."""
    return (sum(offset + 1 for offset, _ in positions.values()), sum(row for _, row in positions.values()))


def _between(
    reached: Positions, path: Path, end: Positions, mine: Container[tuple[str, Position]]
) -> Iterator[tuple[Positions, bool]]:
    """Yield the points that lie on one path from `reached` to `end`, and `end`; tell which are of the account's own.

    What is not on it is of another time, or forged. Flushes of others give way: an account that was stored and its
    partition that was not have been through the same records in another order. `mine` are the account's records.
    """
    own = list(_following(reached, path.own, end))
    for stop, is_own in (*((point, True) for point in own), (end, False)):
        behind = [item for item in stop.items() if item in mine and item[1] > reached.get(item[0], START)]
        for point in _following(reached, path.flushes, stop):
            if is_own and any(point.get(topic, START) >= position for topic, position in behind):
                continue  # it would have been through the record that the stop is right behind
            yield point, False
            reached = point
        yield stop, is_own
        reached = stop


def _following(reached: Positions, ordered: Sequence[Positions], end: Positions) -> Iterator[Positions]:
    """Yield, of points ordered by progress, those on one path from `reached` to `end`."""
    first = bisect.bisect_left(ordered, _progress(reached), key=_progress)
    last = bisect.bisect_right(ordered, _progress(end), key=_progress)
    for point in itertools.islice(ordered, first, last):
        if _precedes(reached, point) and _precedes(point, end):
            yield point
            reached = point


def _own_last(stretch: list[Sourced], account: str, point: Positions) -> list[Sourced]:
    """Move the account's record that a point is right behind to the end."""
    own = [
        one for one in stretch
        if getattr(one.record, "account", None) == account and one.position == point.get(one.topic)
    ]  # fmt: skip
    return [*(one for one in stretch if one is not own[-1]), own[-1]] if own else stretch


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


class _Noted(NamedTuple):
    """A record of the account, and the market time at which it was applied."""

    source: Sourced
    time_us: int


def _noted(anchor: AccountEvent, records: Mapping[str, Sequence[Stamped]]) -> _Noted | None:
    """Return what an event says of the record that it counts from; None if it counts from another event."""
    base = anchor.attribution_base
    if base is None or base.sequence:
        return None
    cause = _causing(anchor)
    own = [
        item for topic, items in records.items() if topic not in _MARKET for item in items
        if getattr(item.source.record, "account", None) == anchor.account
        and item.source.position <= anchor.positions.get(topic, START)
        and (topic, *item.source.position) != cause
    ]  # fmt: skip
    return _Noted(max(own, key=by_event_time).source, base.event_time_us) if own else None


def _begun_us(run: Run, anchor: AccountEvent) -> int | None:
    """Return when the timer began that fired in an event; None if none did."""
    if anchor.cause.topic != TIMER_CAUSE.topic:
        return None
    p = status_parameters(run.state.market, anchor.parameter_set)
    dwell_ms = p.recovered_dwell_ms if anchor.state_from == "recovered" else p.leave_dwell_ms
    if anchor.state_to == "margin_call":
        dwell_ms = p.margin_call_dwell_ms
    return anchor.event_time_us - 1_000 * dwell_ms


def _starting(stretch: Sequence[Sourced], begun_us: int | None, account: str, begin_us: int) -> _Noted | None:
    """Return the account's last record of a stretch in which a timer began, to be put there."""
    if begun_us is None or not begin_us <= begun_us <= max(begin_us, *map(_tick_us, stretch), 0):
        return None
    own = [one for one in stretch if getattr(one.record, "account", None) == account]
    return _Noted(own[-1], begun_us) if own else None


def _put_at(stretch: list[Sourced], noted: _Noted | None, begin_us: int, *, early: bool) -> list[Sourced]:
    """Have a record applied while the market had its time, which was `begin_us` before the stretch.

    One that is elsewhere comes behind the last tick that is not later, or `early` behind the first that has the time;
    the account's records before it stay before it. An event that names a false time comes out otherwise, or not.
    """
    at = None if noted is None else next((k for k, one in enumerate(stretch) if one is noted.source), None)
    if noted is None or at is None:
        return stretch
    if not early and max(begin_us, *map(_tick_us, stretch[:at]), 0) == noted.time_us:
        return stretch
    later = (k for k, one in enumerate(stretch) if _tick_us(one) > noted.time_us)
    first = (k + 1 for k, one in enumerate(stretch) if _tick_us(one) == noted.time_us)
    cut = next(later, len(stretch))
    cut = next(first, cut) if early else cut
    own = [one for one in stretch[cut : at + 1] if one.topic not in _MARKET] or [noted.source]
    moved = {id(one) for one in own}
    before, behind = ([one for one in part if id(one) not in moved] for part in (stretch[:cut], stretch[cut:]))
    return [*before, *own, *behind]


def _tick_us(source: Sourced) -> int:
    return source.record.event_time_us if source.topic == TICKS.name else 0


def _is_of(item: Stamped, account: str) -> bool:
    return getattr(item.source.record, "account", None) == account


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
    if cause.offset >= 0 and not _is_conflated(anchor):
        return (cause.topic, cause.offset, cause.index)
    # What time does is done by the tick that brings it. With conflation records behind the cause are folded, too.
    reached: Position = anchor.positions.get(TICKS.name, START)
    return (TICKS.name, *reached)


def _stages(reached: Positions, anchor: AccountEvent) -> Iterator[tuple[Positions, bool]]:
    """Yield where to stop on the way to an event, and whether evaluations were left out on the way there.

    Of those that were made under an overload none had an effect that lasted, but that at which the timer began that
    fired: others would be events. Where they were is not told; so only those are made that never are left out.
    """
    said = anchor.left_out
    if said is not None:
        for stop, conflate in ((said.positions, False), (said.timer, True)):
            if stop is not None and _precedes(reached, stop) and _precedes(stop, anchor.positions):
                yield stop, conflate
                reached = stop
    yield anchor.positions, said is not None


def _apply(run: Run, anchor: AccountEvent, merged: list[Sourced], *, conflate: bool) -> None:
    """Apply the records up to an event as they were: one by one, or under overload with one evaluation for many."""
    if not (conflate or _is_conflated(anchor)):
        run.take_all(merged)
        return
    if conflate and anchor.cause.topic not in _MARKET:
        run.take(merged, conflate=True)  # what acts at its own moment, and what is the account's own, is never left out
        return
    # It stands for its cause and that many records before it: from the first of them on, nothing was evaluated.
    coins = {risk.underlying for risk in anchor.underlyings}
    moving = _moving(run, merged, coins)
    start = moving[-1 - anchor.conflated_records :][0] if moving else 0
    run.take_all(merged[:start], conflate=conflate)
    run.take(merged[start:], conflate=True)


def _is_conflated(anchor: AccountEvent) -> bool:
    """Whether an event was computed behind its cause: other records were folded in between."""
    cause = anchor.cause
    is_behind = cause.topic in _MARKET and (cause.offset, cause.index) != anchor.positions.get(cause.topic)
    return bool(anchor.conflated_records) or is_behind


def _moving(run: Run, merged: Sequence[Sourced], coins: set[str]) -> list[int]:
    """Return which records move some coins: those that repeat a price do not count as left out."""
    market = copy.deepcopy(run.state.market)
    found = []
    for index, source in enumerate(merged):
        record = source.record
        if source.topic not in _MARKET:
            continue
        try:
            if isinstance(record, TICK_RECORDS) and record.event_time_us > market.time_us:
                market.ticks.check(record)
                market.advance(record.event_time_us)
            moved = market.apply(record).underlyings
        except REJECTIONS:
            continue
        if not coins.isdisjoint(moved):
            found.append(index)
    return found


def change_of_regime(identity: str, records: Iterable[Stamped], partitions: int) -> bytes | None:
    """Return a regime change or range step by its id as the ticks give it; None if they do not."""
    run = Run("", 0, partitions)
    for item in records:
        if item.source.topic in _MARKET:
            run.take([item.source])
        if identity in run.others:
            break
    return run.others.get(identity)
