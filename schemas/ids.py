"""Deterministic identities: event ids, parameter hashes and digests over canonical JSON."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import orjson

from schemas.records import ParameterSet, Position

_NEGATIVE_ZERO = re.compile(rb"-0\.0(?![0-9])")


def canonical(value: Any, *, nulls: int = 0) -> bytes:
    """Encode as canonical JSON: sorted keys, no spaces, shortest float form, zero without a sign.

    `nulls` is how many values are known to be None; not to know them costs time only. Raises ValueError on NaN or
    infinity, which JSON cannot carry.
    """
    plain = msgspec.to_builtins(value)
    data = orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    # Walking the values costs three times the encoding, so it is done only when the bytes show that it may be needed:
    # orjson writes NaN and infinity as null, and a negative zero as -0.0.
    if data.count(b"null") != nulls:
        refuse_non_finite(plain)
    if b"-0.0" in data and _NEGATIVE_ZERO.search(data):
        data = orjson.dumps(_without_negative_zero(plain), option=orjson.OPT_SORT_KEYS)
    return data


def event_id(account: str, episode: int, sequence: int, kind: str) -> str:
    """First 32 hex digits of SHA-256 over canonical `[account, episode, sequence, kind]`."""
    return hashlib.sha256(orjson.dumps([account, episode, sequence, kind])).hexdigest()[:32]


def regime_id(underlyings: Iterable[str], event_time_us: int, regime: str) -> str:
    """First 32 hex digits of SHA-256 over canonical `[underlyings joined by commas, event_time_us, regime]`."""
    return hashlib.sha256(orjson.dumps([",".join(underlyings), event_time_us, regime])).hexdigest()[:32]


def range_id(underlying: str, event_time_us: int, version: int) -> str:
    """First 32 hex digits of SHA-256 over canonical `["range", underlying, event_time_us, version]`."""
    return hashlib.sha256(orjson.dumps(["range", underlying, event_time_us, version])).hexdigest()[:32]


def advice_id(event: str, positions: Mapping[str, Position]) -> str:
    """First 32 hex digits of SHA-256 over canonical `["advice", event, positions]`."""
    return hashlib.sha256(canonical(["advice", event, dict(positions)])).hexdigest()[:32]


def parameter_hash(parameters: ParameterSet) -> str:
    """First 16 hex digits of SHA-256 over the values of a parameter set.

    Every value counts, defaults included, so that a changed default changes the hash; the time of publication
    does not. A whole number in the place of a decimal counts as the decimal that a reader of the topic sees.
    """
    values = _values(msgspec.convert(msgspec.to_builtins(parameters), ParameterSet))
    del values["event_time_us"]
    return hashlib.sha256(canonical(values)).hexdigest()[:16]


def digest(bodies: Iterable[bytes]) -> str:
    """SHA-256 over canonical event bodies, one a line, in the order given."""
    total = hashlib.sha256()
    for body in bodies:
        total.update(body)
        total.update(b"\n")
    return total.hexdigest()


def _values(value: Any) -> Any:
    """All fields of a record and of the records in it, those at their default included."""
    if isinstance(value, msgspec.Struct):
        return {name: _values(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: _values(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_values(item) for item in value]
    return value


def refuse_non_finite(value: Any) -> None:
    """Raise ValueError on NaN or infinity anywhere in a value, records included."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("NaN and infinity have no JSON form")
    elif isinstance(value, dict):
        for item in value.values():
            refuse_non_finite(item)
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_non_finite(item)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            refuse_non_finite(getattr(value, name))


def _without_negative_zero(value: Any) -> Any:
    if isinstance(value, float):
        return value + 0.0
    if isinstance(value, dict):
        return {name: _without_negative_zero(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_negative_zero(item) for item in value]
    return value
