"""What the page's addresses answer: pure functions of what is known, and of what was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Raw

from monitor.errors import UsageError
from monitor.web.accounts import SORTS, STATUSES, Query
from monitor.web.desk import Desk
from monitor.web.ring import Place
from monitor.web.rows import (
    VERSION,
    AccountPage,
    Accounts,
    CorrelationPage,
    EventRow,
    Events,
    History,
    MarketPage,
    Pulse,
    Shown,
)
from monitor.web.sampler import Seen
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS

MAX_LIMIT: Final = 500
KINDS: Final = ("warning", "margin_call", "liquidation", "bankrupt", "recovered", "resolved", "data_hold")
_LETTER: Final = {MARGIN_CALLS.name: "c", LIQUIDATIONS.name: "l"}
_TOPIC: Final = {letter: name for name, letter in _LETTER.items()}


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a desk: clocks (seconds), who serves it, how far its reader is, and what the worker says."""

    now_s: float
    now_us: int
    instance: str
    partitions: int
    reading: str
    behind: int
    unreadable: int
    readiness: bytes
    loop_at_s: float | None
    streams: int = 0
    dropped: int = 0
    answers: int = 0


def pulse(desk: Desk, seen: Seen | None, around: Around) -> Pulse:
    """Return how things are."""
    own, oldest_us = desk.accounts.own()
    time_us = 0 if seen is None else seen.market.time_us
    heard_s = None if seen is None or seen.heard_s is None else max(0.0, around.now_s - seen.heard_s)
    indices = () if seen is None else seen.market.indices
    return Pulse(
        v=VERSION, now_us=around.now_us, instance=around.instance, market_time_us=time_us, heard_s=heard_s,
        loop_s=None if around.loop_at_s is None else max(0.0, around.now_s - around.loop_at_s),
        seen_s=None if seen is None else max(0.0, around.now_s - seen.at_s),
        lag_s=None if seen is None else seen.lag_s, readiness=Raw(around.readiness.strip()),
        shown=Shown(
            partitions=() if seen is None else seen.partitions, of=around.partitions, own=own,
            reading=around.reading, behind=around.behind, unreadable=around.unreadable,
            figures_age_s=max(0.0, (time_us - oldest_us) / 1e6) if own and time_us else None,
        ),
        counts=desk.accounts.counts(), held=desk.accounts.held(), totals=desk.accounts.totals(),
        regime="" if seen is None else seen.correlation.regime,
        regime_since_us=0 if seen is None else seen.correlation.regime_since_us,
        indices_held=tuple(one.underlying for one in indices if one.held), events=desk.ring.end,
        kinds=dict(desk.kinds), streams=around.streams, dropped=around.dropped,
        answers=around.answers,
    )  # fmt: skip


def accounts(desk: Desk, seen: Seen | None, query: Query) -> Accounts:
    """Return a page of accounts."""
    matching, rows = desk.accounts.find(query)
    return Accounts(
        v=VERSION, total=len(desk.accounts), matching=matching, market_time_us=_time_us(seen), accounts=rows
    )  # fmt: skip


def account(desk: Desk, seen: Seen | None, name: str, partition: int) -> AccountPage | None:
    """Return one account, None if nothing is known of it."""
    row = desk.accounts.row(name)
    if row is None:
        return None
    return AccountPage(
        v=VERSION, account=row, partition=partition, here=seen is not None and partition in seen.partitions,
        market_time_us=_time_us(seen), history=desk.follow(name), events=desk.events_of(name),
    )  # fmt: skip


def events(desk: Desk, instance: str, *, kinds: tuple[str, ...] = (), text: str = "", limit: int = 200) -> Events:
    """Return the newest events, of some kinds and with a text in account or reason if that is asked for."""
    wanted = text.casefold()
    found: list[EventRow] = []
    for _, row in desk.ring.newest():
        if len(found) >= limit:
            break
        if (not kinds or row.kind in kinds) and (not wanted or _says(row, wanted)):
            found.append(row)
    newest = next(desk.ring.newest(), None)
    return Events(
        v=VERSION, id="" if newest is None else event_id(instance, newest[0]), kept=len(desk.ring), events=found
    )  # fmt: skip


