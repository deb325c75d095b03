"""The desk page in a browser, over a real worker and a market that crashes.

The tests are in the order of the market: the calm, the crash, and what comes after.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.alerts.book import Book
from monitor.alerts.notes import Open, Raised
from schemas.topics import ALERT_NOTES, LIQUIDATIONS, MARGIN_CALLS
from tests.browser import axe
from tests.browser.conftest import Shown
from tests.browser.stage import ACCOUNTS, MINUTES, Stage, made_events, wait_until
from tests.integration.worker.support import read_all
from tests.unit.alerts.books import notice
from tests.unit.web.test_page import Served
from tests.unit.worker.test_health import TOKEN

pytestmark = [pytest.mark.broker, pytest.mark.browser, pytest.mark.timeout(600)]

WAIT_MS = 60_000  # a machine that does much else at once; nothing takes so long
expect.set_options(timeout=WAIT_MS)
TILE = ".tiles .count"
FOCUS = """(() => {
  const one = document.activeElement;
  return { name: one.textContent.trim(), outline: getComputedStyle(one).outlineStyle };
})()"""
WRITE = "(() => { try { document.body.innerHTML = '<b>x</b>'; return ''; } catch (error) { return error.name; } })()"

FOREIGN = """async (url) => {
  const sent = { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } };
  try { return (await fetch(url, sent)).status; } catch (error) { return error.name; }
}"""
AGAIN = """async (id) => {
  const answer = await fetch('/api/v1/acknowledgements', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ id, by: 'Grace' }) });
  return [answer.status, (await answer.json()).code];
}"""


def live(page: Page) -> None:
    """Wait until the page says that all is well."""
    expect(page.locator("#health")).to_have_attribute("data-state", "live")


def number(text: str | None) -> int:
    return int((text or "0").replace(",", "").replace("\u2013", "0"))


def store(page: Page, what: str) -> Any:
    return page.evaluate(f"liqmon.store.{what}")


def topic_ids(stage: Stage) -> set[str]:
    """Ids of all events on their topics, as another process reads them."""
    messages = [
        *read_all(stage.url, stage.prefix + MARGIN_CALLS.name),
        *read_all(stage.url, stage.prefix + LIQUIDATIONS.name),
    ]
    return {json.loads(one.value or b"")["id"] for one in messages}


def test_the_desk_shows_every_account_once(shown: Shown) -> None:
    """Counts by status sum to all accounts, the highest are listed, and the page says how current it is."""
    page = shown.page
    live(page)
    expect(page.locator("#health-text")).to_contain_text("last market record")
    expect(page.locator("#health-text")).to_contain_text(f"figures of {ACCOUNTS} from this worker")
    counts = [number(text) for text in page.locator(TILE).all_text_contents()[:6]]
    assert sum(counts) == ACCOUNTS
    expect(page.get_by_role("table", name="Accounts with the highest utilisation").locator("tbody tr")).to_have_count(
        40
    )
    expect(
        page.get_by_role("img", name=re.compile(r"^Equity and requirements of all accounts.* Now: equity [\d,]+ USD"))
    ).to_be_visible()
    expect(page.get_by_text("regime: calm")).to_be_visible()
    assert page.title() == "Desk · liqmon"


def test_accounts_are_searched_filtered_and_paged(shown: Shown) -> None:
    """What the table says is what the worker says, in its order."""
    page = shown.view("accounts")
    rows = page.get_by_role("table", name="Accounts").locator("tbody tr")
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text(f"101 to 200 of {ACCOUNTS}")).to_be_visible()
    page.get_by_role("searchbox", name="Search accounts").fill("PAIR-00")
    expect(page.get_by_text(re.compile(r"^1 to \d+ of \d+ that fit"))).to_be_visible()
    assert all(name.startswith("pair-00") for name in rows.locator("th").all_text_contents())
    page.get_by_role("searchbox", name="Search accounts").fill("")
    page.locator("label.chip", has_text="margin call").click()
    expect(rows.first).to_contain_text("margin call")
    wait_until(lambda: all("margin call" in text for text in rows.all_text_contents()))
    page.get_by_label("order by").select_option("account")
    wait_until(lambda: (names := rows.locator("th").all_text_contents()) == sorted(names))


def test_the_market_and_correlations_are_shown(shown: Shown) -> None:
    """Every underlying with price and sources, every future with what its mark rests on, a matrix with numbers."""
    page = shown.view("market")
    indices = page.get_by_role("table", name="Composite indices").locator("tbody tr")
    expect(indices).to_have_count(6)
    expect(indices.filter(has_text="BTC")).to_contain_text("3 of 3")
    expect(page.get_by_role("row", name=re.compile("^BTC-PERPETUAL"))).to_contain_text(
        re.compile("fresh mark|average of prices")
    )
    page.get_by_role("searchbox", name="Search the market").fill("eth")
    expect(indices).to_have_count(1)
    shown.view("correlation")
    matrix = page.get_by_role("table", name=re.compile("^Correlations, fast"))
    expect(matrix.locator("tbody td")).to_have_count(36)
    values = [float(text.replace("\u2212", "-")) for text in matrix.locator("tbody td").all_text_contents()]
    assert values == [values[6 * k + i] for i in range(6) for k in range(6)]
    page.get_by_role("radio", name="fast less slow").check(force=True)
    expect(page.get_by_role("table", name=re.compile("^Correlations, difference"))).to_be_visible()


def test_an_account_is_explained(shown: Shown, stage: Stage) -> None:
    """Positions, Greeks, block, attribution, distances, surface, plan and events of the account that is closest."""
    status, told = stage.get("/api/v1/accounts?limit=1")
    assert status == 200
    name = told["accounts"][0]["account"]
    page = shown.view(f"account/{name}")
    shown.complaints.clear()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    expect(page.get_by_role("table", name=f"Plan for {name}")).to_be_visible()  # the last question
    tables = (
        f"Positions of {name}", f"Greeks and requirement of {name} by underlying", "Standing and MM over equity",
        "First crossings of liquidation", f"Events of {name}",
    )  # fmt: skip
    for table in tables:
        expect(page.get_by_role("table", name=re.compile(f"^{table}")).first.locator("tbody tr").first).to_be_visible()
    expect(
        page.get_by_role("table", name=re.compile("profit or loss by scenario")).locator("td.rests").first
    ).to_be_visible()
    parts = page.locator("dl.parts dt").all_text_contents()
    assert parts == ["time", "parameters", "price", "vol", "correlation", "basis", "collateral", "trades"]
    held = {position["instrument"] for position in stage.get(f"/v1/accounts/{name}/explain")[1]["positions"]}
    shown_positions = page.get_by_role("table", name=f"Positions of {name}").locator("tbody th").all_text_contents()
    assert set(shown_positions) == held
    # The process that answers starts with the first question: until then 503 is an answer, which browsers log.
    shown.complaints[:] = [one for one in shown.complaints if "503" not in one]


def test_an_account_that_is_nowhere_says_so(shown: Shown) -> None:
    """A name that nobody published is told as that, with the partition it would have."""
    page = shown.view("account/nobody%2F1")
    expect(page.get_by_text("no state of an account 'nobody/1' has been published")).to_be_visible()
    wait_until(lambda: any("404" in one for one in shown.complaints))
    shown.expected.append("404")  # it asks more than once


def test_a_crash_is_seen_as_it_happens(shown: Shown, stage: Stage) -> None:
    """Calls and liquidations come to the list by themselves; counts move; every event of the topics was there once."""
    page = shown.page
    live(page)
    before = stage.get("/api/v1/pulse")[1]
    rows = page.get_by_role("table", name="Calls and liquidations").locator("tbody tr")
    first = rows.first.text_content()
    stage.player.go(126, 120.0)
    stage.player.reach(126)
    stage.player.go(MINUTES, 1.0)
    wait_until(lambda: rows.first.text_content() != first)
    expect(
        page.get_by_role("table", name="Calls and liquidations").locator("tbody tr", has_text="liquidation").first
    ).to_be_visible()
    wait_until(lambda: stage.get("/api/v1/pulse")[1]["counts"]["liquidation"] > before["counts"]["liquidation"])
    wait_until(lambda: set(page.evaluate("liqmon.store.events.map((one) => one.id)")) == topic_ids(stage))
    ids = page.evaluate("liqmon.store.events.map((one) => one.id)")
    assert len(ids) == len(set(ids))
    assert store(page, "reloads") is None
    expect(page.get_by_text("regime: breakdown")).to_be_visible()


def test_pausing_holds_the_views_and_not_the_truth(shown: Shown, stage: Stage) -> None:
    """While it is paused nothing moves but the line that says how current it is; going on shows all that waited."""
    page = shown.page
    live(page)
    expect(page.get_by_text("kept here")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    listed = page.get_by_role("table", name="Calls and liquidations")
    before = listed.text_content()
    ids = stage.publish_events(made_events(40, 1_800_000_000_000_000, "paused"))
    expect(page.get_by_role("button", name="Go on (40 waiting)")).to_be_visible()
    expect(page.locator("#health-text")).to_contain_text("Paused: the views stand still, 40 events wait.")
    assert listed.text_content() == before
    page.get_by_role("button", name="Go on").click()
    expect(listed).to_contain_text("paused-0039")
    assert set(ids) <= set(page.evaluate("liqmon.store.events.map((one) => one.id)"))


def test_an_alert_is_acknowledged_with_the_keyboard(shown: Shown, stage: Stage, browser: Browser) -> None:
    """A call is answered for by name; another browser, the account's page and a second answer see who was first."""
    page = shown.page
    live(page)
    (made,) = stage.publish_events(made_events(1, 1_800_000_005_000_000, "answer"))
    listed = page.get_by_role("table", name="Calls and liquidations")
    row = listed.locator("tbody tr", has_text="answer-0000")
    button = row.get_by_role("button", name=re.compile(r"^Acknowledge liquidation of answer-0000 at \d\d:"))
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Acknowledge an alert")
    expect(dialog).to_contain_text("Liquidation of answer-0000 at")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.press("Enter")  # a name is needed
    expect(dialog).to_be_visible()
    page.keyboard.type("Ada <b>")
    page.keyboard.press("Tab")
    page.keyboard.type("hedging")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(row).to_contain_text(re.compile(r"Ada <b>, \d\d:\d\d: hedging"))
    expect(row.get_by_role("button")).to_have_count(0)
    expect(row.get_by_role("link", name="answer-0000")).to_be_focused()
    expect(page.locator("#announce")).to_have_text("Acknowledged by Ada <b>.")
    (ack,) = stage.get("/api/v1/acknowledgements")[1]["acks"]
    assert (ack["id"], ack["by"], ack["text"]) == (made, "Ada <b>", "hedging")
    notes = {one.key: json.loads(one.value or b"") for one in read_all(stage.url, stage.prefix + ALERT_NOTES.name)}
    assert notes == {f"ack/{made}".encode(): {"note": "ack", "v": 1, **ack}}

    other = browser.new_context().new_page()
    try:
        other.goto(f"{stage.address}/")
        expect(other.locator("tbody tr", has_text="answer-0000").first).to_contain_text("Ada <b>, ")
        # Asked by a page of another site the browser does not even send it.
        other.goto("about:blank")
        refused = other.evaluate(FOREIGN, f"{stage.address}/api/v1/acknowledgements")
        assert refused == "TypeError"
    finally:
        other.context.close()
    assert page.evaluate(AGAIN, made) == [409, "answered"]
    assert len(stage.get("/api/v1/acknowledgements")[1]["acks"]) == 1
    shown.expected += ["409"]


