"""Inputs of a case, read into types: what is missing or wrong is named by its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import numpy as np

from kernels._jit import Floats

Vector = Callable[[Mapping[str, Any]], dict[str, Any]]

_T = TypeVar("_T")
_AT = re.compile(r"^(?P<text>.*?) - at `\$(?P<path>.*)`$", re.DOTALL)
_COLUMN = re.compile(r"^\W*(\w+)")
SAME_COLUMN = {
    "option_type": "type", "kind": "type", "k": "strike", "f": "forward", "s": "spot", "dividend": "q",
    "dividend_yield": "q", "rate": "r", "t": "years", "maturity": "years", "sigma": "vol", "volatility": "vol",
    "stdev": "total_stdev", "std_dev": "total_stdev",
}  # fmt: skip


class InvalidInputs(ValueError):
    """Inputs that a group's function cannot read: `place` inside them, and what is wrong."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(f"{place}: {text}" if place else text)
        self.place = place
        self.text = text


def read(inputs: Mapping[str, Any], kind: type[_T], place: str = "") -> _T:
    """Return inputs as a msgspec type; raises InvalidInputs naming the first field that is missing or wrong."""
    try:
        return msgspec.convert(inputs, kind)
    except msgspec.ValidationError as error:
        match = _AT.match(str(error))
        if match is None:
            raise InvalidInputs(place, str(error)) from error
        raise InvalidInputs(f"{place}{match['path']}".removeprefix("."), match["text"]) from error


@contextmanager
def refused_at(place: str) -> Iterator[None]:
    """Turn the ValueError of a kernel into InvalidInputs at a place."""
    try:
        yield
    except InvalidInputs:
        raise
    except ValueError as error:
        raise InvalidInputs(place, str(error)) from error


def table(rows: list[list[Any]], columns: Mapping[str, Any], stated: str | None) -> list[dict[str, Any]]:
    """Return rows as records by column name.

    columns: name to type, in the order of a row that states none. `stated` is the case's own row format, such as
    `[type, strike, vol]`: it may give the columns in any order, and has to give these. Raises InvalidInputs.
    """
    order = list(columns) if stated is None else _order(stated, columns)
    records = []
    for number, row in enumerate(rows):
        if len(row) != len(order):
            raise InvalidInputs(f"rows[{number}]", f"{len(order)} values are expected, found {len(row)}")
        records.append({name: read(row[i], columns[name], f"rows[{number}][{i}]") for i, name in enumerate(order)})
    return records


def column(records: list[dict[str, Any]], name: str) -> Floats:
    """Return one numeric column of `table` as float64[n]."""
    return np.array([record[name] for record in records], dtype=np.float64)


def matrix(rows: list[list[float]], place: str) -> Floats:
    """Return rows of numbers as a float64 matrix; raises InvalidInputs if they differ in length or there are none."""
    width = len(rows[0]) if rows else 0
    for number, row in enumerate(rows):
        if len(row) != width:
            raise InvalidInputs(f"{place}[{number}]", f"{width} values are expected as in row 0, found {len(row)}")
    if width == 0:
        raise InvalidInputs(place, "a matrix with rows is expected")
    return np.array(rows, dtype=np.float64)


def _order(stated: str, columns: Mapping[str, Any]) -> list[str]:
    names = []
    for part in stated.split(","):
        match = _COLUMN.match(part)
        name = match[1].lower() if match else part.strip()
        same = SAME_COLUMN.get(name, name)
        # A format may call by its long name what the group calls by its short one, or the other way round.
        names.append(name if name in columns else "rate" if same == "r" and "rate" in columns else same)
    if sorted(names) != sorted(columns):
        raise InvalidInputs("row_format", f"the columns [{', '.join(columns)}] are expected, found {stated}")
    return names
