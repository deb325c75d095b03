"""Comparison of results with expectations."""

from __future__ import annotations

import math
from typing import Any

import pytest

from monitor.vectors.compare import compare
from monitor.vectors.contract import Tolerance

TIGHT = Tolerance(abs=1e-9)


def test_equal_results_have_no_faults() -> None:
    """Numbers, texts, flags and nulls in any nesting are compared, one by one."""
    value = {"a": 1.5, "b": [1, {"c": None, "d": "call"}], "e": True}
    found = compare(value, value, TIGHT)
    assert (found.faults, found.compared) == ([], 5)
    assert found.largest_abs is not None
    assert found.largest_abs.size == 0.0


@pytest.mark.parametrize(
    ("tolerance", "got", "passes"),
    [
        (Tolerance(abs=0.5), 100.5, True),
        (Tolerance(abs=0.5), 99.5, True),
        (Tolerance(abs=0.5), 100.500001, False),
        (Tolerance(rel=0.01), 101.0, True),
        (Tolerance(rel=0.01), 98.9, False),
        (Tolerance(abs=2.0, rel=0.01), 98.0, True),
        (Tolerance(abs=0.1, rel=0.01), 99.0, True),
        (Tolerance(abs=0.0), 100, True),
        (Tolerance(abs=0.0), math.nextafter(100.0, 101.0), False),
    ],
)
def test_a_number_may_be_off_by_its_tolerance(tolerance: Tolerance, got: float, passes: bool) -> None:
    """The bound is max(abs, rel |e|), and belongs to what passes."""
    assert (compare({"x": 100.0}, {"x": got}, tolerance).faults == []) is passes


def test_a_relative_tolerance_at_zero_asks_for_zero() -> None:
    """Relative to zero nothing else is near."""
    assert compare({"x": 0}, {"x": 0.0}, Tolerance(rel=0.1)).faults == []
    assert compare({"x": 0}, {"x": 1e-300}, Tolerance(rel=0.1)).faults != []


def test_the_largest_errors_are_told_with_their_places() -> None:
    """Absolute and relative maxima are each at their own place; a zero has no relative error."""
    expected = {"small": [0.001, 5.0], "zero": 0.0, "large": {"x": -2_000.0}}
    got = {"small": [0.002, 5.0], "zero": 1e-4, "large": {"x": -2_003.0}}
    found = compare(expected, got, Tolerance(abs=10.0))
    assert found.faults == []
    assert found.largest_abs is not None
    assert found.largest_rel is not None
    assert (found.largest_abs.at, found.largest_rel.at) == ("large.x", "small[0]")
    assert found.largest_abs.size == pytest.approx(3.0)
    assert found.largest_rel.size == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("got", "at"),
    [
        ({}, "a: missing"),
        ({"a": {"c": 1.0}}, "a.b: missing"),
        ({"a": [1.0, 2.0]}, "a: an object"),
        ({"a": 1.0}, "a: an object"),
        ({"a": {"b": [1.0]}}, "a.b: 2 elements"),
        ({"a": {"b": [1.0, 2.0, 3.0]}}, "a.b: 2 elements"),
        ({"a": {"b": 1.0}}, "a.b: a list"),
        ({"a": {"b": {"0": 1.0}}}, "a.b: a list"),
        ({"a": {"b": [1.0, None]}}, "a.b[1]: a number"),
        ({"a": {"b": [1.0, "2.0"]}}, "a.b[1]: a number"),
        ({"a": {"b": [True, 2.0]}}, "a.b[0]: a number"),
        ({"a": {"b": [[1.0], 2.0]}}, "a.b[0]: a number"),
        ({"a": {"b": [1.0, math.nan]}}, "a.b[1]: not a number"),
        ({"a": {"b": [1.0, math.inf]}}, "a.b[1]: inf"),
        ({"a": {"b": [-math.inf, 2.0]}}, "a.b[0]: -inf"),
    ],
)
def test_what_is_missing_or_of_another_kind_is_a_fault(got: dict[str, Any], at: str) -> None:
    """A missing key, another length, another kind, NaN and infinity all fail, by name."""
    (fault,) = compare({"a": {"b": [1.0, 2.0]}}, got, Tolerance(abs=1e300)).faults
    assert fault.startswith(at)


@pytest.mark.parametrize(("expected", "got"), [("call", "put"), (True, 1), (False, 0), (None, 0.0), (True, False)])
def test_what_is_no_number_has_to_be_equal(expected: Any, got: Any) -> None:
    """Texts, flags and nulls have no tolerance."""
    assert len(compare({"x": expected}, {"x": got}, Tolerance(abs=10.0)).faults) == 1


def test_more_than_is_expected_is_fine_unless_it_is_nan() -> None:
    """Further keys do not matter; a NaN among them does."""
    assert compare({"x": 1.0}, {"x": 1.0, "y": {"z": [2.0]}}, TIGHT).faults == []
    assert compare({"x": 1.0}, {"x": 1.0, "y": {"z": [2.0, math.nan]}}, TIGHT).faults == ["y.z[1]: not a number"]


def test_every_fault_is_listed() -> None:
    """The first fault does not hide the others."""
    assert len(compare({"x": [1, 2, 3], "y": 1}, {"x": [9, 2, 9]}, TIGHT).faults) == 3
