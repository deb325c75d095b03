"""`liqmon dead-letters`: what was refused, and back to its topic when the fault is mended."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich.table import Table

from monitor.brokers.endpoint import endpoint
from monitor.cli.wide import console_of
from monitor.config import Settings
from monitor.errors import ExitCode, UsageError
from schemas.headers import microseconds, rfc3339

if TYPE_CHECKING:
    from monitor.letters.letters import Letter, Place, Wanted

SHOWN = 100  # characters of a value in the list


def _where(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
        click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]"),
        click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL]"),
    ):
        function = option(function)
    return function


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--until", help="First seen before this time, RFC 3339."),
        click.option("--since", help="First seen at this time or later, RFC 3339: 2026-01-31T08:00:00Z."),
        click.option("--topic", "topics", multiple=True, help="Refused from this topic; may be repeated."),
        click.option("--reason", "reasons", multiple=True, help="Refused for this reason; may be repeated."),
    ):
        function = option(function)
    return function


@click.group(
    epilog="\b\nExample:\n  liqmon dead-letters list --reason unknown_instrument\n  liqmon dead-letters show 0/17\n"
    "  liqmon dead-letters replay --reason unknown_instrument"
)
def command() -> None:
    """List and show refused records, and send them back to their topics."""


@command.command("list", epilog="\b\nExample:\n  liqmon dead-letters list --topic risk.trades.v1 --json")
@_where
@_filters
@click.option("--all", "everything", is_flag=True, help="Those that were replayed, too.")
@click.pass_obj
def list_(settings: Settings, /, broker_url: str | None, *, as_json: bool, everything: bool, **given: Any) -> int:
    """List dead letters, the oldest first; exit code 1 if there are any that were not replayed."""
    wanted = _wanted(given)
    found = _read(settings, broker_url, given["prefix"])
    letters = [one for one in found if wanted.takes(one) and (everything or one.mark != "done")]
    if as_json:
        for letter in letters:
            click.echo(orjson.dumps(_data(letter)))
    else:
        _table(letters)
    return ExitCode.FINDINGS if any(letter.mark != "done" for letter in letters) else ExitCode.OK


@command.command(
    epilog="\b\nExample:\n  liqmon dead-letters show 0/17\n  liqmon dead-letters show 0/17 --raw > refused"
)
@_where
@click.option("--raw", is_flag=True, help="Print the original bytes and nothing else, as they are.")
@click.argument("place")
@click.pass_obj
def show(
    settings: Settings, /, place: str, broker_url: str | None, *, as_json: bool, raw: bool, prefix: str | None
) -> int:
    """Show one letter, by its place in `list`, with its original bytes; what is no plain text is escaped."""
    wanted = _place(place)
    letter = next((one for one in _read(settings, broker_url, prefix) if one.place == wanted), None)
    if letter is None:
        raise UsageError(f"there is no dead letter at {place}", "`liqmon dead-letters list --all` has their places")
    if raw:
        click.get_binary_stream("stdout").write(letter.value or b"")
    elif as_json:
        click.echo(orjson.dumps(_data(letter)))
    else:
        for name, value in _data(letter).items():
            if name != "value_base64":
                click.echo(f"{name:<14} {value}")
    return ExitCode.OK


@command.command(
    epilog="\b\nExample:\n  liqmon dead-letters replay 0/17 0/18\n  liqmon dead-letters replay --all --dry-run"
)
@_where
@_filters
@click.option("--all", "everything", is_flag=True, help="All letters; needed where no other choice is made.")
@click.option("--again", is_flag=True, help="Those, too, that were replayed, or whose replay was cut short.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.argument("places", nargs=-1)
@click.pass_obj
def replay(
    settings: Settings, /, places: tuple[str, ...], broker_url: str | None, *, as_json: bool, everything: bool,
    again: bool, dry_run: bool, **given: Any,
) -> int:  # fmt: skip
    """Send the original bytes of letters back to their topics, each with a header that names its letter.

    A letter is marked on the dead-letter topic and not sent a second time without --again. A record that is refused
    again becomes a new letter. Exit code 1 if some of those chosen were not sent.
    """
    from monitor.letters import run  # noqa: PLC0415 (`--help` needs no Kafka client)

    wanted = _wanted(given, places)
    if not (everything or places or any(value for name, value in given.items() if name != "prefix")):
        raise UsageError("no letter is chosen", "give places, --reason, --topic, --since, --until, or --all")
    address, prefix = endpoint(settings, broker_url), _prefix(settings, given["prefix"])
    done = asyncio.run(run.replay(address, prefix, wanted, again=again, dry_run=dry_run))
    outcome = "would be sent" if dry_run else "sent"
    for letter, said in [*((one, outcome) for one in done.send), *((one, f"left: {why}") for one, why in done.left)]:
        if as_json:
            click.echo(orjson.dumps({"place": str(letter.place), "topic": letter.known.source_topic, "outcome": said}))
        else:
            click.echo(f"{letter.place!s:<10} {letter.known.source_topic:<36} {said}")
    if not as_json:
        click.echo(f"{len(done.send)} {outcome}, {len(done.left)} left", err=True)
    return ExitCode.FINDINGS if done.left else ExitCode.OK


# --- what is asked for ----------------------------------------------------------------------------


def _prefix(settings: Settings, prefix: str | None) -> str:
    return settings.topic_prefix if prefix is None else prefix


def _read(settings: Settings, broker_url: str | None, prefix: str | None) -> list[Letter]:
    from monitor.letters import run  # noqa: PLC0415 (`--help` needs no Kafka client)

    found = asyncio.run(run.read(endpoint(settings, broker_url), _prefix(settings, prefix)))
    if found.strange:
        click.echo(f"liqmon: {found.strange} messages of the topic are no dead letters", err=True)
    return found.letters


def _wanted(given: dict[str, Any], places: tuple[str, ...] = ()) -> Wanted:
    from monitor.letters.letters import Wanted  # noqa: PLC0415 (`--help` needs no Kafka client)

    return Wanted(
        places=frozenset(map(_place, places)), reasons=given["reasons"], topics=given["topics"],
        since_us=_time(given["since"]), until_us=_time(given["until"]),
    )  # fmt: skip


def _place(text: str) -> Place:
    from monitor.letters.letters import read_place  # noqa: PLC0415 (`--help` needs no Kafka client)

    try:
        return read_place(text)
    except ValueError as error:
        raise UsageError(str(error), "`liqmon dead-letters list` has the places") from error


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return microseconds(text)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is no time ({error})", "write it as 2026-01-31T08:00:00Z") from error


# --- what is shown --------------------------------------------------------------------------------


def _data(letter: Letter) -> dict[str, Any]:
    known = letter.known
    return {
        "place": str(letter.place),
        "reason": known.error_kind,
        "text": _safe(known.error_text),
        "topic": known.source_topic,
        "partition": known.source_partition,
        "offset": known.source_offset,
        "index": known.source_index,
        "first_seen": rfc3339(known.first_seen_us),
        "schema": known.schema,
        "replay": letter.mark or "",
        "key": None if letter.key is None else _safe(letter.key),
        "bytes": 0 if letter.value is None else len(letter.value),
        "value": None if letter.value is None else _safe(letter.value),
        "value_base64": None if letter.value is None else base64.b64encode(letter.value).decode(),
    }


def _safe(value: bytes | str) -> str:
    """Return text without anything that a terminal would act on: what is not printable ASCII is escaped."""
    if isinstance(value, bytes):
        return "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02x}" for b in value)
    return "".join(c if " " <= c <= "~" and c != "\\" else c.encode("unicode_escape").decode() for c in value)


def _table(letters: list[Letter]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("place", "first seen", "reason", "from", "replay", "value"):
        table.add_column(name, no_wrap=name != "value", overflow="fold")
    for letter in letters:
        known = letter.known
        place = f"{known.source_topic}/{known.source_partition} {known.source_offset}.{known.source_index}"
        value = "null" if letter.value is None else _safe(letter.value[:SHOWN])
        # Cells are text of strangers: no markup is read in them.
        row = (str(letter.place), rfc3339(known.first_seen_us)[:19], known.error_kind, place, letter.mark or "", value)
        table.add_row(*(_plain(cell) for cell in row))
    if letters:
        console_of().print(table)
    counts = Counter(letter.known.error_kind for letter in letters)
    told = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    click.echo(f"{len(letters)} dead letters{': ' if told else ''}{told}", err=True)


def _plain(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415 (only where a table is printed)

    return escape(text)
