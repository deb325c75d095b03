"""Inputs moved by one percent: every number alone and all together, up and down."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

STEP = 0.01
# Counts are whole: they move by one percent rounded, at least by one.
WHOLE = frozenset({"buckets_each_side"})
# A number that also names something: wherever else it stands under this key, it is the same thing and moves with it.
NAMES = frozenset({"expiry_s"})
Path = tuple[str | int, ...]


def numbers(value: Any, path: Path = ()) -> Iterator[tuple[Path, float]]:
    """Yield every number in nested objects and lists with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from numbers(item, (*path, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def moved(inputs: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each variant with a name for it; a zero moves up to 0.01 and has no way down."""
    places: dict[Any, tuple[float, list[Path]]] = {}
    for path, value in numbers(inputs):
        places.setdefault((path[-1], value) if path[-1] in NAMES else path, (value, []))[1].append(path)
    for sign in (1, -1):
        together = copy.deepcopy(inputs)
        for value, paths in places.values():
            new = _moved(paths[0], value, sign)
            if new is None:
                continue
            alone = copy.deepcopy(inputs)
            for path in paths:
                _put(alone, path, new)
                _put(together, path, new)
            yield f"{'.'.join(map(str, paths[0]))} {sign:+d}%", alone
        yield f"all {sign:+d}%", together


def _moved(path: Path, value: float, sign: int) -> float | None:
    if path[-1] in WHOLE:
        return int(value) + sign * max(1, round(abs(value) * STEP))
    if value == 0:
        return STEP if sign > 0 else None
    return value * (1 + sign * STEP)


def _put(root: Any, path: Path, value: float) -> None:
    for key in path[:-1]:
        root = root[key]
    root[path[-1]] = value