def history(desk: Desk) -> History:
    """Return equity and requirements of all accounts together over time."""
    return History(v=VERSION, points=list(desk.history))


def market(seen: Seen | None) -> MarketPage:
    """Return the market."""
    return MarketPage(v=VERSION, market=None if seen is None else seen.market)


def correlation(desk: Desk, seen: Seen | None) -> CorrelationPage:
    """Return correlations and regimes."""
    return CorrelationPage(
        v=VERSION, correlation=None if seen is None else seen.correlation, changes=list(reversed(desk.changes))
    )  # fmt: skip


def event_id(instance: str, place: Place) -> str:
    """Return the id that a stream goes on from: this server's order of events, and a position on the broker in it."""
    topic, partition, offset = place
    return f"{instance}.{_LETTER[topic]}.{partition}.{offset}"


def place_of(identity: str, instance: str) -> Place | None:
    """Return the position that an id names, None if it is not one of this server's."""
    parts = identity.split(".")
    if len(parts) != 4 or parts[0] != instance or parts[1] not in _TOPIC:
        return None
    if not (parts[2].isdecimal() and parts[3].isdecimal()) or len(identity) > 100:
        return None
    return _TOPIC[parts[1]], int(parts[2]), int(parts[3])


def query_of(asked: Mapping[str, Iterable[str]]) -> Query:
    """Read the options of a list of accounts; raises UsageError."""
    one = _single(asked, ("q", "status", "held", "sort", "limit", "offset"))
    statuses = tuple(filter(None, one.get("status", "").split(",")))
    for name in statuses:
        _check("status", name, STATUSES)
    return Query(
        text=one.get("q", "").strip()[:100], statuses=statuses,
        held=_check("held", one.get("held", "0"), ("0", "1")) == "1", sort=_check("sort", one.get("sort", "u"), SORTS),
        limit=_number("limit", one.get("limit", "100"), MAX_LIMIT),
        offset=_number("offset", one.get("offset", "0"), 10_000_000),
    )  # fmt: skip


def events_query(asked: Mapping[str, Iterable[str]]) -> tuple[tuple[str, ...], str, int]:
    """Read the options of a list of events: kinds, text, limit; raises UsageError."""
    one = _single(asked, ("q", "kind", "limit"))
    kinds = tuple(filter(None, one.get("kind", "").split(",")))
    for name in kinds:
        _check("kind", name, KINDS)
    return kinds, one.get("q", "").strip()[:100], _number("limit", one.get("limit", "200"), MAX_LIMIT)


def no_query(asked: Mapping[str, Iterable[str]]) -> None:
    """Refuse any option; raises UsageError."""
    _single(asked, ())


def _time_us(seen: Seen | None) -> int:
    return 0 if seen is None else seen.market.time_us


def _says(row: EventRow, wanted: str) -> bool:
    return wanted in row.account.casefold() or wanted in row.reason.casefold()


def _single(asked: Mapping[str, Iterable[str]], known: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name, values in asked.items():
        if name not in known:
            raise UsageError(f"there is no option {name!r}", f"use {', '.join(known) or 'none'}")
        told = list(values)
        if len(told) != 1:
            raise UsageError(f"{name} is said twice", "say it once")
        found[name] = told[0]
    return found


def _check(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UsageError(f"{value!r} is no {name}", f"use {', '.join(known)}")
    return value


def _number(name: str, value: str, most: int) -> int:
    if not value.isdecimal() or len(value) > 9 or int(value) > most:
        raise UsageError(f"{name}={value!r} is no number up to {most}", f"write {name}=100")
    return int(value)
