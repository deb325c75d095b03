"""How far a recovery is: rate and time left from what was read, shown as a bar, as lines, and at the endpoint."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from monitor.worker.health import readyz
from monitor.worker.metrics import Figures
from monitor.worker.recovery import Course, Progress, Recovery
from monitor.worker.shown import Bar, Lines


def test_rate_and_time_left_are_those_of_what_was_read() -> None:
    """Two partitions from where they begin: 300 of 1,100 offsets in three seconds leave eight."""
    recovery = Recovery()
    recovery.begin({0: 100, 1: 0}, {0: 1_100, 1: 100})
    first = recovery.look(50.0, waits=None)
    assert first == Progress("recovering", 0, 1_100)
    assert (first.share, first.text) == (0.0, "0 % (0 of 1,100 offsets of the stored state)")
    recovery.read[0] = 300
    recovery.read[1] = 100
    seen = recovery.look(53.0, waits=None)
    assert seen is not None
    assert (seen.read, seen.rate_per_s, seen.left_s) == (300, 100.0, 8.0)
    assert seen.text == "27 %, 8 s left (300 of 1,100 offsets of the stored state)"
    recovery.end()
    assert recovery.look(54.0, waits=None) is None


def test_an_empty_changelog_is_nothing_to_recover() -> None:
    """A new deployment reads nothing, and says so by saying nothing."""
    recovery = Recovery()
    recovery.begin({0: 5}, {0: 5})
    assert recovery.look(1.0, waits=None) is None
    recovery.begin({}, {})
    assert recovery.look(1.0, waits=0) is None


def test_catching_up_counts_what_is_left_of_the_most_that_waited() -> None:
    """More that comes meanwhile moves the whole, never the share beyond its bounds; afterwards there is nothing."""
    recovery = Recovery()
    shares = []
    for now_s, waits in enumerate((1_000, 600, 1_200, 300, 0)):
        seen = recovery.look(float(now_s), waits=waits)
        assert seen is not None
        assert seen.stage == "catching_up"
        shares.append(round(seen.share, 3))
    assert shares == [0.0, 0.4, 0.0, 0.75, 1.0]
    assert recovery.look(9.0, waits=None) is None
    assert recovery.look(10.0, waits=40) == Progress("catching_up", 0, 40)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """What was slow a minute ago does not count; what stands still has no rate and no end."""
    course = Course("recovering")
    for now_s in range(60):
        course.look(now_s, 10_000, float(now_s))
    for now_s in range(60, 75):
        seen = course.look(60 + 100 * (now_s - 60), 10_000, float(now_s))
    assert seen.rate_per_s == pytest.approx(100.0)
    for now_s in range(75, 90):
        seen = course.look(1_460, 10_000, float(now_s))
    assert (seen.rate_per_s, seen.left_s) == (0.0, None)


@pytest.mark.parametrize(("left_s", "says"), [(8.4, "8 s"), (99.4, "99 s"), (600.0, "10 min"), (7_200.0, "2 h")])
def test_time_left_is_said_in_its_unit(left_s: float, says: str) -> None:
    """Seconds, minutes, hours."""
    assert f", {says} left (" in Progress("recovering", 1, 2, 1.0, left_s).text


def test_readiness_says_how_far_it_is() -> None:
    """In the place of "rebalancing" and "accounts are not evaluated yet", which say less."""
    for stage, settled in (("recovering", False), ("catching_up", True)):
        figures = Figures(
            at_s=100.0, partitions=4, settled=settled, recovery=Progress(stage, 62, 100, 4.75, 8.0)  # type: ignore[arg-type]
        )  # fmt: skip
        told = json.loads(readyz(figures, 100.0, 10.0).body)
        ((name, reason),) = [(one["name"], one["reason"]) for one in told["reasons"]]
        assert (name, reason[:16]) == (stage, "62 %, 8 s left (")


def test_lines_come_at_the_beginning_and_every_few_seconds() -> None:
    """Each with read, total, rate and time left."""
    lines = Lines(every_s=3.0)
    with capture_logs() as said:
        for now_s in range(8):
            lines.show(Progress("recovering", 10 * now_s, 100, 10.0, 10.0 - now_s), float(now_s))
        lines.show(Progress("catching_up", 0, 5), 8.0)
        lines.show(None, 9.0)
        lines.show(Progress("catching_up", 0, 7), 9.5)
    assert [(one["event"], one["read"], one["total"]) for one in said] == [
        ("recovering", 0, 100), ("recovering", 30, 100), ("recovering", 60, 100), ("catching_up", 0, 5),
        ("catching_up", 0, 7),
    ]  # fmt: skip
    assert (said[1]["rate_per_s"], said[1]["left_s"], said[1]["share"]) == (10, 7.0, 0.3)


def test_a_terminal_has_a_bar_with_log_lines_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rate and time left are drawn; what is logged meanwhile stands on its own line; afterwards all is as before."""
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    handler = logging.StreamHandler(screen)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    bar = Bar(Console(stderr=True, force_terminal=True, width=120))
    bar.show(Progress("recovering", 62_000, 100_000, 4_750.0, 8.0), 0.0)
    root.warning("a line of the log")
    bar.show(Progress("catching_up", 1, 4), 1.0)
    bar.show(None, 2.0)
    root.warning("another")
    text = screen.getvalue()
    assert "62,000 of 100,000 offsets" in text
    assert "4,750/s" in text
    assert "8 s left" in text
    assert "catching up" in text
    assert "a line of the log\n" in text
    assert text.endswith("another\n")
    assert handler.stream is screen is sys.stderr
