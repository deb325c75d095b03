"""Compare what a function returned with what a case expects, number by number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.vectors.contract import Tolerance, leaves


@dataclass(frozen=True, slots=True)
class Error:
    """The size of an error and where it is."""

    size: float
    at: str


@dataclass(slots=True)
class Comparison:
    """What a comparison found: values compared, largest errors, and every place that is not as expected.

    The relative error is |x - e| / |e|; an expected zero has none.
    """

    compared: int = 0
    largest_abs: Error | None = None
    largest_rel: Error | None = None
    faults: list[str] = field(default_factory=list)


def compare(expected: Mapping[str, Any], got: Mapping[str, Any], tolerance: Tolerance) -> Comparison:
    """Compare a result with its expectation.

    Every key and list element of `expected` has to be in `got`, numbers within the tolerance, anything else equal. Keys
    beyond that are fine, but a NaN anywhere in `got` is a fault.
    """
    found = Comparison()
    _walk(expected, got, "", tolerance, found)
    for at, value in leaves(got):
        if isinstance(value, float) and math.isnan(value):
            found.faults.append(f"{at}: not a number")
    return found


def _walk(expected: Any, got: Any, at: str, tolerance: Tolerance, found: Comparison) -> None:
    if isinstance(expected, dict):
        if not isinstance(got, Mapping):
            found.faults.append(f"{at}: an object is expected, found {_kind(got)}")
            return
        for key, value in expected.items():
            place = f"{at}.{key}" if at else key
            if key in got:
                _walk(value, got[key], place, tolerance, found)
            else:
                found.faults.append(f"{place}: missing")
    elif isinstance(expected, list):
        if not isinstance(got, list | tuple):
            found.faults.append(f"{at}: a list is expected, found {_kind(got)}")
            return
        if len(expected) != len(got):
            found.faults.append(f"{at}: {len(expected)} elements are expected, found {len(got)}")
        for index, (value, other) in enumerate(zip(expected, got, strict=False)):
            _walk(value, other, f"{at}[{index}]", tolerance, found)
    else:
        found.compared += 1
        _compare_leaf(expected, got, at, tolerance, found)


def _compare_leaf(expected: Any, got: Any, at: str, tolerance: Tolerance, found: Comparison) -> None:
    if not _is_number(expected):
        if expected is not got and (type(expected) is not type(got) or expected != got):
            found.faults.append(f"{at}: {expected!r} is expected, found {_kind(got)}")
        return
    if not _is_number(got):
        found.faults.append(f"{at}: a number is expected, found {_kind(got)}")
        return
    e, x = float(expected), float(got)
    if math.isnan(x):
        return  # told once, with every other NaN
    error = abs(x - e)
    if found.largest_abs is None or error > found.largest_abs.size:
        found.largest_abs = Error(error, at)
    if e != 0.0 and (found.largest_rel is None or error / abs(e) > found.largest_rel.size):
        found.largest_rel = Error(error / abs(e), at)
    allowed = tolerance.allowed(e)
    if not error <= allowed:
        found.faults.append(f"{at}: {x!r} is not {e!r} within {allowed:.3g}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else repr(value)
