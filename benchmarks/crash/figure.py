"""Curves over time as an SVG: panels below each other, labels beside the ends of their lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.crash.recording import Floats, Ints

WIDTH, LEFT, RIGHT, TOP = 900, 56, 190, 52
HOUR_US = 3_600_000_000
LABEL_GAP = 13.0  # pixels between the labels of two lines
PANEL_GAP = 56

_Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: NaN leaves a gap. A dashed one is there for comparison."""

    label: str
    colour: str
    values: Floats
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines on one scale from 0 to `top`."""

    title: str
    lines: tuple[Line, ...]
    height: int = 190
    top: float = 1.0


def plot(times_us: Ints, panels: tuple[Panel, ...], title: str, subtitle: str, mark_us: int | None) -> str:
    """Return the SVG; every line has one value a time."""
    size = TOP + sum(panel.height + PANEL_GAP for panel in panels)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {size}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{size}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="15" font-weight="bold">{title}</text>',
        f'<text x="{LEFT}" y="36" fill="#555">{subtitle}</text>',
    ]
    top = TOP + 18
    for panel in panels:
        out += _panel(times_us, panel, top, mark_us)
        top += panel.height + PANEL_GAP
    out.append("</svg>")
    return "\n".join(out) + "\n"


def _panel(times_us: Ints, panel: Panel, top: int, mark_us: int | None) -> list[str]:
    first, last = int(times_us[0]), int(times_us[-1])
    right, height = WIDTH - RIGHT, panel.height

    def x(time_us: int) -> float:
        return LEFT + (right - LEFT) * (time_us - first) / (last - first)

    def y(value: float) -> float:
        return top + height * (1.0 - min(value, panel.top) / panel.top)

    out = [f'<text x="{LEFT}" y="{top - 6}" fill="#333" font-weight="bold">{panel.title}</text>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = share * panel.top
        out.append(f'<path d="M{LEFT} {y(value):.1f}H{right}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#555">{value:g}</text>')
    step_us = 3 * HOUR_US if last - first < 48 * HOUR_US else 24 * HOUR_US
    for time_us in range(-(-first // step_us) * step_us, last + 1, step_us):
        label = datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%H:%M" if step_us < 24 * HOUR_US else "%d %b")
        out.append(f'<path d="M{x(time_us):.1f} {top}V{top + height}" stroke="#eee"/>')
        out.append(
            f'<text x="{x(time_us):.1f}" y="{top + height + 16}" text-anchor="middle" fill="#555">{label}</text>'
        )
    if mark_us is not None:
        out.append(f'<path d="M{x(mark_us):.1f} {top}V{top + height}" stroke="#333" stroke-dasharray="4 3"/>')
    for line in panel.lines:
        out += _polylines(line, [x(int(t)) for t in times_us], y)
    return out + _labels(panel.lines, y, right + 8)


def _polylines(line: Line, xs: list[float], y: _Scale) -> list[str]:
    dash = ' stroke-dasharray="3 2"' if line.is_dashed else ""
    out, points = [], []
    for x, value in zip([*xs, math.nan], [*line.values.tolist(), math.nan], strict=True):
        if not math.isnan(value):
            points.append(f"{x:.1f},{y(value):.1f}")
        elif points:
            out.append(
                f'<polyline points="{" ".join(points)}" fill="none" stroke="{line.colour}" stroke-width="1.4"{dash}/>'
            )
            points = []
    return out


def _labels(lines: tuple[Line, ...], y: _Scale, x: int) -> list[str]:
    """Return labels from the highest end to the lowest, each at least a gap below the one before."""
    ends = []
    for line in lines:
        known = [value for value in line.values.tolist() if not math.isnan(value)]
        if known:
            ends.append((y(known[-1]), known[-1], line))
    out, lowest = [], -math.inf
    for at, value, line in sorted(ends, key=lambda end: end[0]):
        lowest = max(at, lowest + LABEL_GAP)
        out.append(f'<text x="{x}" y="{lowest + 4:.1f}" fill="{line.colour}">{line.label} {value:.2f}</text>')
    return out
