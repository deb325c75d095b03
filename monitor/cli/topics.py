"""`liqmon topics`: the topic table and the cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import click

from monitor.brokers import topics
from monitor.brokers.endpoint import endpoint
from monitor.config import Settings
from monitor.connection import Endpoint
from monitor.errors import ExitCode
from schemas.acls import Deployment


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--changelog", is_flag=True, help="Also the workers' state, so that they need no right to create."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
        click.option("--replication", type=click.IntRange(1, 32), help="Copies. [default: 3, or one on each broker]"),
        click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]"),
        click.option("--partitions", type=click.IntRange(1, 1000), help="Of account topics. [default: setting, 12]"),
        click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL]"),
    ):
        function = option(function)
    return function


@click.group(epilog="\b\nExample:\n  BROKER_URL=127.0.0.1:9092 liqmon topics plan")
def command() -> None:
    """Compare the topics with the cluster, and create them."""


@command.command(epilog="\b\nExample:\n  liqmon topics plan --broker 127.0.0.1:9092 --partitions 12 --json")
@_options
@click.pass_obj
def plan(settings: Settings, /, broker_url: str | None, as_json: bool, **shape: Any) -> int:
    """Print how the cluster differs from the table; exit code 1 if it does."""
    address, wanted = _resolve(settings, broker_url, **shape)
    differences = asyncio.run(topics.plan(address, wanted))
    _print(differences, "differs", as_json)
    if not differences and not as_json:
        click.echo(f"{len(wanted)} topics are as they should be", err=True)
    return ExitCode.FINDINGS if differences else ExitCode.OK


@command.command(epilog="\b\nExample:\n  liqmon topics apply --broker 127.0.0.1:9092 --prefix desk1.")
@_options
@click.pass_obj
def apply(settings: Settings, /, broker_url: str | None, as_json: bool, **shape: Any) -> int:
    """Create missing topics and restore settings; delete nothing.

    Exit code 1 if something differs that cannot be changed, such as the number of partitions.
    """
    address, wanted = _resolve(settings, broker_url, **shape)
    _print(asyncio.run(topics.apply(address, wanted)), "done", as_json)
    left = asyncio.run(topics.plan(address, wanted))
    _print(left, "left", as_json)
    if not left and not as_json:
        click.echo(f"{len(wanted)} topics are as they should be", err=True)
    return ExitCode.FINDINGS if left else ExitCode.OK


def _resolve(
    settings: Settings,
    broker_url: str | None,
    *,
    partitions: int | None,
    prefix: str | None,
    replication: int | None,
    changelog: bool,
) -> tuple[Endpoint, tuple[topics.Wanted, ...]]:
    wanted = topics.wanted_topics(
        settings.topic_prefix if prefix is None else prefix, partitions or settings.partitions, replication
    )
    if changelog:
        wanted += _changelogs(settings, prefix, partitions, replication)
    return endpoint(settings, broker_url), wanted


def _changelogs(
    settings: Settings, prefix: str | None, partitions: int | None, replication: int | None
) -> tuple[topics.Wanted, ...]:
    # Imported here: it is of the worker, and brings the engine along.
    from monitor.worker.changelog import CONFIG  # noqa: PLC0415

    of = Deployment(settings.topic_prefix if prefix is None else prefix, settings.application_id)
    return tuple(
        topics.Wanted(name, partitions or settings.partitions, dict(CONFIG), replication) for name in of.changelogs
    )


def _print(differences: Iterable[topics.Difference], outcome: str, as_json: bool) -> None:
    for one in differences:
        if as_json:
            click.echo(json.dumps({"outcome": outcome, **asdict(one)}))
        else:
            what = f"{one.kind} {one.setting}".strip()
            found = f", found {one.found}" if one.found else ""
            click.echo(f"{outcome:<8} {one.topic:<36} {what:<20} wanted {one.wanted}{found}")
