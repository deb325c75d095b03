"""What the pages about clients and threats say that can be checked."""

from __future__ import annotations

import ast
import re

import monitor.client
from tests.support import ROOT

CLIENTS = (ROOT / "docs" / "clients.md").read_text()
THREATS = (ROOT / "docs" / "threat-model.md").read_text()


def test_the_example_is_short_and_uses_public_names() -> None:
    """The first example is a program of under 15 lines whose names are all public."""
    source = re.findall(r"```python\n(.*?)```", CLIENTS, re.DOTALL)[0]
    tree = ast.parse(source)
    assert len([line for line in source.splitlines() if line.strip()]) < 15
    imported = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "monitor.client"
        for alias in node.names
    ]
    assert imported
    assert set(imported) <= set(monitor.client.__all__)


def test_every_reason_is_explained() -> None:
    """The page has each reason for a refusal and each standing, as they are written."""
    named = set(re.findall(r"`([a-z_]+)`", CLIENTS))
    assert {str(reason) for reason in monitor.client.Reason} <= named
    assert {str(standing) for standing in monitor.client.Standing} <= named


def test_every_threat_names_tests_that_are_there() -> None:
    """Each line of the table names a test, or says what is not covered; named files and folders exist."""
    rows = [line.split("|")[1:-1] for line in THREATS.splitlines() if line.startswith("| ") and line.count("|") == 5]
    assert len(rows) > 15
    for _, _, tests, uncovered in rows[1:]:
        named = [name for name in re.findall(r"`([\w./]+)`", tests) if "/" in name]
        assert tests.strip() or uncovered.strip()
        assert [name for name in named if not (ROOT / name).exists()] == []
