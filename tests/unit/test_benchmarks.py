"""The frame of the benchmarks: what it says of several processes."""

from __future__ import annotations

from benchmarks.__main__ import merge, table
from benchmarks.rounds import medians


def test_processes_become_a_median_and_a_range() -> None:
    """Each ratio is the median over the processes, with its range; a fact is true if it was in all of them."""
    runs: list[dict[str, float | bool]] = [
        {"ratio": 3.0, "same": True, "right": True},
        {"ratio": 1.0, "same": True, "right": False},
        {"ratio": 2.0, "same": True, "right": True},
    ]
    assert merge(runs) == {"ratio": 2.0, "ratio_range": [1.0, 3.0], "same": True, "right": False}


def test_the_table_says_every_figure_and_fact() -> None:
    """One line a figure with its range, one a fact; what is no figure is left to the caller."""
    lines = table({"ratio": 2.0, "ratio_range": [1.0, 3.0], "right": False, "machine": "a machine"}).splitlines()
    assert [line.split() for line in lines] == [["ratio", "2", "[1,", "3]"], ["right", "NO"]]


def test_every_form_runs_in_every_round() -> None:
    """Forms take turns, so that what disturbs one disturbs all."""
    calls: list[str] = []
    found = medians({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, sample_s=0.0)
    assert calls[-6:] == ["a", "b", "a", "b", "a", "b"]
    assert set(found) == {"a", "b"}
    assert all(seconds >= 0.0 for seconds in found.values())
