"""The correlation estimate through the real ticks of 2025-10-10, and the minute bars of 2026-02-02 to 08."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from monitor.engine.composite import TicksFold
from monitor.engine.correlation import CorrelationView, gather
from monitor.engine.minutes import MINUTE_US, Minute
from monitor.replay.arrival import Merged, Span
from monitor.replay.sources import open_sources
from schemas.records import Heartbeat, NettingParameters, PriceTick
from tests.property.correlation_batch import Floats, History, history, matrices
from tests.support import ROOT

DATA = ROOT.parent / "shared" / "data"
CRASH = DATA / "crash-2025-10-10"
FEBRUARY = DATA / "crash-2026-02-05" / "binance_um_perp_1m.csv.gz"
DAY_US = 1_760_054_400_000_000  # 2025-10-10 00:00 UTC
QUIET_VENUE = ["BTC", "ETH", "SOL", "XRP"]  # traded on the thin venue only
OTHERS = ["AVAX", "DOGE", "DOT", "LINK", "UNI"]
DEFAULTS = NettingParameters()

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no historical data beside the checkout (../shared/data)"),
]


@dataclass(frozen=True, slots=True)
class Day:
    """What a listener was told, and the view after each minute."""

    minutes: list[Minute]
    views: list[CorrelationView]

    def at(self, hours: int, minutes: int = 0) -> int:
        """Return the row of a time of the first day."""
        start_us = self.minutes[0].time_us // (1_440 * MINUTE_US) * 1_440 * MINUTE_US
        times = [minute.time_us for minute in self.minutes]
        return times.index(start_us + (60 * hours + minutes) * MINUTE_US)


class Listener:
    def __init__(self) -> None:
        self.minutes: list[Minute] = []

    def on_minute(self, minute: Minute) -> None:
        self.minutes.append(minute)


def folded(path: Path) -> Day:
    fold, listener = TicksFold(), Listener()
    fold._listeners = (*fold._listeners, listener)
    views: list[CorrelationView] = []
    for _, record in Merged(open_sources([path]), Span()):
        if isinstance(record, PriceTick | Heartbeat):
            fold.apply(record)
            views += [fold.correlation] * (len(listener.minutes) - len(views))
    return Day(listener.minutes, views)


@pytest.fixture(scope="module")
def crash() -> Day:
    return folded(CRASH / "trades")


@pytest.fixture(scope="module")
def crash_history(crash: Day) -> History:
    return history(crash.minutes)


@pytest.fixture(scope="module")
def february() -> Day:
    return folded(FEBRUARY)


def mean(matrix: Floats, names: list[str], all_names: list[str] | tuple[str, ...]) -> float:
    """Return the mean correlation over the pairs of `names`."""
    at = [list(all_names).index(name) for name in names]
    return float(matrix[np.ix_(at, at)][np.triu_indices(len(at), 1)].mean())


def requirements(views: list[CorrelationView], coins: list[str], w: Floats, *, floor: bool = True) -> Floats:
    """Return model P's requirement of a delta-one book over its gross amount, minute by minute."""
    k, gross = DEFAULTS.correlation_stress, np.abs(w).sum()
    out = []
    for view in views:
        found = gather(view, coins, DEFAULTS.floor_correlation)
        worst = max(w @ matrix @ w for matrix in (found if floor else found[:2]))
        out.append(np.sqrt((1.0 - k) * worst + k * gross**2) / gross)
    return np.array(out)


def rows_of(day: Day, every: int) -> Iterator[int]:
    """Yield rows at which a version was published, one of `every`."""
    published = [k for k in range(1, len(day.views)) if day.views[k] is not day.views[k - 1]]
    yield from published[::every]


