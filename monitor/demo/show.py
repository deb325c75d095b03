"""What the demonstration shows: a live table on a terminal, plain lines anywhere else, and the summary."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from monitor.demo.tally import Tally
from monitor.watching.tables import clock, event_line, events_table
from schemas.records import AccountEvent

PLAIN_EVENTS = 40  # lines for single events where there is no terminal; the summary counts them all
PLAIN_EVERY_S = 5.0
KINDS = ("warning", "margin_call", "liquidation", "bankrupt", "recovered", "resolved", "data_hold")
STATUSES = ("healthy", "warning", "margin_call", "liquidation", "recovered", "bankrupt")


@dataclass(slots=True)
class Progress:
    """How far the market has been played: records published, share of the market, its time, records a second."""

    published: int = 0
    fraction: float = 0.0
    market_time_us: int = 0
    rate: float = 0.0
    phase: str = "starting"


@dataclass(slots=True)
class Screen:
    """Shows a tally while it grows."""

    console: Console
    tally: Tally
    progress: Progress
    _live: Live | None = None
    _plain_events: int = 0
    _last_line_s: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Self:
        """Start the live table where there is a terminal."""
        if self.console.is_terminal:
            self._live = Live(get_renderable=self._render, console=self.console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state of the table on the terminal."""
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print one line above the table."""
        self.console.print(text, highlight=False, markup=False)

    def event(self, event: AccountEvent) -> None:
        """Show one event where there is no live table."""
        if self._live is None and self._plain_events < PLAIN_EVENTS:
            self._plain_events += 1
            self.say(event_line(event))
            if self._plain_events == PLAIN_EVENTS:
                self.say("... further events are only counted")

    def tick(self) -> None:
        """Give a sign of life where there is no live table."""
        if self._live is None and time.monotonic() - self._last_line_s >= PLAIN_EVERY_S:
            self._last_line_s = time.monotonic()
            self.say(self._status_line())

    def _status_line(self) -> str:
        p, kinds = self.progress, self.tally.kinds
        share = f" ({100 * p.fraction:.0f} %)"
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind]) or "no event yet"
        return (
            f"[{p.phase}] {p.published:,} records{share}, {p.rate:,.0f}/s, market {clock(p.market_time_us)}: {counts}"
        )

    def _render(self) -> RenderableType:
        return Group(Text(self._status_line(), style="bold"), events_table(self.tally.recent, "latest events"))


def summary(console: Console, tally: Tally, facts: dict[str, str], share: dict[str, float]) -> None:
    """Print counts, the first event of each kind with its reason, and how the accounts fared.

    `share` is the account-time spent in each status.
    """
    counts = Table(title="what happened", title_justify="left", show_header=False)
    for name, value in facts.items():
        counts.add_row(name, value)
    counts.add_row("events", f"{tally.events:,}")
    for kind in KINDS:
        if tally.kinds[kind]:
            counts.add_row(f"  {kind}", f"{tally.kinds[kind]:,}")
    ended = [f"{sum(s == status for s in tally.statuses.values()):,} {status}" for status in STATUSES]
    counts.add_row("accounts at the end", ", ".join(text for text in ended if not text.startswith("0 ")))
    shares = (f"{100 * share[status]:.2f} % {status}" for status in (*STATUSES, "data_hold") if share.get(status))
    counts.add_row("account-time", ", ".join(shares))
    letters = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.dead_letters.items())) or "none"
    counts.add_row("dead letters", letters)
    counts.add_row("ids with two contents", str(tally.conflicts))
    counts.add_row("holes in sequences", str(tally.holes))
    console.print(counts)
    console.print(events_table((tally.first[kind] for kind in KINDS if kind in tally.first), "first of each kind"))
