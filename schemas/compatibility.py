"""What of a new JSON Schema of a record breaks those who rely on an old one; the rule is in docs/contract.md.

Two sides rely on a record. Who reads what the monitor writes must find all that the old schema promises, in the types
that it promises. Who sends what the monitor reads must be able to go on sending what the old schema allows. Both hold
at once here, whichever way a record goes: files are kept and read years later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any, Final

Schema = Mapping[str, Any]
# Bounds by what a new one may not be: below or above the old one.
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_SAME: Final = ("type", "pattern", "contentEncoding", "not", "const")


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return what breaks from one version of a record's schema to the next, each with its place; empty if nothing."""
    return sorted(set(_compare(old, new, _Side(old), _Side(new), "")))


class _Side:
    """One schema document, and the types that are being looked at, one inside the other."""

    def __init__(self, document: Schema) -> None:
        self._types = document.get("$defs", {})
        self.within: tuple[str, ...] = ()

    def entered(self, reference: str | None) -> _Side:
        """Return this side inside a type."""
        if reference is None:
            return self
        inner = copy(self)
        inner.within = (*self.within, reference)
        return inner

    def resolve(self, schema: Schema) -> Schema:
        """Follow a reference, keeping what stands beside it."""
        if "$ref" not in schema:
            return schema
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return {**self._types[schema["$ref"].rsplit("/", 1)[1]], **beside}


def _compare(old: Schema, new: Schema, before: _Side, after: _Side, place: str) -> Iterator[str]:
    reference = old.get("$ref")
    if reference in before.within:
        return  # a type within itself
    before = before.entered(reference)
    old, new = before.resolve(old), after.resolve(new)
    here = place or "record"
    for name in _SAME:
        if old.get(name) != new.get(name):
            yield f"{here}: {name} was {old.get(name)!r} and is {new.get(name)!r}"
    yield from _bounds(old, new, here)
    yield from _fields(old, new, before, after, place)
    gone = [value for value in old.get("enum", ()) if value not in new.get("enum", ())]
    if gone:
        yield f"{here}: {', '.join(map(repr, gone))} is no longer a value"
    yield from _inside(old, new, before, after, place)


def _bounds(old: Schema, new: Schema, here: str) -> Iterator[str]:
    for name in (*_LOWER, *_UPPER):
        if name not in new:
            continue
        sign = 1 if name in _LOWER else -1
        if name not in old or sign * new[name] > sign * old[name]:
            yield f"{here}: {name} was {old.get(name, 'none')} and is {new[name]}"


def _fields(old: Schema, new: Schema, before: _Side, after: _Side, place: str) -> Iterator[str]:
    was, now = old.get("properties", {}), new.get("properties", {})
    needed, needs = set(old.get("required", ())), set(new.get("required", ()))
    for name, schema in was.items():
        path = f"{place}.{name}" if place else name
        if name not in now:
            yield f"{path}: the field is gone"
            continue
        if name in needed - needs:
            yield f"{path}: may be absent now"
        if name in needs - needed:
            yield f"{path}: has to be there now"
        if schema.get("default", now[name].get("default")) != now[name].get("default", schema.get("default")):
            yield f"{path}: means {now[name].get('default')!r} when absent, and meant {schema.get('default')!r}"
        yield from _compare(schema, now[name], before, after, path)
    for name in (now.keys() - was.keys()) & needs:
        yield f"{place}.{name}: a new field has to be there" if place else f"{name}: a new field has to be there"
    if old.get("additionalProperties") is not False and new.get("additionalProperties") is False:
        yield f"{place or 'record'}: unknown fields are refused now"


def _inside(old: Schema, new: Schema, before: _Side, after: _Side, place: str) -> Iterator[str]:
    """Compare what lists, maps and choices hold."""
    for name in ("items", "additionalProperties", "propertyNames"):
        was, now = old.get(name), new.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _compare(was, now, before, after, f"{place}[]")
        elif isinstance(was, dict) != isinstance(now, dict):
            yield f"{place}: {name} was {was!r} and is {now!r}"
    if len(old.get("prefixItems", ())) != len(new.get("prefixItems", ())):
        yield f"{place}: has another number of items"
    for was, now in zip(old.get("prefixItems", ()), new.get("prefixItems", ()), strict=False):
        yield from _compare(was, now, before, after, f"{place}[]")
    for name in ("anyOf", "oneOf"):
        choices = new.get(name, ())
        if bool(old.get(name)) != bool(choices):
            yield f"{place}: {name} was {old.get(name)!r} and is {new.get(name)!r}"
            continue
        for was in old.get(name, ()):
            # A choice goes on if some choice of today takes its place without a break.
            if all(any(_compare(was, now, before, after, place)) for now in choices):
                yield f"{place}: one of the choices is gone or differs: {was}"
