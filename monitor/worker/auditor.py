"""Audits of a few accounts while the worker runs: which, when, and what is said of a difference.

The sample follows from the market's positions alone, so it can be drawn again. An account that differed is asked again
with every sample until it agrees: until then the worker says that it is not sound.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

import structlog

from monitor.engine.audit import Difference, audit
from monitor.engine.state import Shard, State
from monitor.worker.errors import AuditFailed

SAMPLE = 4  # accounts of one audit: some 4 ms with a few underlyings each

AGAIN = 16  # of those that differed, asked again beside it: a broken book must not stop the worker

log = structlog.get_logger("monitor.worker")


class Auditor:
    """Audits the states of one worker every so many records (0: never); `ends` makes a difference end the process."""

    def __init__(self, every_records: int, *, ends: bool = False) -> None:
        self._every = every_records
        self._ends = ends
        self._next = every_records
        self._names: dict[int, tuple[object, list[str]]] = {}  # by state: of which shards, and their accounts
        self._differing: set[str] = set()
        self.audited = 0
        self.differences = 0

    @property
    def sound(self) -> bool:
        """Whether no account is known to differ."""
        return not self._differing

    def look(self, applied: int, states: Collection[State]) -> None:
        """Audit if `applied`, the records so far, has come far enough; raises AuditFailed if that is asked for."""
        if not self._every or applied < self._next:
            return
        self._next = applied + self._every
        # What is not ours any more is for its owner to judge.
        self._differing = {name for name in self._differing if any(name in state.partition_of for state in states)}
        for key, state in enumerate(states):
            drawn = draw(self._names_of(key, state), state.market.positions)
            known = sorted(name for name in self._differing if name in state.partition_of)
            self._audit(state, sorted({*drawn, *known[:AGAIN]}))

    def _audit(self, state: State, names: list[str]) -> None:
        found = {difference.account: difference for difference in audit(state, names)}
        self.audited += len(names)
        self.differences += len(found)
        self._differing = (self._differing - set(names)) | set(found)
        for difference in found.values():
            _tell(difference, state)
        if found and self._ends:
            raise AuditFailed(
                f"the book's figures of {', '.join(found)} are not those of a recomputation",
                "keep the log; a restart makes the book anew from the stored accounts",
            )

    def _names_of(self, key: int, state: State) -> list[str]:
        """Return the accounts of a state in order; accounts come with records, and go only with their shard."""
        shards = tuple((p, shard.marker.epoch, len(shard.accounts)) for p, shard in sorted(state.shards.items()))
        known = self._names.get(key)
        if known is None or known[0] != shards:
            known = self._names[key] = shards, _sorted(state.shards)
        return known[1]


def draw(names: list[str], positions: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return the accounts to audit at some market positions: always the same ones."""
    seed = ";".join(f"{topic}:{offset}:{index}" for topic, (offset, index) in sorted(positions.items()))
    return random.Random(seed).sample(names, min(SAMPLE, len(names)))  # noqa: S311 (a sample, not a secret)


def _sorted(shards: Mapping[int, Shard]) -> list[str]:
    return sorted(name for shard in shards.values() for name in shard.accounts)


def _tell(difference: Difference, state: State) -> None:
    book, anew = difference.book, difference.anew
    log.error(
        "audit_difference", account=difference.account, gross_usd=difference.gross_usd,
        book={name: repr(getattr(book, name)) for name in book.__dataclass_fields__},
        anew={name: repr(getattr(anew, name)) for name in anew.__dataclass_fields__},
        time_us=state.market.time_us, positions={topic: list(at) for topic, at in state.market.positions.items()},
    )  # fmt: skip
