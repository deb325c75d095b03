"""What account states say of the order in which records were applied, and what verification makes of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from monitor.engine import Sourced, decode_account, decode_marker
from monitor.engine.state import Account
from monitor.verify.recompute import ORDERS, Path, Stamped, run_through
from schemas.headers import EPOCH
from schemas.records import START, AccountEvent, AccountState, Position
from schemas.topics import ACCOUNT_STATES
from tests.simulator.world import World

Positions = Mapping[str, Position]

_decode = msgspec.json.Decoder(AccountState).decode


def states_of(world: World, openings: Mapping[int, Sequence[tuple[int, int]]]) -> dict[int, list[AccountState]]:
    """Return published states by partition, without those that a worker wrote behind its successor's opening."""
    found: dict[int, list[AccountState]] = defaultdict(list)
    for record in world.log.read(world.options.topic(ACCOUNT_STATES)):
        epoch = int(dict(record.headers)[EPOCH])
        if not any(order < record.order and other > epoch for order, other in openings[record.partition]):
            found[record.partition].append(_decode(record.value or b""))
    return found


def ahead(world: World) -> set[tuple[str, int]]:
    """Return accounts and versions that were stored beyond the marker behind them: what a crash in a flush leaves."""
    found: set[tuple[str, int]] = set()
    waiting: dict[int, list[Account]] = defaultdict(list)
    for record in world.log.read(world.options.changelog):
        key, value = record.key or b"", record.value or b""
        if key.startswith(b"!marker/"):
            reached = decode_marker(value).positions
            found |= {
                (one.name, one.version)
                for one in waiting.pop(record.partition, [])
                if not precedes(one.positions, reached)
            }
        elif not key.startswith(b"!"):
            waiting[record.partition].append(decode_account(value))
    return found


def check_points(
    found: Mapping[int, Sequence[AccountState]], excepted: Collection[tuple[str, int]], failures: list[str],
    figures: Counter[str],
) -> None:  # fmt: skip
    """Positions of a partition's states follow each other: nobody names a place where the partition never was.

    `excepted` are accounts and versions that were ahead of it, which follow each other by account alone.
    """
    for partition, said in found.items():
        last: dict[str, Positions] = {}
        for state in said:
            figures["points"] += 1
            of_partition = "" if (state.account, state.version) not in excepted else state.account
            failures += [
                f"state {state.version} of {state.account} (partition {partition}) names {state.positions}, one before "
                f"it {before}"
                for before in (last.get(of_partition, {}), last.get(state.account, {}))
                if not precedes(before, state.positions)
            ]
            last[of_partition] = last[state.account] = state.positions


def precedes(one: Positions, other: Positions) -> bool:
    """Whether nothing had been passed at one place that had not at the other."""
    return all(tuple(position) <= tuple(other.get(topic, START)) for topic, position in one.items())


def check_events(
    account: str, events: Sequence[tuple[AccountEvent, bytes]], records: Iterable[Sourced],
    known: Sequence[AccountState], place: tuple[int, int], failures: list[str], figures: Counter[str],
) -> None:  # fmt: skip
    """Each event of an account comes out byte for byte, as `liqmon verify` has it.

    `records` are those of its partition and the market, by topic in their order; `place` is (partition, partitions).
    """
    by_topic: dict[str, list[Stamped]] = defaultdict(list)
    for number, item in enumerate(records):
        by_topic[item.topic].append(Stamped(item, number))
    anchors = [event for event, _ in events]
    path = path_of(account, known, anchors[-1].positions)
    left = {event.sequence: body for event, body in events}
    figures["verified"] += len(left)
    for tried in ORDERS.values():
        run = run_through(account, anchors, by_topic, tried, *place, path)
        left = {number: body for number, body in left.items() if run.said.get(number) != body}
        if not left:
            return
    failures.append(f"events {sorted(left)} of {account} do not recompute")


def path_of(account: str, known: Iterable[AccountState], end: Positions) -> Path:
    """Return what states say of the way to some positions."""
    flushes, own = [], []
    for state in known:
        if precedes(state.positions, end):
            flushes.append(state.positions)
        if state.account == account:
            own += [one for point in state.path if precedes(one := {**state.positions, **point}, end)]
    return Path(flushes, own)
