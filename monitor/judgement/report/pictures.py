"""The run in five pictures: prices, correlation, requirement against equity, events a minute, who was called when.

SVG is drawn in one ink that the page replaces by its own text colour, so that the same picture is read on light and
dark paper; PNG is drawn on white.
"""

from __future__ import annotations

import datetime as dt
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from monitor.errors import UsageError
from monitor.judgement.calls import CALLING, Call, first_calls
from monitor.judgement.paths import Paths
from monitor.judgement.probes import KINDS as PROBES

Axes = Any  # of matplotlib, which takes times where its types do not

INK = "#0b0c0d"  # replaced by currentColor in SVG: nothing else is drawn in it
COLOURS = ("#3b7dd8", "#d9822b", "#2f9e77", "#c2486b", "#8a63d2", "#8d8d3c", "#5aa9c9", "#b0703c", "#7a7f87", "#a05195")
KIND_COLOURS = {"margin_call": "#d9822b", "liquidation": "#c2486b", "bankrupt": "#8a63d2"}
SIZE = (9.2, 3.3)
MOST_ROWS = 400  # accounts in the last picture
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "liqmon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.linewidth": 0.6, "lines.linewidth": 1.2,
    "legend.frameon": False, "legend.fontsize": 8.0, "savefig.transparent": True,
}  # fmt: skip

Draw = Callable[[Axes], None]


class Picture:
    """One picture: its name, what it shows, SVG for the page and PNG beside it."""

    def __init__(self, name: str, caption: str, draw: Draw) -> None:
        self.name, self.caption = name, caption
        self.svg, self.png = _drawn(draw)


def pictures(paths: Paths, calls: Mapping[str, Sequence[Call]], base: str) -> list[Picture]:
    """Return the five pictures; `base` is the configuration of the last. Raises UsageError without matplotlib."""
    when = [dt.datetime.fromtimestamp(at / 1e6, dt.UTC) for at in paths.times_us.tolist()]
    return [
        Picture("prices", "Composite indices, first sample 100", lambda axes: _prices(axes, paths, when)),
        Picture("correlation", "Published correlations: mean over pairs of coins, and absorption ratio",
                lambda axes: _correlation(axes, paths, when)),
        Picture("requirement", "Initial requirements of all accounts against their equity, million USD",
                lambda axes: _requirement(axes, paths, when)),
        Picture("events", "Calls, liquidations and bankruptcies a sample, by configuration",
                lambda axes: _events(axes, paths, when, calls)),
        Picture("who", f"Who was called when under {base}: one row an account, in the order of the first call",
                lambda axes: _who(axes, when, calls[base])),
    ]  # fmt: skip


def _prices(axes: Axes, paths: Paths, when: list[dt.datetime]) -> None:
    index = paths.market.index_usd
    shown = [c for c in range(len(paths.market.coins)) if np.isfinite(index[:, c]).any()]
    for number, c in enumerate(shown):
        first = index[np.flatnonzero(np.isfinite(index[:, c]))[0], c]
        line = {"color": COLOURS[number % len(COLOURS)], "ls": "-" if number < len(COLOURS) else "--"}
        axes.plot(when, 100.0 * index[:, c] / first, label=paths.market.coins[c], **line)
    axes.legend(ncol=2, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _correlation(axes: Axes, paths: Paths, when: list[dt.datetime]) -> None:
    market = paths.market
    for number, (name, series) in enumerate(
        (("fast", market.fast), ("slow", market.slow), ("absorption", market.absorption))
    ):
        axes.plot(when, series, label=name, color=COLOURS[number])
    axes.set_ylim(0.0, 1.0)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _requirement(axes: Axes, paths: Paths, when: list[dt.datetime]) -> None:
    own = ~np.isin(paths.kinds, PROBES)
    axes.plot(when, np.nansum(paths.equity_usd[:, own], axis=1) / 1e6, label="equity", color=INK, lw=2.0)
    for number, one in enumerate(paths.requirements):
        total = np.nansum(one.im_usd[:, own], axis=1) / 1e6
        axes.plot(when, total, label=one.configuration.name, color=COLOURS[number % len(COLOURS)])
    axes.set_ylim(bottom=0.0)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _events(axes: Axes, paths: Paths, when: list[dt.datetime], calls: Mapping[str, Sequence[Call]]) -> None:
    times = paths.times_us
    for number, (name, found) in enumerate(calls.items()):
        at = np.searchsorted(times, [one.at_us for one in found if one.kind in CALLING and one.at_us > times[0]])
        counted = Counter(np.minimum(at, len(times) - 1).tolist())
        axes.step(when, [counted.get(t, 0) for t in range(len(times))], where="mid", label=name,
                  color=COLOURS[number % len(COLOURS)], lw=0.9)  # fmt: skip
    axes.set_yscale("symlog", linthresh=10)
    axes.set_ylim(bottom=0.0)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _who(axes: Axes, when: list[dt.datetime], calls: Sequence[Call]) -> None:
    first = sorted(first_calls(calls).values(), key=lambda one: (one.at_us, one.account))[:MOST_ROWS]
    row = {one.account: number for number, one in enumerate(first)}
    for kind, colour in KIND_COLOURS.items():
        points = [one for one in calls if one.kind == kind and one.account in row]
        axes.scatter([dt.datetime.fromtimestamp(one.at_us / 1e6, dt.UTC) for one in points],
                     [row[one.account] for one in points], s=9, color=colour, lw=0,
                     label=kind.replace("_", " "))  # fmt: skip
    axes.set_xlim(when[0], when[-1])
    axes.set_ylim(max(len(row), 1) - 0.5, -0.5)
    axes.set_ylabel("accounts")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _drawn(draw: Draw) -> tuple[str, bytes]:
    """Return SVG that takes the page's ink, and PNG on white."""
    try:
        import matplotlib as mpl  # noqa: PLC0415
        from matplotlib import dates  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("pictures need matplotlib", "install the extra `report`") from error
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        of_dates = cast("Any", dates)
        locator = of_dates.AutoDateLocator(tz=dt.UTC)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(of_dates.ConciseDateFormatter(locator, tz=dt.UTC))
        axes.grid(visible=True, lw=0.4, color="#88888855")
        drawn, flat = io.StringIO(), io.BytesIO()
        nothing: dict[str, Any] = {"Date": None, "Creator": None}
        figure.savefig(drawn, format="svg", metadata=nothing)
        figure.savefig(flat, format="png", dpi=110, facecolor="white", transparent=False, metadata={"Software": None})
    svg = drawn.getvalue()
    return svg[svg.index("<svg") :].replace(INK, "currentColor"), flat.getvalue()
