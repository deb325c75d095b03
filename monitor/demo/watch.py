"""Reads the monitor's output topics into a tally, as any consumer could."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from aiokafka import AIOKafkaConsumer

from monitor.connection import Address, client_options
from monitor.demo.tally import Tally
from schemas.headers import read_dead_letter
from schemas.records import AccountEvent, AccountState
from schemas.topics import ACCOUNT_STATES, DEAD_LETTERS, LIQUIDATIONS, MARGIN_CALLS, full_name

OUTPUTS = (MARGIN_CALLS, LIQUIDATIONS, ACCOUNT_STATES, DEAD_LETTERS)

_decode_event = msgspec.json.Decoder(AccountEvent).decode
_decode_state = msgspec.json.Decoder(AccountState).decode


async def watch(address: Address, prefix: str, tally: Tally, on_event: Callable[[AccountEvent], None]) -> None:
    """Read the output topics from their beginning until cancelled; `on_event` is called once for each new event."""
    names = {full_name(topic, prefix): topic for topic in OUTPUTS}
    consumer = AIOKafkaConsumer(
        *names,
        **client_options(address),
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        while True:
            batches = await consumer.getmany(timeout_ms=200)
            for partition, messages in batches.items():
                topic = names[partition.topic]
                for message in messages:
                    if topic is DEAD_LETTERS:
                        tally.dead_letters[read_dead_letter(message.headers).error_kind] += 1
                    elif topic is ACCOUNT_STATES:
                        tally.state(_decode_state(message.value))
                    else:
                        event = _decode_event(message.value)
                        if tally.event(message.value, event):
                            on_event(event)
                await asyncio.sleep(0)
    finally:
        await consumer.stop()
