"""`states`: the latest state of every account, and whether an alert still stands."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer

from monitor.client.screen import Alert
from monitor.client.subscription import settings_broker
from monitor.connection import Address, client_options
from schemas.codec import decode_message
from schemas.headers import EPOCH
from schemas.records import AccountState, Tombstone
from schemas.signatures import Keys, SignatureError, verify
from schemas.topics import ACCOUNT_STATES, full_name

LOAD_S: Final = 60.0  # 100,000 states take two seconds
POLL_MS: Final = 200


class Standing(StrEnum):
    """What the state topic says about an alert."""

    STANDS = "stands"
    """It is the account's latest event, and nothing is held."""
    HELD = "held"
    """It is the latest, and decisions are held because data are doubtful."""
    SUPERSEDED = "superseded"
    """Another event has followed: act on that one, or not at all."""
    UNKNOWN = "unknown"
    """The state of that event is not on the topic yet."""


def states(
    *,
    broker: Address | None = None,
    prefix: str | None = None,
    keys: Keys | None = None,
    require_signature: bool = True,
) -> StateView:
    """Return a view of the account states, to be used with `async with`; arguments as of `subscribe`."""
    if broker is None:
        broker, named = settings_broker()
        prefix = named if prefix is None else prefix
    return StateView(broker, full_name(ACCOUNT_STATES, prefix or ""), keys, require_signature)


class StateView:
    """All account states, read from the beginning and followed; `counts` are messages by what became of them.

    Of one account the state of the largest (epoch, version) counts: a worker that was taken for dead cannot bring an
    older one back. 100,000 accounts take about 300 MB.
    """

    def __init__(self, broker: Address, topic: str, keys: Keys | None, require_signature: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._broker = broker
        self._topic = topic
        self._keys = keys
        self._require = require_signature
        self._states: dict[str, tuple[tuple[int, int], AccountState]] = {}
        self._changed = asyncio.Event()
        self._consumer: Any = None
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Read what is there; raises TimeoutError where that does not end, and what the client raises."""
        from monitor.brokers.probe import cluster_info  # noqa: PLC0415 (its errors say what is wrong)

        await cluster_info(self._broker)
        self._consumer = AIOKafkaConsumer(
            self._topic, **client_options(self._broker), client_id="liqmon-client-states", enable_auto_commit=False,
            auto_offset_reset="earliest",
        )  # fmt: skip
        try:
            await self._consumer.start()
            async with asyncio.timeout(LOAD_S):
                await self._load()
        except BaseException:
            await self._consumer.stop()
            raise
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._following is not None  # narrows the type
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self._consumer.stop()

    def latest(self, account: str) -> AccountState | None:
        """Return the latest state of an account, None if there is none; raises what ended the reading, if it ended."""
        self._check()
        found = self._states.get(account)
        return None if found is None else found[1]

    def all(self) -> list[AccountState]:
        """Return the latest state of every account; raises as `latest`."""
        self._check()
        return [state for _, state in self._states.values()]

    async def recheck(self, alert: Alert, within_s: float = 2.0) -> Standing:
        """Return whether an alert still stands; wait so long for its own state, which is sent after it."""
        deadline_s = time.monotonic() + within_s
        while True:
            standing = self._standing(alert)
            left_s = deadline_s - time.monotonic()
            if standing is not Standing.UNKNOWN or left_s <= 0:
                return standing
            self._changed.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _standing(self, alert: Alert) -> Standing:
        state = self.latest(alert.account)
        if state is None or state.sequence < alert.event.sequence:
            return Standing.UNKNOWN
        if state.sequence > alert.event.sequence or state.closed:
            return Standing.SUPERSEDED
        return Standing.HELD if state.data_hold else Standing.STANDS

    def _check(self) -> None:
        if self._following is not None and self._following.done():
            self._following.result()

    async def _load(self) -> None:
        # Of the whole topic: the consumer is in no group. The client has no event for it.
        while not (partitions := self._consumer.assignment()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await self._consumer.seek_to_beginning(*partitions)
        ends = await self._consumer.end_offsets(partitions)
        while any([await self._consumer.position(partition) < end for partition, end in ends.items()]):
            await self._poll()

    async def _follow(self) -> None:
        try:
            while True:
                await self._poll()
        finally:
            self._changed.set()

    async def _poll(self) -> None:
        found = await self._consumer.getmany(timeout_ms=POLL_MS)
        for records in found.values():
            for record in records:
                self._apply(record.key, record.value, list(record.headers))
        if found:
            self._changed.set()

    def _apply(self, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        if self._keys is not None and (self._require or any(name == "risk-signature" for name, _ in headers)):
            try:
                verify(key, headers, value, self._keys)
            except SignatureError as error:
                self.counts[type(error).__name__] += 1
                return
        decoded = decode_message(ACCOUNT_STATES.name, key, value)
        for _, state in decoded.records:
            if isinstance(state, Tombstone):
                self._states.pop((key or b"").decode(), None)
            elif isinstance(state, AccountState):
                self._keep(state, headers)
        if decoded.refused:
            self.counts["refused"] += 1

    def _keep(self, state: AccountState, headers: list[tuple[str, bytes]]) -> None:
        told = dict(headers).get(EPOCH, b"0")
        if not told.isdigit():
            self.counts["refused"] += 1
            return
        order = (int(told), state.version)
        known = self._states.get(state.account)
        if known is None or order >= known[0]:
            self._states[state.account] = (order, state)
            self.counts["applied"] += 1
        else:
            self.counts["older"] += 1
