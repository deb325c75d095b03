"""Dead letters as they are read back, and the marks of those that were replayed.

A mark is a message on the dead-letter topic, in the partition of its letter, so the two live equally long. There are
two for each replay: one before the record is sent, and one when the broker has it. Whatever a replay dies at, what is
left behind says so, and nothing is sent a second time by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from schemas.headers import Headers, read_dead_letter, rfc3339
from schemas.records import DeadLetter
from schemas.topics import SEQUENCED

REPLAY_OF: Final = "dl-replay-of"
"""Header of a mark, and of the record that went back to its topic: `partition/offset` of the letter."""
_REPLAY_STATE: Final = "dl-replay-state"
_REPLAY_AT: Final = "dl-replay-at"
_CUT: Final = " bytes)"  # how the text of a letter ends whose bytes did not fit

Mark = Literal["begun", "done"]
_STATES: Final[dict[str, Mark]] = {"begun": "begun", "done": "done"}


class Place(NamedTuple):
    """Where a letter is on the dead-letter topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        """Write it as people give it."""
        return f"{self.partition}/{self.offset}"


def read_place(text: str) -> Place:
    """Read `partition/offset`; raises ValueError."""
    partition, slash, offset = text.partition("/")
    if not (slash and partition.isdecimal() and offset.isdecimal() and max(len(partition), len(offset)) <= 19):
        raise ValueError(f"{text[:40]!r} is not partition/offset")
    return Place(int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class Letter:
    """One refused record: what is known of it, its key and original bytes; `mark` is how far a replay of it came."""

    place: Place
    known: DeadLetter
    key: bytes | None
    value: bytes | None
    mark: Mark | None = None

    @property
    def source(self) -> tuple[str, int, int, int]:
        """Where the record came from; a crash can leave two letters of one record."""
        known = self.known
        return (known.source_topic, known.source_partition, known.source_offset, known.source_index)

    @property
    def obstacle(self) -> str:
        """Why it cannot be replayed whatever one asks; empty if it can."""
        if self.known.source_topic.endswith(SEQUENCED.name):
            return "it is of a sequence, whose order is fixed"
        if self.known.error_text.endswith(_CUT) and "(first " in self.known.error_text:
            return "its bytes were cut"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters: empty conditions are no conditions; times are microseconds since 1970, the end not included."""

    places: Collection[Place] = ()
    reasons: Collection[str] = ()
    topics: Collection[str] = ()
    since_us: int | None = None
    until_us: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is one of them."""
        known = letter.known
        return (
            (not self.places or letter.place in self.places)
            and (not self.reasons or known.error_kind in self.reasons)
            and (not self.topics or any(_is(known.source_topic, name) for name in self.topics))
            and (self.since_us is None or known.first_seen_us >= self.since_us)
            and (self.until_us is None or known.first_seen_us < self.until_us)
        )


def _is(full_name: str, asked: str) -> bool:
    """Whether a topic is the one asked for, with its prefix or without."""
    return full_name == asked or full_name.endswith(f".{asked}")


def read_letters(messages: Iterable[Any]) -> tuple[list[Letter], int]:
    """Return the letters among the messages of the topic, with their marks, and how many messages are neither."""
    letters: dict[Place, Letter] = {}
    marks: dict[Place, Mark] = {}
    strange = 0
    for message in messages:
        headers = [(name, value) for name, value in message.headers if value is not None]
        place = Place(message.partition, message.offset)
        try:
            if (mark := _read_mark(headers)) is not None:
                of, state = mark
                marks[of] = state
            else:
                letters[place] = Letter(place, read_dead_letter(headers), message.key, message.value)
        except (ValueError, UnicodeDecodeError):
            strange += 1
    sources = {letters[place].source: state for place, state in marks.items() if place in letters}
    found = [
        Letter(one.place, one.known, one.key, one.value, sources.get(one.source)) for one in letters.values()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.known.first_seen_us, one.place)), strange


def _read_mark(headers: Headers) -> tuple[Place, Mark] | None:
    found = {name: value.decode() for name, value in headers if name in (REPLAY_OF, _REPLAY_STATE)}
    if REPLAY_OF not in found:
        return None
    state = found.get(_REPLAY_STATE, "")
    if state not in _STATES:
        raise ValueError(f"a mark says {state!r}")
    return read_place(found[REPLAY_OF]), _STATES[state]


def mark_headers(place: Place, state: Mark, at_us: int) -> Headers:
    """Headers of a mark."""
    return [
        (REPLAY_OF, str(place).encode()), (_REPLAY_STATE, state.encode()), (_REPLAY_AT, rfc3339(at_us).encode()),
    ]  # fmt: skip


class Plan(NamedTuple):
    """What a replay would do: letters to send, and those that are left, each with the reason."""

    send: list[Letter]
    left: list[tuple[Letter, str]]


def plan(letters: Iterable[Letter], wanted: Wanted, *, again: bool) -> Plan:
    """Decide which letters go back; each record once, however many letters it has, and not a second time."""
    send: list[Letter] = []
    left: list[tuple[Letter, str]] = []
    seen: set[tuple[str, int, int, int]] = set()
    for letter in letters:
        if not wanted.takes(letter):
            continue
        if letter.obstacle:
            left.append((letter, letter.obstacle))
        elif letter.source in seen:
            left.append((letter, "another letter of the same record is replayed"))
        elif letter.mark == "done" and not again:
            left.append((letter, "it was replayed"))
        elif letter.mark == "begun" and not again:
            left.append((letter, "a replay of it was begun and not confirmed: look whether the record is there"))
        else:
            seen.add(letter.source)
            send.append(letter)
    return Plan(send, left)
