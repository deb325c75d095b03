"""A recorded crash's first leg as a shock to many accounts, and what it comes to under each policy: table and plot.

    liqmon generate accounts ../data/crash-2025-10-10 --accounts 10000 --seed 7 --out accounts.jsonl
    python -m benchmarks.crash.cascade ../data/crash-2025-10-10 --portfolio accounts.jsonl --to 2025-10-10T21:18 \
        --depth 0.05 --json cascade.json
    python -m benchmarks.crash.cascade --read cascade.json --svg docs/figures/cascade-2025-10-10.svg --coin SOL

The market is folded up to `--from`; the accounts' transfers and fills up to then are booked at it. The shock is what
each coin's index did until `--to`. What indices did after it is printed beside what the cascade makes of them.
"""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median

import click
import msgspec

from monitor.answers.shock import Shock
from monitor.cascade import POLICIES, Accounts, Cascade, Policy, Setup, cascade
from monitor.engine import Sourced, State, collect, confirm, new_state, open_shard, step
from monitor.replay.arrival import Merged, Span
from monitor.replay.sequence import Sequence
from monitor.replay.sources import open_accounts, open_sources
from monitor.replay.sources.table import iso_us

BATCH = 256
KEEP = 20_000
LEAST = 0.005  # a smaller move is none: dollar tokens that hold
BEHIND = 100_000_000  # ordinals of what is read second
COLOURS = {
    "at_once": "#b2182b", "stagger": "#ef8a62", "cap": "#2166ac", "auction": "#1b7837", "hedge_first": "#542788",
}  # fmt: skip


class Played(msgspec.Struct, frozen=True):
    """What was played, as it is kept: indices at the start, after the first leg and at their lowest afterwards."""

    start_us: int
    shock_us: int
    accounts: int
    gross_usd: float
    before: dict[str, float]
    shocked: dict[str, float]
    lowest: dict[str, float]
    setup: Setup
    cascades: tuple[Cascade, ...]


def play(markets: tuple[Path, ...], portfolio: Path, start_us: int, shock_us: int, until_us: int, setup: Setup,
         policies: tuple[Policy, ...]) -> Played:  # fmt: skip
    """Fold, book, shock; raises what the sources raise."""
    state = new_state(certificates=False)
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    click.echo(f"market to {start_us}", err=True)
    _step(state, Sequence(Merged(open_sources(markets), Span(None, start_us)), 1))
    before = _indices(state)
    click.echo("accounts", err=True)
    _step(state, Sequence(Merged([open_accounts(portfolio)], Span(None, start_us)), 1), behind=BEHIND)
    click.echo("the market after", err=True)
    shocked, lowest = _afterwards(markets, shock_us, until_us)
    moves = {u: shocked[u] / price - 1.0 for u, price in before.items() if u in shocked}
    shock = Shock(moves={u: move for u, move in moves.items() if abs(move) >= LEAST}, vol=0.0)
    found, gross_usd = [], 0.0
    for policy in policies:
        accounts = Accounts(state)
        gross_usd = math.fsum(abs(line.delta_usd) for name in accounts.names for line in accounts.lines(name))
        found.append(cascade(accounts, shock, policy, setup))
        click.echo(f"{policy.kind}: {len(found[-1].rounds)} rounds, bad debt {found[-1].bad_debt_usd:,.0f}", err=True)
    return Played(start_us, shock_us, found[0].accounts, gross_usd, before, shocked, lowest, setup, tuple(found))


def _step(state: State, records: Sequence, behind: int = 0) -> None:
    batch: list[Sourced] = []
    done = 0
    for item in records:
        batch.append(msgspec.structs.replace(item, offset=item.offset + behind) if behind else item)
        if len(batch) == BATCH:
            step(state, batch)
            batch, done = [], done + BATCH
            if done % KEEP < BATCH:
                confirm(state, collect(state))
    step(state, batch)
    confirm(state, collect(state))
    state.rejected.clear()


