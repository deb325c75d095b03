"""What has to hold after a fault, as pure functions of what stands on the topics.

Strict order: the events are those of the engine alone, byte for byte, and so are the stored accounts. Live order: no
event is lost, no id has two contents, no sequence has a hole, and events can be computed again from their positions.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

CLOSE = 1e-9
UNSAID = frozenset({"attribution", "attribution_base"})
"""What an attribution counts from: where, between two events of an account, its trades fell between prices. Topics have
no order between them (docs/verify.md), and after a takeover a worker takes what comes."""


class Said(NamedTuple):
    """One message of an event topic, in the order of its partition; `account` is empty for regimes and ranges."""

    topic: str
    partition: int
    epoch: int
    id: str
    account: str
    sequence: int
    body: bytes


@dataclass
class Verdict:
    """Counts of broken guarantees, and what happened besides; `notes` say more of the former."""

    events: int = 0
    lost: int = 0
    duplicated: int = 0
    differing: int = 0
    holes: int = 0
    states: int = 0
    refuted: int = 0
    recomputed: int = 0
    unsaid: int = 0
    repeats: int = 0
    stale: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Whether any guarantee broke."""
        return bool(self.lost or self.duplicated or self.differing or self.holes or self.states or self.refuted)

    def add(self, other: Verdict) -> None:
        """Take in the verdict of another part of the run."""
        for name in (
            "events", "lost", "duplicated", "differing", "holes", "states", "refuted", "recomputed", "unsaid",
            "repeats", "stale",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.notes += other.notes


def in_force(said: Iterable[Said]) -> tuple[list[Said], int]:
    """Leave out what came after a larger epoch in its partition, as readers do; return it with the count left out."""
    newest: dict[tuple[str, int], int] = {}
    kept, stale = [], 0
    for one in said:
        place = (one.topic, one.partition)
        if one.epoch < newest.get(place, 0):
            stale += 1
            continue
        newest[place] = one.epoch
        kept.append(one)
    return kept, stale


def strict(said: Iterable[Said], reference: Mapping[str, bytes]) -> Verdict:
    """Compare every message with the events of an undisturbed run, by id; whoever sent it, however late."""
    messages = list(said)
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for one in messages:
        bodies[one.id].add(one.body)
    verdict = Verdict(events=len(bodies), repeats=len(messages) - len(bodies), stale=in_force(messages)[1])
    missing = sorted(set(reference) - set(bodies))
    invented = sorted(set(bodies) - set(reference))
    other = sorted(name for name in set(bodies) & set(reference) if bodies[name] != {reference[name]})
    verdict.lost, verdict.duplicated, verdict.differing = len(missing), len(invented), len(other)
    verdict.notes += [f"lost {name}" for name in missing[:3]]
    verdict.notes += [f"not of the reference {name}" for name in invented[:3]]
    verdict.notes += [f"other bytes {name}" for name in other[:3]]
    verdict.holes = sum(1 for _ in _holes(messages))
    return verdict


def live(said: Iterable[Said], stored: Mapping[str, int]) -> Verdict:
    """Judge the messages that readers take by what the accounts have stored as their last sequence numbers."""
    messages = list(said)
    kept, stale = in_force(messages)
    contents: dict[str, set[bytes]] = defaultdict(set)
    ids: dict[tuple[str, int], set[str]] = defaultdict(set)
    for one in kept:
        contents[one.id].add(one.body)
        if one.account:
            ids[one.account, one.sequence].add(one.id)
    verdict = Verdict(events=len(contents), repeats=len(kept) - len(contents), stale=stale)
    expected = {(account, number) for account, last in stored.items() for number in range(1, last + 1)}
    missing, invented = sorted(expected - set(ids)), sorted(set(ids) - expected)
    two = sorted(place for place, names in ids.items() if len(names) > 1)
    other = sorted(name for name, bodies in contents.items() if len(bodies) > 1)
    verdict.lost, verdict.duplicated, verdict.differing = len(missing), len(two) + len(invented), len(other)
    verdict.notes += [f"lost {place}" for place in missing[:3]]
    verdict.notes += [f"two ids at {place}" for place in two[:3]]
    verdict.notes += [f"beyond the stored state {place}" for place in invented[:3]]
    verdict.notes += [f"two contents {name}" for name in other[:3]]
    verdict.holes = sum(1 for _ in _holes(kept))
    return verdict


def states(found: Mapping[str, bytes], reference: Mapping[str, bytes]) -> Verdict:
    """Compare stored accounts with those of an undisturbed run."""
    wrong = sorted(name for name in {*found, *reference} if found.get(name) != reference.get(name))
    return Verdict(states=len(wrong), notes=[f"state of {name} differs" for name in wrong[:3]])


def positions(found: Mapping[tuple[str, str], float], trades: Mapping[tuple[str, str], float]) -> Verdict:
    """Compare stored quantities by (account, instrument) with the sums of what was published."""
    wrong = [
        place for place in sorted({*found, *trades})
        if not math.isclose(found.get(place, 0.0), trades.get(place, 0.0), rel_tol=CLOSE, abs_tol=1e-6)
    ]  # fmt: skip
    return Verdict(states=len(wrong), notes=[f"position {place} is not the sum of its trades" for place in wrong[:3]])


def recomputed(said: Mapping[int, bytes], again: Iterable[Mapping[int, bytes]]) -> Verdict:
    """Compare one account's events by sequence with what their positions give, in any of several orders.

    What differs only in `UNSAID` is counted apart: topics do not say it.
    """
    orders, verdict = list(again), Verdict(recomputed=len(said))
    for number, body in sorted(said.items()):
        if any(one.get(number) == body for one in orders):
            continue
        fields = min((_fields_apart(body, one.get(number)) for one in orders), key=len)
        if fields <= UNSAID:
            verdict.unsaid += 1
        else:
            verdict.refuted += 1
            verdict.notes.append(f"{number} does not recompute: {', '.join(sorted(fields))}")
    verdict.notes = verdict.notes[:3]
    return verdict


def _fields_apart(one: bytes, other: bytes | None) -> set[str]:
    """Return the names of the fields in which two events differ; of no event all, and a word for it."""
    if other is None:
        return {"no such event", *UNSAID}
    left, right = json.loads(one), json.loads(other)
    return {name for name in {*left, *right} if left.get(name) != right.get(name)} or {"spelling"}


def delivered(alerts: Iterable[tuple[str, str]], refused: Mapping[str, int], expected: Mapping[str, str]) -> Verdict:
    """Judge what a bot was given, as (id, digest of the body), by what stands on the topics."""
    given = Counter(name for name, _ in alerts)
    verdict = Verdict()
    verdict.lost = len(set(expected) - set(given))
    verdict.duplicated = sum(given.values()) - len(given)
    verdict.differing = sum(digest != expected.get(name) for name, digest in dict(alerts).items())
    verdict.differing += sum(count for reason, count in refused.items() if reason not in {"repeated", "stale_epoch"})
    if verdict.broken:
        verdict.notes.append(
            f"the bot missed {verdict.lost}, had {verdict.duplicated} twice, {verdict.differing} wrong; {dict(refused)}"
        )
    return verdict


def longest_gap_s(stamps_ms: Mapping[int, Iterable[int]], start_ms: float, end_ms: float) -> float:
    """Return the longest time in a window in which some partition wrote no state, seconds."""
    longest = 0.0
    for stamps in stamps_ms.values():
        times = [start_ms, *(float(t) for t in sorted(stamps) if start_ms < t < end_ms), end_ms]
        longest = max(longest, *(after - before for before, after in itertools.pairwise(times)))
    return longest / 1000.0


def p95(values: Iterable[float]) -> float:
    """Return the value that 95 % are at or below; NaN of none."""
    ordered = sorted(values)
    return ordered[math.ceil(0.95 * len(ordered)) - 1] if ordered else math.nan


def _holes(said: Iterable[Said]) -> Iterator[str]:
    """Yield accounts whose sequence numbers are not 1 to the last one."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for one in said:
        if one.account:
            numbers[one.account].add(one.sequence)
    return (account for account, seen in sorted(numbers.items()) if seen != set(range(1, max(seen) + 1)))
