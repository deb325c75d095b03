"""A toy venue: takes orders over HTTP, fills them at the mark and some impact, publishes the fills for the monitor.

    python -m examples.toy_venue --port 8090

It marks contracts as the monitor does, from the market topics, and knows positions from `risk.trades.v1`. An order's id
is taken once: whoever sends it again is told its fill. A toy: no book, no matching, no margin of its own.

    GET  /contracts            what one contract stands for, USD, by name
    GET  /positions/ACCOUNT    signed contracts by instrument
    GET  /orders/ID            the fill of an order
    POST /orders               {"id", "account", "instrument", "quantity"}: fill it, or say why not
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import click
import msgspec
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from examples.bot.journal import Fill
from monitor.brokers.endpoint import endpoint
from monitor.brokers.ends import end_offsets
from monitor.brokers.selfcheck import has_idempotence
from monitor.config import load
from monitor.connection import Address, client_options
from monitor.engine.composite import RejectedTick
from monitor.engine.listing import RejectedInstrument
from monitor.engine.market import Market
from monitor.engine.parameters import RejectedParameters
from monitor.engine.surface import RejectedVolatility
from monitor.errors import MonitorError
from monitor.replay.universe import mark
from schemas.codec import decode_message, encode
from schemas.records import Instrument, Trade
from schemas.topics import INSTRUMENTS, TICKS, TRADES, VOLATILITY, full_name

HOST: Final = "127.0.0.1"
ORDERS: Final = "liq-"  # how ids of orders begin
HALF_SPREAD: Final = 0.0003  # of the price
IMPACT: Final = 0.0005  # of the price, for an order of a million USD; it grows with the square root
REJECTIONS: Final = (RejectedTick, RejectedVolatility, RejectedInstrument, RejectedParameters)


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    account: str
    instrument: str
    quantity: float


_read_order = msgspec.json.Decoder(_Order).decode


@dataclass(slots=True)
class Book:
    """What the venue knows: the market, who holds what, and what it has filled."""

    market: Market = field(default_factory=Market)
    listing: dict[str, Instrument] = field(default_factory=dict)
    positions: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    fills: dict[str, Fill] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def take(self, record: Any) -> None:
        """Take a record of a market topic, or a trade."""
        if isinstance(record, Trade):
            if (record.account, record.trade_id) not in self._seen:
                self._seen.add((record.account, record.trade_id))
                self.positions[record.account][record.instrument] += record.quantity
            return
        if isinstance(record, Instrument):
            self.listing[record.instrument] = record
        try:
            self.market.apply(record)
        except REJECTIONS:
            return

    def find(self, name: str) -> Instrument | None:
        """Return an instrument by its name; a coin is its spot pair."""
        if name in self.listing:
            return self.listing[name]
        spot = (one for one in self.listing.values() if one.type == "spot" and one.underlying == name)
        return next(spot, None)

    def contract_usd(self) -> dict[str, float]:
        """Return what one contract stands for, USD: of everything that has a price, coins by their names too."""
        found: dict[str, float] = {}
        for name, instrument in self.listing.items():
            view = self.market.ticks.index(instrument.underlying)
            if view is None or not view.price_usd > 0.0 or instrument.delisted:
                continue
            in_usd = instrument.contract == "inverse" and instrument.type != "option"
            found[name] = instrument.contract_size * (1.0 if in_usd else view.price_usd)
            if instrument.type == "spot":
                found.setdefault(instrument.underlying, found[name])
        return found

    def price(self, instrument: Instrument, quantity: float) -> float | None:
        """Return the price of a fill: the mark, half a spread and the impact against whoever orders."""
        at = mark(self.market, instrument)
        if at is None or not at > 0.0:
            return None
        notional_usd = abs(quantity) * self.contract_usd()[instrument.instrument]
        away = HALF_SPREAD + IMPACT * math.sqrt(notional_usd / 1e6)
        return float(f"{at * (1.0 + math.copysign(away, quantity)):.9g}")


class Venue:
    """The venue on a broker; use it with `async with`."""

    def __init__(self, broker: Address, prefix: str, *, token: str | None = None) -> None:
        self.book = Book()
        self._broker = broker
        self._names = {full_name(topic, prefix): topic.name for topic in (INSTRUMENTS, TICKS, VOLATILITY, TRADES)}
        self._trades = full_name(TRADES, prefix)
        self._token = token
        self._producer: Any = None
        self._filling = asyncio.Lock()

    @asynccontextmanager
    async def served(self, port: int = 0) -> AsyncIterator[str]:
        """Read the topics and answer on loopback until the block ends; give the address."""
        self._producer = AIOKafkaProducer(
            **client_options(self._broker), acks="all", enable_idempotence=await has_idempotence(self._broker)
        )
        await self._producer.start()
        consumer = AIOKafkaConsumer(*self._names, **client_options(self._broker), auto_offset_reset="earliest")
        await consumer.start()
        reading = asyncio.create_task(self._read(consumer))
        await self._caught_up(consumer)
        runner = web.AppRunner(self._app(), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            yield f"http://{HOST}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await consumer.stop()
            await self._producer.stop()

    async def _read(self, consumer: Any) -> None:
        while True:
            for messages in (await consumer.getmany(timeout_ms=100)).values():
                for message in messages:
                    found = decode_message(self._names[message.topic], message.key, message.value)
                    for _, record in found.records:
                        self.book.take(record)
                        if isinstance(record, Trade) and record.trade_id.startswith(ORDERS):
                            self._known(record, message)
                    await asyncio.sleep(0)

    async def _caught_up(self, consumer: Any) -> None:
        """Wait until what was on the topics at the start is read: orders of before are known then."""
        ends = await end_offsets(self._broker, consumer.assignment(), exact=False)
        for partition, end in ends.items():
            while await consumer.position(partition) < end:  # noqa: ASYNC110 (the client has no event)
                await asyncio.sleep(0.05)

    def _known(self, trade: Trade, message: Any) -> None:
        """Know a fill again that was published before this process began: its id is not taken twice."""
        fill = Fill(
            trade.trade_id, trade.instrument, trade.quantity, trade.price, message.partition, message.offset
        )  # fmt: skip
        self.book.fills.setdefault(trade.trade_id, fill)

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._guarded])
        app.router.add_get("/contracts", self._contracts)
        app.router.add_get("/positions/{account}", self._positions)
        app.router.add_get("/orders/{id}", self._fill)
        app.router.add_post("/orders", self._order)
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self._token is not None and request.headers.get("Authorization") != f"Bearer {self._token}":
            return _error(401, "the token is wrong or missing")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _contracts(self, _: web.Request) -> web.Response:
        return web.json_response(self.book.contract_usd())

    async def _positions(self, request: web.Request) -> web.Response:
        held = self.book.positions.get(request.match_info["account"], {})
        return web.json_response({name: quantity for name, quantity in held.items() if quantity})

    async def _fill(self, request: web.Request) -> web.Response:
        found = self.book.fills.get(request.match_info["id"])
        return _error(404, "there is no such order") if found is None else _told(found)

    async def _order(self, request: web.Request) -> web.Response:
        try:
            order = _read_order(await request.read())
        except msgspec.MsgspecError as error:
            return _error(400, str(error))
        if not order.id.startswith(ORDERS):
            return _error(400, f"ids begin with {ORDERS}")
        async with self._filling:  # an id is taken once
            known = self.book.fills.get(order.id)
            if known is not None:
                return _told(known)
            instrument = self.book.find(order.instrument)
            if instrument is None or not math.isfinite(order.quantity) or order.quantity == 0.0:
                return _error(400, f"{order.instrument} is not listed, or {order.quantity} is no quantity")
            price = self.book.price(instrument, order.quantity)
            if price is None:
                return _error(400, f"{order.instrument} has no mark")
            return _told(await self._filled(order, instrument, price))

    async def _filled(self, order: _Order, instrument: Instrument, price: float) -> Fill:
        """Publish a fill; it is one once the broker has it."""
        trade = Trade(
            trade_id=order.id, account=order.account, instrument=instrument.instrument, quantity=order.quantity,
            price=price, event_time_us=self.book.market.time_us,
        )  # fmt: skip
        sent = await self._producer.send_and_wait(self._trades, encode(trade), key=order.account.encode())
        fill = Fill(order.id, instrument.instrument, order.quantity, price, sent.partition, sent.offset)
        self.book.fills[order.id] = fill
        return fill


def _told(fill: Fill) -> web.Response:
    return web.Response(body=msgspec.json.encode(fill), content_type="application/json")


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


@click.command(epilog="\b\nExample:\n  python -m examples.toy_venue --broker 127.0.0.1:9092 --port 8090")
@click.option("--broker", help="Address as host:port. [default: BROKER_URL]")
@click.option("--prefix", help="In front of each topic name.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8090, show_default=True, help="On 127.0.0.1.")
def main(broker: str | None, prefix: str | None, port: int) -> None:
    """Take orders and fill them at the mark and some impact, until Ctrl-C."""
    settings = load(None, os.environ)
    try:
        venue = Venue(endpoint(settings, broker), settings.topic_prefix if prefix is None else prefix)
        asyncio.run(_until_interrupted(venue, port))
    except MonitorError as error:
        click.echo(f"toy_venue: {error}", err=True)
        sys.exit(error.exit_code)


async def _until_interrupted(venue: Venue, port: int) -> None:
    async with venue.served(port) as url:
        click.echo(url)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