def test_open_alerts_are_listed_and_answered_for(shown: Shown, stage: Stage) -> None:
    """What `liqmon alerts` waits for, and a watchdog that it told: both have a button, and say when nobody waits."""
    page = shown.page
    live(page)
    now_us = time.time_ns() // 1000
    waiting = Open(notice=notice("answer-0001", text="It waits."), due_us=now_us, to=("desk",), told_us=now_us)
    standing = Raised(worker="http://127.0.0.1:9101", name="disk", since_us=now_us)

    async def note() -> None:
        async with Book(stage.url, stage.prefix) as book:
            await book.write([waiting, standing])

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, note()).result()
    listed = page.get_by_role("table", name="Open alerts")
    expect(listed.locator("tbody tr")).to_have_count(2)
    expect(page.get_by_text("1 wait for an answer")).to_be_visible()
    watchdog = listed.locator("tbody tr", has_text="disk at http://127.0.0.1:9101")
    for row, by in ((watchdog, "Grace"), (listed.locator("tbody tr", has_text="It waits."), "Ada")):
        row.get_by_role("button", name=re.compile("^Acknowledge ")).click()
        page.get_by_label("Your name").fill(by)
        page.keyboard.press("Enter")
        expect(row).to_contain_text(re.compile(rf"{by}, \d\d:\d\d"))
    expect(page.get_by_text("none waits for an answer")).to_be_visible()


