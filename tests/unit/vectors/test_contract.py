"""What a vector file may look like, and how a malformed one is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.errors import ExitCode
from monitor.vectors.contract import MalformedVectors, Tolerance, decode, leaves

CASE: dict[str, Any] = {
    "id": "ewma/one", "group": "ewma", "source": "by hand", "units": "",
    "inputs": {"lambda_": 0.94, "prev_variance": 0.0004, "last_return": 0.0}, "expected": {"variance": 0.000376},
    "tolerance": {"rel": 1e-12},
}  # fmt: skip


def file(*cases: Any, **fields: Any) -> bytes:
    return json.dumps({"schema": "margin-vectors/1", "note": "", "cases": list(cases), **fields}).encode()


def nested(levels: int) -> Any:
    """Return 1 in so many lists, in an object."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"x": value}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CASE.items() if key != name}


def test_a_file_of_the_layout_is_read() -> None:
    """Cases come in their order with everything they say; fields unknown to the layout are ignored."""
    first, second = decode(file(CASE, {**CASE, "id": "two", "note": "n", "colour": "red"}, written="today"), "f")
    assert (first.id, first.group, first.inputs, first.expected) == (
        CASE["id"], CASE["group"], CASE["inputs"], CASE["expected"],
    )  # fmt: skip
    assert (second.id, second.note, second.tolerance) == ("two", "n", Tolerance(rel=1e-12))


def test_the_deepest_nesting_is_read() -> None:
    """Sixty-four levels are read: the file, its list, the case, `expected`, and sixty of its own."""
    (case,) = decode(file({**CASE, "expected": nested(60)}), "f")
    assert [at for at, _ in leaves(case.expected)] == ["x" + "[0]" * 60]


def test_what_a_case_may_leave_out() -> None:
    """Source, units and notes are for people and may be missing."""
    (case,) = decode(file({key: CASE[key] for key in ("id", "group", "inputs", "expected", "tolerance")}), "f")
    assert (case.source, case.units, case.note) == ("", "", "")


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "f"),
        (b"{\n  x", "f"),
        (b'{"schema": NaN}', "f"),
        (file(CASE) + b"}", "f"),
        (b"\xff\xfe", "f"),
        (b"[" * 100_000, "f"),
        (b"[" * 900 + b"]" * 900, "f"),
        (file({**CASE, "expected": nested(61)}), "f"),
        (b'{"schema":"margin-vectors/1","cases":[{"id":1e999}]}', "f"),
        (b"[]", "f"),
        (b"3", "f"),
        (b"{}", "f: schema"),
        (file(CASE, schema="margin-vectors/2"), "f: schema"),
        (file(CASE, schema=None), "f: schema"),
        (b'{"schema":"margin-vectors/1"}', "f"),
        (file(), "f: cases"),
        (file(CASE, note=3), "f: note"),
        (b'{"schema":"margin-vectors/1","cases":{}}', "f: cases"),
        (file(CASE, 3), "f: cases[1]"),
        (file(CASE, None), "f: cases[1]"),
        (file(without("id")), "f: cases[0]"),
        (file({**CASE, "id": ""}), "f: cases[0] (): id"),
        (file({**CASE, "id": 7}), "f: cases[0]: id"),
        (file(CASE, CASE), "f: cases[1] (ewma/one): id"),
        (file(without("group")), "f: cases[0] (ewma/one)"),
        (file({**CASE, "group": ""}), "f: cases[0] (ewma/one): group"),
        (file(without("inputs")), "f: cases[0] (ewma/one)"),
        (file({**CASE, "inputs": [1]}), "f: cases[0] (ewma/one): inputs"),
        (file(without("expected")), "f: cases[0] (ewma/one)"),
        (file({**CASE, "expected": 3}), "f: cases[0] (ewma/one): expected"),
        (file({**CASE, "expected": {}}), "f: cases[0] (ewma/one): expected"),
        (file({**CASE, "expected": {"price": [], "more": {}}}), "f: cases[0] (ewma/one): expected"),
        (file({**CASE, "expected": {"x": [1, 10**400]}}), "f: cases[0] (ewma/one): expected.x[1]"),
        (file({**CASE, "inputs": {"x": {"y": -(10**400)}}}), "f: cases[0] (ewma/one): inputs.x.y"),
        (file(without("tolerance")), "f: cases[0] (ewma/one)"),
        (file({**CASE, "tolerance": {}}), "f: cases[0] (ewma/one): tolerance"),
        (file({**CASE, "tolerance": {"rel": None}}), "f: cases[0] (ewma/one): tolerance"),
        (file({**CASE, "tolerance": 1e-9}), "f: cases[0] (ewma/one): tolerance"),
        (file({**CASE, "tolerance": {"rel": -1e-9}}), "f: cases[0] (ewma/one): tolerance.rel"),
        (file({**CASE, "tolerance": {"abs": "1e-9"}}), "f: cases[0] (ewma/one): tolerance.abs"),
        (file({**CASE, "tolerance": {"abs": True}}), "f: cases[0] (ewma/one): tolerance.abs"),
        (file({**CASE, "tolerance": {"abs": 1e-9, "relative": 1e-9}}), "f: cases[0] (ewma/one): tolerance"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(data: bytes, place: str) -> None:
    """Anything else is wrong use, and the error says where."""
    with pytest.raises(MalformedVectors) as caught:
        decode(data, "f")
    assert caught.value.place == place
    assert caught.value.exit_code is ExitCode.USAGE
    assert "\n" not in str(caught.value)


def test_broken_json_is_named_by_line_and_column() -> None:
    """A parser's byte becomes a place that an editor can go to."""
    with pytest.raises(MalformedVectors, match=r"line 2, column 3"):
        decode(b'{"schema":\n  x}', "f")


def test_a_tolerance_allows_the_larger_of_its_two() -> None:
    """|x - e| may be max(abs, rel |e|)."""
    assert Tolerance(abs=1e-6).allowed(-1e9) == 1e-6
    assert Tolerance(rel=1e-6).allowed(-2.0) == 2e-6
    assert Tolerance(rel=1e-6).allowed(0.0) == 0.0
    assert Tolerance(abs=1e-3, rel=1e-6).allowed(2.0) == 1e-3
    assert Tolerance(abs=1e-3, rel=1e-6).allowed(-1e6) == 1.0


def test_leaves_name_their_places() -> None:
    """Every value in nested lists and objects has its path."""
    nested = {"a": [1, {"b": None}], "c": {}, "d": "x"}
    assert list(leaves(nested)) == [("a[0]", 1), ("a[1].b", None), ("d", "x")]
