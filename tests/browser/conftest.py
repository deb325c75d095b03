"""One broker, one worker and one browser for all tests of the page."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, sync_playwright

from monitor.brokers.selfcheck import Checked
from tests.browser.stage import CALM, MINUTES, Stage, staged
from tests.conftest import chromium
from tests.integration.conftest import checked, java_options, kafka

__all__ = ["checked", "java_options", "kafka"]  # fixtures

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip


def launch(playwright: Playwright) -> Browser:
    """Start the machine's Chromium."""
    return playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)


@pytest.fixture(scope="module")
def browser(stage: Stage) -> Iterator[Browser]:  # noqa: ARG001 (a loop runs in this thread from here on)
    """A browser for all tests."""
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()


@pytest.fixture(scope="module")
def stage(kafka: str, checked: Checked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A worker that has seen the calm before the crash."""
    with staged(kafka, checked, f"t{uuid.uuid4().hex[:10]}.", tmp_path_factory.mktemp("page")) as found:
        found.player.go(CALM, None)
        found.player.reach(CALM)
        yield found


@dataclass
class Shown:
    """A page with all that it complained of."""

    page: Page
    context: BrowserContext
    address: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """What complaints may say."""

    def view(self, name: str = "") -> Page:
        """Go to a view and wait for its frame."""
        self.page.goto(f"{self.address}/?probe=1#/{name}")
        self.page.wait_for_selector("main h1", state="attached")
        return self.page


@pytest.fixture
def shown(browser: Browser, stage: Stage) -> Iterator[Shown]:
    """A fresh page; whatever it complains of fails the test that does not expect it."""
    stage.player.go(MINUTES, 1.0)  # it trickles on
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    made = Shown(context.new_page(), context, stage.address)
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))

    def heard(one: ConsoleMessage) -> None:
        if one.type == "error":
            made.complaints.append(one.text)

    made.page.on("console", heard)
    made.view()
    yield made
    context.close()
    unexpected = [one for one in made.complaints if not any(text in one for text in made.expected)]
    assert not unexpected, unexpected[:5]
