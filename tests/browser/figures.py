"""The screenshots of docs/page.md: `python -m tests.browser.figures`.

A worker on a local Apache Kafka, the market of the browser tests played into its crash, and the machine's Chromium.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from playwright.sync_api import Browser, expect, sync_playwright

from monitor.brokers import selfcheck
from monitor.brokers.kafka import LocalKafka
from tests.browser.conftest import launch
from tests.browser.stage import CALM, MINUTES, Stage, staged, wait_until
from tests.support import ROOT

FIGURES = ROOT / "docs" / "figures"
CRASH = 131.0
PACE = 15.0
WAIT_MS = 180_000


def main() -> None:
    """Play, and write the screenshots."""
    with LocalKafka(heap_mb=512) as broker, tempfile.TemporaryDirectory(prefix="liqmon-figures-") as folder:
        url = f"127.0.0.1:{broker.port}"
        checked = asyncio.run(selfcheck.check(url))
        with staged(url, checked, "figures.", Path(folder), accounts=600) as stage, sync_playwright() as playwright:
            expect.set_options(timeout=WAIT_MS)
            stage.player.go(CALM, None)
            stage.player.reach(CALM, 300.0)
            wait_until(lambda: _has_seen(stage, CALM), 300.0)  # figures over time begin when the page is opened
            browser = launch(playwright)
            try:
                _shoot(browser, stage)
            finally:
                browser.close()


def _shoot(browser: Browser, stage: Stage) -> None:
    page = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark").new_page()
    page.goto(stage.address)
    expect(page.get_by_role("img", name="Equity and requirements of all accounts")).to_have_accessible_name(
        re.compile("Now: equity")
    )
    stage.player.go(CRASH, PACE)
    stage.player.reach(CRASH, 400.0)
    stage.player.go(MINUTES, 1.0)
    page.wait_for_timeout(3_000)
    button = page.get_by_role("button", name=re.compile("^Acknowledge liquidation of ")).nth(1)
    button.click()
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label(re.compile("^What is being done")).fill("hedging")
    page.get_by_role("button", name="Acknowledge", exact=True).last.click()
    expect(page.get_by_text(re.compile(r"^Ada, \d\d:\d\d$"))).to_be_visible()
    _save(page, "desk-dark")
    name = stage.get("/api/v1/accounts?q=maker&limit=1")[1]["accounts"][0]["account"]
    page.goto(f"{stage.address}/#/account/{name}")
    for table in (f"Positions of {name}", f"Plan for {name}", "Standing and MM over equity"):
        expect(page.get_by_role("table", name=table).first).to_be_visible()
    _save(page, "account-dark", full_page=True)
    page.goto(f"{stage.address}/#/correlation")
    page.wait_for_selector("table.matrix")
    _save(page, "correlation-dark")
    page.emulate_media(color_scheme="light")
    for view, which in (("", "desk"), ("accounts", "accounts"), ("market", "market")):
        page.goto(f"{stage.address}/#/{view}")
        page.wait_for_selector("main tbody td")
        page.wait_for_timeout(2_500)
        _save(page, f"{which}-light")
    stage.player.go(stage.player.at_us / 60e6, 1.0)
    expect(page.locator("#health-text")).to_contain_text("Worker not ready: market silent")
    _save(page, "stale-light", clip={"x": 0, "y": 0, "width": 1440, "height": 300})


def _has_seen(stage: Stage, minutes: float) -> bool:
    """Whether the worker has applied so much of the market."""
    with urlopen(f"{stage.address}/metrics") as answer:
        found = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    begun = stage.player.at_us >= minutes * 60e6
    return begun and float(found['liqmon_lag_records{partition="0",topic="market.ticks.v1"}']) < 100


def _save(page: Any, name: str, **more: Any) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=FIGURES / f"page-{name}.png", **more)
    print(f"page-{name}.png")  # noqa: T201 (a script)


if __name__ == "__main__":
    main()
