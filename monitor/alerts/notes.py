"""What alerts remember, on a small compacted topic of their own: who was told what, what waits for an answer, answers.

Each key has one writer, so that compaction never mixes two: `told/ID/CHANNEL`, `open/ID`, `lane/CHANNEL` and
`raised/WATCHDOG@WORKER` are written by `liqmon alerts run`, `ack/ID` by whoever acknowledges. A tombstone forgets. The
topic stands beside the topic table: workers and bots never need it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from monitor.alerts.notice import Notice


class Told(msgspec.Struct, frozen=True, kw_only=True, tag_field="note", tag="told"):
    """A channel took the message with this notice."""

    id: str
    channel: str
    at_us: int
    v: int = 1


class Open(msgspec.Struct, frozen=True, kw_only=True, tag_field="note", tag="open"):
    """A notice waits for somebody's answer; `due_us` is when it is told again (None: it was), `to` which channels."""

    notice: Notice
    due_us: int | None
    to: tuple[str, ...]
    told_us: int
    v: int = 1


class Ack(msgspec.Struct, frozen=True, kw_only=True, tag_field="note", tag="ack"):
    """Somebody looks after a notice."""

    id: str
    by: str
    at_us: int
    text: str = ""
    v: int = 1


class Lane(msgspec.Struct, frozen=True, kw_only=True, tag_field="note", tag="lane"):
    """How much of its limit a channel has left: written before a message goes out, so that no crash resets it."""

    channel: str
    tokens: float
    at_us: int
    v: int = 1


class Raised(msgspec.Struct, frozen=True, kw_only=True, tag_field="note", tag="raised"):
    """A worker's watchdog was told, and is not over."""

    worker: str
    name: str
    since_us: int
    v: int = 1


Note = Told | Open | Ack | Lane | Raised
_decoder = msgspec.json.Decoder(Note)


def key_of(note: Note) -> str:
    """Return the message key of a note."""
    match note:
        case Told():
            return f"told/{note.id}/{note.channel}"
        case Open():
            return f"open/{note.notice.id}"
        case Ack():
            return f"ack/{note.id}"
        case Lane():
            return f"lane/{note.channel}"
        case Raised():
            return f"raised/{note.name}@{note.worker}"


def encode(note: Note) -> bytes:
    """Return a note's bytes."""
    return msgspec.json.encode(note)


@dataclass
class Remembered:
    """All notes in force, folded from the topic."""

    told: dict[tuple[str, str], int] = field(default_factory=dict)
    """By id and channel: when, microseconds since 1970 UTC."""
    opened: dict[str, Open] = field(default_factory=dict)
    acks: dict[str, Ack] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    raised: dict[tuple[str, str], int] = field(default_factory=dict)
    """Watchdogs that were told, by worker and name: since when."""
    by_subject: dict[str, set[str]] = field(default_factory=dict)
    """Ids of what is open, by what it is about."""
    strange: int = 0
    """Messages that are no notes."""

    def fold(self, key: bytes | None, value: bytes | None) -> Note | None:
        """Take one message of the topic; return its note, None for a tombstone or what cannot be read."""
        try:
            name = (key or b"").decode()
            note: Note | None = None if value is None else _decoder.decode(value)
        except (UnicodeDecodeError, msgspec.DecodeError):
            self.strange += 1
            return None
        if note is None:
            self._forget(name)
        elif key_of(note) == name:
            self.take(note)
            return note
        else:
            self.strange += 1
        return None

    def take(self, note: Note) -> None:
        """Take one note."""
        match note:
            case Told():
                self.told[note.id, note.channel] = note.at_us
            case Open():
                self.opened[note.notice.id] = note
                self.by_subject.setdefault(note.notice.subject, set()).add(note.notice.id)
            case Ack():
                self.acks[note.id] = note
            case Lane():
                self.lanes[note.channel] = note
            case Raised():
                self.raised[note.worker, note.name] = note.since_us

    def close(self, identity: str) -> None:
        """Have a notice wait for nobody any more."""
        one = self.opened.pop(identity, None)
        if one is not None:
            about = self.by_subject[one.notice.subject]
            about.discard(identity)
            if not about:
                del self.by_subject[one.notice.subject]

    def _forget(self, name: str) -> None:
        kind, _, rest = name.partition("/")
        if kind == "told":
            identity, _, channel = rest.partition("/")
            self.told.pop((identity, channel), None)
        elif kind == "open":
            self.close(rest)
        elif kind == "ack":
            self.acks.pop(rest, None)
        elif kind == "lane":
            self.lanes.pop(rest, None)
        elif kind == "raised":
            watchdog, _, worker = rest.partition("@")
            self.raised.pop((worker, watchdog), None)
        else:
            self.strange += 1

    def unanswered(self) -> list[Open]:
        """Return what is open and not acknowledged, the oldest first."""
        waiting = (one for one in self.opened.values() if one.notice.id not in self.acks)
        return sorted(waiting, key=lambda one: (one.told_us, one.notice.id))

    def outdated(self, before_us: int) -> list[str]:
        """Return the keys of what was noted before a time: nobody asks for it any more."""
        return [
            *(f"told/{identity}/{channel}" for (identity, channel), at_us in self.told.items() if at_us < before_us),
            *(f"open/{identity}" for identity, one in self.opened.items() if one.told_us < before_us),
            *(f"ack/{identity}" for identity, one in self.acks.items() if one.at_us < before_us),
        ]


def find(identities: Iterable[str], beginning: str) -> list[str]:
    """Return the ids that begin so, each once, in order."""
    return sorted({identity for identity in identities if identity.startswith(beginning)})
