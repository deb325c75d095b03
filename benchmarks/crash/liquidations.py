"""Liquidations of a recorded crash, explained end to end and each proved from its bundle.

    liqmon generate accounts ../data/crash-2025-10-10 --accounts 1000 --seed 7 --out accounts.jsonl
    python -m benchmarks.crash.liquidations ../data/crash-2025-10-10 --portfolio accounts.jsonl --count 20

The market is run twice, from `--from` on, with all that the accounts did before it. The first run says which
liquidations there are; of these so many are taken, of different accounts, spread over all of them. The second stops at
each: the account is explained (by Shapley's value as well), its bundle is made, read back from its bytes, and computed
again from nothing else. A copy of the bundle with one figure changed in one digit has to be found out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import click
import msgspec

from monitor.answers.bundle import check, make, read
from monitor.answers.explain import Explained, explain
from monitor.asking.build import this_build
from monitor.asking.subject import base_between, event_of, view_in
from monitor.engine import Sourced, State, collect, confirm, new_state, open_shard, step
from monitor.engine.state import Outgoing
from monitor.replay.arrival import Merged, Span
from monitor.replay.sequence import Sequence
from monitor.replay.sources import open_accounts, open_sources
from monitor.replay.sources.table import iso_us
from schemas.records import AccountEvent
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS

BATCH = 256
KEEP = 80  # batches between two times that what was said is forgotten
EVENTS = (MARGIN_CALLS.name, LIQUIDATIONS.name)
FIGURE = re.compile(rb'"equity_usd":-?\d+\.([0-9])')


class Told(msgspec.Struct, frozen=True):
    """One liquidation: its event, its explanation, and what came of its bundle."""

    event: AccountEvent
    explained: Explained
    bytes: int
    outcome: str
    forged: str
    same: bool


def batches(markets: tuple[Path, ...], portfolio: Path, span: Span) -> Iterator[list[Sourced]]:
    """Yield the merged records of all files within a span, always alike."""
    records = iter(Sequence(Merged([*open_sources(markets), open_accounts(portfolio)], span), 1))
    while batch := list(islice(records, BATCH)):
        yield batch


def run(source: Iterator[list[Sourced]], take: Callable[[State, int, list[Sourced]], bool]) -> None:
    """Run a new state through all batches; `take` steps, and ends the run by returning True."""
    state = new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    for number, batch in enumerate(source):
        if take(state, number, batch):
            return
        if number % KEEP == 0:
            confirm(state, collect(state))
            state.rejected.clear()


def found_in(source: Iterator[list[Sourced]]) -> list[tuple[int, AccountEvent]]:
    """Return all liquidations with the number of their batch."""
    found: list[tuple[int, AccountEvent]] = []

    def take(state: State, number: int, batch: list[Sourced]) -> bool:
        said = [event_of(one.body) for one in step(state, batch) if one.topic == LIQUIDATIONS.name]
        found.extend((number, one) for one in said if one.kind == "liquidation")
        return False

    run(source, take)
    return found


def chosen_from(found: list[tuple[int, AccountEvent]], count: int) -> dict[int, list[AccountEvent]]:
    """Return so many of them by batch, the first of each account, spread over the day."""
    first = list({event.account: (number, event) for number, event in reversed(found)}.values())
    first.sort(key=lambda one: (one[0], one[1].sequence, one[1].account))
    picked = [first[k * len(first) // count] for k in range(min(count, len(first)))]
    by_batch: dict[int, list[AccountEvent]] = {}
    for number, event in picked:
        by_batch.setdefault(number, []).append(event)
    return by_batch


def told_of(source: Iterator[list[Sourced]], wanted: dict[int, list[AccountEvent]]) -> list[Told]:
    """Return what is told of some liquidations, each at its own record."""
    told: list[Told] = []
    earlier: dict[str, list[AccountEvent]] = {event.account: [] for events in wanted.values() for event in events}
    left = sum(map(len, wanted.values()))

    def note(said: list[Outgoing]) -> list[AccountEvent]:
        events = [event_of(one.body) for one in said if one.topic in EVENTS]
        return [event for event in events if event.account in earlier]

    def take(state: State, number: int, batch: list[Sourced]) -> bool:
        if number not in wanted:
            for event in note(step(state, batch)):
                earlier[event.account].append(event)
            return False
        for record in batch:
            accounts = state.shards[0].accounts
            bases = {one.account: accounts[one.account].baseline for one in wanted[number] if one.account in accounts}
            at_once: set[str] = set()
            for event in note(step(state, [record])):
                before = earlier[event.account]
                if any(event.id == one.id for one in wanted[number]):
                    base = base_between(state, before[-1]) if event.account in at_once else bases.get(event.account)
                    told.append(_told(state, event, before, base))
                before.append(event)
                at_once.add(event.account)
        return len(told) == left

    run(source, take)
    return told


def _told(state: State, event: AccountEvent, before: list[AccountEvent], base: object) -> Told:
    view = view_in(state, event.account, base, (), history=None)  # type: ignore[arg-type]
    explained = explain(view, shapley=True, events=tuple(before))
    data = make(view, event, this_build())
    checked = check(read(data), this_build())
    forged = check(read(_forged(data)), this_build())
    said = event.attribution or ()
    change = explained.change
    same = change is not None and [one.group for one in said] == [one.group for one in change.groups] and all(
        abs(one.change_usd - other.sequential_usd) <= 1e-9 * max(1.0, event.im_requirement_usd)
        for one, other in zip(said, change.groups, strict=True)
    )  # fmt: skip
    return Told(event, explained, len(data), checked.outcome, forged.outcome, same)


def _forged(data: bytes) -> bytes:
    match = FIGURE.search(data)
    assert match is not None, "every event has figures"
    digit = b"1" if match[1] != b"1" else b"2"
    return data[: match.start(1)] + digit + data[match.end(1) :]


def table(told: list[Told]) -> list[str]:
    """Return one line for each."""
    rows = [
        "| UTC | account | MM, USD | equity, USD | IM moved by, most by | sums | as the event | bundle | changed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in told:
        event, change = one.event, one.explained.change
        cause, sums = "-", "-"
        if change is not None:
            most = max(change.groups, key=lambda part: abs(part.shapley_usd or 0.0))
            cause = f"{change.change_usd:+,.0f}, {most.group} {most.shapley_usd or 0.0:+,.0f}"
            scale = 1e-9 * max(1.0, event.im_requirement_usd)
            ways = [
                sum(part.sequential_usd for part in change.groups),
                sum(part.shapley_usd or 0.0 for part in change.groups),
            ]
            sums = "yes" if all(abs(way - change.change_usd) <= scale for way in ways) else "no"
        clock = msgspec.json.encode(event.event_time_us).decode()
        rows.append(
            f"| {_clock(int(clock))} | {event.account} | {event.mm_requirement_usd:,.0f} | {event.equity_usd:,.0f} | "
            f"{cause} | {sums} | {'yes' if one.same else 'no'} | {one.outcome}, {one.bytes:,} B | {one.forged} |"
        )
    return rows


def _clock(time_us: int) -> str:
    seconds = time_us // 1_000_000 % 86_400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


@click.command()
@click.argument("markets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--portfolio", required=True, type=click.Path(path_type=Path, exists=True), help="JSON lines of accounts."
)
@click.option("--count", default=20, show_default=True, help="How many liquidations.")
@click.option("--from", "start", default="2025-10-10T20:30", show_default=True, help="Where the market begins, UTC.")
@click.option("--until", default="2025-10-10T21:40", show_default=True, help="Where it ends.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Keep all of it there.")
def main(
    markets: tuple[Path, ...], portfolio: Path, count: int, start: str, until: str, json_file: Path | None
) -> None:  # fmt: skip
    """Explain liquidations of a recorded crash, and verify each from its bundle; exit code 1 if one differs."""
    span = Span(iso_us(start), iso_us(until))
    found = found_in(batches(markets, portfolio, span))
    click.echo(f"{len(found)} liquidations", err=True)
    told = told_of(batches(markets, portfolio, span), chosen_from(found, count))
    click.echo("\n".join(table(told)))
    if json_file is not None:
        json_file.write_bytes(msgspec.json.encode(told))
    good = [one for one in told if one.outcome == "equal" and one.same and one.forged == "differs"]
    click.echo(f"{len(good)} of {len(told)} explained as their events say, equal from their bundles, forgeries found")
    raise SystemExit(0 if len(good) == min(count, len(told)) and told else 1)


if __name__ == "__main__":
    main()
