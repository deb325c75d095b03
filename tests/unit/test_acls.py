"""The table of roles: what no role has, and the forms it is given in."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from monitor.cli import liqmon
from schemas.acls import ROLES, Deployment, acls, kafka_acls_lines
from schemas.topics import ALL

OF = Deployment("desk.", "app")


@pytest.mark.parametrize("role", ROLES)
def test_nobody_who_runs_creates_or_alters(role: str) -> None:
    """Rights are on topics and groups of the deployment alone; what runs all the time can create and alter nothing."""
    found = acls(role, OF)
    assert len(set(found)) == len(found) > 0
    assert {acl.resource for acl in found} <= {"topic", "group"}
    assert all(acl.name.startswith(OF.prefix) for acl in found)
    if ROLES[role].runs:
        assert not {"Create", "AlterConfigs"} & {acl.operation for acl in found}


def test_beginnings_are_of_groups_alone() -> None:
    """No right reaches a topic that is made later."""
    prefixed = {(acl.resource, acl.name) for role in ROLES for acl in acls(role, OF) if acl.pattern == "prefixed"}
    assert prefixed == {("group", "desk.bot-"), ("group", "desk.solver-"), ("group", "desk.letters-")}


def test_what_is_written_once_has_one_writer() -> None:
    """Events, states and dead letters are written by the worker alone, and no topic of the table is forgotten."""
    for name in ("risk.margin-calls.v1", "risk.liquidations.v1", "risk.account-states.v1", "risk.dead-letters.v1"):
        writers = [r for r in ROLES for acl in acls(r, OF) if (acl.name, acl.operation) == (OF.prefix + name, "Write")]
        assert writers == ["worker"]
    known = {acl.name for role in ROLES for acl in acls(role, OF)}
    assert {OF.prefix + topic.name for topic in ALL} <= known


def test_the_commands_are_the_table() -> None:
    """Arguments for Kafka's tool name every right once, and the command prints them for the settings' deployment."""
    lines = kafka_acls_lines("bot", "User:bot-7", OF)
    assert lines[0] == (
        "--add --allow-principal User:bot-7 --operation Read --topic desk.risk.margin-calls.v1"
        " --resource-pattern-type literal"
    )
    assert sum(line.count("--operation") for line in lines) == len(acls("bot", OF))
    env = {"LIQMON_TOPIC_PREFIX": OF.prefix, "LIQMON_APPLICATION_ID": OF.application_id}
    arguments = ["acls", "commands", "--role", "bot", "--principal", "User:bot-7"]
    assert CliRunner().invoke(liqmon, arguments, env=env).output.splitlines() == lines
