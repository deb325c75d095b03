"""The tables of a judgement: rows of texts, for the page and for the terminal."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.judgement.coverage import Coverage
from monitor.judgement.verdict import Judgement


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table: title, what it says, heads, and rows; the first `left` columns are words."""

    title: str
    note: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


def tables(found: Judgement) -> list[TextTable]:
    """Return every table of a judgement, in the order of the page."""
    return [
        _first(found), _quality(found), _coverage(found, "all"), _coverage(found, "type"), _coverage(found, "hour"),
        _tests(found), _policies(found), _audits(found), _procyclicality(found), _differences(found),
        _disagreement(found),
    ]  # fmt: skip


def clock(at_us: int | None) -> str:
    """Return a time as day and second, UTC."""
    return "-" if at_us is None else dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC).strftime("%m-%d %H:%M:%S")


def _first(found: Judgement) -> TextTable:
    names = list(dict.fromkeys(one.configuration for one in found.quality))
    at = {(one.configuration, one.kind): one for one in found.first}
    kinds = ("margin_call", "liquidation", "bankrupt")
    rows = tuple(
        (
            name,
            *(
                f"{clock(at[name, kind].at_us)} {at[name, kind].account}" if (name, kind) in at else "-"
                for kind in kinds
            ),
        )
        for name in names
    )
    return TextTable(
        "Who was called first", "First event of each kind, of accounts that were not due for a call when "
        "sampling began.",
        ("configuration", "first call", "first liquidation", "first bankruptcy"), rows, left=4,
    )  # fmt: skip


def _quality(found: Judgement) -> TextTable:
    rows = tuple(
        (
            one.configuration, str(one.accounts), str(one.called), str(one.liquidated), str(one.jumps),
            str(one.defaults),
            str(one.missed), _seconds(one.median_lead_s), _seconds(one.shortest_lead_s),
            f"{one.false_calls} of {one.judged_calls}", str(one.flip_flops), _percent(one.mean_capital_of_gross),
        )
        for one in found.quality
    )  # fmt: skip
    hours = found.terms.false_us / 3.6e9
    return TextTable(
        "Calls",
        "A default is equity at or below zero with nobody acting; missed ones had no earlier call. A call is "
        "false if equity "
        f"stays above maintenance for {hours:g} h after it, nobody acting. Accounts due for a call at the "
        f"first sample are "
        "left out, so that columns count other accounts under each configuration.",
        ("configuration", "accounts", "called", "liquidated", "jumps", "defaults", "missed", "median lead",
         "shortest lead", "false calls", "called again", "IM of gross"), rows,
    )  # fmt: skip


def _coverage(found: Judgement, by: str) -> TextTable:
    titles = {"all": "Coverage", "type": "Coverage by account type", "hour": "Coverage by hour, UTC"}
    rows = tuple(_coverage_row(one, by) for one in found.coverage if one.by == by and (by != "hour" or one.hits))
    note = (
        "Losses over windows of the close-out period that do not overlap, against the initial requirement at "
        "their start. "
        "The error is clustered by window: accounts fall together."
    )
    if by == "hour":
        note += " Hours without hits are left out."
    return TextTable(
        titles[by], note,
        ("configuration", by if by != "all" else "accounts", "period", "windows", "observations", "hits",
                           "windows hit", "on doubtful data", "rate", "error", "worst loss / IM"), rows, left=3,
    )  # fmt: skip


def _coverage_row(one: Coverage, by: str) -> tuple[str, ...]:
    return (
        one.configuration, one.group if by != "all" else "all", _seconds(one.horizon_s), str(one.windows),
        str(one.observations), str(one.hits), str(one.windows_with_hits), str(one.held_hits), _percent(one.rate),
        _percent(one.rate_error), _number(one.worst),
    )  # fmt: skip


def _tests(found: Judgement) -> TextTable:
    rows = []
    for one in found.coverage:
        if one.tests is None or not one.hits:
            continue
        tests = one.tests
        rows.append(
            (
                one.configuration, one.group, _seconds(one.horizon_s), str(one.windows), str(one.hits),
                _number(tests.kupiec.statistic), f"{tests.kupiec.p_value:.4f}",
                f"{tests.christoffersen.independence.p_value:.4f}", f"{tests.christoffersen.conditional.p_value:.4f}",
                tests.light.zone, _number(tests.shortfall.z2), _number(one.worst),
            )
        )  # fmt: skip
    return TextTable(
        f"Coverage of single positions, tested at {found.terms.probability:.0%}",
        "Long and short of each coin's perpetual. Kupiec's proportion of failures, Christoffersen's independence and "
        "conditional coverage, the supervisors' zones by the exact binomial, and Z2 of Acerbi and Szekely "
        "with the requirement read as a "
        "shortfall at 97.5 %. Series without hits are left out; few windows give these tests little power.",
        ("configuration", "position", "period", "windows", "hits", "LR", "p Kupiec", "p independence", "p conditional",
         "zone", "Z2", "worst loss / IM"), tuple(rows), left=3,
    )  # fmt: skip


