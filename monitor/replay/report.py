"""What a replay or a generation did, for people and as plain data for `--json`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from monitor.replay.accounts import GeneratedAccounts, Opened
from monitor.replay.arrival import Merged
from monitor.replay.offline import Summary
from monitor.replay.portfolios import SHARES
from monitor.replay.publish import Published
from monitor.replay.sources.base import Source

QUANTILES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
SHOWN = ("p5", "p50", "p95")  # what fits beside each other on a terminal


def clock(time_us: int) -> str:
    """Return a time as UTC, a dash for none."""
    return f"{datetime.fromtimestamp(time_us * 1e-6, UTC):%Y-%m-%d %H:%M:%S}" if time_us else "-"


def sources_data(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Return what was read from each source and what was left out."""
    return [
        {
            "name": source.name, "rows": source.report.rows, "records": source.report.records,
            "malformed": source.report.malformed, "malformed_lines": source.report.listed,
            "notes": source.report.notes,
        }
        for source in sources
    ]  # fmt: skip


def malformed(sources: Sequence[Source]) -> int:
    """Return how many lines of all sources were no records."""
    return sum(source.report.malformed for source in sources)


def complain(console: Console, sources: Sequence[Source]) -> None:
    """Name malformed lines and what else was decided on the way."""
    for source in sources:
        report = source.report
        for line in report.listed:
            _line(console, f"malformed {line}")
        if report.malformed > len(report.listed):
            _line(console, f"malformed {source.name}: {report.malformed - len(report.listed)} more lines")
        for text, count in report.notes.items():
            _line(console, f"{source.name}: {count} x {text}")


def published_data(done: Published, stream: Merged, to: str = "topics") -> dict[str, Any]:
    """Return the summary of a publication."""
    return {
        "to": to, "records": done.records, "messages": done.messages, "total_records": done.total,
        "seconds": round(done.seconds, 3), "records_per_second": _rate(done.total, done.seconds),
        "first_arrival_us": done.first_us, "last_arrival_us": done.last_us, **_left_out(stream),
    }  # fmt: skip


def run_data(summary: Summary, stream: Merged) -> dict[str, Any]:
    """Return the summary of a run through the engine."""
    return {
        "to": "engine", "records": summary.records, "total_records": summary.total, "rejected": summary.rejected,
        "late_in_merge": summary.late, "seconds": round(summary.seconds, 3),
        "records_per_second": _rate(summary.total, summary.seconds), "accounts": summary.accounts,
        "accounts_touched": summary.touched, "events": summary.events, "regimes": summary.regimes,
        "ranges": summary.ranges,
        "first_events": msgspec.to_builtins(summary.first), "status_share": summary.status_share,
        "data_hold_share": summary.data_hold_share, "first_arrival_us": summary.first_us,
        "market_time_us": summary.last_us, **_left_out(stream),
    }  # fmt: skip


def accounts_data(generated: GeneratedAccounts) -> dict[str, Any]:
    """Return what was generated: accounts by kind, quantiles of v and of leverage."""
    opened = generated.opened
    by_kind = {kind: [one for one in opened if one.portfolio.kind == kind] for kind in SHARES}
    return {
        "accounts": len(opened), "records": len(generated.records), "fills": generated.fills,
        "opening_us": generated.opening_us, "synthetic_perpetuals": list(generated.synthetic),
        "in_call_at_opening": sum(one.utilisation >= 1.0 for one in opened),
        "all": _quantiles(opened),
        "kinds": {kind: {"accounts": len(found), **_quantiles(found)} for kind, found in by_kind.items() if found},
    }  # fmt: skip


def print_published(console: Console, data: dict[str, Any]) -> None:
    """Print the summary of a publication."""
    table = Table(title="published", title_justify="left")
    for name in ("topic", "records", "messages"):
        table.add_column(name, justify="left" if name == "topic" else "right")
    records, messages = data["records"], data["messages"]
    for topic in {**records, **messages}:
        table.add_row(topic, *(f"{found[topic]:,}" if topic in found else "" for found in (records, messages)))
    table.add_row("total", f"{data['total_records']:,}", f"{sum(data['messages'].values()):,}")
    console.print(table)
    _print_span(console, data)


