"""Tables of the settings file: unknown keys, origins, secrets, and the page that is generated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import msgspec
import pytest
from click.testing import CliRunner

from monitor.alerts.settings import Alerts, Channel, Route, check
from monitor.cli import liqmon
from monitor.config import Settings, load
from monitor.errors import UsageError
from monitor.reference import markdown, meanings
from monitor.sections import section, section_origins
from tests.support import ROOT

WHOLE = """
partitions = 4
[alerts]
group = "bot-desk"
[alerts.channels.desk]
url_variable = "DESK"
[[alerts.routes]]
channels = ["desk"]
accounts = ["desk-*"]
"""


ROUTE = "[alerts.channels.d]\nurl_variable = 'D'\n[[alerts.routes]]\nchannels = ['d']\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "liqmon.toml"
    file.write_text(text)
    return file


def test_a_section_stands_beside_the_settings(tmp_path: Path) -> None:
    """Its table is not taken for a setting; its variables win over it, and settings keep theirs."""
    file = write(tmp_path, WHOLE)
    environ = {"LIQMON_ALERTS_GROUP": "bot-night", "LIQMON_ALERTS_WATCH_EVERY_S": "7"}
    assert load(file, environ).partitions == 4
    alerts = check(cast("Alerts", section("alerts", file, environ)))
    assert (alerts.group, alerts.watch_every_s) == ("bot-night", 7.0)
    assert alerts.routes[0].accounts == ("desk-*",)


@pytest.mark.parametrize(
    ("text", "named", "meant"),
    [
        ("[alert]\nx = 1", "alert", ""),
        ("[alerts]\ngruop = 'x'", "alerts.gruop", "group"),
        ("[alerts.channels.desk]\nurl_fil = 'x'", "alerts.channels.desk.url_fil", "url_file"),
        ("[[alerts.routes]]\nchannels = ['a']\nwindow = 3", "alerts.routes[0].window", "window_s"),
        (
            "[[alerts.routes]]\nchannels = ['a']\n[[alerts.routes]]\nchanels = ['a']",
            "alerts.routes[1].chanels",
            "channels",
        ),
    ],
)
def test_a_misspelt_key_is_refused_at_every_depth(tmp_path: Path, text: str, named: str, meant: str) -> None:
    """The error has the whole path, and the key that was probably meant."""
    file = write(tmp_path, text)
    # A table that is no section is a setting that is not known.
    wanted = load if named == "alert" else lambda file, environ: section("alerts", file, environ)
    with pytest.raises(UsageError) as caught:
        wanted(file, {})
    assert named in caught.value.cause
    assert meant in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[alerts.routes]]\nchannels = ['nobody']", "nobody"),
        ("[[alerts.routes]]\nchannels = []", "routes[0].channels"),
        ("[alerts.channels.desk]\nburst = 3", "url_file"),
        ("[alerts.channels.desk]\nurl_file = 'a'\nurl_variable = 'A'", "one of url_file and url_variable"),
        ("[alerts.channels.DESK]\nurl_file = 'a'", "channels"),
        ("[alerts]\nmax_age_s = 5", "max_age_s"),
        ("[alerts]\nlink = 'https://desk.example'", "{account}"),
        ("[alerts]\nmax_age_s = 864000\nforget_after_s = 3600", "forget_after_s"),
        ("[alerts]\nworkers = ['127.0.0.1:9101']", "workers"),
        ("[alerts.severities]\nmargin_call = 'loud'", "severities"),
        ("[alerts.severities]\nmargin = 'info'", "severities"),
        (f"{ROUTE}accounts = ['/(/']", "regular"),
        (f"{ROUTE}escalate_to = ['d']", "escalate"),
        ("alerts = 3", "table"),
    ],
)  # fmt: skip
def test_a_wrong_section_is_a_usage_error(tmp_path: Path, text: str, said: str) -> None:
    """Values that are out of range, contradict each other or name what is not there."""
    with pytest.raises(UsageError) as caught:
        check(cast("Alerts", section("alerts", write(tmp_path, text), {})))
    assert said in str(caught.value)


def test_an_address_in_the_file_is_refused_without_quoting_it(tmp_path: Path) -> None:
    """A settings file is copied and committed: a secret in it is an error that does not repeat it."""
    file = write(tmp_path, "[alerts.channels.desk]\nurl = 'slack://very-secret'")
    with pytest.raises(UsageError) as caught:
        section("alerts", file, {})
    assert "very-secret" not in str(caught.value)
    assert "file of its own" in caught.value.remedy


def test_a_misspelt_variable_of_a_section_gets_the_right_spelling() -> None:
    """As for settings; what is a list or a table has no variable."""
    with pytest.raises(UsageError) as caught:
        section("alerts", None, {"LIQMON_ALERTS_GRUOP": "x"})
    assert "LIQMON_ALERTS_GROUP" in caught.value.remedy
    with pytest.raises(UsageError):
        section("alerts", None, {"LIQMON_ALERTS_ROUTES": "x"})


def test_every_value_has_an_origin(tmp_path: Path) -> None:
    """Paths into tables and lists, from the file, a variable or the default."""
    file = write(tmp_path, WHOLE)
    found = {one.setting: one for one in section_origins("alerts", file, {"LIQMON_ALERTS_LINK": "https://x/{account}"})}
    assert found["alerts.group"].origin == str(file)
    assert found["alerts.link"].origin == "LIQMON_ALERTS_LINK"
    assert found["alerts.watch_for_s"].origin == "default"
    assert found["alerts.channels.desk.url_variable"] == ("alerts.channels.desk.url_variable", "DESK", str(file))
    assert found["alerts.channels.desk.burst"].origin == "default"
    assert found["alerts.routes[0].accounts"].value == ("desk-*",)


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # apprise, on importing it
def test_check_config_prints_sections_and_reads_what_they_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Origins of everything; an address that is missing, or none that apprise knows, is named without being shown."""
    file = write(tmp_path, WHOLE)
    runner = CliRunner()

    def run() -> tuple[object, str]:
        done = runner.invoke(liqmon, ["--config", str(file), "check-config", "--json"])
        return done.exception, done.output

    monkeypatch.setenv("DESK", "json://user:secret-of-desk@127.0.0.1/x")
    failed, output = run()
    assert failed is None
    rows = {row["setting"]: row for row in map(json.loads, output.splitlines())}
    assert rows["alerts.routes[0].window_s"]["value"] == 10.0
    assert "secret-of-desk" not in output
    monkeypatch.setenv("DESK", "nothing://secret-of-desk")
    failed, output = run()
    assert isinstance(failed, UsageError)
    assert "alerts.channels.desk" in failed.cause
    assert "secret-of-desk" not in str(failed)
    monkeypatch.delenv("DESK")
    failed, _ = run()
    assert isinstance(failed, UsageError)
    assert "DESK" in failed.cause


def test_the_page_is_what_the_types_say() -> None:
    """docs/configuration.md is generated, and no setting is without words."""
    assert (ROOT / "docs" / "configuration.md").read_text() == markdown()
    for kind in (Settings, Alerts, Channel, Route):
        assert list(meanings(kind)) == [field.name for field in msgspec.structs.fields(kind)]


def test_every_rule_has_its_page() -> None:
    """A rule's runbook_url leads to a heading of docs/runbook.md, and no heading is without a rule."""
    rules = (ROOT / "deploy" / "prometheus" / "rules.yml").read_text()
    urls = [line.split(": ", 1)[1] for line in rules.splitlines() if "runbook_url:" in line]
    names = [line.split(": ", 1)[1] for line in rules.splitlines() if "- alert:" in line]
    assert urls == [f"docs/runbook.md#{name.lower()}" for name in names]
    page = (ROOT / "docs" / "runbook.md").read_text()
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == names
    for part in page.split("\n## ")[1:]:
        assert all(f"**{word}**" in part for word in ("Meaning", "First look", "Fix"))
