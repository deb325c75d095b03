"""Settings: file under environment under flags."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
import structlog

from monitor import log
from monitor.config import Settings, load
from monitor.errors import UsageError


def write(folder: Path, text: str) -> Path:
    file = folder / "liqmon.toml"
    file.write_text(text)
    return file


def test_each_layer_wins_over_the_one_below(tmp_path: Path) -> None:
    """A flag wins over the environment, that over the file, that over the default."""
    file = write(tmp_path, 'partitions = 2\ntopic_prefix = "a."\nqueue_records = 2000\n')
    environ = {"LIQMON_PARTITIONS": "3", "LIQMON_TOPIC_PREFIX": "b.", "HOME": "/nowhere"}
    settings = load(file, environ, {"partitions": 4, "log_level": None})
    assert settings == Settings(partitions=4, topic_prefix="b.", queue_records=2000)


def test_the_broker_is_named_by_two_variables() -> None:
    """BROKER_URL names the broker unless LIQMON_BROKER_URL does; empty ones count as absent."""
    assert load(None, {"BROKER_URL": "a:1"}).broker_url == "a:1"
    assert load(None, {"BROKER_URL": "a:1", "LIQMON_BROKER_URL": "b:2"}).broker_url == "b:2"
    assert load(None, {"BROKER_URL": "", "LIQMON_BROKER_URL": ""}).broker_url is None


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("partitions = 0", {}),
        ("partitions = 1.5", {}),
        ("partitions = true", {}),
        ("session_timeout_s = nan", {}),
        ("session_timeout_s = inf", {}),
        ("flush_interval_ms = -1", {}),
        ('topic_prefix = "UPPER."', {}),
        ('topic_prefix = "no-dot"', {}),
        ('log_level = "loud"', {}),
        ('partition = "misspelt"', {}),
        ("[partitions]\nx = 1", {}),
        ("partitions = ", {}),
        ("", {"LIQMON_PARTITIONS": "many"}),
        ("", {"LIQMON_PARTITION": "3"}),
        ("", {"LIQMON_QUEUE_RECORDS": "99999999999"}),
    ],
)
def test_a_wrong_setting_is_a_usage_error(tmp_path: Path, text: str, environ: dict[str, str]) -> None:
    """Values out of range, of the wrong type, not finite or misspelt are refused, wherever they come from."""
    with pytest.raises(UsageError):
        load(write(tmp_path, text), environ)


def test_an_unreadable_file_is_a_usage_error(tmp_path: Path) -> None:
    """A settings file that is absent or not text is refused, not skipped."""
    with pytest.raises(UsageError):
        load(tmp_path / "absent.toml", {})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError):
        load(binary, {})


def test_a_misspelt_variable_gets_the_right_spelling() -> None:
    """The remedy names the setting that was probably meant, in the form it was written in."""
    with pytest.raises(UsageError) as caught:
        load(None, {"LIQMON_PARTITION": "3"})
    assert "LIQMON_PARTITIONS" in caught.value.remedy


def test_log_lines_are_json_objects_for_machines() -> None:
    """Our lines and a library's are one JSON object each, with level, logger, time and fields."""
    stream = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        log.setup("info", stream)
        structlog.get_logger("ours").info("flushed", records=3, topic="risk.trades.v1")
        logging.getLogger("theirs").warning("lost %s", "node 1")
        structlog.get_logger("ours").debug("below the level")
    finally:
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["level"], line["logger"]) for line in lines] == [("info", "ours"), ("warning", "theirs")]
    assert lines[0]["records"] == 3
    assert all(line["timestamp"].endswith("Z") for line in lines)
