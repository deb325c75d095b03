"""What of the messages on an event topic a bot may act on: a pure fold, without clock, broker or files."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from schemas.codec import decode_message
from schemas.headers import EventHeaders, Headers, read_event_headers, schema_uri
from schemas.ids import event_id
from schemas.records import AccountEvent
from schemas.signatures import Keys, Tampered, UnknownKey, Unsigned, verify
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS

SCHEMA: Final = schema_uri("account_event")
KINDS: Final = {
    MARGIN_CALLS.name: frozenset({"warning", "margin_call", "recovered", "resolved"}),
    LIQUIDATIONS.name: frozenset({"liquidation", "bankrupt", "data_hold"}),
}
WINDOW: Final = 65_536
"""Ids that are remembered, at 150 B each: 10 MB, and more events than a crash of 10,000 accounts makes in a day. Half
of it forgets earlier what a monitor that was away may send again."""


class Reason(StrEnum):
    """Why a message is not acted on."""

    UNSIGNED = "unsigned"
    """Signatures are required and it has none."""
    UNKNOWN_KEY = "unknown_key"
    """Signed with a key, an algorithm or a layout that is not among ours."""
    TAMPERED = "tampered"
    """The signature is of another key, body, header or message key."""
    MALFORMED = "malformed"
    """No account event: headers or body cannot be read."""
    UNKNOWN_VERSION = "unknown_version"
    """An account event of a version that this package does not know."""
    CONTRADICTORY = "contradictory"
    """Headers, message key, topic and body do not say the same, or the id is not that of the body."""
    STALE_EPOCH = "stale_epoch"
    """Sent by a worker that had lost the partition to another one already."""
    REPEATED = "repeated"
    """The id was seen before, with the same body."""
    TWO_CONTENTS = "two_contents"
    """The id was seen before, with another body: never from a monitor that works."""
    EXPIRED = "expired"
    """Beyond `valid_until_us`: ask the state topic instead."""


# What the codec calls it, where that is more than malformed.
_REASONS = {
    "unknown_version": Reason.UNKNOWN_VERSION,
    "key_mismatch": Reason.CONTRADICTORY,
    "null_key": Reason.CONTRADICTORY,
}


class Message(NamedTuple):
    """One message as Kafka gave it; `topic` by its name in the topic table, without prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that is not acted on; `text` says more for people."""

    reason: Reason
    text: str
    message: Message


@dataclass(frozen=True, slots=True)
class Alert:
    """An event to act on, with the epoch of its sender and the key that vouches for it (None: nobody was asked)."""

    event: AccountEvent
    epoch: int
    signed_by: str | None
    message: Message

    @property
    def id(self) -> str:
        """The event's id: the same at every delivery."""
        return self.event.id

    @property
    def kind(self) -> str:
        """What happened."""
        return self.event.kind

    @property
    def account(self) -> str:
        """To whom."""
        return self.event.account


class Screen:
    """Judges messages one after the other, each partition in its order.

    With `keys` every message must be signed by one of them, or with `require_signature` False at least not wrongly.
    `window` ids are remembered, the oldest forgotten first.
    """

    def __init__(self, keys: Keys | None = None, *, require_signature: bool = True, window: int = WINDOW) -> None:
        if window < 1:
            raise ValueError("the window holds at least one id")
        self._keys = keys
        self._require = require_signature
        self._window = window
        self._seen: OrderedDict[str, bytes] = OrderedDict()
        self._epochs: dict[tuple[str, int], int] = {}

    def judge(self, message: Message, now_us: int) -> Alert | Refusal:
        """Return the alert of a message, whose id counts as seen from now on, or why there is none.

        `now_us` is the time that `valid_until_us` is compared with, microseconds since 1970 UTC.
        """
        return self._judge(message, now_us)

    def seed(self, message: Message) -> Alert | Refusal:
        """Take note of a message that was handled before, in another process: its id and epoch count as seen."""
        return self._judge(message, None)

    @property
    def remembered(self) -> int:
        """How many ids are remembered."""
        return len(self._seen)

    def _judge(self, message: Message, now_us: int | None) -> Alert | Refusal:
        try:
            signer = self._signer(message)
            headers, event = _read(message)
        except _Refused as refused:
            return Refusal(refused.reason, refused.text, message)
        place = (message.topic, message.partition)
        highest = self._epochs.get(place, headers.epoch)
        if headers.epoch < highest:
            return Refusal(Reason.STALE_EPOCH, f"epoch {headers.epoch} after {highest}", message)
        self._epochs[place] = headers.epoch
        digest = hashlib.sha256(message.value or b"").digest()
        seen = self._seen.get(event.id)
        if seen is not None:
            reason = Reason.REPEATED if seen == digest else Reason.TWO_CONTENTS
            return Refusal(reason, f"id {event.id} was seen before", message)
        if now_us is not None and now_us > event.valid_until_us:
            late_s = (now_us - event.valid_until_us) / 1e6
            return Refusal(Reason.EXPIRED, f"id {event.id} was valid until {late_s:.1f} s ago", message)
        self._remember(event.id, digest)
        return Alert(event, headers.epoch, signer, message)

    def _signer(self, message: Message) -> str | None:
        if self._keys is None:
            return None
        try:
            return verify(message.key, message.headers, message.value, self._keys)
        except Unsigned as error:
            if self._require:
                raise _Refused(Reason.UNSIGNED, str(error)) from error
            return None
        except UnknownKey as error:
            raise _Refused(Reason.UNKNOWN_KEY, str(error)) from error
        except Tampered as error:
            raise _Refused(Reason.TAMPERED, str(error)) from error

    def _remember(self, identity: str, digest: bytes) -> None:
        self._seen[identity] = digest
        if len(self._seen) > self._window:
            self._seen.popitem(last=False)


class _Refused(Exception):
    """Carries a reason out of the steps below."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


def _read(message: Message) -> tuple[EventHeaders, AccountEvent]:
    """Decode headers and body, and require that they agree; raises _Refused."""
    if message.topic not in KINDS:
        raise _Refused(Reason.CONTRADICTORY, f"{message.topic} carries no account events")
    try:
        headers = read_event_headers(message.headers)
    except ValueError as error:
        raise _Refused(Reason.MALFORMED, str(error)) from error
    if headers.schema != SCHEMA:
        raise _Refused(Reason.UNKNOWN_VERSION, f"schema {headers.schema[:100]!r}, expected {SCHEMA!r}")
    event = _body(message)
    says = (event.id, f"risk.{event.kind}.v1", event.account, event.event_time_us)
    if says != (headers.id, headers.type, headers.subject, headers.time_us):
        raise _Refused(Reason.CONTRADICTORY, "the headers are of another event than the body")
    if event.kind not in KINDS[message.topic]:
        raise _Refused(Reason.CONTRADICTORY, f"{event.kind} does not belong on {message.topic}")
    if event.id != event_id(event.account, event.episode, event.sequence, event.kind):
        raise _Refused(Reason.CONTRADICTORY, "the id is not that of account, episode, sequence and kind")
    return headers, event


def _body(message: Message) -> AccountEvent:
    decoded = decode_message(message.topic, message.key, message.value)
    for refused in decoded.refused:
        reason = _REASONS.get(refused.error_kind, Reason.MALFORMED)
        raise _Refused(reason, f"{refused.error_kind}: {refused.error_text}")
    ((_, event),) = decoded.records
    if not isinstance(event, AccountEvent):
        raise _Refused(Reason.MALFORMED, "no account event")
    return event