def test_a_dropped_connection_is_told_and_resumed_without_a_gap(shown: Shown, stage: Stage) -> None:
    """Offline the page says so at once and how old it is; back, it has every event that came meanwhile, once."""
    page = shown.page
    live(page)
    expect(page.get_by_text("kept here")).to_be_visible()
    stage.publish_events(made_events(1, 1_800_000_010_000_000, "before"))
    wait_until(lambda: page.evaluate("liqmon.stream.last !== ''"))
    shown.context.set_offline(True)
    page.evaluate("liqmon.stream.drop()")
    expect(page.locator("#health-text")).to_contain_text("No connection")
    expect(page.locator("#health")).to_have_attribute("data-state", "bad")
    ids = stage.publish_events(made_events(300, 1_800_000_020_000_000, "away"))
    wait_until(lambda: stage.get("/api/v1/events?limit=1")[1]["events"][0]["account"].startswith("away"))
    shown.context.set_offline(False)
    live(page)
    wait_until(lambda: set(ids) <= set(page.evaluate("liqmon.store.events.map((one) => one.id)")))
    found = page.evaluate("liqmon.store.events.map((one) => one.id)")
    assert len(found) == len(set(found))
    assert store(page, "reloads") is None
    shown.complaints.clear()  # the browser logs requests that failed


