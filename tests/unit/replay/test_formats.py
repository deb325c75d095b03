"""Layouts of vendors and exchanges, on files of their exact columns."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pytest

from monitor.replay.arrival import By, Merged
from monitor.replay.sources import (
    NotReplayable,
    Report,
    SourceError,
    UnclearLayout,
    UnclearMarket,
    UnclearTime,
    UnknownSymbol,
    open_source,
    open_sources,
)
from monitor.replay.sources.ccxt import native
from monitor.replay.sources.symbols import Unlisted, find
from schemas.records import Funding, Input, Instrument, InstrumentVolatility, PriceTick
from tests.unit.replay import files
from tests.unit.replay.files import T0

T = TypeVar("T")
MINUTE_US = 60_000_000


def read(path: Path, market: str | None = None, *, lenient: bool = False) -> tuple[list[tuple[int, Input]], Report]:
    source = open_source(path, market=market, lenient=lenient)
    return list(source.records()), source.report


def of(kind: type[T], arrived: list[tuple[int, Input]]) -> list[T]:
    return [record for _, record in arrived if isinstance(record, kind)]


# --- Tardis -------------------------------------------------------------------------------------


def test_quotes_keep_both_sides_and_both_clocks(tmp_path: Path) -> None:
    """A row is a quote of its instrument; one side alone is noted, a crossed one is malformed."""
    rows = (files.quote(0, 121_000, 121_000.5), files.quote(1, "", 121_001), files.quote(2, 121_002, 121_001))
    arrived, report = read(files.write(tmp_path / "quotes.csv.gz", files.QUOTES_HEADER, *rows))
    (tick,) = of(PriceTick, arrived)
    assert (tick.price_kind, tick.bid, tick.ask, tick.price) == ("quote", 121_000.0, 121_000.5, None)
    assert (tick.event_time_us, tick.received_time_us) == (T0, T0 + 4_000)
    assert (tick.source, tick.instrument, tick.index_source) == ("bybit:BTCUSDT", "BTCUSDT", True)
    assert report.notes == {"quote with one side only": 1}
    assert report.listed == ["quotes.csv.gz:4: ask 121001.0 below bid 121002.0"]


def test_a_derivative_ticker_gives_mark_index_and_funding(tmp_path: Path) -> None:
    """Mark and index go out with every row that has them, a funding rate when it changes, and hourly."""
    rows = (
        files.derivative(0), files.derivative(1, mark=121_020), files.derivative(2, rate=-0.0002, index=""),
        files.derivative(3_700, rate=-0.0002),
    )  # fmt: skip
    arrived, report = read(files.write(tmp_path / "derivative_ticker.csv", files.DERIVATIVE_HEADER, *rows))
    ticks = of(PriceTick, arrived)
    assert [tick.price for tick in ticks if tick.price_kind == "mark"] == [121_010.0, 121_020.0, 121_010.0, 121_010.0]
    indices = [tick for tick in ticks if tick.price_kind == "index"]
    assert [(tick.price, tick.source, tick.instrument, tick.index_source) for tick in indices] == [
        (121_000.0, "binance-futures:BTC-index", None, True)
    ] * 3
    rates = [(paid.rate, paid.event_time_us, paid.interval_ms) for paid in of(Funding, arrived)]
    assert rates == [(0.0001, T0, 28_800_000), (-0.0002, T0 + 2_000_000, 28_800_000),
                     (-0.0002, T0 + 3_700_000_000, 28_800_000)]  # fmt: skip
    assert sum(report.notes.values()) == 3  # each time the eight hours are assumed


def test_liquidations_give_no_price_of_their_own(tmp_path: Path) -> None:
    """They have the columns of trades and are told by their name; the trades have their prices already."""
    rows = [files.trade(k, 100 + k, venue="binance-futures", symbol="BTCUSDT") for k in range(3)]
    named = files.write(tmp_path / "binance-futures_liquidations_2025-10-10_BTCUSDT.csv", files.TRADES_HEADER, *rows)
    arrived, report = read(named)
    assert [type(record) for _, record in arrived] == [Instrument]
    assert list(report.notes.values()) == [3]
    (tmp_path / "liquidations").mkdir()
    in_folder = files.write(tmp_path / "liquidations" / "BTCUSDT.csv", files.TRADES_HEADER, *rows)
    assert of(PriceTick, read(in_folder)[0]) == []
    _, unnamed = read(files.write(tmp_path / "BTCUSDT.csv", files.TRADES_HEADER, *rows))
    assert "taken for trades" in next(iter(unnamed.notes))


def option(second: float, *, under: str, price: object, iv: object = 55.5, symbol: str = "BTC-28NOV25-102000-C") -> str:
    """One row of the options chain as Deribit fills it: volatilities in percent."""
    event = T0 + round(second * 1e6)
    return (
        f"deribit,{symbol},{event},{event + 9_000},call,102000,1764316800000000,120.5,0.18,0.179,5,54.1,0.182,7,57.2,"
        f"0.1805,{iv},{under},{price},0.7,0.00001,95.1,-60.2,40.1"
    )


def test_deribit_chains_are_in_percent_and_their_underlying_is_the_forward(tmp_path: Path) -> None:
    """With an index row of the coin just before, the forward is a basis; a listed future's forward is its mark."""
    rows = (
        option(0, under="index_price", price=120_000), option(1, under="SYN.BTC-28NOV25", price=121_200),
        option(2, under="BTC-28NOV25", price=121_500), option(60, under="BTC-28NOV25", price=121_600),
        option(61, under="BTC-28NOV25", price="", iv=""), option(62, under="BTC-28NOV25", price=1, iv=5_000),
    )  # fmt: skip
    arrived, report = read(files.write(tmp_path / "options.csv", files.OKX_HEADER, *rows))
    vols = of(InstrumentVolatility, arrived)
    assert [vol.vol_annual for vol in vols] == pytest.approx([0.555] * 4)
    assert [vol.forward_basis for vol in vols] == [0.0, pytest.approx(0.01), pytest.approx(0.0125), None]
    ticks = of(PriceTick, arrived)
    assert [(tick.price_kind, tick.instrument, tick.price) for tick in ticks] == [
        ("index", None, 120_000.0), ("mark", "BTC-28NOV25", 121_500.0), ("mark", "BTC-28NOV25", 121_600.0),
    ]  # fmt: skip
    assert [one.instrument for one in of(Instrument, arrived)] == ["BTC-28NOV25-102000-C", "BTC-28NOV25"]
    assert report.malformed == 1
    assert "volatility 5000 percent out of range" in report.listed[0]


