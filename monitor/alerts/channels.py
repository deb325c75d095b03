"""Where messages go: apprise's services, one address a channel, which no line ever shows."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from monitor import redaction
from monitor.alerts.digest import Text
from monitor.alerts.settings import Alerts, Channel, Severity
from monitor.connection import Secret, read_secret
from monitor.errors import UsageError

SEND_S: Final = 60.0  # apprise has 4 s for a connection and 4 s for an answer, and may send in pieces
TYPES: Final[dict[Severity, str]] = {"info": "info", "warning": "warning", "critical": "failure"}


class Sender(Protocol):
    """Takes a message to people; returns whether it was taken."""

    async def send(self, text: Text) -> bool:
        """Send one message."""


def addresses(alerts: Alerts, environ: Mapping[str, str] = os.environ) -> dict[str, Secret]:
    """Return the address of each channel; raises UsageError, never quoting one."""
    return {name: _address(name, channel, environ) for name, channel in alerts.channels.items()}


def _address(name: str, channel: Channel, environ: Mapping[str, str]) -> Secret:
    if channel.url_file is not None:
        secret = read_secret(channel.url_file, f"alerts.channels.{name}.url_file")
    else:
        assert channel.url_variable is not None  # see `settings.check`
        given = environ.get(channel.url_variable, "").strip()
        if not given:
            raise UsageError(f"alerts.channels.{name} is in {channel.url_variable}, which is not set", "set it")
        secret = Secret(given)
    for part in parts(secret.reveal()):
        redaction.hide(part)
    return secret


def parts(address: str) -> list[str]:
    """Return what of an address may be secret by itself: user, password, path and values; not scheme and host.

    In `slack://` and its like the place of the host is the first half of the secret.
    """
    split = urlsplit(address)
    user, _, place = split.netloc.rpartition("@")
    found = [*user.split(":"), *split.path.split("/"), *(value for _, value in parse_qsl(split.query))]
    if "." not in place and not place.startswith("["):
        found.append(place.partition(":")[0])
    return [each for part in found if part for each in (part, unquote(part)) if part != "localhost"]


def senders(alerts: Alerts, environ: Mapping[str, str] = os.environ) -> dict[str, Sender]:
    """Return what sends for each channel; raises UsageError where apprise is missing or takes an address not."""
    return {name: AppriseSender(name, secret) for name, secret in addresses(alerts, environ).items()}


class AppriseSender:
    """One address of apprise's."""

    def __init__(self, name: str, address: Secret) -> None:
        try:
            import apprise  # noqa: PLC0415 (an extra)
        except ImportError as error:
            raise UsageError("alerts need the package apprise", "pip install 'liquidation-monitor[alerts]'") from error
        # What it says of an address is said by us, without it.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        self._apprise: Any = apprise.Apprise()
        self._format = apprise.NotifyFormat.TEXT
        if not self._apprise.add(address.reveal()):
            raise UsageError(
                f"the address of alerts.channels.{name} is none that apprise knows",
                "see apprise's list of services for its form",
            )

    async def send(self, text: Text) -> bool:
        """Send one message; False where it was refused, or not taken in time."""
        try:
            async with asyncio.timeout(SEND_S):
                taken = await self._apprise.async_notify(
                    body=text.body, title=text.title, notify_type=TYPES[text.severity], body_format=self._format
                )
        except (TimeoutError, TypeError):  # apprise says TypeError to what it cannot send at all
            return False
        return bool(taken)
