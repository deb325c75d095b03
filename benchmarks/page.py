"""The desk page under load: `python -m benchmarks page --json`.

A worker with 240 accounts and a market of five coins on an Apache Kafka of its own, its page in the machine's Chromium
(`CHROMIUM`, else what is on the path), and 2,000 events a second on the event topics for 20 s, which is
what a worker elsewhere would publish in a crash of thousands of accounts:

* `first_paint_ms`: from navigation to the first contentful paint, the median of five loads in fresh contexts, at rest;
  `first_figures_ms`: until the counts by status are numbers; `..._busy_ms`: the same while events come;
* `events_per_s`: what the page took in a second while they came; `events_lost`: published and never in it;
* `updates_per_s`: how often the list of events changed in a second; `late_s`: the longest the newest event in the page
  was behind the newest one sent;
* `long_task_ms`: the longest time the page's thread was busy in one piece, by the clock; `frames_per_s`;
* `page_cpu_ms_per_1000_events`: processor time of the page's thread, all that it draws meanwhile included: on a machine
  that does other work, `load_1m`, it says more than the clock;
* `worker_cpu_share_closed`, `worker_cpu_share_open`: of a core, the worker's while nobody looks and while the page is
  open, both without events; `worker_cpu_share_busy`: with the page open and events coming.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.brokers import selfcheck
from monitor.brokers.kafka import LocalKafka
from tests.browser.conftest import launch
from tests.browser.stage import MINUTES, Stage, made_events, publish_events, staged, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

RATE, SECONDS = 2_000, 20
AT_US = 1_800_000_000_000_000
REST_S = 8.0
LOADS = 5
WAIT_MS = 180_000
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_WATCH = """() => {
  const told = { changes: 0, frames: 0, busy: 0, late: 0, first: performance.now() };
  const body = document.querySelector('.w8 tbody');
  let marked = false;
  const change = () => {
    if (marked) return;
    marked = true;
    told.changes += 1;
    requestAnimationFrame(() => { marked = false; });
  };
  const long = (list) => { for (const one of list.getEntries()) told.busy = Math.max(told.busy, one.duration); };
  new MutationObserver(change).observe(body, { childList: true });
  new PerformanceObserver(long).observe({ type: 'longtask' });
  const frame = () => { told.frames += 1; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  globalThis.told = told;
}"""


def measure() -> dict[str, float | bool]:
    """Return times to paint, rates of updates, and what the page costs its worker."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (of the test extra)

    load_1m = os.getloadavg()[0]
    with LocalKafka(heap_mb=512) as broker, tempfile.TemporaryDirectory(prefix="liqmon-page-") as folder:
        url = f"127.0.0.1:{broker.port}"
        checked = asyncio.run(selfcheck.check(url))
        with staged(url, checked, "page.", Path(folder)) as stage:
            stage.player.go(20, None)
            stage.player.reach(20)
            stage.player.go(MINUTES, 1.0)
            time.sleep(REST_S)
            closed = _cpu_share(stage, REST_S)
            with sync_playwright() as playwright:
                browser = launch(playwright)
                try:
                    return {**_shown(browser, stage), "worker_cpu_share_closed": closed, "load_1m": load_1m}
                finally:
                    browser.close()


def _shown(browser: Browser, stage: Stage) -> dict[str, float | bool]:
    paint, figures = _loads(browser, stage)
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{stage.address}/?probe=1")
    # Asked from outside: the page's policy forbids it to evaluate text.
    wait_until(lambda: page.evaluate("liqmon.store.loaded && liqmon.store.pulse?.shown.figures_age_s !== null"), 180.0)
    page.wait_for_timeout(REST_S * 1_000)
    opened = _cpu_share(stage, REST_S)
    page.evaluate(_WATCH)
    meter = page.context.new_cdp_session(page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    before_s = _thread_s(meter)
    busy = _under_load(browser, stage, page)
    cpu_ms = (_thread_s(meter) - before_s) * 1_000
    return {
        "first_paint_ms": paint, "first_figures_ms": figures, **busy, "worker_cpu_share_open": opened,
        "page_cpu_ms_per_1000_events": cpu_ms / (RATE * SECONDS / 1_000), "all_events_came": busy["events_lost"] == 0,
        "paints_within_a_second": paint < 1_000.0, "takes_2_000_a_second": busy["events_per_s"] >= 0.95 * RATE,
    }  # fmt: skip


def _thread_s(meter: CDPSession) -> float:
    """Return the processor time that the page's thread has had."""
    found = {one["name"]: one["value"] for one in meter.send("Performance.getMetrics")["metrics"]}
    return float(found["TaskDuration"])


def _under_load(browser: Browser, stage: Stage, page: Page) -> dict[str, float]:
    """Publish events in a thread of their own, and watch the page meanwhile."""
    ids: list[str] = []
    work = publish_events(stage.url, stage.prefix, made_events(RATE * SECONDS, AT_US), float(RATE), idempotent=True)
    sender = threading.Thread(target=lambda: ids.extend(asyncio.run(work)), daemon=True)
    before: int = page.evaluate("liqmon.store.seen")
    began_s, cpu_s, late = time.monotonic(), stage.cpu_s(), 0.0
    sender.start()
    loads: tuple[float, float] | None = None
    while sender.is_alive():
        newest = page.evaluate("liqmon.store.events[0]?.event_time_us ?? 0") - AT_US
        sent = (time.monotonic() - began_s) * RATE
        if sent < RATE * (SECONDS - 1) and newest > 0:
            late = max(late, (sent - newest) / RATE)
        if loads is None and time.monotonic() - began_s > SECONDS / 2:
            loads = _loads(browser, stage, 3)
        time.sleep(0.2)
    sender.join()
    last_s = time.monotonic()
    wait_until(lambda: page.evaluate("liqmon.store.seen") - before >= len(ids) or time.monotonic() - last_s > 15)
    seconds = time.monotonic() - began_s
    told: dict[str, float] = page.evaluate("({ ...told, ms: performance.now() - told.first })")
    assert loads is not None, "it lasted long enough"
    return {
        "first_paint_busy_ms": loads[0], "first_figures_busy_ms": loads[1],
        "events_per_s": (page.evaluate("liqmon.store.seen") - before) / seconds,
        "events_lost": float(len(ids) - (page.evaluate("liqmon.store.seen") - before)),
        "updates_per_s": told["changes"] / told["ms"] * 1_000, "frames_per_s": told["frames"] / told["ms"] * 1_000,
        "long_task_ms": told["busy"], "late_s": late, "worker_cpu_share_busy": (stage.cpu_s() - cpu_s) / seconds,
    }  # fmt: skip


def _loads(browser: Browser, stage: Stage, count: int = LOADS) -> tuple[float, float]:
    """Return the medians of the first paint and of the first figures, milliseconds from navigation."""
    paints, figures = [], []
    for _ in range(count):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(stage.address)
        page.locator(".tiles .count", has_text=re.compile("[0-9]")).first.wait_for()
        figures.append(float(page.evaluate("performance.now()")))
        paints.append(float(page.evaluate(_PAINT)))
        context.close()
    return statistics.median(paints), statistics.median(figures)


def _cpu_share(stage: Stage, seconds: float) -> float:
    """Return the worker's share of a core over some seconds."""
    before: Any = stage.cpu_s()
    time.sleep(seconds)
    return (stage.cpu_s() - before) / seconds
