"""`/livez`, `/readyz` and `/metrics` of the bot, on loopback alone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from examples.bot.rounds import Bot

HOST = "127.0.0.1"


class Status:
    """How the bot is: `worked_s` is when its last round ended, monotonic."""

    def __init__(self, bot: Bot, refused: Callable[[], dict[str, int]], idle_s: float) -> None:
        self._bot = bot
        self._refused = refused
        self._idle_s = idle_s
        self.worked_s = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether a round has ended within the last seconds."""
        return time.monotonic() - self.worked_s <= self._idle_s

    @property
    def rounds(self) -> int:
        """Rounds so far."""
        return self._bot.rounds

    def collect(self) -> Iterable[Metric]:
        """Give the metrics (called by the registry)."""
        yield from _metrics(self._bot, self._refused())
        yield GaugeMetricFamily("liqbot_idle_seconds", "Since the last round ended.", time.monotonic() - self.worked_s)


def _metrics(bot: Bot, refused: dict[str, int]) -> Iterator[Metric]:
    counts = CounterMetricFamily("liqbot_total", "What was met and done.", labels=["what"])
    for name, value in sorted(bot.counts.items()):
        counts.add_metric([name], value)
    messages = CounterMetricFamily("liqbot_messages", "Messages of the event topics by result.", labels=["result"])
    for name, value in sorted(refused.items()):
        messages.add_metric([str(name)], value)
    yield counts
    yield messages
    yield CounterMetricFamily("liqbot_rounds", "Rounds.", value=bot.rounds)
    yield CounterMetricFamily("liqbot_notional_usd", "Notional of all orders, USD.", value=bot.notional_usd)
    yield GaugeMetricFamily("liqbot_due_accounts", "Accounts that wait for their turn.", value=len(bot.due))


@asynccontextmanager
async def served(status: Status, port: int) -> AsyncIterator[int]:
    """Serve it until the block ends; give the port."""
    registry = CollectorRegistry()
    registry.register(status)

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/metrics":
            return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
        well = request.path == "/livez" or status.ready
        return web.json_response({"ready": status.ready, "rounds": status.rounds}, status=200 if well else 503)

    app = web.Application()
    for path in ("/livez", "/readyz", "/metrics"):
        app.router.add_get(path, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
