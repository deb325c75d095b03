"""What all records have in common."""

from __future__ import annotations

from msgspec import Struct


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all records: immutable, keyword-only, unknown fields refused, defaults left out on the wire.

    A misspelt optional field of an input would otherwise be a silent default.
    """


class Tombstone(Struct, frozen=True):
    """A null value on a compacted topic: what `key` named is gone."""

    key: str
