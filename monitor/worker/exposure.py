"""What a desk's dashboards show of a worker: accounts in trouble, the state of indices, regime and correlations.

Figures of accounts are those of their stored states. These are at most a pricing interval old for accounts that are not
healthy, and as old as their last own record for the others, which is why only the former are in here. No label names
an account: who stands on a rank is on the desk page.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from monitor.engine.market import Market
    from monitor.engine.state import Account

PREFIX: Final = "liqmon_"
RANKS: Final = 20
MAX_COINS: Final = 12
"""Of the correlations that are shown: 12 coins are 144 series, and more do not fit a screen."""
REGIMES: Final = ("calm", "concentration", "breakdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One look. Money is USD by status; `utilisation` are maintenance requirements over equity, the highest first."""

    equity_usd: Mapping[str, float] = field(default_factory=dict)
    im_usd: Mapping[str, float] = field(default_factory=dict)
    mm_usd: Mapping[str, float] = field(default_factory=dict)
    utilisation: tuple[float, ...] = ()
    indices: Mapping[str, int] = field(default_factory=dict)
    regime: str | None = None
    absorption_ratio: float = 0.0
    distance: float = 0.0
    correlations: Mapping[tuple[str, str], float] = field(default_factory=dict)


def look(accounts: Iterable[Account], market: Market | None) -> Exposure:
    """Return what is to be shown of accounts and of the market that they are judged by."""
    equity: dict[str, float] = defaultdict(float)
    initial: dict[str, float] = defaultdict(float)
    maintenance: dict[str, float] = defaultdict(float)
    used: list[float] = []
    for one in accounts:
        if one.status == "healthy" or one.config.closed:
            continue
        equity[one.status] += one.equity_usd
        initial[one.status] += one.im_requirement_usd
        maintenance[one.status] += one.mm_requirement_usd
        if one.equity_usd > 0.0:
            used.append(one.mm_requirement_usd / one.equity_usd)
    highest = tuple(heapq.nlargest(RANKS, used))
    if market is None:
        return Exposure(equity_usd=equity, im_usd=initial, mm_usd=maintenance, utilisation=highest)
    ticks, view = market.ticks, market.ticks.correlation
    indices = {"fresh": 0, "held": 0}
    for name in ticks.underlyings:
        index = ticks.index(name)
        indices["held" if index is None or index.held else "fresh"] += 1
    shown = [(k, name) for k, name in enumerate(view.underlyings) if name not in view.quiet][:MAX_COINS]
    return Exposure(
        equity_usd=equity, im_usd=initial, mm_usd=maintenance, utilisation=highest, indices=indices,
        regime=ticks.regime.regime, absorption_ratio=view.absorption_ratio, distance=view.distance,
        correlations={(a, b): float(view.fast[j, k]) for j, a in shown for k, b in shown},
    )  # fmt: skip


def families(seen: Exposure) -> Iterator[Metric]:
    """Yield the metrics of a look."""
    yield _of("trouble_equity_usd", "Equity of accounts that are not healthy.", ("status",),
              {(status,): usd for status, usd in seen.equity_usd.items()})  # fmt: skip
    levels = {"initial": seen.im_usd, "maintenance": seen.mm_usd}
    yield _of("trouble_requirement_usd", "Requirements of accounts that are not healthy.", ("level", "status"),
              {(level, status): usd for level, found in levels.items() for status, usd in found.items()})  # fmt: skip
    yield _of("utilisation_ratio", "Highest maintenance requirements over equity, by rank.", ("rank",),
              {(f"{rank:02}",): ratio for rank, ratio in enumerate(seen.utilisation, 1)})  # fmt: skip
    yield _of("indices", "Composite indices by whether they may liquidate anybody.", ("state",),
              {(state,): float(count) for state, count in seen.indices.items()})  # fmt: skip
    in_force = {} if seen.regime is None else {(one,): float(one == seen.regime) for one in REGIMES}
    yield _of("regime", "1 for the correlation regime in force.", ("regime",), in_force)
    known = seen.regime is not None
    yield _of("absorption_ratio", "Share of the first component of the fast correlations.", (),
              {(): seen.absorption_ratio} if known else {})  # fmt: skip
    yield _of("correlation_distance_ratio", "Root mean square of fast minus slow correlations.", (),
              {(): seen.distance} if known else {})  # fmt: skip
    yield _of("correlation_ratio", "Fast correlation of two coins.", ("a", "b"), seen.correlations)


def _of(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    family: Metric = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)  # type: ignore[attr-defined]  # of the gauge family
    return family