# --- Binance ------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("unit", [1_000, 1_000_000])
@pytest.mark.parametrize(
    ("folders", "venue", "kind", "index_source"),
    [
        ("data/spot/daily/klines/BTCUSDT/1m", "binance:BTCUSDT", "trade", True),
        ("data/futures/um/daily/klines/BTCUSDT/1m", "binance-futures:BTCUSDT", "trade", True),
        ("data/futures/um/daily/markPriceKlines/BTCUSDT/1m", "binance-futures:BTCUSDT", "mark", False),
        ("data/futures/um/daily/indexPriceKlines/BTCUSDT/1m", "binance-futures:BTCUSDT-index", "index", True),
    ],
)
def test_published_klines_are_told_by_their_folders(
    tmp_path: Path, folders: str, venue: str, kind: str, index_source: bool, unit: int, header: bool
) -> None:
    """With and without a header, in ms and in us: the folders that a file was published in say what it is."""
    (tmp_path / folders).mkdir(parents=True)
    lines = [files.KLINES_HEADER] * header + [files.kline(0, unit=unit), files.kline(1, 100.5, unit=unit)]
    path = zipped(tmp_path / folders / "BTCUSDT-1m-2025-10-10.zip", "BTCUSDT-1m-2025-10-10.csv", *lines)
    arrived, report = read(path)
    ticks = of(PriceTick, arrived)
    end_us = (T0 // MINUTE_US + 1) * MINUTE_US
    assert [(tick.price, tick.event_time_us) for tick in ticks] == [(101.0, end_us), (100.5, end_us + MINUTE_US)]
    assert {(tick.source, tick.price_kind, tick.index_source) for tick in ticks} == {(venue, kind, index_source)}
    assert (report.rows, report.malformed) == (2, 0)


def test_a_kline_of_no_market_is_refused_until_the_user_says_it(tmp_path: Path) -> None:
    """Spot, futures and marks have one name: without folders or a word of the user nothing is guessed."""
    path = files.write(tmp_path / "BTCUSDT-1m-2025-10-10.csv", files.KLINES_HEADER, files.kline(0))
    with pytest.raises(UnclearMarket, match=r"BTCUSDT-1m-2025-10-10\.csv"):
        read(path)
    (tick,) = of(PriceTick, read(path, "um-mark")[0])
    assert (tick.price_kind, tick.source) == ("mark", "binance-futures:BTCUSDT")


def test_a_premium_index_is_no_price(tmp_path: Path) -> None:
    """It is refused by name."""
    folder = tmp_path / "um" / "premiumIndexKlines"
    folder.mkdir(parents=True)
    with pytest.raises(NotReplayable):
        read(files.write(folder / "BTCUSDT-1m-2025-10-10.csv", files.KLINES_HEADER, files.kline(0)))


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(("unit", "folder"), [(1_000, "um"), (1_000_000, "spot")])
def test_agg_trades_are_trades(tmp_path: Path, unit: int, folder: str, header: bool) -> None:
    """Milliseconds or microseconds, with a header or without, are the same trades; bad lines are named."""
    (tmp_path / folder).mkdir()
    rows = [files.agg_trade(1, 0.25, 100, unit=unit), files.agg_trade(2, 0.5, -1, unit=unit),
            files.agg_trade(3, 1, 101, unit=unit)]  # fmt: skip
    path = tmp_path / folder / "BTCUSDT-aggTrades-2025-10-10.csv"
    arrived, report = read(files.write(path, *[files.AGG_TRADES_HEADER] * header, *rows))
    ticks = of(PriceTick, arrived)
    assert [(tick.price, tick.event_time_us - T0) for tick in ticks] == [(100.0, 250_000), (101.0, 1_000_000)]
    assert (report.malformed, report.bad_prices) == (1, 1)
    assert report.listed[0].startswith(f"{path.name}:{2 + header}: ")


def test_agg_trades_of_an_unclear_unit_are_refused(tmp_path: Path) -> None:
    """Seconds are neither milliseconds nor microseconds."""
    (tmp_path / "um").mkdir()
    path = tmp_path / "um" / "BTCUSDT-aggTrades-2025-10-10.csv"
    with pytest.raises(UnclearTime, match=r":2: "):
        read(files.write(path, files.AGG_TRADES_HEADER, files.agg_trade(1, 0, 100, unit=1)))


# --- packing and layouts ------------------------------------------------------------------------


def zipped(path: Path, name: str, *lines: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, "\n".join([*lines, ""]))
    return path


def test_packing_changes_nothing(tmp_path: Path) -> None:
    """Plain, gzip, zip and Zstandard are told by their bytes, whatever the names say."""
    lines = [files.TRADES_HEADER, *(files.trade(k, 100 + k) for k in range(50))]
    text = "\n".join([*lines, ""]).encode()
    buffer = io.BytesIO()
    with pa.CompressedOutputStream(buffer, "zstd") as stream:
        stream.write(text)
        stream.flush()
        packed = None
    packed = pa.compress(text, "zstd", asbytes=True)
    (tmp_path / "trades.csv.zst").write_bytes(packed)
    paths = [
        files.write(tmp_path / "trades.csv", *lines), files.write(tmp_path / "trades.csv.gz", *lines),
        zipped(tmp_path / "trades.zip", "trades.csv", *lines), tmp_path / "trades.csv.zst",
    ]  # fmt: skip
    expected = read(paths[0])[0]
    assert len(expected) == 51
    assert all(read(path)[0] == expected for path in paths)
    assert len(open_sources([tmp_path])) == 4


def test_a_zip_of_several_files_is_refused(tmp_path: Path) -> None:
    """Which of them is meant is not guessed."""
    path = zipped(tmp_path / "two.zip", "a.csv", files.TRADES_HEADER)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.csv", files.TRADES_HEADER)
    with pytest.raises(SourceError, match="2 files"):
        open_source(path)


def test_a_header_of_two_layouts_is_refused_by_their_names(tmp_path: Path) -> None:
    """The columns of quotes and of trades in one file are either, and it says so."""
    header = f"{files.TRADES_HEADER},ask_amount,ask_price,bid_price,bid_amount"
    with pytest.raises(UnclearLayout, match="tardis-trades or tardis-quotes"):
        open_source(files.write(tmp_path / "x.csv", header))


# --- symbols ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("venue", "symbol", "own"),
    [
        ("gemini", "BTC/USD", "BTC-USD"),
        ("coinbase", "DOGE/USD", "DOGE-USD"),
        ("binance", "BTC/USDT", "BTC-USDT"),
        ("binance", "BTC/USDT:USDT", "BTCUSDT"),
        ("binanceusdm", "ETH/USDT:USDT-260327", "ETHUSDT_260327"),
        ("binance", "BTC/USD:BTC", "BTCUSD_PERP"),
        ("binancecoinm", "BTC/USD:BTC-260327", "BTCUSD_260327"),
        ("bybit", "BTC/USDT:USDT", "BTCUSDT"),
        ("bybit", "BTC/USD:BTC", "BTCUSD"),
        ("okx", "BTC/USDT:USDT", "BTC-USDT-SWAP"),
        ("okx", "BTC/USD:BTC-260327", "BTC-USD-260327"),
        ("okx", "BTC/USD:BTC-260327-70000-P", "BTC-USD-260327-70000-P"),
        ("deribit", "BTC/USD:BTC", "BTC-PERPETUAL"),
        ("deribit", "ETH/USD:ETH-260605", "ETH-5JUN26"),
        ("deribit", "BTC/USD:BTC-260327-70000-P", "BTC-27MAR26-70000-P"),
    ],
)
def test_unified_symbols_are_aliases(venue: str, symbol: str, own: str) -> None:
    """A symbol of CCXT is the instrument that the venue's own symbol is."""
    place = native(venue, symbol)
    assert place is not None
    found = find(venue, symbol, T0)
    assert found.instrument == own
    assert found == find(*place, T0)


