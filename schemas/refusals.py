"""Why bytes are no record: typed refusals, with one closed list of kinds."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from schemas.fields import ErrorKind, InvalidRecord

MAX_ERROR_TEXT = 512  # characters: an error text quotes its input, which may be a megabyte


class Refused(Struct, frozen=True):
    """A row that is not a record of its topic: why, and its original bytes for the dead letter.

    A message refused as a whole has one refusal, with index 0 and all its bytes.
    """

    index: int
    error_kind: ErrorKind
    error_text: str
    raw: bytes


class Refusal(Exception):
    """Carries the reason out of a helper, before row and bytes are known."""

    def __init__(self, kind: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind: ErrorKind = kind

    def of(self, index: int, raw: bytes) -> Refused:
        """Pin the reason to a row; the text becomes short and printable, whatever it quotes."""
        text = "".join(char if char.isprintable() else "?" for char in str(self)[:MAX_ERROR_TEXT])
        return Refused(index, self.kind, text, raw)


# msgspec has no error codes, so its wording decides; a test holds each line, for the day the wording changes.
_WORDING: tuple[tuple[re.Pattern[str], ErrorKind], ...] = (
    (re.compile("Object missing required field"), "missing_field"),
    (re.compile("Object contains unknown field"), "unknown_field"),
    (re.compile("Invalid enum value|Invalid value"), "unknown_value"),
    (re.compile("Number out of range|Integer value out of range"), "out_of_range"),
    (re.compile(r"Expected `[^`]*` matching regex"), "bad_pattern"),
    (re.compile(r"Expected `[^`]*` (of length )?[<>]"), "out_of_range"),
    (re.compile("Expected `"), "wrong_type"),
)


def of_validation(error: msgspec.ValidationError) -> Refusal:
    """Translate a validation error."""
    text = str(error)
    if isinstance(error.__cause__, InvalidRecord):
        return Refusal(error.__cause__.kind, text)
    for pattern, kind in _WORDING:
        if pattern.match(text):
            return Refusal(kind, text)
    return Refusal("invalid_record", text)