def test_events_that_come_while_the_newest_are_asked_for_are_there_once(shown: Shown, stage: Stage) -> None:
    """Neither an answer older than the stream loses an event, nor one newer than the stream doubles one."""
    page = shown.page
    live(page)
    held: list[Any] = []
    page.route("**/api/v1/events?limit=500", lambda route: held.append((route, route.fetch())))
    page.evaluate("liqmon.stream.on.reload()")
    wait_until(lambda: page.evaluate("1") and held)
    (made,) = stage.publish_events(made_events(1, 1_800_000_006_000_000, "between"))
    wait_until(lambda: page.evaluate("(id) => liqmon.store.events[0].id === id", made))
    page.evaluate("liqmon.store.events.length = 1")  # so that the answer is seen to have come
    ((route, answer),) = held
    assert made not in answer.text()
    route.fulfill(response=answer)
    wait_until(lambda: page.evaluate("liqmon.store.events.length > 1"))
    ids = page.evaluate("liqmon.store.events.map((one) => one.id)")
    assert ids[0] == made
    assert len(ids) == len(set(ids))
    again = "(() => { const { on } = liqmon.stream; on.events(liqmon.store.events.slice(0, 3).reverse()); })()"
    page.evaluate(again)
    assert page.evaluate("liqmon.store.events.map((one) => one.id)") == ids


