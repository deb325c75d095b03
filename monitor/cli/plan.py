"""`liqmon plan`: what to trade so that an account leaves its state at the least cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.table import Table

from monitor.asking.options import Where, where_options
from monitor.cli.wide import console_of
from monitor.errors import ExitCode, MonitorError, UsageError

if TYPE_CHECKING:
    from monitor.answers.plan import Plan, Policy
    from monitor.config import Settings


@click.command(
    epilog="\b\nExample:\n  liqmon generate market --minutes 5 --out market.jsonl\n"
    "  liqmon generate accounts market.jsonl --accounts 20 --out accounts.jsonl\n"
    "  liqmon plan dir-0016 --portfolio accounts.jsonl --market market.jsonl --hedges"
)
@click.argument("account", metavar="ACCOUNT|EVENT")
@where_options
@click.option("--hedges", is_flag=True, help="Perpetuals may be traded beyond what is held.")
@click.option("--no-coins", is_flag=True, help="Coins may not be sold, nor coins owed bought back.")
@click.option("--buffer", type=click.FloatRange(0.0, 1.0, max_open=True), default=0.01, show_default=True,
              help="Share of the target that is kept free.")  # fmt: skip
@click.option("--lot", "lots", metavar="NAME=SIZE", multiple=True, help="Smallest size of an instrument's trade.")
@click.option("--json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    settings: Settings, /, account: str, *, where: Where, buffer: float, lots: tuple[str, ...], **flags: bool
) -> int:  # fmt: skip
    """Print the cheapest trades after which ACCOUNT leaves its state, at the end of the files or topics.

    Of an EVENT (its id, or a file with its JSON) at its own moment. The trades are margined again by the account's own
    model. Beside them: what closing pro rata and the largest first would cost, what one contract more releases, and the
    cheapest single trade. It is a proposal: no order is sent.

    Exit codes: 0 planned, or nothing to do; 1 no trades help (the bankrupt path), or the account has no figures;
    2 wrong use.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.answers.plan import CannotPlan, plan  # noqa: PLC0415
    from monitor.answers.plan.engine import situation_of  # noqa: PLC0415
    from monitor.answers.view import PERPETUALS  # noqa: PLC0415

    policy = _policy(hedges=flags["hedges"], coins=not flags["no_coins"], buffer=buffer, lots=lots)
    view = where.asked(settings, account, also=(PERPETUALS,)).view
    try:
        found = plan(situation_of(view.account, view.market()), policy)
    except CannotPlan as error:
        raise MonitorError(str(error), "plan again when everything that is held has a price") from error
    if flags["json"]:
        click.echo(msgspec.json.encode(found))
    else:
        _print(console_of(), found)
    return ExitCode.FINDINGS if found.outcome == "infeasible" else ExitCode.OK


def _policy(*, hedges: bool, coins: bool, buffer: float, lots: tuple[str, ...]) -> Policy:
    from monitor.answers.plan import Policy  # noqa: PLC0415

    sizes = {}
    for given in lots:
        name, _, size = given.rpartition("=")
        try:
            sizes[name] = float(size)
        except ValueError:
            sizes[name] = 0.0
        if not name or not 0.0 < sizes[name] < float("inf"):
            raise UsageError(f"{given!r} is no lot", "a lot is NAME=SIZE with a size above zero")
    return Policy(hedges=hedges, coins=coins, buffer=buffer, lots=sizes)


def _print(console: Console, found: Plan) -> None:
    console.print(
        f"{found.account}, model {found.model}: equity {found.equity_usd:,.2f} USD, initial requirement "
        f"{found.im_requirement_usd:,.2f}, maintenance {found.mm_requirement_usd:,.2f}",
        highlight=False,
    )  # fmt: skip
    if found.outcome == "nothing":
        console.print("nothing to do", highlight=False)
        return
    if found.outcome == "infeasible":
        left = found.equity_at_full_close_usd
        console.print(f"no trades help; closing everything leaves {left:,.2f} USD of equity", highlight=False)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("instrument", "quantity", "of", "mark", "expected", "cost"):
        table.add_column(name, justify="left" if name == "instrument" else "right")
    for order in found.orders:
        table.add_row(
            order.instrument, f"{order.quantity:+.10g}", f"{order.held:.10g}", f"{order.mark_usd:,.4f}",
            f"{order.expected_price_usd:,.4f}", f"{order.cost_usd:,.2f}",
        )  # fmt: skip
    console.print(table)
    console.print(
        f"cost {found.cost_usd:,.2f} USD releases {found.release_usd:,.2f}; after it equity "
        f"{found.equity_after_usd:,.2f}, initial requirement {found.im_after_usd:,.2f}",
        highlight=False,
    )  # fmt: skip
    others = [*found.baselines, *([found.cheapest_trade] if found.cheapest_trade else [])]
    for one in others:
        price = "does not get there" if one.cost_usd is None else f"{one.cost_usd:,.2f} USD"
        trades = (
            f" ({', '.join(f'{q:+.10g} {name}' for name, q in one.trades.items())})" if len(one.trades) == 1 else ""
        )
        console.print(f"{one.name.replace('_', ' ')}: {price}{trades}", highlight=False)
    console.print(f"deposit instead: {found.deposit_usd:,.2f} USD", highlight=False)
