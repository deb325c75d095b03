"""What a check says of the real files: rows, gaps, disorder and duplicates, against counts made here from the text."""

from __future__ import annotations

import csv
import gzip

import pytest

from monitor.replay.quality import inspect
from monitor.replay.sources import open_source, open_sources
from tests.support import ROOT

DATA = ROOT.parent / "shared" / "data"
TRADES = DATA / "crash-2025-10-10" / "trades"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no historical data beside the checkout (../shared/data)"),
]


@pytest.mark.parametrize("name", ["gemini_BTCUSD", "gemini_SOLUSD", "binance-delivery_AVAXUSD_PERP"])
def test_trades_are_counted_as_they_stand(name: str) -> None:
    """Every figure of the summary is that of the plain columns."""
    path = TRADES / f"{name}.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    times = [int(row["timestamp"]) for row in rows]
    arrivals = [int(row["local_timestamp"]) for row in rows]
    quality = inspect(open_source(path), 100_000_000)
    assert quality.rows == len(rows)
    assert (quality.first_event_us, quality.last_event_us) == (min(times), max(times))
    assert (quality.first_arrival_us, quality.last_arrival_us) == (arrivals[0], arrivals[-1])
    assert quality.duplicates == len(rows) - len({tuple(row.values()) for row in rows})
    latest, disorder, gaps = 0, 0, []
    for at in times:
        if at < latest:
            disorder += 1
            continue
        if latest and at - latest > 100_000_000:
            gaps.append(at - latest)
        latest = at
    assert (quality.disorder, quality.gaps) == (disorder, len(gaps))
    longest = [gap.until_us - gap.from_us for gap in quality.longest_gaps]
    assert longest == sorted(gaps, reverse=True)[:10]
    assert quality.clean


@pytest.mark.parametrize("folder", ["crash-2025-10-10", "crash-2026-02-05"])
def test_every_row_of_the_collection_is_understood(folder: str) -> None:
    """No line is malformed, no symbol unknown, no unit changes; options begin with a row without an index."""
    found = {one.name: one for one in map(inspect, open_sources([DATA / folder]))}
    assert all(one.clean for one in found.values()), [one for one in found.values() if not one.clean]
    assert all(one.duplicates == 0 for one in found.values())
    options = [one for name, one in found.items() if name.startswith("okex-options")]
    assert all(one.notes["row without an index"] == 1 for one in options)
    assert len(options) == (3 if folder == "crash-2025-10-10" else 0)


def test_the_depths_of_the_crash_are_in_the_summary() -> None:
    """The silence of Bitcoin from 20:54 on is the longest of its file."""
    longest = inspect(open_source(TRADES / "gemini_BTCUSD.csv.gz")).longest_gaps[0]
    assert longest.feed == "gemini:BTCUSD trade BTC-USD"
    assert round((longest.until_us - longest.from_us) * 1e-6, 1) == 819.6