def test_ten_thousand_events_are_taken(shown: Shown, stage: Stage) -> None:
    """The list stays short, nothing is counted twice or lost, and the page still answers."""
    page = shown.page
    live(page)
    expect(page.get_by_text("kept here")).to_be_visible()
    seen = store(page, "seen")
    ids = stage.publish_events(made_events(10_000, 1_800_000_100_000_000, "many"), 2_000.0)
    wait_until(lambda: store(page, "events[0].id") == stage.get("/api/v1/events?limit=1")[1]["events"][0]["id"])
    assert store(page, "seen") - seen == 10_000 or store(page, "reloads")
    kept = page.evaluate("liqmon.store.events.map((one) => one.id)")
    assert len(kept) == len(set(kept)) <= 2_000
    assert set(kept[:500]) <= set(ids)
    rows = page.get_by_role("table", name="Calls and liquidations").locator("tbody tr")
    assert rows.count() <= 120
    page.get_by_role("searchbox", name="Search events").fill("many-0007")
    wait_until(lambda: all("many-0007" in text for text in rows.all_text_contents()))
    page.get_by_role("link", name="Accounts", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Accounts")).to_be_focused()


def test_who_was_away_for_too_long_loads_anew(shown: Shown, stage: Stage) -> None:
    """More came than the stream makes up for: the page is told, and shows the newest in one piece."""
    page = shown.page
    live(page)
    stage.publish_events(made_events(1, 1_800_001_000_000_000, "last"))
    wait_until(lambda: page.evaluate("liqmon.stream.last !== ''"))
    shown.context.set_offline(True)
    page.evaluate("liqmon.stream.drop()")
    expect(page.locator("#health-text")).to_contain_text("No connection")
    ids = stage.publish_events(made_events(5_000, 1_800_001_100_000_000, "flood"))
    wait_until(lambda: stage.get("/api/v1/events?limit=1")[1]["events"][0]["id"] in ids[-500:])
    wait_until(lambda: len(stage.get("/api/v1/events?limit=500&q=flood")[1]["events"]) == 500)
    shown.context.set_offline(False)
    wait_until(lambda: store(page, "reloads") == 1)
    wait_until(lambda: store(page, "events[0].account").startswith("flood"))
    shown.complaints.clear()


def test_a_stale_market_is_told(shown: Shown, stage: Stage) -> None:
    """The page first says for how long nothing came, then that the worker is not ready, and calls nothing good."""
    stage.player.go(stage.player.at_us / 60e6, 1.0)
    page = shown.view("market")
    expect(page.locator("#health-text")).to_contain_text(re.compile(r"Last market record [5-9]\.\d s ago"))
    expect(page.locator("#health-text")).to_contain_text("Worker not ready: market silent")
    expect(page.locator("#health")).to_have_attribute("data-state", "bad")
    expect(page.locator("main .s-stale", has_text="silent").first).to_be_visible()
    wait_until(lambda: page.locator("main .s-healthy").count() == 0)
    stage.player.go(MINUTES, 1.0)
    live(page)


def test_a_token_is_asked_for(browser: Browser) -> None:
    """A worker with a token shows an empty page that asks for it, again if it is wrong, and keeps it in the tab."""
    with ExitStack() as stack:
        served = Served(stack, TOKEN)
        page = browser.new_context().new_page()
        stack.callback(page.context.close)
        page.goto(f"http://127.0.0.1:{served.port}/")
        page.get_by_label("Token", exact=True).fill("wrong-token-entirely")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("That token is refused.")).to_be_visible()
        page.get_by_label("Token", exact=True).fill(TOKEN)
        page.get_by_role("button", name="Go on").click()
        told = page.locator("#health-text")
        expect(told).to_contain_text("the topics cannot be read")
        page.reload()
        expect(told).to_contain_text("the topics cannot be read")


def test_it_is_walked_with_the_keyboard_alone(shown: Shown) -> None:
    """Past the skip link through the views to an account and back, with a focus that can be seen everywhere."""
    page = shown.page
    expect(
        page.get_by_role("table", name="Accounts with the highest utilisation").locator("tbody tr").first
    ).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the view")).to_be_focused()
    names = []
    for _ in range(8):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        assert focus["outline"] != "none", focus
        names.append(focus["name"])
    assert names[:4] == ["Desk", "Accounts", "Market", "Correlation"]
    assert names[4] == "Pause"
    page.keyboard.press("2")
    expect(page.get_by_role("heading", level=1, name="Accounts")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search accounts")).to_be_focused()
    page.keyboard.type("pair")  # letters are letters here
    expect(page.get_by_role("searchbox", name="Search accounts")).to_have_value("pair")
    link = page.get_by_role("table", name="Accounts").locator("tbody a").first
    wait_until(lambda: (link.text_content() or "").startswith("pair"))
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tbody') !== null"):
            break
    name = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=name)).to_be_focused()
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    expect(page.get_by_role("heading", level=1, name="Desk")).to_be_focused()
    shown.complaints[:] = [one for one in shown.complaints if "503" not in one]


