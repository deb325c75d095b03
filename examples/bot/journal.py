"""What the bot set out to do and what came of it: a file of JSON lines, each on disk before anything follows from it.

An intent has the orders of one action with the ids under which they go to the venue, so that whatever happens between
writing it and hearing of the fills, the same orders under the same ids are all that can follow. A file and not a topic:
it has to be written before an order goes out, whether or not the broker can be reached just then, and one bot has one.
Bots of one group are kept apart by the ids, which are the same for all of them.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from pathlib import Path
from typing import IO, Self

import msgspec
from msgspec import Struct

from monitor.errors import MonitorError


class JournalBroken(MonitorError):
    """A line of the journal before its last cannot be read, or another bot has the file."""


class Order(Struct, frozen=True):
    """One order: signed contracts, under an id that the venue takes once."""

    id: str
    instrument: str
    quantity: float
    notional_usd: float


class Fill(Struct, frozen=True):
    """What the venue did of an order, and where on `risk.trades.v1` the monitor finds it."""

    order: str
    instrument: str
    quantity: float
    price: float
    partition: int
    offset: int


class Intent(Struct, frozen=True, tag="intent"):
    """One action for one account in one episode."""

    account: str
    episode: int
    action: int
    orders: tuple[Order, ...]


class Outcome(Struct, frozen=True, tag="outcome"):
    """How an action ended: its fills; what it has not of the orders was refused, or given up after a restart."""

    account: str
    episode: int
    action: int
    fills: tuple[Fill, ...]
    refused: tuple[str, ...] = ()


_Line = Intent | Outcome
_read = msgspec.json.Decoder(_Line).decode
_write = msgspec.json.Encoder().encode
_Key = tuple[str, int, int]


def order_id(account: str, episode: int, action: int, number: int) -> str:
    """Return the id of an order: the same whichever bot sends it, and however often."""
    text = msgspec.json.encode(["order", account, episode, action, number])
    return f"liq-{hashlib.sha256(text).hexdigest()[:28]}"


class Journal:
    """The actions so far; `path` None keeps them in memory only, for a dry run."""

    def __init__(self, path: Path | None) -> None:
        self._outcomes: dict[_Key, Outcome] = {}
        self._open: dict[_Key, Intent] = {}
        self._count: dict[tuple[str, int], int] = defaultdict(int)
        self._last: dict[str, int] = {}
        self._file: IO[bytes] | None = None
        if path is not None:
            self._file = _locked(path)
            try:
                whole = _load(self._file, path)
            except JournalBroken:
                self._file.close()
                raise
            for line in whole:
                self._take(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, line: _Line) -> None:
        """Note an intent or an outcome; on disk when this returns."""
        if self._file is not None:
            self._file.write(_write(line) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        self._take(line)

    def actions(self, account: str, episode: int) -> int:
        """Return how many actions were begun in an episode."""
        return self._count[account, episode]

    def pending(self) -> list[Intent]:
        """Return intents of which no outcome is known, the oldest first."""
        return list(self._open.values())

    def last_offset(self, account: str) -> int:
        """Return the largest offset of an account's fills, -1 if there are none: a state below it is from before."""
        return self._last.get(account, -1)

    def ledger(self) -> dict[str, dict[str, float]]:
        """Return signed contracts filled, by account and instrument."""
        found: dict[str, dict[str, float]] = {}
        for outcome in self._outcomes.values():
            held = found.setdefault(outcome.account, {})
            for fill in outcome.fills:
                held[fill.instrument] = held.get(fill.instrument, 0.0) + fill.quantity
        return found

    def _take(self, line: _Line) -> None:
        key = (line.account, line.episode, line.action)
        if isinstance(line, Outcome):
            self._outcomes[key] = line
            self._open.pop(key, None)
            self._last[line.account] = max([self.last_offset(line.account), *(fill.offset for fill in line.fills)])
            return
        self._count[key[:2]] = max(self._count[key[:2]], line.action)
        self._open[key] = line


def _locked(path: Path) -> IO[bytes]:
    import fcntl  # noqa: PLC0415 (POSIX alone)

    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise JournalBroken(f"{path} is another bot's", "give each bot a journal of its own") from None
    return file


def _load(file: IO[bytes], path: Path) -> list[_Line]:
    """Read all lines; a last one that a crash cut off is removed, since nothing has followed from it."""
    file.seek(0)
    found: list[_Line] = []
    good = 0
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
            break
        try:
            found.append(_read(line))
        except msgspec.MsgspecError as error:
            raise JournalBroken(f"line {number} of {path} cannot be read ({error})", "mend or move the file") from error
        good += len(line)
    file.truncate(good)
    file.seek(0, os.SEEK_END)
    return found
