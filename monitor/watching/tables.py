"""States and events as tables and lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from monitor.watching.board import Board, utilisation
from schemas.records import AccountEvent, AccountState

STYLES = {
    "healthy": "",
    "warning": "yellow",
    "margin_call": "bold yellow",
    "liquidation": "bold red",
    "bankrupt": "bold white on red",
    "recovered": "green",
    "resolved": "green",
    "data_hold": "magenta",
}
STATUSES = ("healthy", "warning", "margin_call", "liquidation", "recovered", "bankrupt", "data_hold")


def events_table(events: Iterable[AccountEvent], title: str, *, one_line: bool = False) -> Table:
    """Return a table of events, the reason in full on as many lines as it takes, or cut to `one_line`."""
    table = Table(title=title, title_justify="left", expand=True)
    for name in ("time", "event", "account"):
        table.add_column(name, no_wrap=True)
    for name in ("equity USD", "IM USD", "MM USD", "short USD"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", ratio=1, no_wrap=one_line)
    for event in events:
        table.add_row(
            clock(event.event_time_us), Text(event.kind, style=STYLES[event.kind]), event.account,
            f"{event.equity_usd:,.0f}", f"{event.im_requirement_usd:,.0f}", f"{event.mm_requirement_usd:,.0f}",
            f"{event.shortfall_usd:,.0f}", event.reason,
        )  # fmt: skip
    return table


def states_table(states: Iterable[AccountState], title: str) -> Table:
    """Return a table of account states, one a line; figures are of the time in the last column."""
    table = Table(title=title, title_justify="left")
    table.add_column("account", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for name in ("equity USD", "IM USD", "MM USD", "MM/equity %"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("model", no_wrap=True)
    table.add_column("as of", no_wrap=True)
    for state in states:
        status = Text(state.status, style=STYLES[state.status])
        if state.data_hold:
            status.append(" hold", style=STYLES["data_hold"])
        table.add_row(
            state.account, status, f"{state.equity_usd:,.0f}", f"{state.im_requirement_usd:,.0f}",
            f"{state.mm_requirement_usd:,.0f}", percent(utilisation(state)), state.model, clock(state.event_time_us),
        )  # fmt: skip
    return table


def headline(board: Board, now_ms: int) -> str:
    """Return one line: accounts by status, events by kind, market time, and how old the last record is."""
    found = board.statuses
    accounts = ", ".join(f"{found[name]:,} {name}" for name in STATUSES if found[name]) or "no account yet"
    events = ", ".join(f"{count:,} {kind}" for kind, count in sorted(board.kinds.items())) or "none"
    age = f"last record {(now_ms - board.last_sent_ms) / 1e3:.1f} s ago" if board.last_sent_ms else "no record yet"
    return f"accounts: {accounts} | events: {events} | market {clock(board.market_time_us)} | {age}"


def event_line(event: AccountEvent) -> str:
    """Return an event as one line."""
    return f"{clock(event.event_time_us)}  {event.kind:<12} {event.account:<14} {event.reason}"


def percent(fraction: float) -> str:
    """Return a fraction in percent; infinite ones as a sign."""
    return "inf" if fraction == float("inf") else f"{100.0 * fraction:.1f}"


def clock(time_us: int) -> str:
    """Return an event time as UTC clock time; a dash before any."""
    if not time_us:
        return "-"
    return datetime.fromtimestamp(time_us * 1e-6, UTC).strftime("%H:%M:%S.%f")[:-5]