@pytest.mark.parametrize(
    ("venue", "symbol"),
    [("gemini", "BTC/USDT:USDT"), ("deribit", "BTC/USD:BTC-261327"), ("binance", "BTC/USDT:USDT-260327-70000-P"),
     ("deribit", "BTC/USDC:USDC"), ("kraken", "BTC/USD"), ("okx", "PEPE/USDT:USDT"), ("binance", "BTC//USDT")],
)  # fmt: skip
def test_an_alias_of_nothing_is_unlisted(venue: str, symbol: str) -> None:
    """What the venue does not list, or is of no known size, has no instrument."""
    with pytest.raises(Unlisted):
        find(venue, symbol, T0)


def test_unknown_symbols_may_be_passed_over(tmp_path: Path) -> None:
    """If asked for, they cost their rows, are counted with their first line, and are no malformed lines."""
    rows = (files.trade(0, 1), files.trade(1, 2, symbol="XX"), files.trade(2, 3, symbol="XX"), files.trade(3, 4))
    path = files.write(tmp_path / "trades.csv", files.TRADES_HEADER, *rows)
    with pytest.raises(UnknownSymbol, match=r"trades\.csv:3"):
        read(path)
    arrived, report = read(path, lenient=True)
    assert [tick.price for tick in of(PriceTick, arrived)] == [1.0, 4.0]
    assert (report.unknown, report.malformed) == ({"gemini XX": (3, 2)}, 0)


