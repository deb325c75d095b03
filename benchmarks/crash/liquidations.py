"""Liquidations of a recorded crash, explained end to end and each proved from its bundle.

    cd ../data/crash-2025-10-10
    liqmon generate accounts trades/gemini_* options_okx --accounts 600 --seed 7 --out accounts.jsonl
    python -m benchmarks.crash.liquidations trades/gemini_* options_okx --portfolio accounts.jsonl --count 20

The market is run twice, from `--from` on, with all that the accounts did before it. The first run says which
liquidations there are; of these so many are taken, of different accounts: the largest shortfalls, some of every hour,
and some of every cause. The second stops at each: the account is explained (by Shapley's value as well), its bundle is
made, read back from its bytes, and computed again from nothing else. A copy of the bundle with one figure changed in
one digit has to be found out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import click
import msgspec

from monitor.answers.bundle import check, make, read
from monitor.answers.explain import Explained, explain
from monitor.answers.moment import step_watched
from monitor.asking.build import this_build
from monitor.asking.subject import event_of, view_at
from monitor.engine import Sourced, State, collect, confirm, new_state, open_shard, step
from monitor.engine.baseline import Baseline
from monitor.engine.state import Outgoing
from monitor.replay.arrival import Merged, Span
from monitor.replay.sequence import Sequence as Ordered
from monitor.replay.sources import open_accounts, open_sources
from monitor.replay.sources.table import iso_us
from schemas.records import AccountEvent
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS

BATCH = 256
KEEP = 80  # batches between two times that what was said is forgotten
EVENTS = (MARGIN_CALLS.name, LIQUIDATIONS.name)
HOUR_US = 3_600_000_000
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
    records = iter(Ordered(Merged([*open_sources(markets), open_accounts(portfolio)], span), 1))
    while batch := list(islice(records, BATCH)):
        yield batch


def run(source: Iterator[list[Sourced]], take: Callable[[State, list[Sourced]], bool]) -> None:
    """Run a new state through all batches; `take` steps, and ends the run by returning True."""
    state = new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    for number, batch in enumerate(source):
        if take(state, batch):
            return
        if number % KEEP == 0:
            confirm(state, collect(state))
            state.rejected.clear()


def found_in(source: Iterator[list[Sourced]]) -> list[AccountEvent]:
    """Return all liquidations."""
    found: list[AccountEvent] = []

    def take(state: State, batch: list[Sourced]) -> bool:
        said = [event_of(one.body) for one in step(state, batch) if one.topic == LIQUIDATIONS.name]
        found.extend(one for one in said if one.kind == "liquidation")
        return False

    run(source, take)
    return found


def cause_of(event: AccountEvent) -> str:
    """Return the group that moved the requirement most since the event before."""
    parts = event.attribution or ()
    return max(parts, key=lambda part: abs(part.change_usd)).group if parts else "-"


def chosen_from(found: Sequence[AccountEvent], count: int) -> list[AccountEvent]:
    """Return so many of them, of different accounts, each the largest shortfall that is left of some kind.

    In turns: of all; of the hour of which least have been taken; of the group that moved the requirement most of which
    least have been taken.
    """
    left, picked = list(found), list[AccountEvent]()
    hours, causes = Counter[int](), Counter[str]()
    for turn in range(count):
        if not left:
            break
        left.sort(key=lambda one: (-one.shortfall_usd, one.id))
        if turn % 3 == 1:
            left.sort(key=lambda one: hours[one.event_time_us // HOUR_US])
        elif turn % 3 == 2:
            left.sort(key=lambda one: causes[cause_of(one)])
        event = left[0]
        picked.append(event)
        hours[event.event_time_us // HOUR_US] += 1
        causes[cause_of(event)] += 1
        left = [one for one in left if one.account != event.account]
    return picked


def told_of(source: Iterator[list[Sourced]], wanted: Sequence[AccountEvent]) -> list[Told]:
    """Return what is told of some liquidations, each at its own moment."""
    told: list[Told] = []
    identities = {event.id for event in wanted}
    earlier: dict[str, list[AccountEvent]] = {event.account: [] for event in wanted}

    def take(state: State, batch: list[Sourced]) -> bool:
        def tell(outgoing: Outgoing, base: Baseline | None) -> None:
            if outgoing.topic not in EVENTS:
                return
            event = event_of(outgoing.body)
            if event.id in identities:
                told.append(_told(state, event, earlier[event.account], base))
            earlier[event.account].append(event)

        step_watched(state, batch, earlier, tell)
        return len(told) == len(wanted)

    run(source, take)
    return told


def _told(state: State, event: AccountEvent, before: list[AccountEvent], base: Baseline | None) -> Told:
    view = view_at(state, event.account, base, (), history=None)
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
        "| UTC | account | short of MM | equity, USD | IM moved by, most by | sums | as event | bundle | changed |",
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
        rows.append(
            f"| {_clock(event.event_time_us)} | {event.account} | {event.shortfall_usd:,.0f} | "
            f"{event.equity_usd:,.0f} | {cause} | {sums} | {'yes' if one.same else 'no'} | "
            f"{one.outcome}, {one.bytes:,} B | {one.forged} |"
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
@click.option("--from", "start", default="2025-10-10", show_default=True, help="Where the market begins, UTC.")
@click.option("--until", default="2025-10-11", show_default=True, help="Where it ends.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Keep all of it there.")
def main(
    markets: tuple[Path, ...], portfolio: Path, count: int, start: str, until: str, json_file: Path | None
) -> None:  # fmt: skip
    """Explain liquidations of a recorded crash, and verify each from its bundle; exit code 1 if one differs."""
    span = Span(iso_us(start), iso_us(until))
    found = found_in(batches(markets, portfolio, span))
    hours = Counter(_clock(event.event_time_us)[:2] for event in found)
    by_hour = ", ".join(f"{hour} h {count}" for hour, count in sorted(hours.items()))
    causes = ", ".join(f"{cause} {count}" for cause, count in Counter(cause_of(one) for one in found).most_common())
    click.echo(f"{len(found)} liquidations; {by_hour}; {causes}", err=True)
    told = told_of(batches(markets, portfolio, span), chosen_from(found, count))
    click.echo("\n".join(table(told)))
    if json_file is not None:
        json_file.write_bytes(msgspec.json.encode(told))
    good = [one for one in told if one.outcome == "equal" and one.same and one.forged == "differs"]
    click.echo(f"{len(good)} of {len(told)} explained as their events say, equal from their bundles, forgeries found")
    raise SystemExit(0 if len(good) == min(count, len(told)) and told else 1)


if __name__ == "__main__":
    main()
