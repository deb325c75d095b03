"""Guarantees broken on purpose, around the product: each has to be found, or the simulator proves nothing.

Most stand between the flush and the network, where they change what is sent, or its order; the others replace one
decision of the worker for the time of a run. The product is as it is again afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import msgspec

from monitor.engine import outbox
from monitor.worker import engine_task, ownership
from monitor.worker.changelog import RecoveredState
from monitor.worker.engine_task import Engine
from monitor.worker.intake import Source
from monitor.worker.publisher import Outbound, Publisher
from schemas.topics import DEAD_LETTERS
from tests.simulator.node import Framework


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _is_state(message: Outbound) -> bool:
    return message.topic.endswith("-state-changelog")


def _sending(change: Callable[[Publisher, Sequence[Outbound], Any], Any]) -> AbstractContextManager[None]:
    """Stand between a flush and its producer; `change` is given the true way to send."""
    send = Publisher.send

    async def changed(self: Publisher, messages: Sequence[Outbound]) -> None:
        await change(self, messages, lambda them: send(self, them))

    return _replaced(Publisher, "send", changed)


def events_before_state() -> AbstractContextManager[None]:
    """Events go out while the state that carries them is held back until they are acknowledged."""
    held: dict[int, list[Outbound]] = {}

    async def change(self: Publisher, messages: Sequence[Outbound], send: Any) -> None:
        if messages and all(map(_is_state, messages)) and len(messages) > 1:
            held[id(self)] = list(messages)
            return
        await send(messages)
        await send(held.pop(id(self), []))

    return _sending(change)


def state_not_awaited() -> AbstractContextManager[None]:
    """State is handed to the producer, and events follow before it is acknowledged."""
    pending: set[asyncio.Task[None]] = set()

    async def change(_self: Publisher, messages: Sequence[Outbound], send: Any) -> None:
        if messages and all(map(_is_state, messages)) and len(messages) > 1:
            pending.add(asyncio.create_task(send(messages)))
        else:
            await send(messages)

    return _sending(change)


def _stored(edit: Callable[[dict[str, Any]], None]) -> AbstractContextManager[None]:
    """Store accounts changed."""

    async def change(_self: Publisher, messages: Sequence[Outbound], send: Any) -> None:
        await send([_edited(message, edit) for message in messages])

    return _sending(change)


def _edited(message: Outbound, edit: Callable[[dict[str, Any]], None]) -> Outbound:
    if not _is_state(message) or (message.key or b"!").startswith(b"!"):
        return message
    value = msgspec.json.decode(message.value or b"")
    edit(value)
    return Outbound(message.topic, message.partition, message.key, msgspec.json.encode(value), message.headers)


def outbox_cleared_early() -> AbstractContextManager[None]:
    """The stored state has no unsent events."""
    return _stored(lambda account: account.pop("outbox", None))


def sequence_not_stored() -> AbstractContextManager[None]:
    """The stored state does not say how many events there were."""
    return _stored(lambda account: account.update(sequence=max(0, account.get("sequence", 0) - 1)))


def trade_ids_not_stored() -> AbstractContextManager[None]:
    """A successor does not know the ids of trades that were applied."""
    return _stored(lambda account: account.pop("recent_ids", None))


def timers_not_stored() -> AbstractContextManager[None]:
    """A successor does not know since when a dwell runs."""
    return _stored(lambda account: account.pop("timers", None))


def positions_of_the_last_write() -> AbstractContextManager[None]:
    """Account states name where the account was written last, whatever its shard has been through since."""
    return _replaced(outbox, "positions_of", lambda _state, _shard, account: dict(account.positions))


def poison_dropped() -> AbstractContextManager[None]:
    """Refused records vanish."""

    async def change(_self: Publisher, messages: Sequence[Outbound], send: Any) -> None:
        await send([message for message in messages if message.topic != DEAD_LETTERS.name])

    return _sending(change)


def epoch_not_checked() -> AbstractContextManager[None]:
    """The last value of a key counts, whoever wrote it."""
    add = RecoveredState.add

    def last_wins(self: RecoveredState, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        found = self._partitions.get(partition)
        if found is not None and key is not None:
            found.kept.pop(key, None)
            found.opened = 0
        add(self, partition, offset, key, value)

    return _replaced(RecoveredState, "add", last_wins)


def offset_gap_skipped() -> AbstractContextManager[None]:
    """What the framework did not deliver is passed over."""

    async def skip(_self: Engine, source: Source, offset: int, limit: int | None = None) -> None:
        if limit is None:
            source.expected = offset

    return _replaced(Engine, "_fill_hole", skip)


def stored_events_not_sent() -> AbstractContextManager[None]:
    """A successor does not send the events that it finds in the state."""
    return _replaced(ownership, "pending", lambda _state, _partition: [])


def acknowledged_at_delivery() -> AbstractContextManager[None]:
    """Offsets are committed when the framework delivers, as with automatic commits."""

    async def at_once(self: Framework, topic: Any) -> Any:
        async for message in _STREAM(self, topic):
            self._world.committed[message.topic, message.partition] = message.offset + 1
            yield message

    return _replaced(Framework, "stream", at_once)


_STREAM = Framework.stream


def acknowledged_before_state() -> AbstractContextManager[None]:
    """The group commits what is applied before the flush has stored it."""
    flush = Engine.flush

    async def early(self: Engine) -> None:
        due = {}
        for source in self.sources.values():
            done = [message for message in source.unacked if message.last <= source.applied]
            if done and done[-1].offset >= source.start:
                due[source.topic, source.partition] = done[-1].offset + 1
        if due:
            self.group.acknowledge(due)
            await self.group.commit()
        await flush(self)

    return _replaced(Engine, "flush", early)


def old_generation_applied() -> AbstractContextManager[None]:
    """Messages that were fetched before a rebalance are applied as if they came now, wherever they stand."""

    async def take(self: Engine) -> None:
        while (message := self.intake.take()) is not None:
            source = self.sources.get((message.topic, message.partition))
            if source is None or message.offset < source.expected:
                self.intake.release(message.weight)
            else:
                self._accept(source, message)
        self._look(engine_task._now_ms())

    return _replaced(Engine, "_take_messages", take)


MUTANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    mutant.__name__: mutant
    for mutant in (
        events_before_state, state_not_awaited, outbox_cleared_early, sequence_not_stored, trade_ids_not_stored,
        poison_dropped, epoch_not_checked, offset_gap_skipped, stored_events_not_sent, acknowledged_at_delivery,
        acknowledged_before_state, old_generation_applied, timers_not_stored, positions_of_the_last_write,
    )
}  # fmt: skip
