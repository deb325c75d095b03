"""The example bot: rounds with crashes in them, health and webhook."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from examples.bot import config
from examples.bot.asking import Plan, Planner, Refused, Unavailable, Venue
from examples.bot.journal import Fill, Journal, Order
from examples.bot.rounds import Bot
from examples.bot.status import Status, served
from examples.liquidation_bot import guarded
from monitor.client import Screen, StateView
from tests.client_messages import event, message
from tests.unit.client.test_states import put, state

ACCOUNT = "desk-7"
CONTRACT_USD = {"BTC-PERP": 100_000.0, "ETH-PERP": 4_000.0}
ORDERS = (Order("liq-1", "BTC-PERP", -1.0, 100_000.0), Order("liq-2", "ETH-PERP", 2.0, 8_000.0))


# --- rounds, on a venue and a planner of our own over real HTTP ------------------------------------


class Street:
    """A venue and a worker's endpoint; `before` is called with each order before, `after` after it is filled."""

    def __init__(self) -> None:
        self.filled: Counter[str] = Counter()
        self.fills: dict[str, Fill] = {}
        self.plan: Plan | None = Plan(ACCOUNT, "reduce", ())
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/contracts", self._contracts)
        app.router.add_get("/positions/{account}", self._positions)
        app.router.add_get("/orders/{id}", self._fill)
        app.router.add_post("/orders", self._order)
        app.router.add_get("/v1/accounts/{account}/plan", self._plan)
        return app

    async def _contracts(self, _: web.Request) -> web.Response:
        return web.json_response(CONTRACT_USD)

    async def _positions(self, _: web.Request) -> web.Response:
        return web.json_response({"BTC-PERP": 3.0})

    async def _plan(self, _: web.Request) -> web.Response:
        return web.Response(status=404) if self.plan is None else web.Response(body=msgspec.json.encode(self.plan))

    async def _fill(self, request: web.Request) -> web.Response:
        found = self.fills.get(request.match_info["id"])
        return web.Response(status=404) if found is None else web.Response(body=msgspec.json.encode(found))

    async def _order(self, request: web.Request) -> web.Response:
        order: dict[str, Any] = await request.json()
        self.before(order["instrument"])
        if order["id"] not in self.fills:
            self.filled[order["id"]] += 1
            self.fills[order["id"]] = Fill(order["id"], order["instrument"], order["quantity"], 1.0, 0, len(self.fills))
        self.after(order["instrument"])
        return web.Response(body=msgspec.json.encode(self.fills[order["id"]]))


class Down(Exception):
    """The process is gone."""


def two_orders() -> Plan:
    orders = [
        {"instrument": "BTC-PERP", "quantity": -1.0, "held": 3.0},
        {"instrument": "ETH-PERP", "quantity": 2.0, "held": -9.0},
    ]
    return msgspec.convert({"account": ACCOUNT, "outcome": "reduce", "orders": orders}, Plan)


async def on_street(street: Street, work: Callable[[str], Any]) -> Any:
    runner = web.AppRunner(street.app())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return await work(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


def a_view(**changes: Any) -> StateView:
    view = StateView("127.0.0.1:1", "risk.account-states.v1", None, True)
    put(view, state(**{"status": "liquidation", "data_hold": False, "version": 1, **changes}), keys=None)
    return view


def a_bot(session: aiohttp.ClientSession, url: str, view: StateView, journal: Journal, **changes: Any) -> Bot:
    settings = config.BotSettings(**{"dry_run": False, "plan_urls": (url,), "venue_url": url, **changes})
    return Bot(settings, 1, view, Planner(session, settings.plan_urls), Venue(session, url, None), journal)


async def rounds(url: str, view: StateView, journal: Path | None, count: int = 1, **changes: Any) -> Bot:
    """One process of the bot: it adopts, and makes some rounds."""
    with Journal(journal) as book:
        async with aiohttp.ClientSession() as session:
            bot = a_bot(session, url, view, book, **changes)
            bot.adopt()
            for _ in range(count):
                await bot.round()
            return bot


def test_one_action_and_then_it_waits_for_the_monitor(tmp_path: Path) -> None:
    """Orders of a plan go out once; nothing more happens until the state has the fills."""
    street, view = Street(), a_view(positions={})
    street.plan = two_orders()

    async def work(url: str) -> Bot:
        return await rounds(url, view, tmp_path / "journal", 4)

    bot: Bot = asyncio.run(on_street(street, work))
    assert [fill.quantity for fill in street.fills.values()] == [-1.0, 2.0]
    assert bot.counts["actions"] == 1
    assert bot.counts["behind"] == 3


@pytest.mark.parametrize("point", range(4))
def test_a_crash_at_any_point_of_an_action_sends_every_order_once(tmp_path: Path, point: int) -> None:
    """Gone before or after either order, the next process finishes the action: each order once, under the same id."""
    street, view, met = Street(), a_view(positions={}), itertools.count()
    street.plan = two_orders()

    def crash(_: str) -> None:
        if next(met) == point:
            raise Down

    street.before = street.after = crash

    async def work(url: str) -> Bot:
        await rounds(url, view, tmp_path / "journal")  # the answer never comes: the venue says 500
        street.plan = Plan(ACCOUNT, "reduce", ())
        return await rounds(url, view, tmp_path / "journal")

    bot: Bot = asyncio.run(on_street(street, work))
    assert bot.counts["settled"] == 1
    assert list(street.filled.values()) == [1, 1]
    assert bot.journal.ledger() == {ACCOUNT: {"BTC-PERP": -1.0, "ETH-PERP": 2.0}}
    assert bot.journal.pending() == []


def test_what_is_not_right_any_more_is_given_up_and_its_fills_are_known(tmp_path: Path) -> None:
    """An account that has recovered after a crash gets no further orders; the fill of before is in the ledger."""
    street, met = Street(), itertools.count()
    street.plan = two_orders()

    def crash(_: str) -> None:
        if next(met) == 1:  # after the first order
            raise Down

    street.before = street.after = crash

    async def work(url: str) -> Bot:
        await rounds(url, a_view(positions={}), tmp_path / "journal")
        return await rounds(url, a_view(status="recovered"), tmp_path / "journal")

    bot: Bot = asyncio.run(on_street(street, work))
    assert list(street.filled.values()) == [1]
    assert bot.journal.ledger() == {ACCOUNT: {"BTC-PERP": -1.0}}
    assert bot.journal.pending() == []


def test_a_dry_run_sends_nothing_and_writes_nothing(tmp_path: Path) -> None:
    """A dry run says what it would do, once for an account."""
    street = Street()
    street.plan = two_orders()

    async def work(url: str) -> Bot:
        return await rounds(url, a_view(positions={}), None, 3, dry_run=True)

    bot: Bot = asyncio.run(on_street(street, work))
    assert not street.fills
    assert bot.counts["actions"] == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({"status": "margin_call"}, "not_liquidatable"),
        ({"data_hold": True}, "held"),
        ({"closed": True}, "not_liquidatable"),
    ],
)
def test_what_is_not_liquidatable_is_counted_and_left_alone(changes: dict[str, Any], counted: str) -> None:
    """An alert whose account is another state by now is normal."""
    street = Street()
    street.plan = two_orders()

    async def work(url: str) -> Bot:
        with Journal(None) as journal:
            async with aiohttp.ClientSession() as session:
                bot = a_bot(session, url, a_view(**changes), journal)
                alert = Screen().judge(message(event(ACCOUNT, 12, "liquidation")), 0)
                bot.take(alert)  # type: ignore[arg-type]
                await bot.round()
                return bot

    bot: Bot = asyncio.run(on_street(street, work))
    assert not street.fills
    assert bot.counts[counted] == 1
    assert bot.counts["alert_liquidation"] == 1