def _policies(found: Judgement) -> TextTable:
    rows = tuple(
        (
            one.configuration, one.policy, str(one.acted_on), _usd(one.closed_usd), _usd(one.cost_usd),
            _usd(one.bad_debt_usd), _usd(one.open_debt_usd), f"{one.defaults_avoided} of {one.defaults_without}",
            _usd(one.cost_per_avoided_usd), str(one.needless), _usd(one.insurance_used_usd), _usd(one.deleveraged_usd),
            str(one.deleveraged), _usd(one.unpaid_usd),
        )
        for one in found.policies
    )  # fmt: skip
    fund = found.terms.insurance_usd
    size = "no end" if fund is None else f"{fund:,.0f} USD"
    return TextTable(
        "Other ways to liquidate",
        "One share of everything is closed at the sampled indices and a flat cost; what closing does to "
        "prices is left out. "
        f"Bad debt is paid by the insurance fund ({size}), then by winners, whose positions are closed against it. "
        "Accounts due when sampling began are acted on as well.",
        ("configuration", "policy", "acted on", "closed, USD", "cost, USD", "bad debt, USD", "debt left open, USD",
         "defaults avoided", "cost per avoided, USD", "needless", "insurance used, USD", "borne by winners, USD",
         "winners", "unpaid, USD"), rows, left=2,
    )  # fmt: skip


def _audits(found: Judgement) -> TextTable:
    rows = []
    for name in dict.fromkeys(one.configuration for one in found.audits):
        of = [one for one in found.audits if one.configuration == name and one.actions]
        if not of:
            continue
        cells = []
        for lead in sorted({action.lead_s for one in of for action in one.actions}):
            actions = [action for one in of for action in one.actions if action.lead_s == lead]
            shares = [action.reduction for action in actions if action.reduction is not None]
            deposits = [action.deposit_of_equity for action in actions if action.deposit_of_equity is not None]
            cells.append((lead, len(actions), len(shares), _median(shares), _median(deposits)))
        for lead, count, possible, share, deposit in cells:
            rows.append((name, _seconds(lead), str(count), str(possible), _percent(share), _percent(deposit)))
        small = [one.liquidated_us - one.last_small_us for one in of if one.last_small_us is not None]
        last = _seconds(statistics.median(small) / 1e6) if small else "-"
        rows.append((name, "last chance", str(len(of)), str(len(small)), "25.00 %", last))
    return TextTable(
        "What would have prevented a liquidation",
        "With hindsight: the least share of everything closed, or dollars deposited, so long before the "
        "first liquidation of "
        "an account, that keeps it above maintenance until half an hour after it; medians. `Last chance` is "
        "the median time "
        "before, in the last column, at which closing a quarter was still enough.",
        ("configuration", "before", "liquidations", "preventable by closing", "share closed", "deposit of equity"),
        tuple(rows), left=2,
    )  # fmt: skip


def _procyclicality(found: Judgement) -> TextTable:
    rows = tuple(
        (one.configuration, one.group, _number(one.peak_to_trough), _number(one.largest_rise["1h"]),
         _number(one.largest_rise["24h"]), _percent(one.deviation))
        for one in found.procyclicality if one.group in ("all", "probe-long", "probe-short")
    )  # fmt: skip
    return TextTable(
        "Procyclicality",
        "Of requirement over notional. Positions are constant where accounts do not trade; options change by "
        "themselves.",
        ("configuration", "accounts", "peak to trough", "largest rise, 1 h", "largest rise, 24 h",
         "deviation a sample"),
        rows,
        left=2,
    )  # fmt: skip


def _differences(found: Judgement) -> TextTable:
    rows = tuple(
        (one.a, one.b, one.kind.replace("_", " "), str(one.both), str(one.only_a), str(one.only_b), str(one.earlier_a),
         str(one.earlier_b), str(one.same), _seconds(one.median_lead_s))
        for one in found.differences
    )  # fmt: skip
    return TextTable(
        "Against each other", "Accounts by their first event of the kind; the lead is what A gains on B.",
        ("A", "B", "event", "both", "A alone", "B alone", "A earlier", "B earlier", "same", "median lead"), rows,
        left=3,
    )  # fmt: skip


def _disagreement(found: Judgement) -> TextTable:
    every = max(1, len(found.disagreement) // 12)
    names = tuple(one.configuration for one in found.quality)
    rows = tuple(
        (clock(one.at_us), one.highest, one.lowest, _number(one.ratio), str(one.disputed),
         *(str(one.short.get(name, 0)) for name in names))
        for one in found.disagreement[::every]
    )  # fmt: skip
    return TextTable(
        "Where models disagree", "Accounts whose equity is below the initial requirement, by configuration; "
        "disputed are "
        "those that some call and others do not.", ("at", "most", "least", "ratio", "disputed", *names), rows, left=3,
    )  # fmt: skip


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.1f} min" if abs(value) < 7200 else f"{value / 3600:.1f} h"


def _percent(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{100 * value:.2f} %"


def _number(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.2f}"


def _usd(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def markdown(shown: Iterable[TextTable]) -> str:
    """Return tables as Markdown."""
    out = []
    for one in shown:
        out += [f"**{one.title}.** {one.note}", "", "| " + " | ".join(one.heads) + " |"]
        out.append("|" + "".join("---|" if n < one.left else "---:|" for n in range(len(one.heads))))
        out += ["| " + " | ".join(row) + " |" for row in one.rows]
        out.append("")
    return "\n".join(out)
