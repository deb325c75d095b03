"""One flush: everything the engine has to say, in the only order that loses nothing and says nothing twice.

1. dead letters of market records   before the marker that passes them
2. owed dead letters, account values with their events, markers
3. events, dead letters of account records
4. account states
5. acknowledgement of the source messages

Each step is acknowledged by the broker before the next one starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields

from monitor.engine.outbox import Event, Flush, Value, marker_key
from monitor.engine.state import Shard, encode
from monitor.worker.changelog import Letters, encode_letters, letters_key
from monitor.worker.dead_letters import Letter, Owed, outbound
from monitor.worker.metrics import Meters
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Outbound, Publisher
from monitor.worker.risk_arrays import RiskArrays
from schemas.headers import event_headers, regime_headers, state_headers
from schemas.records import Position
from schemas.topics import ACCOUNT_STATES, ALL, REGIMES

_TOPICS = {topic.name: topic for topic in ALL}


class Flusher:
    """Sends flushes to the topics of one deployment."""

    def __init__(self, options: WorkerOptions, publisher: Publisher, meters: Meters | None = None) -> None:
        self._options = options
        self.meters = meters or Meters()
        self._publisher = publisher
        self.arrays = RiskArrays(options, publisher)
        self._published: dict[int, int] = {}
        self.said: Callable[[Iterable[Event]], None] = lambda _events: None  # told of events that are acknowledged

    async def send(
        self, shards: Mapping[int, Shard], flush: Flush, unread: Iterable[Letter], rejected: Iterable[Letter],
        reported: Mapping[str, Position], still_owed: Owed | None = None,
    ) -> None:  # fmt: skip
        """Send steps 1 to 4 of a flush.

        `unread` are rows that did not decode, `rejected` what the engine refused; of market records only the owner of
        partition 0 gives any, with `reported`, the last positions reported by topic. What is `still_owed` of a former
        owner stays stored beside what is owed from now on.
        """
        unread, rejected = list(unread), list(rejected)
        market = [letter for letter in (*unread, *rejected) if letter.is_market]
        await self._publisher.send(outbound(market, self._options))
        owed = _owed(shards, rejected, reported, still_owed or Owed(), always=bool(market))
        await self._publisher.send(self._values(flush, owed))
        account = [letter for letter in (*unread, *rejected) if not letter.is_market]
        await self._publisher.send([*(self._event(event) for event in flush.events), *outbound(account, self._options)])
        self.said(flush.events)
        self.meters.refused((letter.topic, letter.kind) for letter in (*market, *account))
        headers = {partition: state_headers(shard.marker.epoch) for partition, shard in shards.items()}
        states = self._options.topic(ACCOUNT_STATES)
        await self._publisher.send(
            [
                Outbound(states, value.partition, value.key, value.value, headers[value.partition])
                for value in flush.account_states
            ]
        )

    @property
    def sent(self) -> int:
        """How many messages were acknowledged."""
        return self._publisher.sent

    @property
    def sending_since_s(self) -> float | None:
        """Since when a send is under way, monotonic; None if none is."""
        return self._publisher.sending_since_s

    async def events(self, events: Iterable[Event]) -> None:
        """Send events that a former owner stored, byte for byte."""
        events = list(events)
        await self._publisher.send([self._event(event) for event in events])
        self.said(events)

    async def values(self, partition: int, values: Iterable[tuple[bytes, bytes]]) -> None:
        """Write changelog records of one partition."""
        await self._publisher.send([Outbound(self._options.changelog, partition, *item) for item in values])

    async def markers(self, shards: Mapping[int, Shard]) -> None:
        """Write the markers again whose shards have published since: a successor then sends nothing twice."""
        await self._publisher.send(
            [
                Outbound(self._options.changelog, partition, marker_key(partition), encode(shard.marker))
                for partition, shard in sorted(shards.items())
                if self._published.get(partition) != shard.marker.published_flush
            ]
        )
        self._published = {partition: shard.marker.published_flush for partition, shard in shards.items()}

    def opened(self, shard: Shard) -> None:
        """Note that a shard's marker has been written as it is now."""
        self._published[shard.marker.partition] = shard.marker.published_flush

    def _values(self, flush: Flush, owed: dict[int, Value]) -> list[Outbound]:
        """Changelog records in order: owed letters, then accounts and marker, partition by partition.

        A refused record moves the positions of all accounts that are written with it. A crash or a refused send may
        leave only the first of these records: an account without its letters would have that record skipped for ever.
        """
        messages = [self._changelog(value) for value in owed.values()]
        for value in flush.values:
            if value.key == marker_key(value.partition):
                self._published[value.partition] = -1  # this marker was written before its flush was published
            messages.append(self._changelog(value))
        return messages

    def _changelog(self, value: Value) -> Outbound:
        return Outbound(self._options.changelog, value.partition, value.key, value.value)

    def _event(self, event: Event) -> Outbound:
        of = regime_headers if event.topic == REGIMES.name else event_headers
        headers = of(event.body, source=self._options.group, epoch=event.epoch)
        return Outbound(self._options.topic(_TOPICS[event.topic]), event.partition, event.key, event.body, headers)


def together(flushes: Sequence[Flush]) -> Flush:
    """Make one flush of those of several states, in their order."""
    names = [field.name for field in fields(Flush)]
    return Flush(**{name: [item for flush in flushes for item in getattr(flush, name)] for name in names})


def _owed(
    shards: Mapping[int, Shard], rejected: list[Letter], reported: Mapping[str, Position], still_owed: Owed, *,
    always: bool,
) -> dict[int, Value]:  # fmt: skip
    """Values under `letters_key` of the partitions that have something to store there (0: `always`, if ours)."""
    rows: dict[int, list[tuple[str, int, int, str, str]]] = {0: still_owed.rows(0)} if always else {}
    for letter in rejected:
        if not letter.is_market:
            row = (letter.topic, letter.offset, letter.index, letter.kind, letter.text)
            if letter.partition not in rows:
                rows[letter.partition] = still_owed.rows(letter.partition)
            rows[letter.partition].append(row)
    values = {}
    for partition, items in rows.items():
        marker = shards[partition].marker
        letters = Letters(marker.epoch, marker.flush, tuple(items), dict(reported) if partition == 0 else {})
        values[partition] = Value(partition, letters_key(partition), encode_letters(letters))
    return values