# --- order and indices --------------------------------------------------------------------------


def test_by_event_time_nothing_is_late(tmp_path: Path) -> None:
    """Records come when they happened, across files, with both clocks as they were; or as they arrived."""
    late = [files.trade(0, 1), files.trade(5, 2, late_s=60), files.trade(3, 3, late_s=63)]
    first = files.write(tmp_path / "a_trades.csv", files.TRADES_HEADER, *late)
    other = [files.trade(k, 10 + k, venue="coinbase", symbol="BTC-USD") for k in range(7)]
    second = files.write(tmp_path / "b_trades.csv", files.TRADES_HEADER, *other)

    def ticks(by: By) -> list[PriceTick]:
        return of(PriceTick, list(Merged(open_sources([first, second]), by=by)))

    by_event, by_arrival = ticks("event"), ticks("arrival")
    assert [tick.price for tick in by_event] == [1.0, 10.0, 11.0, 12.0, 3.0, 13.0, 14.0, 2.0, 15.0, 16.0]
    assert [tick.price for tick in by_arrival] == [1.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 2.0, 3.0]
    assert sorted(by_event, key=repr) == sorted(by_arrival, key=repr)
    arrivals = [tick.received_time_us for tick in by_event if tick.price in {2.0, 3.0}]
    assert arrivals == [T0 + 66_000_000, T0 + 65_000_000]


@pytest.mark.parametrize(
    ("symbol", "is_source"),
    [("BTC-PERPETUAL", True), ("BTC-27MAR26", False), ("BTC-27MAR26-70000-P", False)],
)
def test_an_option_price_is_no_price_of_the_coin(tmp_path: Path, symbol: str, is_source: bool) -> None:
    """Trades of options and dated futures are prices of theirs, and feed no index."""
    row = files.trade(0, 0.03, venue="deribit", symbol=symbol)
    (tick,) = of(PriceTick, read(files.write(tmp_path / "trades.csv", files.TRADES_HEADER, row))[0])
    assert (tick.index_source, tick.instrument) == (is_source, symbol)
