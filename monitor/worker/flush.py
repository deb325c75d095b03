"""One flush: everything the engine has to say, in the only order that loses nothing and says nothing twice.

1. dead letters of market records   before the marker that passes them
2. account values with their events, owed dead letters, markers
3. events, dead letters of account records
4. account states
5. acknowledgement of the source messages

Each step is acknowledged by the broker before the next one starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from monitor.engine.outbox import Event, Flush, Value, marker_key
from monitor.engine.state import Shard, encode
from monitor.worker.changelog import Letters, encode_letters, letters_key
from monitor.worker.dead_letters import Letter, outbound
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Outbound, Publisher
from monitor.worker.risk_arrays import RiskArrays
from schemas.headers import event_headers, regime_headers, state_headers
from schemas.records import Position
from schemas.topics import ACCOUNT_STATES, ALL, REGIMES

_TOPICS = {topic.name: topic for topic in ALL}


class Flusher:
    """Sends flushes to the topics of one deployment."""

    def __init__(self, options: WorkerOptions, publisher: Publisher) -> None:
        self._options = options
        self._publisher = publisher
        self.arrays = RiskArrays(options, publisher)
        self._published: dict[int, int] = {}

    async def send(
        self, shards: Mapping[int, Shard], flush: Flush, unread: Iterable[Letter], rejected: Iterable[Letter],
        reported: Mapping[str, Position],
    ) -> None:  # fmt: skip
        """Send steps 1 to 4 of a flush.

        `unread` are rows that did not decode, `rejected` what the engine refused; of market records only the owner of
        partition 0 gives any, with `reported`, the last positions reported by topic.
        """
        unread, rejected = list(unread), list(rejected)
        market = [letter for letter in (*unread, *rejected) if letter.is_market]
        await self._publisher.send(outbound(market, self._options))
        owed = _owed(shards, rejected, reported, always=bool(market))
        await self._publisher.send(self._values(flush, owed))
        account = [letter for letter in (*unread, *rejected) if not letter.is_market]
        await self._publisher.send([*(self._event(event) for event in flush.events), *outbound(account, self._options)])
        headers = {partition: state_headers(shard.marker.epoch) for partition, shard in shards.items()}
        states = self._options.topic(ACCOUNT_STATES)
        await self._publisher.send(
            [
                Outbound(states, value.partition, value.key, value.value, headers[value.partition])
                for value in flush.account_states
            ]
        )

    async def events(self, events: Iterable[Event]) -> None:
        """Send events that a former owner stored, byte for byte."""
        await self._publisher.send([self._event(event) for event in events])

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
        """Changelog records in order: accounts, owed letters, marker, partition by partition."""
        messages = []
        for value in flush.values:
            if value.key == marker_key(value.partition):
                if value.partition in owed:
                    messages.append(self._changelog(owed.pop(value.partition)))
                self._published[value.partition] = -1  # this marker was written before its flush was published
            messages.append(self._changelog(value))
        messages.extend(self._changelog(value) for value in owed.values())
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
    shards: Mapping[int, Shard], rejected: list[Letter], reported: Mapping[str, Position], *, always: bool
) -> dict[int, Value]:  # fmt: skip
    """Values under `letters_key` of the partitions that have something to store there (0: `always`, if ours)."""
    rows: dict[int, list[tuple[str, int, int, str, str]]] = {0: []} if always else {}
    for letter in rejected:
        if not letter.is_market:
            row = (letter.topic, letter.offset, letter.index, letter.kind, letter.text)
            rows.setdefault(letter.partition, []).append(row)
    values = {}
    for partition, items in rows.items():
        marker = shards[partition].marker
        letters = Letters(marker.epoch, marker.flush, tuple(items), dict(reported) if partition == 0 else {})
        values[partition] = Value(partition, letters_key(partition), encode_letters(letters))
    return values