def print_run(console: Console, data: dict[str, Any]) -> None:
    """Print the summary of a run through the engine."""
    for kind, count in data["events"].items():
        first = data["first_events"][kind]
        at = clock(first["event_time_us"])
        _line(console, f"{count:>7,} {kind:<12} first {at} {first['account']}: {first['reason']}")
    for regime, count in data["regimes"].items():
        _line(console, f"{count:>7,} times to correlation regime {regime}")
    if data["ranges"]:
        _line(console, f"{data['ranges']:>7,} steps of price ranges")
    shares = ", ".join(f"{status} {share:.2%}" for status, share in data["status_share"].items())
    console.print(f"account-time: {shares or '-'}; on data_hold {data['data_hold_share']:.2%}", highlight=False)
    console.print(f"{data['accounts_touched']:,} of {data['accounts']:,} accounts touched", highlight=False)
    for topic, count in data["records"].items():
        console.print(f"{count:>12,} {topic}", highlight=False)
    for kind, count in data["rejected"].items():
        console.print(f"{count:>12,} refused: {kind}", highlight=False)
    _print_span(console, data)


def print_accounts(console: Console, data: dict[str, Any]) -> None:
    """Print quantiles of utilisation and leverage by kind."""
    # No box: kinds must stay whole on a terminal of 80 columns.
    table = Table(title="v = IM / equity, lev = gross notional / equity", title_justify="left", box=None)
    table.add_column("kind", no_wrap=True)
    table.add_column("accounts", justify="right")
    for part in ("v", "lev"):
        for quantile in SHOWN:
            table.add_column(f"{part} {quantile[1:]}%", justify="right")
    for kind, row in [*data["kinds"].items(), ("all", {"accounts": data["accounts"], **data["all"]})]:
        cells = [f"{row[part][quantile]:.2f}" for part in ("utilisation", "leverage") for quantile in SHOWN]
        table.add_row(kind, f"{row['accounts']:,}", *cells)
    console.print(table)
    console.print(
        f"{data['in_call_at_opening']:,} in call at the opening, {clock(data['opening_us'])} UTC; "
        f"{data['fills']:,} fills later; {data['records']:,} records",
        highlight=False,
    )
    if data["synthetic_perpetuals"]:
        console.print(f"listed by us: {', '.join(data['synthetic_perpetuals'])}", highlight=False)


def _quantiles(opened: Sequence[Opened]) -> dict[str, dict[str, float]]:
    values = {"utilisation": [one.utilisation for one in opened], "leverage": [one.leverage for one in opened]}
    return {
        name: {f"p{100 * quantile:g}": float(np.quantile(found, quantile)) for quantile in QUANTILES}
        for name, found in values.items()
    }


def _left_out(stream: Merged) -> dict[str, int]:
    return {"outside_span": stream.outside, "repeated_index_ticks": stream.repeated}


def _print_span(console: Console, data: dict[str, Any]) -> None:
    last_us = data.get("last_arrival_us", data.get("market_time_us", 0))
    console.print(
        f"market from {clock(data['first_arrival_us'])} to {clock(last_us)} UTC; "
        f"{data['total_records']:,} records in {data['seconds']:.1f} s, {data['records_per_second']:,.0f}/s",
        highlight=False,
    )
    if data["outside_span"] or data["repeated_index_ticks"]:
        console.print(
            f"left out: {data['outside_span']:,} records outside the span, "
            f"{data['repeated_index_ticks']:,} repeated index ticks", highlight=False,
        )  # fmt: skip


def _line(console: Console, text: str) -> None:
    """Print text from elsewhere as it is, on one line."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _rate(records: int, seconds: float) -> float:
    return round(records / seconds, 1) if seconds > 0.0 else 0.0
