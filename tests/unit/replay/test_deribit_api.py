"""Objects of Deribit's API, in each of the forms that people write them down in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.replay.quality import inspect
from monitor.replay.sources import open_source
from schemas.records import Funding, Instrument, InstrumentVolatility, PriceTick
from tests.unit.replay import files
from tests.unit.replay.files import T0

MS = T0 // 1_000
TRADE = {
    "trade_seq": 30289432, "trade_id": "48079254", "timestamp": MS, "tick_direction": 2, "price": 121_010.5,
    "mark_price": 121_011.0, "instrument_name": "BTC-PERPETUAL", "index_price": 121_000.0, "direction": "sell",
    "amount": 2600.0, "contracts": 260.0,
}  # fmt: skip
TICKER = {
    "timestamp": MS + 1_000, "stats": {"volume": 1.0}, "state": "open", "open_interest": 10.0, "mark_price": 121_020.0,
    "last_price": 121_019.5, "instrument_name": "BTC-PERPETUAL", "index_price": 121_001.0, "funding_8h": 0.00002,
    "current_funding": 0.0001, "best_bid_price": 121_019.0, "best_ask_price": 121_020.0,
}  # fmt: skip
OPTION = {
    "timestamp": MS + 2_000, "underlying_price": 122_211.01, "underlying_index": "BTC-28NOV25", "mark_price": 0.18,
    "mark_iv": 55.5, "bid_iv": 54.0, "ask_iv": 57.0, "instrument_name": "BTC-28NOV25-102000-C",
    "index_price": 121_001.0,
    "greeks": {"delta": 0.8}, "best_bid_price": 0.179, "best_ask_price": 0.181, "state": "open",
}  # fmt: skip
SUMMARY = {
    "volume_usd": 1.0, "volume": 2.0, "underlying_price": 122_000.0, "underlying_index": "SYN.BTC-28NOV25",
    "quote_currency": "BTC", "open_interest": 3.0, "mid_price": None, "mark_price": 0.17, "mark_iv": 50.0,
    "instrument_name": "BTC-28NOV25-102000-C", "estimated_delivery_price": 121_000.0, "creation_timestamp": MS + 3_000,
    "bid_price": None, "ask_price": None, "base_currency": "BTC",
}  # fmt: skip


def forms(one: dict[str, Any]) -> list[Any]:
    return [
        one,
        [one],
        {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": "x", "data": one}},
        {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": "x", "data": [one]}},
        {"jsonrpc": "2.0", "id": 1, "result": one, "usIn": 1, "usOut": 2, "usDiff": 1, "testnet": False},
        {"jsonrpc": "2.0", "id": 1, "result": {"trades": [one], "has_more": False}},
    ]


@pytest.mark.parametrize("form", range(6))
def test_every_form_says_the_same(tmp_path: Path, form: int) -> None:
    """Trades, tickers and summaries become index, trade, mark, funding and volatilities with their forwards."""
    lines = [json.dumps(forms(one)[form]) for one in (TRADE, TICKER, OPTION, SUMMARY)]
    found = [record for _, record in open_source(files.write(tmp_path / "deribit.jsonl.gz", *lines)).records()]
    assert [one.instrument for one in found if isinstance(one, Instrument)] == ["BTC-PERPETUAL", "BTC-28NOV25-102000-C"]
    ticks = [(one.price_kind, one.price, one.index_source) for one in found if isinstance(one, PriceTick)]
    assert ticks == [
        ("index", 121_000.0, True), ("trade", 121_010.5, False), ("index", 121_001.0, True), ("mark", 121_020.0, False),
        ("index", 121_001.0, True), ("index", 121_000.0, True),
    ]  # fmt: skip
    (paid,) = [one for one in found if isinstance(one, Funding)]
    assert (paid.rate, paid.interval_ms) == (0.0001, 28_800_000)
    vols = [one for one in found if isinstance(one, InstrumentVolatility)]
    assert [vol.vol_annual for vol in vols] == pytest.approx([0.555, 0.5])
    assert [vol.forward_basis for vol in vols] == pytest.approx([0.01, 122_000 / 121_000 - 1])
    assert [vol.event_time_us for vol in vols] == [T0 + 2_000_000, T0 + 3_000_000]


def test_what_is_no_object_of_the_api_is_named(tmp_path: Path) -> None:
    """Bad lines and bad objects cost themselves, with file and line; unknown contracts are counted by name."""
    bad = [
        json.dumps(TRADE), "{", '"text"', json.dumps({"jsonrpc": "2.0", "error": {"code": 1}}),
        json.dumps({**TRADE, "price": -1}), json.dumps({**TRADE, "timestamp": None}),
        json.dumps({**OPTION, "mark_iv": 5_000}), json.dumps({**TRADE, "instrument_name": "SOL_USDC-PERPETUAL"}),
        json.dumps({**TICKER, "current_funding": 7}),
    ]  # fmt: skip
    quality = inspect(open_source(files.write(tmp_path / "d.jsonl", *bad)))
    assert [line.split(": ")[0] for line in quality.malformed_lines] == [f"d.jsonl:{k}" for k in (2, 3, 4, 5, 6, 7, 9)]
    assert quality.unknown == {"deribit SOL_USDC-PERPETUAL": (8, 1)}
    assert quality.records == 3
