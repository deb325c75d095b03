"""When an overload is declared, and when it is over."""

from __future__ import annotations

from monitor.worker.overload import OVER, SHARE, WINDOW_MS, Overload

SECOND_US = 1_000_000


def run(overload: Overload, lag_us: int, share: float, windows: float) -> int:
    """Look ten times a window at a lag, with a share of the time being work; returns how often it changed."""
    changes = 0
    for number in range(int(10 * windows) + 1):
        now_ms = 1_000.0 + number * WINDOW_MS / 10
        changes += overload.look(lag_us, share * WINDOW_MS / 10, now_ms, caught_up=False)
    return changes


def test_a_lag_that_stands_while_the_engine_works_is_an_overload() -> None:
    """Beyond the bound for a window, of which a share was work: declared once."""
    overload = Overload(2_000)
    assert run(overload, 3 * SECOND_US, 0.9, 3.0) == 1
    assert overload.active
    assert overload.declared == 1
    assert overload.lag_us == 3 * SECOND_US


def test_a_lag_that_is_waiting_is_none() -> None:
    """An engine that has little to do and is late all the same waits for something: conflation would not help."""
    overload = Overload(2_000)
    assert run(overload, 60 * SECOND_US, SHARE / 2, 5.0) == 0
    assert not overload.active


def test_a_short_or_small_lag_is_none() -> None:
    """Within the bound, or for less than a window, nothing is declared; nor ever with a bound of zero."""
    for overload, lag_us, windows in (
        (Overload(2_000), 2 * SECOND_US, 5.0),
        (Overload(2_000), 9 * SECOND_US, 0.8),
        (Overload(0), 99 * SECOND_US, 9.0),
    ):
        assert run(overload, lag_us, 1.0, windows) == 0
        assert overload.declared == 0


def test_it_is_over_well_below_the_bound_or_when_nothing_waits() -> None:
    """At the bound itself an overload goes on; a quarter of it ends it, and so does an empty buffer."""
    for lag_us, caught_up in ((int(2 * SECOND_US * OVER), False), (50 * SECOND_US, True)):
        overload = Overload(2_000)
        run(overload, 3 * SECOND_US, 1.0, 2.0)
        assert not overload.look(2 * SECOND_US, 1.0, 9_000.0, caught_up=False)
        assert overload.active
        assert overload.look(lag_us, 1.0, 9_001.0, caught_up=caught_up)
        assert not overload.active
        assert run(overload, 3 * SECOND_US, 1.0, 2.0) == 1
        assert overload.declared == 2
