"""The words of a message: many notices in one, the worst first, never longer than a channel takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from monitor.alerts.notice import Notice
from monitor.alerts.settings import SEVERITIES, Kind, Severity
from schemas.headers import rfc3339

MAX_CHARACTERS: Final = 3_500  # Telegram takes 4,096 with what apprise adds; the others more
MAX_LINE: Final = 400
SHORT_FROM: Final = 3
"""With more notices than this, each is told by its first sentence."""
SHORT_ID: Final = 12
"""Hex digits of an id in a message: enough to be the only one, short enough to be typed."""
# One of these, and more of them.
NAMES: Final[dict[Kind, tuple[str, str]]] = {
    "bankrupt": ("bankruptcy", "bankruptcies"),
    "liquidation": ("liquidation", "liquidations"),
    "refused": ("message refused", "messages refused"),
    "watchdog": ("watchdog", "watchdogs"),
    "margin_call": ("margin call", "margin calls"),
    "data_hold": ("data hold", "data holds"),
    "regime": ("change of regime", "changes of regime"),
    "warning": ("warning", "warnings"),
    "range": ("step of a price range", "steps of price ranges"),
    "recovered": ("account recovered", "accounts recovered"),
    "resolved": ("account resolved", "accounts resolved"),
    "hold_over": ("data hold over", "data holds over"),
    "watchdog_over": ("watchdog over", "watchdogs over"),
}


class Text(NamedTuple):
    """What a person reads; `severity` is the worst in it."""

    severity: Severity
    title: str
    body: str


def compose(
    notices: Sequence[Notice], *, most_lines: int, escalated: frozenset[str] = frozenset(), late: int = 0,
    link: str | None = None,
) -> Text:  # fmt: skip
    """Return the message of some notices; `late` more are only counted, `escalated` are ids told for the second time.

    The worst come first, of these the largest shortfalls, then the oldest. What does not fit is counted by kind.
    """
    ordered = sorted(
        notices, key=lambda one: (-SEVERITIES.index(one.severity), -one.shortfall_usd, one.time_us, one.id)
    )
    severity = ordered[0].severity if ordered else "warning"
    lines: list[str] = []
    room = MAX_CHARACTERS
    for one in ordered[:most_lines]:
        line = _line(one, again=one.id in escalated, short=len(ordered) > SHORT_FROM, link=link)
        if lines and len(line) > room:
            break
        lines.append(line)
        room -= len(line) + 1
    if rest := ordered[len(lines) :]:
        lines.append(f"... and {counted(Counter(one.kind for one in rest))} more.")
    if late:
        lines.append(f"Not told one by one, because they are old: {late:,}.")
    return Text(severity, _title(ordered, severity, escalated, late), "\n".join(lines))


def counted(kinds: Mapping[Kind, int]) -> str:
    """Return `2 liquidations, 14 margin calls`, in the order of `NAMES`."""
    return ", ".join(f"{kinds[kind]:,} {NAMES[kind][kinds[kind] != 1]}" for kind in NAMES if kinds.get(kind))


def _title(notices: Sequence[Notice], severity: Severity, escalated: frozenset[str], late: int) -> str:
    again = "not acknowledged: " if escalated else ""
    if not notices:
        return f"[{severity}] {late:,} old alerts"
    if len(notices) == 1:
        (one,) = notices
        return f"[{severity}] {again}{NAMES[one.kind][0]}{f' of {one.account}' if one.account else ''}"
    return f"[{severity}] {again}{counted(Counter(one.kind for one in notices))}"


def _line(notice: Notice, *, again: bool, short: bool, link: str | None) -> str:
    name = NAMES[notice.kind][0]
    who = f" {notice.account}" if notice.account else ""
    where = f" {link.replace('{account}', notice.account)}" if link and notice.account else ""
    said = notice.text.split(". ")[0].removesuffix(".") + "." if short else notice.text
    text = f"{rfc3339(notice.time_us)[11:19]} {'AGAIN ' if again else ''}{name}{who}: {said}"
    tail = f"{where} #{notice.id[:SHORT_ID]}"
    if len(text) + len(tail) > MAX_LINE:
        text = text[: max(60, MAX_LINE - len(tail) - 3)] + "..."
    return text + tail
