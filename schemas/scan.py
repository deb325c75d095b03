"""What can be said about a message without parsing it: size, nesting, and where the rows of a broken frame are."""

from __future__ import annotations

import re

from schemas.fields import MAX_DEPTH, MAX_FRAME_ROWS, MAX_RECORD_BYTES
from schemas.refusals import Refusal

# Brackets cost half a microsecond each to walk over, and no record that comes in frames has as many.
MAX_SPLIT_BRACKETS = 64 * MAX_FRAME_ROWS
# Possessive: an unterminated string costs one pass, not a quadratic search.
_STRING = rb'"(?:[^"\\]++|\\.)*+"?'
_STRINGS = re.compile(_STRING, re.DOTALL)
_NOT_FINITE = re.compile(rb"-?\b(?:NaN|nan|Infinity|inf)\b")
_FRAME_START = re.compile(rb'\s*\{\s*(?:"v"\s*:[^,\[\]{}"]*,\s*)?"rows"\s*:\s*\[')
# Each skips strings and everything else up to the next thing that matters, or to the end.
_TO_BRACKET = re.compile(rb"(?:" + _STRING + rb"|[^\[\]{}\"]++)*+([\[\]{}]|\Z)", re.DOTALL)
_TO_BRACKET_OR_COMMA = re.compile(rb"(?:" + _STRING + rb"|[^\[\]{},\"]++)*+([\[\]{},]|\Z)", re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ONE_KIND = bytes.maketrans(b"[]{}", b"()()")


def check_limits(value: bytes) -> None:
    """Raise Refusal on a message that may not be parsed at all."""
    if len(value) > MAX_RECORD_BYTES:
        raise Refusal("too_large", f"{len(value)} bytes, the limit is {MAX_RECORD_BYTES}")
    if _too_deep(value) and _too_deep(_STRINGS.sub(b"", value)):
        raise Refusal("too_deep", f"nested deeper than {MAX_DEPTH}")


def lexical(data: bytes, error: Exception) -> Refusal:
    """Name what makes bytes no JSON at all; `error` is what a parser said."""
    try:
        data.decode()
    except UnicodeDecodeError as unicode_error:
        return Refusal("bad_utf8", str(unicode_error))
    if (token := _NOT_FINITE.search(_STRINGS.sub(b"", data))) is not None:
        return Refusal("not_finite", f"{token.group().decode()} is no JSON number")
    return Refusal("bad_json", str(error))


def split_rows(value: bytes) -> tuple[bytes, list[bytes]] | None:
    """Cut a frame into rows by brackets and strings alone, for frames with a row that is not JSON.

    Returns the frame with `0` for every row, and the rows; None when the brackets do not make a frame. Beyond one row
    too many it stops and returns what it has, with an end of its own.
    """
    head = _FRAME_START.match(value)
    if head is None or len(value.translate(None, _NOT_BRACKETS)) > MAX_SPLIT_BRACKETS:
        return None
    depth, start, at = 0, head.end(), head.end()
    rows: list[bytes] = []
    while match := (_TO_BRACKET if depth else _TO_BRACKET_OR_COMMA).match(value, at):
        at = match.end()
        token = match[1]
        if token in b"[{" and token:
            depth += 1
        elif depth and token:
            depth -= 1
        elif token in {b",", b"]"}:
            row = value[start : match.start(1)].strip()
            start = at
            if row or rows or token == b",":
                rows.append(row)
            if token == b"]":
                return head.group() + b",".join([b"0"] * len(rows)) + value[match.start(1) :], rows
            if len(rows) > MAX_FRAME_ROWS:
                return head.group() + b"0]}", rows
        else:
            break
    return None


def _too_deep(value: bytes) -> bool:
    """Whether brackets nest too deep, those in strings included."""
    brackets = value.translate(_ONE_KIND, _NOT_BRACKETS)
    if brackets.count(b"(") <= MAX_DEPTH:
        return False
    for _ in range(MAX_DEPTH):  # each round takes away the innermost level
        brackets = brackets.replace(b"()", b"")
    # What is left of brackets that do not match is refused by the parser, which sees at most twice the limit.
    return b"()" in brackets or brackets.count(b"(") > MAX_DEPTH
