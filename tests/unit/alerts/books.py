"""Notices and settings for tests of alerts."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from monitor.alerts.notice import Notice, Place
from monitor.alerts.settings import Alerts, Kind, check

SECOND = 1_000_000
NOON = 1_760_000_000 * SECOND


def notice(
    account: str = "desk-7", kind: Kind = "liquidation", at_us: int = NOON, offset: int = 0, **changes: Any
) -> Notice:  # fmt: skip
    """One notice; its id is a function of account, kind and time."""
    alerts = Alerts()
    made = Notice(
        id=hashlib.sha256(f"{account}/{kind}/{at_us}".encode()).hexdigest()[:32], kind=kind,
        severity=alerts.severity(kind), time_us=at_us, seen_us=at_us, subject=f"account:{account}",
        text=f"{kind} of it", account=account, parameter_set="default",
        place=Place("risk.liquidations.v1", 0, offset),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def settings(routes: list[dict[str, Any]], **others: Any) -> Alerts:
    """Settings with the channels `desk` and `pager`, whose limits a test does not meet unless it says so."""
    channels = {name: {"url_variable": name.upper(), "burst": 100} for name in ("desk", "pager")}
    return check(msgspec.convert({"channels": channels, "routes": routes, **others}, Alerts))
