"""What is to be verified: an event as somebody says it is, and how it differs from another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import msgspec

from monitor.errors import UsageError
from schemas.ids import canonical
from schemas.records import AccountEvent, RegimeRecord

MAX_DIFFERENCES = 50  # named in one answer: an event of another account differs everywhere

_event = msgspec.json.Decoder(AccountEvent).decode
_regime = msgspec.json.Decoder(RegimeRecord).decode


class Difference(NamedTuple):
    """One field: its path, what the event says, and what a recomputation gives (None: it is not there)."""

    field: str
    said: Any
    computed: Any


@dataclass(frozen=True, slots=True)
class Claim:
    """An event's bytes, read; `place` tells where they were found."""

    body: bytes
    record: AccountEvent | RegimeRecord
    place: str = ""

    @property
    def id(self) -> str:
        """The id that it says it has."""
        return self.record.id


def read_claim(body: bytes, place: str = "") -> Claim:
    """Read an event's body; raises `msgspec.MsgspecError` if it is none of ours."""
    is_account_event = b'"sequence":' in body
    return Claim(body, _event(body) if is_account_event else _regime(body), place)


def given_claim(text: bytes, place: str) -> Claim:
    """Read an event that a person gives, in any layout of JSON; raises UsageError."""
    try:
        return read_claim(canonical(msgspec.json.decode(text)), place)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{place} holds no event ({error})", "give one event's JSON, as it is on its topic") from error


def differences(said: bytes, computed: bytes) -> list[Difference]:
    """Return the fields in which two events differ, in the order of their names; empty if the bytes are equal."""
    if said == computed:
        return []
    found = list(_walk("", msgspec.json.decode(said), msgspec.json.decode(computed)))
    # The same values in other bytes: numbers written otherwise, other spaces, another order.
    return found[:MAX_DIFFERENCES] or [Difference("(bytes)", said.decode(), computed.decode())]


def _walk(path: str, said: Any, computed: Any) -> Iterator[Difference]:
    if isinstance(said, dict) and isinstance(computed, dict):
        for name in sorted({*said, *computed}):
            yield from _walk(f"{path}.{name}" if path else name, said.get(name), computed.get(name))
    elif isinstance(said, list) and isinstance(computed, list):
        for index, (one, other) in enumerate(zip_longest(said, computed)):
            yield from _walk(f"{path}[{index}]", one, other)
    elif said != computed or type(said) is not type(computed):
        yield Difference(path, said, computed)
