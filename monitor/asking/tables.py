"""Aligned tables of answers: one style, units in the headings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

NOTHING = "-"


def table(console: Console, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
    """Print a table whose first `left` columns are text and the others numbers; nothing without rows."""
    found = Table(title=escape(title), title_justify="left")
    for k, heading in enumerate(headings):
        found.add_column(heading, justify="left" if k < left else "right", overflow="fold")
    count = 0
    for row in rows:
        found.add_row(*map(escape, row))
        count += 1
    if count:
        console.print(found)


def usd(amount: float | None) -> str:
    """Return dollars with cents."""
    return NOTHING if amount is None or not math.isfinite(amount) else f"{amount:z,.2f}"


def number(value: float | None, digits: int = 4) -> str:
    """Return a number in a few significant digits."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:z,.{digits}f}"


def percent(ratio: float | None, digits: int = 2) -> str:
    """Return a ratio in percent."""
    return NOTHING if ratio is None or not math.isfinite(ratio) else f"{100.0 * ratio:z,.{digits}f} %"


def moment(time_us: int | None) -> str:
    """Return a time as UTC."""
    if not time_us:
        return NOTHING
    return datetime.fromtimestamp(time_us / 1e6, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def json_line(answer: object) -> str:
    """Return an answer as one line of JSON; a figure that is not there is null."""
    return msgspec.json.encode(answer).decode()
