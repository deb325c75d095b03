"""The part of the ingest benchmark that needs no broker."""

from __future__ import annotations

from benchmarks.ingest import ROWS, trade_stages


def test_trades_go_through_every_stage() -> None:
    """All trades are decoded, applied and flushed: a refused one would end the run."""
    found = trade_stages(2 * ROWS + 1)
    assert set(found) == {"us_trade_decode", "us_trade_step", "us_trade_collect"}
    assert all(us >= 0.0 for us in found.values())