def test_dark_and_light_follow_the_system_and_the_switch(shown: Shown) -> None:
    """Both schemes by the system's word, either by the switch, which is remembered."""
    page = shown.page
    ground = "getComputedStyle(document.body).backgroundColor"
    found = {}
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        found[scheme] = page.evaluate(ground)
    assert found["dark"] != found["light"]
    page.get_by_role("button", name="Theme: system").click()
    assert page.evaluate(ground) == found["dark"]
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) == found["dark"]


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline(shown: Shown, stage: Stage) -> None:
    """Every request goes to the worker, and the policy forbids the rest."""
    page = shown.page
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.reload()
    live(page)
    assert asked
    assert all(url.startswith(stage.address) for url in asked)
    refused = page.evaluate(WRITE)
    assert refused == "TypeError"
    shown.complaints.clear()  # that one was meant


@pytest.fixture(scope="module")
def axe_source() -> str:
    found = axe.source()
    if found is None:
        pytest.skip(f"axe-core {axe.VERSION} is not in the cache, and npm cannot fetch it")
    return found


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious(shown: Shown, stage: Stage, axe_source: str, scheme: Any) -> None:
    """Every view in both schemes, and the dialog: no serious and no critical finding."""
    name = stage.get("/api/v1/accounts?limit=1")[1]["accounts"][0]["account"]
    page = shown.page
    page.emulate_media(color_scheme=scheme)
    serious: list[str] = []
    for view in ("", "accounts", "market", "correlation", f"account/{name}"):
        shown.view(view)
        page.wait_for_selector("main tbody td")
        if view.startswith("account/"):
            expect(page.get_by_role("table", name=f"Plan for {name}")).to_be_visible()
        serious += _findings(page, axe_source, view)
    page.keyboard.press("?")
    serious += _findings(page, axe_source, "keys")
    page.keyboard.press("Escape")
    shown.view("")
    page.get_by_role("button", name=re.compile("^Acknowledge ")).first.click()
    serious += _findings(page, axe_source, "acknowledge")
    assert not serious, "\n".join(serious)
    shown.complaints[:] = [one for one in shown.complaints if "503" not in one]


def _findings(page: Page, source: str, view: str) -> list[str]:
    page.evaluate(source)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    serious = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
    return [f"{view or 'desk'}: {one['id']}, {[node['html'][:120] for node in one['nodes'][:3]]}" for one in serious]


def test_the_page_of_one_of_two_workers(shown: Shown, stage: Stage) -> None:
    """It shows the accounts of both; what the other one has is asked of it, and is its own once the other has ended."""
    page = shown.page
    live(page)
    with stage.second() as second:
        expect(page.locator("#health-text")).to_contain_text("this worker has 2 of 4")
        live(page)
        assert sum(number(text) for text in page.locator(TILE).all_text_contents()[:6]) == ACCOUNTS
        rows = stage.get("/api/v1/accounts?limit=500")[1]["accounts"]
        others = [one["account"] for one in rows if not stage.get(f"/api/v1/accounts/{one['account']}")[1]["here"]]
        assert 0 < len(others) < ACCOUNTS
        name = next(one for one in others if one.startswith("maker"))  # with options, so that there is a surface
        shown.view(f"account/{name}")
        expect(page.get_by_text(re.compile(r"^partition \d, of another worker; figures of"))).to_be_visible()
        for title in (f"Positions of {name}", "First crossings", "Standing and MM over equity"):
            expect(page.get_by_role("table", name=title).first).to_be_visible()
        expect(page.get_by_text("A proposal: nothing is sent.")).to_be_visible()
        assert second.terminate() == 0
    expect(page.get_by_text(re.compile(r"^partition \d, evaluated by this worker; figures of"))).to_be_visible()
    live(page)
    expect(page.locator("#health-text")).not_to_contain_text("this worker has")
    for kind in ("explain", "distance", "plan"):
        told = wait_until(partial(_answered, stage, f"/v1/accounts/{name}/{kind}"))
        assert told["account"] == name
    shown.view()
    expect(page.locator("#health-text")).to_contain_text(f"figures of {ACCOUNTS} from this worker")
    shown.expected += ["503", "502", "404"]


def _answered(stage: Stage, path: str) -> Any:
    status, told = stage.get(path)
    return told if status == 200 else None
