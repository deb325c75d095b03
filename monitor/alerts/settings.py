"""The section `[alerts]` of the settings file: who is told what, where, how often."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from monitor.errors import UsageError

Severity = Literal["info", "warning", "critical"]
Kind = Literal[
    "warning", "margin_call", "recovered", "resolved", "liquidation", "bankrupt", "data_hold", "hold_over", "regime",
    "range", "watchdog", "watchdog_over", "refused",
]  # fmt: skip
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
DEFAULT_SEVERITIES: Final[dict[Kind, Severity]] = {
    "warning": "info",
    "margin_call": "warning",
    "recovered": "info",
    "resolved": "info",
    "liquidation": "critical",
    "bankrupt": "critical",
    "data_hold": "warning",
    "hold_over": "info",
    "regime": "warning",
    "range": "info",
    "watchdog": "critical",
    "watchdog_over": "info",
    "refused": "critical",
}
Label = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$(?!\n)", max_length=40)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Pattern = Annotated[str, Meta(min_length=1, max_length=200)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what stands in the settings file: a key that is not known is refused."""


class Channel(Section, frozen=True, kw_only=True):
    """One place that messages go to. Its address is a secret and stands in a file or a variable, never here."""

    url_file: Annotated[str, Meta(min_length=1)] | None = None
    """A file with the address in its first line, as apprise writes it: `slack://...`, `tgram://...`, `mailtos://...`,
    `pagerduty://...`, `jsons://...`."""
    url_variable: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]*$(?!\n)")] | None = None
    """Or the name of the environment variable that has it."""
    burst: Annotated[int, Meta(ge=1, le=1_000)] = 10
    """How many messages may go out one after the other."""
    then_every_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    """After these, seconds between two messages; what comes meanwhile is gathered into the next one."""
    most_lines: Annotated[int, Meta(ge=1, le=200)] = 20
    """How many alerts of a message are written out; the others are counted by kind."""


class Route(Section, frozen=True, kw_only=True):
    """Which alerts go to which channels: all filters that are given have to match."""

    channels: Annotated[tuple[Label, ...], Meta(min_length=1)]
    """Names of channels."""
    least_severity: Severity = "info"
    """`info`, `warning` or `critical`: this or worse."""
    kinds: tuple[Kind, ...] = ()
    """Only these kinds; empty for all."""
    accounts: tuple[Pattern, ...] = ()
    """Only accounts like one of these: `desk-*` is a glob, `/^desk-[0-9]+$/` a regular expression that is searched for.
    With any of these four, alerts without an account (regimes, watchdogs) do not match."""
    parameter_sets: tuple[Pattern, ...] = ()
    """Only accounts of parameter sets like these."""
    venues: tuple[Pattern, ...] = ()
    """Only accounts at venues like these; `risk.accounts.v1` is read for it."""
    groups: tuple[Pattern, ...] = ()
    """Only accounts of owners like these; `risk.accounts.v1` is read for it."""
    window_s: Seconds = 10.0
    """How long the first alert waits for others, to go out in one message; 0 sends at once."""
    escalate_after_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    """How long nobody may have acknowledged an alert before it is told again."""
    escalate_to: tuple[Label, ...] = ()
    """To which channels then; empty for the same ones."""
    last: bool = False
    """Whether an alert that matches here is not shown to the routes below."""


class Alerts(Section, frozen=True, kw_only=True):
    """What `liqmon alerts` does. Without a route it tells nobody anything."""

    group: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]*$(?!\n)", max_length=100)] = "bot-alerts"
    """Consumer group behind the topic prefix; with `bot-` in front the rights of the role `bot` are enough for it."""
    max_age_s: Annotated[float, Meta(ge=60, le=30 * 86_400)] = 3_600.0
    """Alerts older than this by the broker's clock are counted in the next message, not told one by one: at the first
    start, after an absence, or when a channel has refused them for so long."""
    forget_after_s: Annotated[float, Meta(ge=3_600, le=365 * 86_400)] = 7 * 86_400.0
    """How long it is remembered who was told what, against repetitions. At least `max_age_s`."""
    link: Annotated[str, Meta(max_length=500)] | None = None
    """Address of a page about an account, with `{account}` in it; goes into messages."""
    keys_file: str | None = None
    """Keys that events have to be signed with, as for bots (docs/security.md); none asks for no signature."""
    workers: tuple[Annotated[str, Meta(pattern=r"^https?://[^\s/@]+$(?!\n)")], ...] = ()
    """Health endpoints of the workers, `http://127.0.0.1:9101`, whose `/readyz` is asked for watchdogs."""
    workers_token_file: str | None = None
    """A file with the token of these endpoints in its first line."""
    watch_every_s: Annotated[float, Meta(ge=1, le=3_600)] = 5.0
    """Seconds between two questions to a worker."""
    watch_for_s: Annotated[float, Meta(ge=0, le=3_600)] = 15.0
    """How long a watchdog or an endpoint that does not answer has to stay so before it is told."""
    severities: dict[Kind, Severity] = {}
    """Severity of a kind of alert where it is to be another than the table in docs/alerts.md says."""
    channels: dict[Label, Channel] = {}
    """The channels by name, `[alerts.channels.NAME]`."""
    routes: tuple[Route, ...] = ()
    """The routes, `[[alerts.routes]]`, asked from the first to the last; a channel gets an alert once."""

    def severity(self, kind: Kind) -> Severity:
        """Return how bad a kind of alert is."""
        return self.severities.get(kind, DEFAULT_SEVERITIES[kind])


def check(alerts: Alerts) -> Alerts:
    """Return settings whose parts fit together; raises UsageError."""
    for name, channel in alerts.channels.items():
        if (channel.url_file is None) == (channel.url_variable is None):
            raise UsageError(
                f"alerts.channels.{name} needs one of url_file and url_variable",
                "put the address into the first line of a file, or into a variable, and name it",
            )
    for number, route in enumerate(alerts.routes):
        where = f"alerts.routes[{number}]"
        for channel_name in (*route.channels, *route.escalate_to):
            if channel_name not in alerts.channels:
                known = ", ".join(sorted(alerts.channels)) or "none"
                raise UsageError(f"{where} names the channel {channel_name}", f"channels are {known}")
        if route.escalate_to and route.escalate_after_s is None:
            raise UsageError(f"{where} has escalate_to and no escalate_after_s", "say after how long")
        for pattern in (*route.accounts, *route.parameter_sets, *route.venues, *route.groups):
            _check_pattern(where, pattern)
    if alerts.forget_after_s < alerts.max_age_s:
        raise UsageError("alerts.forget_after_s is below alerts.max_age_s", "make it larger: else alerts are repeated")
    if alerts.link is not None and "{account}" not in alerts.link:
        raise UsageError("alerts.link has no {account} in it", "write https://desk.example/accounts/{account}")
    return alerts


def _check_pattern(where: str, pattern: str) -> None:
    if is_regex(pattern):
        try:
            re.compile(pattern[1:-1])
        except re.error as error:
            raise UsageError(f"{where} has {pattern}, not a regular expression: {error}", "correct it") from error


def is_regex(pattern: str) -> bool:
    """Whether a pattern is a regular expression, and not a glob."""
    return len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/")