def test_without_an_answer_of_a_worker_the_venue_s_positions_count(tmp_path: Path) -> None:
    """No worker has the account: the largest position is closed, within the close fraction and the notional cap."""
    street = Street()
    street.plan = None

    async def work(url: str) -> Bot:
        return await rounds(
            url, a_view(positions={}), tmp_path / "journal", max_close_fraction=0.5, max_notional_usd=100_000.0
        )  # fmt: skip

    bot: Bot = asyncio.run(on_street(street, work))
    assert [(fill.instrument, fill.quantity) for fill in street.fills.values()] == [("BTC-PERP", -1.0)]
    assert bot.counts["unplanned"] == 1


def test_whoever_does_not_answer_is_tried_again(tmp_path: Path) -> None:
    """A venue that is away stops no bot, and is counted."""

    async def work() -> Bot:
        return await rounds("http://127.0.0.1:1", a_view(positions={}), tmp_path / "journal", 2)

    assert asyncio.run(work()).counts["unavailable"] == 2


def test_the_venue_s_refusals_are_told_apart_from_its_absence() -> None:
    """What the venue will not do is Refused; a token that is wrong is, too."""

    async def work(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            venue = Venue(session, url, None)
            assert await venue.fill(ORDERS[0]) is None
            with pytest.raises(Refused):
                await venue._ask("GET", "/nothing")
            with pytest.raises(Unavailable):
                await Venue(session, "http://127.0.0.1:1", None).contract_usd()

    asyncio.run(on_street(Street(), work))


# --- health and webhook -------------------------------------------------------------------------


def test_health_and_metrics() -> None:
    """Ready while rounds end, not ready when none does; metrics have the counts and no account."""

    async def work(url: str) -> None:
        with Journal(None) as journal:
            async with aiohttp.ClientSession() as session:
                bot = a_bot(session, url, a_view(), journal, dry_run=True)
                bot.adopt()
                await bot.round()
                status = Status(bot, lambda: {"repeated": 3}, idle_s=5.0)
                async with served(status, 0) as port:
                    at = f"http://127.0.0.1:{port}"
                    async with session.get(f"{at}/readyz") as response:
                        assert response.status == 200
                    status.worked_s -= 60.0
                    async with session.get(f"{at}/readyz") as response:
                        assert response.status == 503
                    async with session.get(f"{at}/livez") as response:
                        assert response.status == 200
                    async with session.get(f"{at}/metrics") as response:
                        text = await response.text()
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples
        }  # fmt: skip
        assert found["liqbot_messages_total", "repeated"] == 3
        assert found["liqbot_rounds_total",] == 1
        assert found["liqbot_due_accounts",] == 1
        assert ACCOUNT not in text

    asyncio.run(on_street(Street(), work))


def test_a_fatal_end_is_told_to_the_webhook(tmp_path: Path) -> None:
    """A journal that cannot be read ends the bot with a code of its own, and the webhook is told why."""
    told: list[dict[str, Any]] = []
    journal = tmp_path / "journal"
    journal.write_text("{}\n")

    async def hook(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response()

    async def work() -> int:
        app = web.Application()
        app.router.add_post("/hook", hook)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        try:
            return await guarded(
                config.BotSettings(broker="127.0.0.1:1", dry_run=False, journal=str(journal), webhook_url=url),
                run_once=True,
            )
        finally:
            await runner.cleanup()

    assert asyncio.run(work()) != 0
    assert len(told) == 1
    assert "JournalBroken" in json.dumps(told)