def _afterwards(markets: tuple[Path, ...], shock_us: int, until_us: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the indices at one moment, and the lowest of each from then on, looked at every ten seconds."""
    state = new_state(certificates=False)
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    shocked: dict[str, float] = {}
    lowest: dict[str, float] = {}
    batch: list[Sourced] = []
    looked = 0
    for item in Sequence(Merged(open_sources(markets), Span(None, until_us)), 1):
        batch.append(item)
        if len(batch) < BATCH:
            continue
        step(state, batch)
        batch = []
        now_us = state.market.time_us
        if now_us < shock_us or now_us // 10_000_000 == looked:
            continue
        looked = now_us // 10_000_000
        indices = _indices(state)
        shocked = shocked or indices
        lowest = {u: min(price, lowest.get(u, price)) for u, price in indices.items()}
    return shocked, lowest


def _indices(state: State) -> dict[str, float]:
    found = {}
    for underlying in state.market.ticks.underlyings:
        index = state.market.ticks.index(underlying)
        if index is not None and index.price_usd > 0.0:
            found[underlying] = index.price_usd
    return found


def table(played: Played) -> list[str]:
    """Return what came of each policy, as the page has it."""
    rows = [
        "| policy | rounds | liquidated | bankrupt | amplification | largest | traded, USD | cost, USD | bad debt |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in played.cascades:
        coin, most = max(one.amplification.items(), key=lambda item: item[1])
        more = f" + {one.rounds_to_go:,} or more" if one.rounds_to_go else "+"
        rounds = f"{len(one.rounds)}{more if one.ended == 'rounds' else ''}"
        rows.append(
            f"| {one.policy} | {rounds} | {len(one.liquidated):,} | {len(one.bankrupt):,} | "
            f"{median(one.amplification.values()):.2f} | {most:.2f} ({coin}) | {one.traded_usd:,.0f} | "
            f"{one.cost_usd:,.0f} | {one.bad_debt_usd:,.0f} |"
        )
    return rows


def moves(played: Played) -> list[str]:
    """Return by coin the shock, the worst move under each policy, and the recorded one."""
    names = [one.policy for one in played.cascades]
    rows = [f"| coin | shock | {' | '.join(names)} | recorded |", "|---" * (len(names) + 3) + "|"]
    for u, price in sorted(played.before.items()):
        if u not in played.cascades[0].initial_move:
            continue
        worst = " | ".join(f"{100.0 * one.worst_move.get(u, 0.0):.1f} %" for one in played.cascades)
        first = 100.0 * played.cascades[0].initial_move[u]
        rows.append(f"| {u} | {first:.1f} % | {worst} | {100.0 * (played.lowest[u] / price - 1.0):.1f} % |")
    return rows


def draw(played: Played, path: Path, coin: str) -> None:
    """Plot bad debt, amplification and the path of one coin's price by round."""
    import matplotlib as mpl  # noqa: PLC0415 (only who draws needs it)

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "liqmon"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    names = [one.policy for one in played.cascades]
    colours = [COLOURS[name] for name in names]
    figure, (debt, gain, price) = plt.subplots(1, 3, figsize=(12.0, 3.8), layout="constrained")
    debt.bar(names, [one.bad_debt_usd / 1e6 for one in played.cascades], color=colours)
    debt.set_title("Bad debt, million USD", fontsize=10)
    gain.bar(names, [median(one.amplification.values()) for one in played.cascades], color=colours)
    gain.axhline(1.0, color="#666666", linewidth=0.8)
    gain.set_title("Amplification, median of the coins", fontsize=10)
    for one, colour in zip(played.cascades, colours, strict=True):
        price.plot([100.0 * each.move.get(coin, 0.0) for each in one.rounds], color=colour, label=one.policy)
    recorded = 100.0 * (played.lowest[coin] / played.before[coin] - 1.0)
    price.axhline(recorded, color="#666666", linewidth=0.8, linestyle="--", label="recorded lowest")
    price.set_title(f"{coin} index by round, % of the start", fontsize=10)
    price.set_xlabel("round")
    price.set_xscale("symlog", linthresh=10)
    price.set_xlim(left=0)
    price.legend(fontsize=8, frameon=False, loc="center right", bbox_to_anchor=(1.0, 0.62))
    for axes in (debt, gain):
        axes.tick_params(axis="x", labelrotation=30, labelsize=8)
    figure.suptitle(f"{played.accounts:,} accounts, {played.gross_usd / 1e6:,.0f} million USD gross", fontsize=11)
    figure.savefig(path, metadata={"Date": None})
    if path.suffix == ".svg":  # lines without the blanks at their ends
        path.write_text("".join(f"{line.rstrip()}\n" for line in path.read_text().splitlines()))


@click.command()
@click.argument("markets", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--portfolio", type=click.Path(path_type=Path, exists=True), help="JSON lines of accounts.")
@click.option("--from", "start", default="2025-10-10T20:50", show_default=True, help="Where the shock begins, UTC.")
@click.option("--to", "end", default="2025-10-10T21:10", show_default=True, help="Where the shock ends, UTC.")
@click.option("--until", default="2025-10-10T22:00", show_default=True, help="Until when lowest prices are looked for.")
@click.option("--policy", "kinds", multiple=True, type=click.Choice(list(POLICIES)), help="[default: all]")
@click.option("--depth", default=1.0, show_default=True, help="Times the daily volumes of the parameter set.")
@click.option("--cap", type=float, help="Share of a day's volume that `cap` lets through in a round.")
@click.option("--max-rounds", default=1_000, show_default=True, help="Bound on rounds.")
@click.option("--coin", default="BTC", show_default=True, help="Whose price is plotted.")
@click.option("--read", "read_file", type=click.Path(path_type=Path, exists=True), help="Show what was kept.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Keep all of it there.")
@click.option("--svg", "svg_file", type=click.Path(path_type=Path), help="A plot.")
def main(  # noqa: PLR0913, PLR0917 - one argument an option
    markets: tuple[Path, ...], portfolio: Path | None, start: str, end: str, until: str, kinds: tuple[str, ...],
    depth: float, cap: float | None, max_rounds: int, coin: str, read_file: Path | None, json_file: Path | None,
    svg_file: Path | None,
) -> None:  # fmt: skip
    """Play a recorded crash's first leg to its end under every policy."""
    if read_file is not None:
        played = msgspec.json.decode(read_file.read_bytes(), type=Played)
    else:
        if not markets or portfolio is None:
            raise click.UsageError("give market files and --portfolio, or --read")
        setup = Setup(depth=depth, max_rounds=max_rounds)
        chosen = tuple(POLICIES[kind] for kind in kinds or POLICIES)
        if cap is not None:
            chosen = tuple(msgspec.structs.replace(one, volume_per_round=cap) for one in chosen)
        played = play(markets, portfolio, iso_us(start), iso_us(end), iso_us(until), setup, chosen)
    if json_file is not None:
        json_file.write_bytes(msgspec.json.encode(played))
    click.echo("\n".join([*table(played), "", *moves(played)]))
    if svg_file is not None:
        draw(played, svg_file, coin)


if __name__ == "__main__":
    main()
