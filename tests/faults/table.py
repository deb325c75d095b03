"""Rows of the table, and the document that keeps the last one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.judge import Verdict, p95

HEAD = (
    "| fault | order | count | events | lost | duplicated after id | differing bytes | holes | states differing "
    "| recomputed | sent again | longest gap s | recovery p95 s | took s | load | |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|"
)


@dataclass
class Row:
    """One fault as it was met: what came of it, and how long things took.

    `load` is the machine's at the end; `broken` are reasons besides the verdict.
    """

    fault: str
    order: str
    count: str
    verdict: Verdict = field(default_factory=Verdict)
    gap_s: float = math.nan
    recoveries_s: list[float] = field(default_factory=list)
    sent_again: int = 0
    seconds: float = 0.0
    load: float = 0.0
    more: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether every guarantee held."""
        return not self.broken and not self.verdict.broken

    def line(self) -> str:
        """Return the row as Markdown."""
        v = self.verdict
        unsaid = [f"{v.unsaid} recompute but for what their attribution counts from"] if v.unsaid else []
        said = "; ".join(
            ["held" if self.held else "BROKEN", *self.broken, *(v.notes if v.broken else ()), *unsaid, *self.more]
        )
        cells = [
            self.fault, self.order, self.count, f"{v.events:,}", v.lost, v.duplicated, v.differing, v.holes, v.states,
            "all" if self.order == "strict" else f"{v.recomputed:,}", f"{self.sent_again:,}",
            _seconds(self.gap_s), _seconds(p95(self.recoveries_s)), f"{self.seconds:.0f}", f"{self.load:.0f}",
            said.replace("|", "/"),
        ]  # fmt: skip
        return "| " + " | ".join(map(str, cells)) + " |"

    def as_json(self) -> dict[str, Any]:
        """Return the row's figures by name."""
        v = self.verdict
        return {
            "fault": self.fault, "order": self.order, "count": self.count, "held": self.held, "events": v.events,
            "lost": v.lost, "duplicated_after_id": v.duplicated, "differing_bytes": v.differing, "holes": v.holes,
            "states_differing": v.states, "recomputed": v.recomputed, "not_recomputing": v.refuted,
            "but_for_attribution": v.unsaid,
            "repeats": v.repeats, "stale_epochs": v.stale, "sent_again": self.sent_again,
            "longest_gap_s": None if math.isnan(self.gap_s) else round(self.gap_s, 1),
            "recovery_p95_s": round(p95(self.recoveries_s), 1) if self.recoveries_s else None,
            "seconds": round(self.seconds, 1),
            "load": round(self.load, 1), "notes": [*self.broken, *v.notes, *self.more],
        }  # fmt: skip


def _seconds(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1f}"


def table(rows: list[Row]) -> str:
    """Return all rows as Markdown."""
    return "\n".join([HEAD, *(row.line() for row in rows)])


def keep(document: Path, name: str, rows: list[Row]) -> None:
    """Put rows between the markers of a name, in place of those of the same fault and order; the others stay.

    Raises ValueError if the document has no such markers.
    """
    old = document.read_text()
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, tail = old.index(begin) + len(begin), old.index(end)
    lines = {_place(line): line for line in old[head:tail].splitlines() if line.startswith("| F")}
    lines |= {_place(line): line for line in (row.line() for row in rows)}
    text = "\n".join([HEAD, *(lines[place] for place in sorted(lines))])
    document.write_text(f"{old[:head]}\n{text}\n{old[tail:]}")


def _place(line: str) -> tuple[int, str, bool, str]:
    """Return what rows are sorted by: number and name of the fault, strict order first, and the rest of what it is.

    Rows of a broker that is away differ in their seconds alone, and stand beside each other.
    """
    fault, order, count = (cell.strip() for cell in line.split("|")[1:4])
    return int(fault[1:].split()[0]), fault, order != "strict", count if fault.endswith("down") else ""
