"""The options by which every question says where its state is: files, or the topics of a deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from monitor.asking.subject import Asked
    from monitor.config import Settings
    from monitor.engine.state import State

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@dataclass(frozen=True, slots=True)
class Where:
    """Files, or the topics of a broker (no files)."""

    markets: tuple[Path, ...]
    portfolio: Path | None
    until_us: int | None
    broker: str | None
    prefix: str | None

    def asked(self, settings: Settings, text: str, *, also: Iterable[str] = (), history: bool | None = None) -> Asked:
        """Return the view of ACCOUNT|EVENT; raises UsageError and what the sources raise."""
        from monitor.asking.subject import subject_of  # noqa: PLC0415 (`--help` needs no kernels)

        subject = subject_of(text)
        if self.markets:
            from monitor.asking import files  # noqa: PLC0415

            return files.asked_of(subject, self.markets, self.portfolio, self.until_us, also=also, history=history)
        from monitor.asking import topics  # noqa: PLC0415

        return asyncio.run(topics.asked_of(subject, topics.deployment(settings, self), also=also, history=history))

    def state(self, settings: Settings) -> State:
        """Return a whole book's state; raises UsageError and what the sources raise."""
        if self.markets:
            from monitor.asking import files  # noqa: PLC0415

            return files.state_of(self.markets, self.portfolio, self.until_us)
        from monitor.asking import topics  # noqa: PLC0415

        return asyncio.run(topics.state_of(topics.deployment(settings, self)))


def where_options(command: F) -> F:
    """Add the options to a command, which gets them as one `where`."""

    @wraps(command)  # with the options that click has noted on it so far
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        names = ("markets", "portfolio", "until_us", "broker", "prefix")
        return command(*args, where=Where(**{name: kwargs.pop(name) for name in names}), **kwargs)

    found: Any = wrapped
    for option in (
        click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]"),
        click.option("--broker", help="Read the topics of this broker, host:port. [default: BROKER_URL]"),
        click.option("--until-us", type=int, help="Stop before this arrival time, microseconds since 1970 UTC."),
        click.option("--portfolio", "--accounts", "portfolio", type=_FILE,
                     help="JSON lines of accounts, transfers and trades."),
        click.option("--market", "markets", type=click.Path(path_type=Path, exists=True), multiple=True,
                     help="Market files or folders, as `liqmon replay` reads them; may be repeated."),
    ):  # fmt: skip
        found = option(found)
    result: F = found
    return result
