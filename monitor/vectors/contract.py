"""The layout of a vector file, schema `margin-vectors/1`, and what makes one malformed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from monitor.errors import UsageError

SCHEMA = "margin-vectors/1"
MAX_DEPTH = 64  # of nested lists and objects: what walks through them calls itself
REMEDY = "docs/vectors.md describes the layout"

Label = Annotated[str, Meta(min_length=1)]
Bound = Annotated[float, Meta(ge=0.0)]

_AT = re.compile(r"^(?P<text>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_CASE = re.compile(r"^\.cases\[(\d+)\]")


class MalformedVectors(UsageError):
    """Report a vector file that is none: `place` says where in it."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(f"{place}: {text}", REMEDY)
        self.place = place


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a number may be off: |x - e| <= max(abs, rel |e|); at least one of the two is given."""

    abs: Bound | None = None
    rel: Bound | None = None

    def __post_init__(self) -> None:
        """Refuse a tolerance that says nothing."""
        if self.abs is None and self.rel is None:
            raise ValueError("a tolerance is `abs`, `rel` or both")

    def allowed(self, expected: float) -> float:
        """Return the largest error allowed at an expected value, 0 or more."""
        return max(self.abs or 0.0, (self.rel or 0.0) * abs(expected))


class Case(msgspec.Struct, frozen=True):
    """One case: the inputs of its group's function, and the numbers that must come out."""

    id: Label
    group: Label
    inputs: dict[str, Any]
    expected: dict[str, Any]
    tolerance: Tolerance
    source: str = ""
    units: str = ""
    note: str = ""


class _File(msgspec.Struct, frozen=True):
    cases: Annotated[list[Case], Meta(min_length=1)]
    note: str = ""


def decode(data: bytes, name: str) -> tuple[Case, ...]:
    """Return the cases of a vector file.

    `name` stands for the file in errors. Raises MalformedVectors on anything but JSON of this schema, an id that comes
    twice, and a case that expects nothing. Fields that the layout does not name are ignored.
    """
    try:
        raw: Any = msgspec.json.decode(data)
    except RecursionError as error:
        raise MalformedVectors(name, f"nested deeper than {MAX_DEPTH}") from error
    except msgspec.DecodeError as error:
        raise MalformedVectors(name, _with_line(str(error), data)) from error
    if _is_deep(raw):
        raise MalformedVectors(name, f"nested deeper than {MAX_DEPTH}")
    if not isinstance(raw, dict):
        raise MalformedVectors(name, "an object with `schema` and `cases` is expected")
    if raw.get("schema") != SCHEMA:
        raise MalformedVectors(f"{name}: schema", f"`{SCHEMA}` is expected, found {_short(raw.get('schema'))}")
    try:
        cases = msgspec.convert(raw, _File).cases
    except msgspec.ValidationError as error:
        match = _AT.match(str(error))
        assert match is not None
        raise MalformedVectors(f"{name}{_place(raw, match['path'] or '')}", match["text"]) from error
    _check(cases, name)
    return tuple(cases)


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield everything in nested objects and lists that is neither, with its place, such as `vectors.BTC[3]`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from leaves(item, f"{at}[{index}]")
    else:
        yield at, value


def _check(cases: list[Case], name: str) -> None:
    first: dict[str, int] = {}
    for number, case in enumerate(cases):
        place = f"{name}: cases[{number}] ({case.id})"
        if case.id in first:
            raise MalformedVectors(f"{place}: id", f"cases[{first[case.id]}] has it too")
        first[case.id] = number
        if next(leaves(case.expected), None) is None:
            raise MalformedVectors(f"{place}: expected", "a case that expects nothing cannot fail")
        for part, values in (("inputs", case.inputs), ("expected", case.expected)):
            for at, value in leaves(values):
                if isinstance(value, int) and not _fits(value):
                    raise MalformedVectors(f"{place}: {part}.{at}", "a number beyond the largest float")


def _is_deep(raw: Any) -> bool:
    level = [raw]
    for _ in range(MAX_DEPTH + 1):
        parts = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [item for part in parts for item in part]
    return bool(level)


def _fits(value: int) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _place(raw: dict[str, Any], path: str) -> str:
    """Return a path of msgspec with the id of its case, where that has one."""
    match = _CASE.match(path)
    if match is None:
        return f": {path.removeprefix('.')}" if path else ""
    case = raw["cases"][int(match[1])]
    label = f" ({case['id']})" if isinstance(case, dict) and isinstance(case.get("id"), str) else ""
    rest = path[match.end() :].removeprefix(".")
    return f": cases[{match[1]}]{label}" + (f": {rest}" if rest else "")


def _with_line(text: str, data: bytes) -> str:
    """Return an error of the JSON parser with its line and column instead of a byte."""
    match = re.search(r" \(byte (\d+)\)$", text)
    if match is None:
        return text
    before = data[: int(match[1])]
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return f"{text[: match.start()]} (line {line}, column {column})"


def _short(value: object) -> str:
    text = "none" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