def test_the_published_matrices_are_the_direct_ones(crash: Day, crash_history: History) -> None:
    """Through holds, silences of minutes and the wick, each published entry equals direct sums to the millionth."""
    compared = 0
    for k in rows_of(crash, 12):
        view = crash.views[k]
        _, fast, slow = matrices(crash_history, k)
        at = [crash_history.names.index(name) for name in view.underlyings]
        for published, direct in ((view.fast, fast), (view.slow, slow)):
            np.testing.assert_allclose(published, direct[np.ix_(at, at)], rtol=0.0, atol=6e-7)
            compared += len(at) ** 2
    assert compared > 10_000


def test_the_correlation_falls_by_little_in_the_cascade(crash: Day, crash_history: History) -> None:
    """Unshrunk, the fast mean falls from 0.87 to 0.69 on the thin venue, from 0.92 to 0.84 on the others."""
    raw = {k: matrices(crash_history, k)[0] for k in range(crash.at(20), crash.at(23, 59), 5)}
    for coins, high, low in ((QUIET_VENUE, 0.88, 0.69), (OTHERS, 0.92, 0.84)):
        values = {k: mean(one, coins, crash_history.names) for k, one in raw.items()}
        assert max(values.values()) == pytest.approx(high, abs=0.015)
        after = [value for k, value in values.items() if k >= crash.at(20, 50)]
        assert min(after) == pytest.approx(low, abs=0.015)


def test_all_coins_are_estimated_in_time_and_stay(crash: Day) -> None:
    """From 02:16 on every coin of the day has an estimate, through the whole cascade."""
    everyone = set(QUIET_VENUE + OTHERS + ["LTC"])
    listed = [set(view.underlyings) == everyone for view in crash.views]
    first = listed.index(True)
    assert first == crash.at(2, 16)
    assert all(listed[first:])


def test_an_all_long_book_never_asks_much_less_after_the_cascade(crash: Day) -> None:
    """With the default k it never falls more than 5 % below its requirement at 20:45: by 1.4 % at most."""
    coins = sorted(QUIET_VENUE + OTHERS + ["LTC"])
    series = requirements(crash.views, coins, np.ones(len(coins)))
    before = series[crash.at(20, 45)]
    assert before == pytest.approx(0.900, abs=0.002)
    after = series[crash.at(20, 45) :]
    assert after.min() / before >= 0.95
    assert after.min() / before == pytest.approx(0.986, abs=0.002)
    assert after.max() / before == pytest.approx(1.024, abs=0.003)


def test_a_hedged_book_asks_what_the_floor_asks(crash: Day, february: Day) -> None:
    """Long and short by turns, the floor is the worst matrix at every minute; without it the estimates ask less."""
    for day, low, high in ((crash, 0.341, 0.372), (february, 0.347, 0.380)):
        coins = sorted(day.views[-1].underlyings)
        w = np.where(np.arange(len(coins)) % 2 == 0, 1.0, -1.0)
        series = requirements(day.views, coins, w)
        k, n = DEFAULTS.correlation_stress, len(coins)
        floor = np.sqrt((1.0 - k) * (0.5 * n + 0.5 * w.sum() ** 2) / n**2 + k)
        np.testing.assert_allclose(series, floor, rtol=1e-12)
        full = [view for view in day.views if len(view.underlyings) == n]
        alone = requirements(full, coins, w, floor=False)
        assert alone.min() == pytest.approx(low, abs=0.002)
        assert alone.max() == pytest.approx(high, abs=0.002)


def test_the_sell_off_of_february_is_one_factor(february: Day) -> None:
    """Seven perpetuals are estimated after 102 minutes and their mean correlation stays between 0.77 and 0.98."""
    assert len(february.minutes) == 7 * 1_440 - 1
    full = [view for view in february.views if len(view.underlyings) == 7]
    assert len(february.minutes) - len(full) == february.at(1, 42)
    means = [mean(view.fast, list(view.underlyings), view.underlyings) for view in full]
    assert min(means) == pytest.approx(0.769, abs=0.003)
    assert max(means) == pytest.approx(0.977, abs=0.003)
    assert all(np.linalg.eigvalsh(view.fast)[0] > 1e-4 for view in full[::60])
