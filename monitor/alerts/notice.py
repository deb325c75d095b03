"""A notice: one thing that somebody may have to know, whatever it came from."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec
import orjson

from monitor.alerts.settings import SEVERITIES, Alerts, Kind, Severity
from schemas.headers import rfc3339
from schemas.records import AccountEvent, RangeStep, RegimeRecord

# A worker that starts or shares partitions out again says so by itself, and goes on by itself.
_PASSING = frozenset({"starting", "rebalancing", "recovering", "catching_up", "lag_growing", "disk"})


class Place(NamedTuple):
    """Where on the broker a notice came from: it is asked for again from there."""

    topic: str
    partition: int
    offset: int = -1


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be told.

    `id` is that of the event, so a repetition is known. `seen_us` is when the broker got it, wall clock; `time_us` its
    event time. `subject` is what closes with it: an account's notice closes the earlier ones of the account.
    """

    id: str
    kind: Kind
    severity: Severity
    time_us: int
    seen_us: int
    subject: str
    text: str
    account: str = ""
    parameter_set: str = ""
    shortfall_usd: float = 0.0
    place: Place = Place("", 0)

    @property
    def closes(self) -> bool:
        """Whether it says that something is over."""
        return self.kind in {"recovered", "resolved", "hold_over", "watchdog_over"}


def of_event(event: AccountEvent, alerts: Alerts, place: Place, seen_us: int) -> Notice:
    """Return the notice of an account event."""
    kind: Kind = event.kind
    if event.kind == "data_hold" and not event.data_hold:
        kind = "hold_over"
    return Notice(
        id=event.id, kind=kind, severity=alerts.severity(kind), time_us=event.event_time_us, seen_us=seen_us,
        # A hold beside a liquidation is a matter of its own.
        subject=f"hold:{event.account}" if event.kind == "data_hold" else f"account:{event.account}",
        text=event.reason, account=event.account, parameter_set=event.parameter_set,
        shortfall_usd=event.shortfall_usd, place=place,
    )  # fmt: skip


def of_regime(record: RegimeRecord, alerts: Alerts, place: Place, seen_us: int) -> Notice:
    """Return the notice of a change of regime or of a step of a price range."""
    if isinstance(record, RangeStep):
        kind: Kind = "range"
        severity = alerts.severity(kind)
        subject = f"range:{record.underlying}"
        text = f"Price range of {record.underlying} is {100.0 * record.price_range:.1f} % from now on."
    else:
        kind, subject = "regime", "regime"
        # Back to calm is good news, and nobody gets up for it.
        severity = "info" if record.regime == "calm" else alerts.severity(kind)
        text = (
            f"Correlation regime {record.regime}, was {record.regime_from or 'unknown'} "
            f"({record.trigger or 'no trigger'}; distance {record.distance:.3f}, "
            f"absorption {record.absorption_ratio:.3f})."
        )
    return Notice(
        id=record.id or identity(kind, subject, str(record.event_time_us)), kind=kind, severity=severity,
        time_us=record.event_time_us, seen_us=seen_us, subject=subject, text=text, place=place,
    )  # fmt: skip


def of_watchdog(
    worker: str, name: str, reason: str, alerts: Alerts, place: Place, since_us: int, now_us: int, *, over: bool = False
) -> Notice:
    """Return the notice that a worker's watchdog is raised since `since_us`, or over."""
    kind: Kind = "watchdog_over" if over else "watchdog"
    severity = alerts.severity(kind)
    if name in _PASSING and not over:
        severity = min(severity, "warning", key=SEVERITIES.index)
    subject = f"watchdog:{worker}:{name}"
    text = f"{name} at {worker} is over." if over else f"{name} at {worker} since {rfc3339(since_us)[:19]}Z: {reason}"
    return Notice(
        id=identity(kind, subject, str(since_us)), kind=kind, severity=severity, subject=subject,
        time_us=now_us if over else since_us, seen_us=now_us, text=text, place=place,
    )  # fmt: skip


def of_refusal(reason: str, text: str, alerts: Alerts, place: Place, seen_us: int) -> Notice:
    """Return the notice of a message on an event topic that is not what the monitor would have sent."""
    where = f"{place.topic}/{place.partition}@{place.offset}"
    return Notice(
        id=identity("refused", where), kind="refused", severity=alerts.severity("refused"), time_us=seen_us,
        seen_us=seen_us, subject=f"refused:{where}", text=f"A message at {where} is {reason}: {text}", place=place,
    )  # fmt: skip


def identity(*parts: str) -> str:
    """Return the id of what has none of its own: 32 hex digits."""
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:32]
