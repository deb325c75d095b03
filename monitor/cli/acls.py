"""`liqmon acls`: the rights of each role, and the cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import click

from monitor.brokers import acls
from monitor.brokers.endpoint import endpoint
from monitor.config import Settings
from monitor.errors import ExitCode
from schemas.acls import ROLES, Acl, Deployment, kafka_acls_lines
from schemas.acls import acls as acls_of


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
        click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL]"),
        click.option("--principal", required=True, help="Who gets them, as User:name."),
        click.option("--role", type=click.Choice(list(ROLES)), required=True, help="Row of the table."),
    ):
        function = option(function)
    return function


@click.group(epilog="\b\nExample:\n  liqmon acls plan --role worker --principal User:worker")
def command() -> None:
    """Print or apply who may do what on the broker; no role has rights on the cluster itself."""


@command.command("commands", epilog="\b\nExample:\n  liqmon acls commands --role bot --principal User:bot-7")
@click.option("--role", type=click.Choice(list(ROLES)), required=True, help="Row of the table.")
@click.option("--principal", required=True, help="Who gets them, as User:name.")
@click.pass_obj
def commands(settings: Settings, /, role: str, principal: str) -> None:
    """Print the arguments of Kafka's kafka-acls.sh that give a principal the rights of a role."""
    for line in kafka_acls_lines(role, principal, _deployment(settings)):
        click.echo(line)


@command.command(epilog="\b\nExample:\n  liqmon acls plan --role bot --principal User:bot-7 --json")
@_options
@click.pass_obj
def plan(settings: Settings, /, role: str, principal: str, broker_url: str | None, as_json: bool) -> int:
    """Print the rights that a principal lacks for a role; exit code 1 if it lacks any."""
    wanted = acls_of(role, _deployment(settings))
    lacking = asyncio.run(acls.missing(endpoint(settings, broker_url), principal, wanted))
    _print(lacking, "missing", as_json)
    return ExitCode.FINDINGS if lacking else ExitCode.OK


@command.command(epilog="\b\nExample:\n  liqmon acls apply --role worker --principal User:worker")
@_options
@click.pass_obj
def apply(settings: Settings, /, role: str, principal: str, broker_url: str | None, as_json: bool) -> None:
    """Give a principal the rights of a role; take none away. For the owner of the cluster."""
    wanted = acls_of(role, _deployment(settings))
    _print(asyncio.run(acls.apply(endpoint(settings, broker_url), principal, wanted)), "added", as_json)


def _deployment(settings: Settings) -> Deployment:
    return Deployment(settings.topic_prefix, settings.application_id)


def _print(found: list[Acl], outcome: str, as_json: bool) -> None:
    for acl in found:
        if as_json:
            click.echo(json.dumps({"outcome": outcome, **acl._asdict()}))
        else:
            click.echo(f"{outcome:<8} {acl.operation:<16} {acl.resource} {acl.name} ({acl.pattern})")
