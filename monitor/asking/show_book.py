"""`breaches`, `preview` and `what-if` as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.asking.show import show_change
from monitor.asking.tables import moment, number, percent, table, usd

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.answers.book_wide import Breaches
    from monitor.answers.what_if import WhatIf


def show_breaches(console: Console, found: Breaches) -> None:
    """Print who would stand worse."""
    before = ", ".join(f"{count} {name}" for name, count in found.before.items())
    after = ", ".join(f"{count} {name}" for name, count in found.after.items())
    console.print(f"{found.accounts} accounts at {moment(found.market_time_us)} UTC: {before or 'none'}")
    console.print(f"then: {after or 'none'}; {len(found.breaches)} stand worse")
    table(
        console, "", ("account", "model", "now", "then", "equity, USD", "IM, USD", "MM, USD", "missing to IM, USD"),
        ((one.account, one.model, one.before, one.after, usd(one.equity_usd), usd(one.im_requirement_usd),
          usd(one.mm_requirement_usd), usd(one.shortfall_usd)) for one in found.breaches), left=4,
    )  # fmt: skip


def show_what_if(console: Console, found: WhatIf) -> None:
    """Print an account before and after a hypothesis."""
    console.print(f"{found.account}, {moment(found.market_time_us)} UTC")
    table(console, "", ("traded", "at"), ((name, number(price)) for name, price in found.prices.items()))
    table(
        console, "",
        ("", "model", "parameters", "standing", "equity, USD", "IM, USD", "MM, USD", "IM excess, USD", "IM / equity"),
        ((name, one.model, one.parameter_set, one.standing, usd(one.equity_usd), usd(one.im_requirement_usd),
          usd(one.mm_requirement_usd), usd(one.im_excess_usd), percent(one.v))
         for name, one in (("before", found.before), ("after", found.after))), left=4,
    )  # fmt: skip
    if found.change is not None:
        show_change(console, "change of IM", found.change)
