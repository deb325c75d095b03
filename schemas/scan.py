"""What can be said about a message without parsing it: size, nesting, and where the rows of a broken frame are."""

from __future__ import annotations

import re

from schemas.fields import MAX_DEPTH, MAX_RECORD_BYTES
from schemas.refusals import Refusal

_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STRING = rb'"(?:[^"\\]++|\\.)*+"?'  # possessive: an unterminated string costs one pass, not a quadratic search
_STRUCTURE = re.compile(_STRING + rb"|[\[\]{},]", re.DOTALL)
_LEXEME = re.compile(_STRING + rb"|(?P<not_finite>-?(?:NaN|Infinity|nan|inf)\b)", re.DOTALL)
_FRAME_START = re.compile(rb'\s*\{\s*(?:"v"\s*:[^,\[\]{}"]*,\s*)?"rows"\s*:\s*\[')


def check_limits(value: bytes) -> None:
    """Raise Refusal on a message that may not be parsed at all."""
    if len(value) > MAX_RECORD_BYTES:
        raise Refusal("too_large", f"{len(value)} bytes, the limit is {MAX_RECORD_BYTES}")
    brackets = value.translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):  # each round takes away the innermost level
        if not brackets:
            return
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    if brackets and _depth(value) > MAX_DEPTH:
        raise Refusal("too_deep", f"nested deeper than {MAX_DEPTH}")


def lexical(data: bytes, error: Exception) -> Refusal:
    """Name what makes bytes no JSON at all; `error` is what a parser said."""
    try:
        data.decode()
    except UnicodeDecodeError as unicode_error:
        return Refusal("bad_utf8", str(unicode_error))
    for match in _LEXEME.finditer(data):
        if match.lastgroup == "not_finite":
            return Refusal("not_finite", f"{match.group().decode()} is no JSON number (byte {match.start()})")
    return Refusal("bad_json", str(error))


def split_rows(value: bytes) -> tuple[bytes, list[bytes]] | None:
    """Cut a frame into rows by brackets and strings alone, for frames with a row that is not JSON.

    Returns the frame with `0` for every row, and the rows; None when the brackets do not make a frame.
    """
    head = _FRAME_START.match(value)
    if head is None:
        return None
    depth, start, rows = 0, head.end(), list[bytes]()
    for match in _STRUCTURE.finditer(value, start):
        token = match.group()
        if token in b"[{":
            depth += 1
        elif token in b"]}" and depth:
            depth -= 1
        elif depth == 0 and token in b",]":
            row = value[start : match.start()].strip()
            start = match.end()
            if row or rows or token == b",":
                rows.append(row)
            if token == b"]":
                return head.group() + b",".join([b"0"] * len(rows)) + value[match.start() :], rows
        elif depth == 0 and token == b"}":
            return None
    return None


def _depth(value: bytes) -> int:
    """Deepest nesting outside strings, counted up to one level beyond the limit."""
    depth = deepest = 0
    for match in _STRUCTURE.finditer(value):
        token = match.group()
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                break
        elif token in b"]}":
            depth = max(0, depth - 1)
    return deepest
