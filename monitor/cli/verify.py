"""`liqmon verify`: one event, computed again from the topics."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import orjson

from monitor.brokers.endpoint import endpoint
from monitor.config import Settings
from monitor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monitor.verify.run import Verified

_ID = re.compile(r"[0-9a-f]{32}")
MAX_BYTES = 2_000_000  # a message is at most half of that
_WIDTH = 60


@click.command(
    epilog="\b\nExample:\n  liqmon verify 3f0c... --broker 127.0.0.1:9092\n"
    "  kcat -C -t risk.liquidations.v1 -c 1 -e | liqmon verify -"
)
@click.argument("event", required=False)
@click.option("--bundle", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              help="Instead of EVENT: a file of `liqmon bundle`; needs no broker.")  # fmt: skip
@click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL]")
@click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]")
@click.option(
    "--order", type=click.Choice(["live", "strict"]), help="How it was computed. [default: as its header says]"
)
@click.option("--sequence-prefix", help="In front of the sequence's topic. [default: the prefix of all]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each content of the event.")
@click.pass_obj
def command(
    settings: Settings, /, event: str | None, broker_url: str | None, *, bundle: Path | None, as_json: bool,
    **flags: str | None,
) -> int:  # fmt: skip
    """Compute EVENT again from the topics, or from its bundle, and compare every byte.

    EVENT is an id, a file with the event's JSON, or - for standard input. All market records up to the event's
    positions are folded, and the account's records up to its own applied, by the engine that a worker runs.

    Exit codes: 0 equal, 1 it differs (or its id has two contents), 2 wrong use, 3 it cannot be verified: records were
    deleted, or the broker does not answer.
    """
    if (event is None) == (bundle is None):
        raise UsageError("one of EVENT and --bundle is needed", "give an event's id, or the file of its bundle")
    if bundle is not None:
        return _bundle(bundle, as_json=as_json)
    assert event is not None
    # Imported here: `--help` needs neither Kafka nor the kernels.
    from monitor.verify.run import Deployment, verify  # noqa: PLC0415

    prefix = flags["prefix"]
    where = Deployment(
        endpoint(settings, broker_url), settings.topic_prefix if prefix is None else prefix,
        flags["sequence_prefix"] or settings.sequence_prefix, flags["order"],  # type: ignore[arg-type]
    )  # fmt: skip
    identity = event if _ID.fullmatch(event) else None
    given = None if identity else _read(event)
    results = asyncio.run(verify(where, identity, given))
    for result in results:
        click.echo(msgspec.json.encode(result) if as_json else _text(result))
    if len(results) > 1 and not as_json:
        click.echo(f"liqmon: the id has {len(results)} contents", err=True)
    return _code(results)


def _bundle(path: Path, *, as_json: bool) -> ExitCode:
    """Compute the event of a bundle again; on the build that it names byte for byte, elsewhere to 1e-12."""
    from monitor.answers.bundle import RefusedBundle, check, read  # noqa: PLC0415
    from monitor.asking.build import this_build  # noqa: PLC0415

    try:
        found = check(read(path.read_bytes()), this_build())
    except RefusedBundle as error:
        raise UsageError(f"{path}: {error}", "write one with `liqmon bundle`") from error
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        build = "on the build that it names" if found.same_build else "on another build than it names"
        click.echo(f"{found.outcome:<12} {found.event} {found.kind} {found.account}, {build}")
        if not found.decision:
            click.echo("  the inputs do not lead to this decision")
        for one in found.differences:
            click.echo(f"  {one.field:<40} said {_short(one.said)}, computed {_short(one.computed)}")
    return ExitCode.FINDINGS if found.outcome == "differs" else ExitCode.OK


def _read(name: str) -> tuple[bytes, str]:
    """Return the text of a file or of standard input, and what to call it."""
    if name == "-":
        return click.get_binary_stream("stdin").read(MAX_BYTES), "standard input"
    try:
        with Path(name).open("rb") as stream:
            return stream.read(MAX_BYTES), name
    except OSError as error:
        raise UsageError(
            f"{name[:80]!r} is neither an event's id nor a file ({error.strerror})", "an id is 32 hex digits"
        ) from error


def _code(results: Sequence[Verified]) -> ExitCode:
    outcomes = {result.outcome for result in results}
    if "differs" in outcomes or len(results) > 1:
        return ExitCode.FINDINGS
    return ExitCode.UNREACHABLE if "unverifiable" in outcomes else ExitCode.OK


def _text(result: Verified) -> str:
    what = f"{result.kind} {result.account} {result.sequence}".strip() if result.account else "regime"
    lines = [f"{result.outcome:<12} {result.id} {what}, {result.applied:,} records applied {result.place}".rstrip()]
    if result.cause:
        lines.append(f"  {result.cause}")
    lines += [
        f"  {one.field or 'event':<40} said {_short(one.said)}, computed {_short(one.computed)}"
        for one in result.differences
    ]
    return "\n".join(lines)


def _short(value: object) -> str:
    text = "nothing" if value is None else orjson.dumps(value).decode()
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."
