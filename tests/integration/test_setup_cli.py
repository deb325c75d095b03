"""The command line as a whole."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from monitor.cli import COMMANDS
from tests.integration.processes import assert_told, environment, liqmon
from tests.support import ROOT

USAGE = 2


def commands(name: str) -> Iterator[tuple[list[str], click.Command]]:
    """Yield a command and those below it, with the words to type."""
    waiting = [([name], importlib.import_module(f"monitor.cli.{name.replace('-', '_')}").command)]
    while waiting:
        words, command = waiting.pop()
        yield words, command
        if isinstance(command, click.Group):
            waiting += [([*words, below], one) for below, one in command.commands.items()]


def test_help_lists_the_commands_and_imports_none() -> None:
    """The first help shows every command of the table without importing one, nor a Kafka client."""
    code = (
        "import sys\nfrom monitor.cli import liqmon\nliqmon.main(['--help'], standalone_mode=False)\n"
        "print([m for m in sys.modules if m.startswith('monitor.cli.') or m in ('aiokafka', 'faust', 'numba')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    shown = done.stdout
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []
    assert shown.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_shows_an_example(name: str) -> None:
    """The help of every command, and of those below it, ends with an example that begins with liqmon."""
    for words, _ in commands(name):
        done = liqmon(*words, "--help")
        assert done.returncode == 0, done.stderr
        _, _, example = done.stdout.partition("Example")
        assert "liqmon " + " ".join(words) in " ".join(example.split()), words


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["broker", "--port", "70000"],
        ["broker", "--port", "x"],
        ["topics", "plan", "--partitions", "0"],
        ["topics", "nonsense"],
        ["--log-level", "loud", "topics", "plan"],
    ],
)
def test_wrong_use_is_exit_code_2(arguments: list[str]) -> None:
    """Unknown commands and values out of range are wrong use."""
    done = liqmon(*arguments)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr


def test_a_command_that_needs_a_broker_says_so() -> None:
    """Without a broker named, the line tells both ways to name one."""
    assert_told(liqmon("topics", "plan"), USAGE, "--broker", "BROKER_URL")


def test_a_wrong_setting_is_wrong_use() -> None:
    """A setting out of range and one misspelt are each one line, before the command runs."""
    assert_told(liqmon("topics", "plan", env=environment(LIQMON_PARTITIONS="0")), USAGE, "partitions")
    assert_told(liqmon("topics", "plan", env=environment(LIQMON_PARTITION="1")), USAGE, "LIQMON_PARTITIONS")
    assert_told(liqmon("--config", "absent.toml", "topics", "plan"), USAGE, "absent.toml")


@pytest.mark.broker
def test_topics_by_hand(kafka: str, topic_prefix: str) -> None:
    """Plan finds, apply creates, plan is content, and another partition count is a finding that stays."""
    here = environment(BROKER_URL=kafka, LIQMON_TOPIC_PREFIX=topic_prefix, LIQMON_PARTITIONS="2")
    assert liqmon("topics", "plan", env=here).returncode == 1
    assert liqmon("topics", "apply", env=here).returncode == 0
    assert liqmon("topics", "plan", "--json", env=here).stdout == ""
    other = liqmon("topics", "apply", "--partitions", "3", "--json", env=here)
    assert other.returncode == 1
    assert {line.count('"changeable": false') for line in other.stdout.splitlines()} == {1}
