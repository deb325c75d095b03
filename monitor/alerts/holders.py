"""Where accounts are held and whose they are, from `risk.accounts.v1`: read only where a route asks for it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from monitor.alerts.routing import UNKNOWN, Holder
from monitor.brokers.ends import end_offsets
from monitor.brokers.interface import BrokerError
from monitor.connection import Address, client_options
from schemas.codec import decode_message
from schemas.records import AccountConfig
from schemas.topics import ACCOUNTS, full_name

LOAD_S: Final = 120.0
POLL_MS: Final = 100


class HoldersFailed(BrokerError):
    """The broker did not give the accounts."""


class Holders:
    """Holders by account, followed; `holder` answers from what was read so far."""

    def __init__(self, address: Address, prefix: str) -> None:
        self._address = address
        self._topic = full_name(ACCOUNTS, prefix)
        self._known: dict[str, Holder] = {}
        self._consumer: Any = None

    async def start(self) -> None:
        """Read what is there; raises HoldersFailed."""
        self._consumer = AIOKafkaConsumer(
            self._topic,
            **client_options(self._address), client_id="liqmon-alerts-accounts", enable_auto_commit=False,
            auto_offset_reset="earliest",
        )  # fmt: skip
        try:
            await self._consumer.start()
            async with asyncio.timeout(LOAD_S):
                await self._load()
        except (KafkaError, TimeoutError) as error:
            await self._consumer.stop()
            raise HoldersFailed(
                f"the broker at {self._address} did not give {self._topic} ({error!r})",
                "check its health, `liqmon topics plan`, and the right to read this topic",
            ) from error

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    def holder(self, account: str) -> Holder:
        """Return where an account is held."""
        return self._known.get(account, UNKNOWN)

    async def follow(self, timeout_ms: int = 0) -> None:
        """Take what came since."""
        found = await self._consumer.getmany(timeout_ms=timeout_ms)
        for messages in found.values():
            for message in messages:
                for _, record in decode_message(ACCOUNTS.name, message.key, message.value).records:
                    if isinstance(record, AccountConfig):
                        self._known[record.account] = Holder(record.venue or "", record.group or "")

    async def _load(self) -> None:
        # Of the whole topic: the consumer is in no group. The client has no event for it.
        while not (partitions := self._consumer.assignment()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await self._consumer.seek_to_beginning(*partitions)
        ends = await end_offsets(self._address, partitions, exact=False)
        for partition in partitions:
            while await self._consumer.position(partition) < ends[partition]:
                await self.follow(POLL_MS)
