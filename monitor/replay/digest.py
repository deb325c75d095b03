"""What a run said, as one number: SHA-256 over its events in an order that no run can change.

Two runs over the same input gave the same answer when their digests are equal, however many workers, batches and
crashes there were. Deliveries that repeat an event count once; an event with two contents is no answer at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from schemas.ids import canonical, digest, event_id, range_id, regime_id
from schemas.records import AccountEvent, RangeStep, RegimeChange, RegimeRecord

MAX_NAMED = 20  # findings that are kept in words; all are counted


@dataclass(slots=True)
class Digest:
    """Digest of a set of events, what went into it, and what is wrong with it.

    `events` are distinct ones, `repeats` deliveries beyond the first of each, `kinds` distinct events by kind,
    `found` findings in words (at most `MAX_NAMED`) of `findings` in all.
    """

    sha256: str = ""
    events: int = 0
    accounts: int = 0
    regimes: int = 0
    ranges: int = 0
    repeats: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    findings: int = 0
    found: list[str] = field(default_factory=list)

    def finding(self, text: str) -> None:
        """Count a finding, and keep its words if there is room."""
        self.findings += 1
        if len(self.found) < MAX_NAMED:
            self.found.append(text)


_Line = AccountEvent | RegimeRecord
Key = TypeVar("Key")
_decode_event = msgspec.json.Decoder(AccountEvent).decode
_decode_regime = msgspec.json.Decoder(RegimeRecord).decode


def of_bodies(bodies: Iterable[bytes]) -> Digest:
    """Digest event bodies (account events, regime changes and range steps, in any order).

    Over canonical bodies, a newline after each, account events by (account, sequence), regime changes and range steps
    after them by (event time, key). Findings are: a body that is no event or not canonical, an id that is not the hash
    it should be, an id or a place in the order with two contents, and a hole in an account's sequence.
    """
    result = Digest()
    events: dict[tuple[str, int], tuple[str, bytes]] = {}
    regimes: dict[tuple[int, str], tuple[str, bytes]] = {}
    contents: dict[str, bytes] = {}
    for body in bodies:
        record = _read(body, result)
        if isinstance(record, AccountEvent):
            if contents.setdefault(record.id, body) != body:
                result.finding(f"id {record.id} ({record.account}, sequence {record.sequence}) has two contents")
                continue
            if record.id != event_id(record.account, record.episode, record.sequence, record.kind):
                result.finding(f"id {record.id} is not that of {record.account}, sequence {record.sequence}")
            if _place(events, (record.account, record.sequence), (record.kind, body), result):
                result.kinds[record.kind] = result.kinds.get(record.kind, 0) + 1
        elif isinstance(record, RegimeChange):
            if record.id != regime_id(record.underlyings, record.event_time_us, record.regime):
                result.finding(f"id {record.id} is not that of {record.regime} at {record.event_time_us}")
            key = (record.event_time_us, ",".join(record.underlyings))
            result.regimes += _place(regimes, key, (record.regime, body), result)
        elif isinstance(record, RangeStep):
            if record.id != range_id(record.underlying, record.event_time_us, record.version):
                result.finding(f"id {record.id} is not that of range {record.version} of {record.underlying}")
            key = (record.event_time_us, f"range {record.underlying}")
            result.ranges += _place(regimes, key, (str(record.version), body), result)
    _find_holes(events, result)
    ordered = [body for _, (_, body) in (*sorted(events.items()), *sorted(regimes.items()))]
    result.sha256 = digest(ordered)
    result.events = len(events)
    result.kinds = dict(sorted(result.kinds.items()))
    return result


def _read(body: bytes, result: Digest) -> _Line | None:
    try:
        record: _Line = (
            _decode_regime(body) if b'"sequence":' not in body and b'"account":' not in body else _decode_event(body)
        )
        plain = canonical(msgspec.json.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        result.finding(f"no event ({error}): {body[:80]!r}")
        return None
    if plain != body:
        result.finding(f"not canonical: {body[:80]!r}")
    return record


def _place(places: dict[Key, tuple[str, bytes]], key: Key, said: tuple[str, bytes], result: Digest) -> bool:
    """Put a body at its place; return whether it is the first there."""
    before = places.setdefault(key, said)
    if before is said:
        return True
    if before == said:
        result.repeats += 1
    else:
        result.finding(f"{key} is both {before[0]} and {said[0]}")
    return False


def _find_holes(events: dict[tuple[str, int], tuple[str, bytes]], result: Digest) -> None:
    """Find accounts whose sequences are not 1 to their number of events."""
    last: dict[str, int] = {}
    for account, sequence in sorted(events):
        before = last.get(account, 0)
        if sequence != before + 1:
            result.finding(f"account {account} has no event {before + 1} and has {sequence}")
        last[account] = sequence
    result.accounts = len(last)
