"""Who is told about a notice: a pure function of it and of the routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

from monitor.alerts.notice import Notice
from monitor.alerts.settings import SEVERITIES, Route, is_regex


class Holder(NamedTuple):
    """Where an account is held, and whose it is; empty where nobody said."""

    venue: str = ""
    group: str = ""


UNKNOWN = Holder()


class Target(NamedTuple):
    """A channel that a notice goes to, and how long it may wait there for others."""

    channel: str
    window_s: float


class Routed(NamedTuple):
    """Where a notice goes now, and where later if nobody acknowledges it: `escalate_to` after `escalate_after_s`."""

    targets: tuple[Target, ...] = ()
    escalate_after_s: float | None = None
    escalate_to: tuple[str, ...] = ()


def needs_holders(routes: Iterable[Route]) -> bool:
    """Whether any route asks where accounts are held."""
    return any(route.venues or route.groups for route in routes)


def route(notice: Notice, routes: Iterable[Route], holder: Holder = UNKNOWN) -> Routed:
    """Return where a notice goes: each channel once, with the shortest window that a route gives it.

    The first matching route that escalates decides about that.
    """
    windows: dict[str, float] = {}
    after_s: float | None = None
    to: tuple[str, ...] = ()
    for one in routes:
        if not matches(notice, one, holder):
            continue
        for channel in one.channels:
            windows[channel] = min(one.window_s, windows.get(channel, one.window_s))
        if one.escalate_after_s is not None and after_s is None and not notice.closes:
            after_s, to = one.escalate_after_s, one.escalate_to or one.channels
        if one.last:
            break
    return Routed(tuple(Target(*each) for each in windows.items()), after_s, to)


def matches(notice: Notice, route: Route, holder: Holder = UNKNOWN) -> bool:
    """Whether all filters of a route let a notice through."""
    if SEVERITIES.index(notice.severity) < SEVERITIES.index(route.least_severity):
        return False
    if route.kinds and notice.kind not in route.kinds:
        return False
    filters = (
        (route.accounts, notice.account), (route.parameter_sets, notice.parameter_set), (route.venues, holder.venue),
        (route.groups, holder.group),
    )  # fmt: skip
    return all(not patterns or (text and _like(text, patterns)) for patterns, text in filters)


def _like(text: str, patterns: tuple[str, ...]) -> bool:
    return any(_compiled(pattern)(text) for pattern in patterns)


@lru_cache(maxsize=1_024)
def _compiled(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern[1:-1]).search if is_regex(pattern) else re.compile(translate(pattern)).match
