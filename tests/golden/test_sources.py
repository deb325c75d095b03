"""The real files against what their README states: rows, prices, clocks, forwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.replay.arrival import Merged
from monitor.replay.gaps import measure
from monitor.replay.sources import Source, open_source, open_sources
from monitor.replay.sources.symbols import MAX_AGE_MS
from schemas.records import Instrument, InstrumentVolatility, PriceTick
from tests.support import ROOT

DATA = ROOT.parent / "shared" / "data"
CRASH = DATA / "crash-2025-10-10"
SELL_OFF = DATA / "crash-2026-02-05"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no historical data beside the checkout (../shared/data)"),
]

TRADES = [
    ("gemini_BTCUSD", 24_706, 107_000, 122_590),
    ("gemini_ETHUSD", 22_320, 3_681, 4_396),
    ("gemini_SOLUSD", 12_764, 172.1, 224.5),
    ("gemini_XRPUSD", 15_608, 2.10, 2.84),
    ("gemini_DOGEUSD", 8_348, 0.182, 0.254),
    ("gemini_LTCUSD", 10_282, 104.5, 135.8),
    ("gemini_LINKUSD", 6_523, 16.0, 22.8),
    ("coinbase_DOGE-USD", 266_395, 0.150, 0.254),
    ("coinbase_LINK-USD", 228_597, 15.0, 22.8),
    ("coinbase_AVAX-USD", 113_589, 17.0, 28.6),
    ("binance-delivery_AVAXUSD_PERP", 137_632, 6.02, 28.63),
    ("binance-delivery_DOTUSD_PERP", 206_062, 0.696, 4.289),
    ("binance-delivery_UNIUSD_PERP", 274_457, 2.00, 8.60),
]


def ticks_of(path: Path) -> tuple[Source, list[PriceTick]]:
    source = open_source(path)
    return source, [record for _, record in source.records() if isinstance(record, PriceTick)]


@pytest.mark.parametrize(("name", "rows", "low", "high"), TRADES)
def test_trade_files_have_the_stated_rows_and_range(name: str, rows: int, low: float, high: float) -> None:
    """Every trade of the day becomes one tick, within the stated prices."""
    source, ticks = ticks_of(CRASH / "trades" / f"{name}.csv.gz")
    assert len(ticks) == source.report.rows == rows
    assert source.report.malformed == 0
    prices = [tick.value_usd for tick in ticks]
    digits = 5e-4  # the README rounds
    assert min(prices) == pytest.approx(low, rel=digits * 4)
    assert max(prices) == pytest.approx(high, rel=digits * 4)


def test_bitcoin_ticks_are_late_as_stated() -> None:
    """970 ticks come more than 10 s late and the latest 49 s: both clocks survive."""
    _, ticks = ticks_of(CRASH / "trades" / "gemini_BTCUSD.csv.gz")
    late_s = np.array([(tick.received_time_us or 0) - tick.event_time_us for tick in ticks]) * 1e-6
    assert int((late_s > 10).sum()) == 970
    assert late_s.max() == pytest.approx(49, abs=0.5)


@pytest.mark.parametrize(
    ("name", "basis_percent"),
    [("BTC-USD-251031-80000-P", 0.36), ("BTC-USD-251128-102000-C", 0.90), ("BTC-USD-251128-132000-C", 0.90)],
)
def test_options_imply_the_stated_forward(name: str, basis_percent: float) -> None:
    """Every row but the first gives a volatility with a forward, whose median is the stated one."""
    source = open_source(CRASH / "options_okx" / f"okex-options_{name}.csv.gz")
    vols = [record for _, record in source.records() if isinstance(record, InstrumentVolatility)]
    assert len(vols) == source.report.rows == 80_539
    basis = [vol.forward_basis for vol in vols if vol.forward_basis is not None]
    assert len(basis) == 80_538
    assert 100 * float(np.median(basis)) == pytest.approx(basis_percent, abs=0.01)


def test_bars_have_the_stated_rows_and_range() -> None:
    """The mark bars cover two days, and USDe falls to 0.65 within its three (bars close higher)."""
    source, marks = ticks_of(CRASH / "btcusd_perp_mark_1m.csv.gz")
    assert (len(marks), source.report.malformed) == (2_880, 0)
    source, usde = ticks_of(CRASH / "usdeusdt_binance_1m.csv.gz")
    assert (len(usde), source.report.malformed) == (4_320, 0)
    assert 0.65 <= min(tick.value_usd for tick in usde) < 0.80


def test_the_whole_day_merges_by_arrival() -> None:
    """One hour of the folder: arrival never goes back, every tick is of a listed instrument, seconds have beats."""
    merged = Merged(open_sources([CRASH]))
    assert "bars_1m.csv.gz" not in {source.name for source in merged.sources}
    listed: set[str] = set()
    latest = beats = 0
    start = None
    for at, record in merged:
        assert at >= latest
        latest = at
        start = start or at
        if isinstance(record, Instrument):
            listed.add(record.instrument)
        elif isinstance(record, PriceTick):
            assert record.instrument is None or record.instrument in listed
        elif not isinstance(record, InstrumentVolatility):
            beats += 1
        if at > 1_760_058_000_000_000:  # 01:00 UTC
            break
    assert beats == 3_600


def test_chains_have_the_stated_rows() -> None:
    """27 snapshots, 45,142 volatilities, the stated index range, and one tick a coin in each."""
    source = open_source(SELL_OFF / "deribit_chain.csv.gz")
    records = [record for _, record in source.records()]
    assert source.report.malformed == 0
    assert sum(isinstance(record, InstrumentVolatility) for record in records) == source.report.rows == 45_142
    index = [record for record in records if isinstance(record, PriceTick) and record.price_kind == "index"]
    assert len(index) == 2 * 27
    bitcoin = [tick.value_usd for tick in index if tick.underlying == "BTC"]
    drift = 3e-3  # the index moves during the minute of a run, and the README took other rows of it
    assert max(bitcoin) == pytest.approx(78_973, rel=drift)
    assert min(bitcoin) == pytest.approx(63_858, rel=drift)


def test_perpetual_bars_have_no_minute_missing() -> None:
    """Seven perpetuals, one close a minute each, in order of time."""
    source, ticks = ticks_of(SELL_OFF / "binance_um_perp_1m.csv.gz")
    assert len(ticks) == source.report.rows == 70_560
    assert len({tick.underlying for tick in ticks}) == 7
    times = np.array([tick.event_time_us for tick in ticks])
    assert set(np.diff(times[::7])) == {60_000_000}


@pytest.mark.parametrize(("name", "rows"), [("deribit_perp_1m_at_snapshots", 838), ("deribit_term_futures_marks", 376)])
def test_snapshot_marks_have_the_stated_rows(name: str, rows: int) -> None:
    """Perpetuals and dated futures give one mark a row."""
    source, ticks = ticks_of(SELL_OFF / f"{name}.csv.gz")
    assert len(ticks) == source.report.rows == rows
    assert source.report.malformed == 0


def test_feeds_stay_fresh_as_long_as_was_measured() -> None:
    """The ages in the table are those that the gaps before the cascade give, feed by feed."""
    before_us = 1_760_129_400_000_000  # 20:50 UTC
    measured = {gaps.source: gaps.max_age_s * 1_000 for gaps in measure(open_sources([CRASH / "trades"]), before_us)}
    assert measured == MAX_AGE_MS
