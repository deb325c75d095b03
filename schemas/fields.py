"""Constrained field types and limits that the records are made of, and the closed list of reasons to refuse one."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta

# Limits. They bound what one record may cost, so that no sender can exhaust a worker.
MAX_RECORD_BYTES = 1_000_000  # of a message; Kafka's default is 1,048,588, and a dead letter adds headers to the bytes
MAX_FRAME_ROWS = 1_000  # about 130 bytes a row keeps a full frame well inside the byte bound
MAX_DEPTH = 16  # the deepest record in a frame, strictly ordered, nests 8 deep; every level costs parser stack
MIN_TIME_US = 946_684_800_000_000  # 2000-01-01: smaller numbers are seconds or milliseconds by mistake
MAX_TIME_US = 4_102_444_800_000_000  # 2100-01-01: larger numbers are nanoseconds by mistake

ErrorKind = Literal[
    "too_large",
    "too_deep",
    "too_many_rows",
    "empty_frame",
    "bad_utf8",
    "bad_json",
    "not_finite",
    "unknown_version",
    "missing_field",
    "unknown_field",
    "wrong_type",
    "bad_pattern",
    "unknown_value",
    "out_of_range",
    "crossed_quote",
    "invalid_record",
    "null_value",
    "null_key",
    "bad_key",
    "key_mismatch",
    "frame_not_allowed",
    "wrong_partition",
]
ERROR_KINDS: Final[tuple[ErrorKind, ...]] = get_args(ErrorKind)


class InvalidRecord(ValueError):
    """A record that the types of its fields cannot refuse; `kind` is its error kind."""

    def __init__(self, text: str, kind: ErrorKind = "invalid_record") -> None:
        super().__init__(text)
        self.kind: ErrorKind = kind


# `$` alone would let a trailing newline pass in Python; the look-ahead means the same in every dialect.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,63}$(?!\n)"
ASSET_PATTERN = r"^[A-Z0-9][A-Za-z0-9.]{0,15}$(?!\n)"

Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
Asset = Annotated[str, Meta(pattern=ASSET_PATTERN)]
# The same for the records that come in hundreds of thousands a second. A pattern costs half a microsecond a field, so
# these are checked by `admit_name` and `admit_asset` only when they are new.
HotName = Annotated[str, Meta(extra_json_schema={"pattern": NAME_PATTERN})]
HotAsset = Annotated[str, Meta(extra_json_schema={"pattern": ASSET_PATTERN})]
Identifier = Annotated[str, Meta(min_length=1, max_length=64)]  # a venue's own id: compared, never a key or a label
Text = Annotated[str, Meta(max_length=512)]
TimeUs = Annotated[int, Meta(ge=MIN_TIME_US, le=MAX_TIME_US)]
Price = Annotated[float, Meta(ge=1e-12, le=1e12)]  # its inverse is finite too, and so are products of the two
Quantity = Annotated[float, Meta(ge=-1e15, le=1e15)]
Money = Annotated[float, Meta(ge=-1e18, le=1e18)]
Volatility = Annotated[float, Meta(gt=0.0, le=5.0)]  # above 500 % a feed is broken, not a market
# JSON Schema can say what the types of Python cannot; the records' own checks refuse the same values.
NonZeroQuantity = Annotated[float, Meta(ge=-1e15, le=1e15, extra_json_schema={"not": {"const": 0}})]
NonZeroMoney = Annotated[float, Meta(ge=-1e18, le=1e18, extra_json_schema={"not": {"const": 0}})]
Ratio = Annotated[float, Meta(ge=-1.0, le=10.0)]
Move = Annotated[float, Meta(gt=-1.0, le=100.0)]  # of a price: it cannot lose more than itself
FundingRate = Annotated[float, Meta(ge=-1.0, le=1.0)]  # of the notional in one interval: beyond that it is no funding
Count = Annotated[int, Meta(ge=0)]
Version = Literal[1]
EventId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")]
ParameterHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$(?!\n)")]
Position = tuple[int, int]  # (offset, index in its frame) of the last record applied; (-1, 0) before any

START: Position = (-1, 0)

MAX_SEEN = 200_000  # about 25 MB of names; two per account of a deployment of 100,000
SEEN_NAMES: set[str] = set()
SEEN_ASSETS: set[str] = set()
_NAME = re.compile(NAME_PATTERN)
_ASSET = re.compile(ASSET_PATTERN)


def is_name(text: str) -> bool:
    """Whether a text may name an account, an instrument or anything else of ours."""
    return _NAME.match(text) is not None


def admit_name(name: str) -> None:
    """Remember a name as legal; raises InvalidRecord when it is not."""
    _admit(name, _NAME, SEEN_NAMES)


def admit_asset(asset: str) -> None:
    """Remember an asset as legal; raises InvalidRecord when it is not."""
    _admit(asset, _ASSET, SEEN_ASSETS)


def _admit(text: str, pattern: re.Pattern[str], seen: set[str]) -> None:
    if pattern.match(text) is None:
        raise InvalidRecord(f"{text[:80]!r} does not match {pattern.pattern}", "bad_pattern")
    if len(seen) >= MAX_SEEN:
        seen.clear()
    seen.add(text)
