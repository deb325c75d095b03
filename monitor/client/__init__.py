"""Margin calls and liquidations for bots: decoded, verified, each once, in order, from where the bot stopped.

    async with subscribe(group="bot-7", keys=read_keys("keys.txt")) as alerts:
        async for alert in alerts:
            act(alert.event)

Needs msgspec, orjson and aiokafka; loads neither Faust nor the kernels. What stands in `__all__` is public: within one
major `API_VERSION` names and reasons are added and nothing is renamed. `docs/clients.md` says what promises rest on.
"""

from __future__ import annotations

from monitor.client.screen import Alert, Message, Reason, Refusal, Screen
from monitor.client.states import Standing, StateView, states
from monitor.client.subscription import Subscription, subscribe
from monitor.connection import read_keys

API_VERSION = "1.1"

__all__ = [
    "API_VERSION", "Alert", "Message", "Reason", "Refusal", "Screen", "Standing", "StateView", "Subscription",
    "read_keys", "states", "subscribe",
]  # fmt: skip
