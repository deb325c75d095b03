from __future__ import annotations

import gzip
from pathlib import Path
from typing import TypeVar

import mpmath
import pytest

from monitor.replay.sources import (
    TOPIC_OF,
    NothingToReplay,
    NotReplayable,
    Report,
    Source,
    SourceError,
    Truncated,
    UnclearTime,
    UnknownFormat,
    UnknownSymbol,
    open_source,
    open_sources,
)
from monitor.replay.sources.okx_options import implied_forward
from schemas import codec
from schemas.records import Input, Instrument, InstrumentVolatility, PriceTick
from tests.unit.replay import files
from tests.unit.replay.files import T0

T = TypeVar("T")


def read(path: Path) -> tuple[list[tuple[int, Input]], Report]:
    source = open_source(path)
    return list(source.records()), source.report


def of(kind: type[T], arrived: list[tuple[int, Input]]) -> list[T]:
    return [record for _, record in arrived if isinstance(record, kind)]


# --- Tardis trades ------------------------------------------------------------------------------


def test_trades_give_the_instrument_first_and_keep_both_clocks(tmp_path: Path) -> None:
    """A trade becomes an index tick with the venue's time and the recorder's."""
    path = files.write(
        tmp_path / "gemini_BTCUSD.csv.gz",
        files.TRADES_HEADER,
        files.trade(0, 121_000.5),
        files.trade(1, 120_999, late_s=49),
    )
    arrived, report = read(path)
    assert [type(record).__name__ for _, record in arrived] == ["Instrument", "PriceTick", "PriceTick"]
    listing = of(Instrument, arrived)[0]
    assert (listing.instrument, listing.type, listing.underlying, listing.settlement) == (
        "BTC-USD",
        "spot",
        "BTC",
        "USD",
    )
    late = of(PriceTick, arrived)[1]
    assert (late.event_time_us, late.received_time_us) == (T0 + 1_000_000, T0 + 50_000_000)
    assert (late.source, late.index_source, late.price, late.max_age_ms) == ("gemini:BTCUSD", True, 120_999.0, 130_000)
    assert (report.rows, report.records, report.malformed) == (2, 3, 0)


@pytest.mark.parametrize(
    ("venue", "symbol", "name", "contract", "size", "settlement"),
    [
        ("coinbase", "DOGE-USD", "DOGE-USD", "linear", 1.0, "USD"),
        ("binance-delivery", "AVAXUSD_PERP", "AVAXUSD_PERP", "inverse", 10.0, "AVAX"),
        ("binance-delivery", "BTCUSD_PERP", "BTCUSD_PERP", "inverse", 100.0, "BTC"),
        ("binance-futures", "AVAXUSDT", "AVAXUSDT", "linear", 1.0, "USDT"),
        ("deribit", "BTC-PERPETUAL", "BTC-PERPETUAL", "inverse", 10.0, "BTC"),
        ("deribit", "ETH-27MAR26", "ETH-27MAR26", "inverse", 1.0, "ETH"),
    ],
)
def test_symbols_map_to_instruments(
    tmp_path: Path, venue: str, symbol: str, name: str, contract: str, size: float, settlement: str
) -> None:
    """Each venue's symbol is the contract that the venue trades."""
    path = files.write(tmp_path / "x.csv", files.TRADES_HEADER, files.trade(0, 10, venue=venue, symbol=symbol))
    listing = of(Instrument, read(path)[0])[0]
    assert (listing.instrument, listing.contract, listing.contract_size, listing.settlement) == (
        name, contract, size, settlement,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("venue", "symbol"), [("kraken", "XBTUSD"), ("gemini", "BTC/USD:BTC"), ("deribit", "BTC-31XXX26")]
)
def test_an_unknown_symbol_is_never_guessed(tmp_path: Path, venue: str, symbol: str) -> None:
    """A venue or symbol without a rule ends the replay, with file and line."""
    path = files.write(tmp_path / "x.csv", files.TRADES_HEADER, files.trade(0, 10, venue=venue, symbol=symbol))
    with pytest.raises(UnknownSymbol, match=r"x\.csv:2"):
        read(path)


@pytest.mark.parametrize(
    "line",
    [
        "gemini,BTCUSD,1760100000000000,1760100000100000,1,buy,,0.5",
        "gemini,BTCUSD,1760100000000000,1760100000100000,1,buy,nan,0.5",
        "gemini,BTCUSD,1760100000000000,1760100000100000,1,buy,-3,0.5",
        "gemini,BTCUSD,1760100000000000,1760100000100000,1,buy,0,0.5",
        "gemini,BTCUSD,1760100000000000,1760100000100000,1,buy,1e300,0.5",
        "gemini,BTCUSD,later,1760100000100000,1,buy,121000,0.5",
        "gemini,BTCUSD,1760100000000000,1760100000100000,1,buy,121000",
        "gemini,BTCUSD,1760100000000000,1760100000100000,1,buy,121000,0.5,9",
        "gemini,BTCUSD,1760100000000000,1760100000100000,1,buy,\x00,0.5",
        "",
    ],
)
def test_a_malformed_line_is_counted_and_named(tmp_path: Path, line: str) -> None:
    """One bad line costs one line, and the summary says which and why."""
    path = files.write(tmp_path / "t.csv.gz", files.TRADES_HEADER, files.trade(0, 1.5), line, files.trade(2, 2.5))
    arrived, report = read(path)
    assert [tick.price for tick in of(PriceTick, arrived)] == [1.5, 2.5]
    assert report.malformed == 1
    assert report.listed[0].startswith("t.csv.gz:3: ")


def test_bytes_that_are_no_text_spoil_their_line_only(tmp_path: Path) -> None:
    """Invalid UTF-8 in a price is a malformed line, not the end of the file."""
    path = tmp_path / "t.csv"
    good = files.trade(0, 1.5).encode()
    path.write_bytes(b"\n".join([files.TRADES_HEADER.encode(), good, good.replace(b"1.5", b"\xff\xfe"), good, b""]))
    arrived, report = read(path)
    assert len(of(PriceTick, arrived)) == 2
    assert report.listed[0].startswith("t.csv:3: ")


def test_only_the_first_malformed_lines_are_listed(tmp_path: Path) -> None:
    """A file of rubbish is counted in full and listed in part."""
    path = files.write(tmp_path / "t.csv", files.TRADES_HEADER, *["x"] * 500, files.trade(0, 1))
    _, report = read(path)
    assert report.malformed == 500
    assert len(report.listed) == 20


@pytest.mark.parametrize("time", ["1760100000", "1760100000000000000", "-5"])
def test_a_time_of_unclear_unit_is_refused(tmp_path: Path, time: str) -> None:
    """Seconds and nanoseconds are neither read as milliseconds nor as microseconds."""
    path = files.write(tmp_path / "t.csv", files.TRADES_HEADER, f"gemini,BTCUSD,{time},{time},1,buy,1,1")
    with pytest.raises(UnclearTime, match=r"t\.csv:2"):
        read(path)


def test_one_wild_time_costs_one_line(tmp_path: Path) -> None:
    """After good rows the unit is known, and a time of another magnitude is a malformed line."""
    bad = f"gemini,BTCUSD,{T0 * 10},{T0},1,buy,1,1"
    _, report = read(files.write(tmp_path / "t.csv", files.TRADES_HEADER, files.trade(0, 1), bad, files.trade(1, 1)))
    assert (report.rows, report.malformed) == (3, 1)


def test_milliseconds_and_microseconds_are_told_by_magnitude(tmp_path: Path) -> None:
    """The same instant in both units is the same tick."""
    micro = files.write(tmp_path / "u.csv", files.TRADES_HEADER, f"gemini,BTCUSD,{T0},{T0},1,buy,1,1")
    milli = files.write(tmp_path / "m.csv", files.TRADES_HEADER, f"gemini,BTCUSD,{T0 // 1000},{T0 // 1000},1,buy,1,1")
    assert read(micro)[0] == read(milli)[0]


def test_a_cut_off_gzip_gives_its_complete_rows_and_then_an_error(tmp_path: Path) -> None:
    """Truncation loses no complete row and is never taken for the end of the file."""
    rows = [files.trade(i, 100_000 + i * 7919 % 977) for i in range(5_000)]
    whole = gzip.compress(("\n".join([files.TRADES_HEADER, *rows]) + "\n").encode())
    path = tmp_path / "t.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    source = open_source(path)
    with pytest.raises(Truncated, match=r"t\.csv\.gz:\d+"):
        list(source.records())
    assert 1_000 < source.report.records < 4_000


def test_damaged_gzip_bytes_are_an_error(tmp_path: Path) -> None:
    """A flipped byte in the middle is found."""
    whole = bytearray(
        gzip.compress(("\n".join([files.TRADES_HEADER] + [files.trade(i, i + 1) for i in range(3000)])).encode())
    )
    whole[len(whole) // 2] ^= 0xFF
    path = tmp_path / "t.csv.gz"
    path.write_bytes(bytes(whole))
    with pytest.raises(Truncated):
        list(open_source(path).records())


def test_arrival_never_goes_back(tmp_path: Path) -> None:
    """A row that claims to have arrived before the row above it keeps its place, and that is noted."""
    rows = (files.trade(5, 1), files.trade(1, 2), files.trade(6, 3))
    arrived, report = read(files.write(tmp_path / "trades.csv", files.TRADES_HEADER, *rows))
    times = [at for at, _ in arrived]
    assert times == sorted(times)
    assert sum(report.notes.values()) == 1
    assert of(PriceTick, arrived)[1].received_time_us == T0 + 1_100_000


# --- OKX options --------------------------------------------------------------------------------


def black_in_coin(forward: float, strike: float, vol: float, years: float, *, is_call: bool = True) -> float:
    """Black-76 over its forward in 30 digits."""
    with mpmath.workdps(30):
        deviation = mpmath.mpf(vol) * mpmath.sqrt(years)
        d1 = mpmath.log(mpmath.mpf(forward) / strike) / deviation + deviation / 2
        sign = 1 if is_call else -1
        return float(
            sign * (mpmath.ncdf(sign * d1) - strike / mpmath.mpf(forward) * mpmath.ncdf(sign * (d1 - deviation)))
        )


@pytest.mark.parametrize(
    ("strike", "is_call", "vol", "years", "forward"),
    [
        (102_000.0, True, 0.455, 0.134, 121_400.0),
        (132_000.0, True, 0.387, 0.134, 122_700.0),
        (80_000.0, False, 0.688, 0.0575, 122_100.0),
        (80_000.0, False, 1.4, 0.002, 105_000.0),
    ],
)
def test_the_implied_forward_prices_the_option_at_its_mark(
    strike: float, is_call: bool, vol: float, years: float, forward: float
) -> None:
    """The forward behind a mark of an independent Black-76 is found again."""
    mark = black_in_coin(forward, strike, vol, years, is_call=is_call)
    assert implied_forward(mark, vol, years, strike, is_call, start=118_000.0) == pytest.approx(forward, rel=1e-9)


@pytest.mark.parametrize(
    ("mark", "vol", "years"), [(1.5, 0.5, 0.1), (-0.1, 0.5, 0.1), (0.2, 0.0, 0.1), (0.2, 0.5, 0.0), (1.0, 0.5, 0.1)]
)
def test_a_mark_without_a_forward_gives_none(mark: float, vol: float, years: float) -> None:
    """A mark outside (0, 1) coin, no volatility or no time has no solution, and none is made up."""
    assert implied_forward(mark, vol, years, 100.0, is_call=True, start=100.0) is None


def test_an_option_row_gives_index_and_volatility(tmp_path: Path) -> None:
    """The index goes to the composite, the volatility carries the forward over that index."""
    path = files.write(tmp_path / "o.csv.gz", files.OKX_HEADER, files.okx(0), files.okx(1, index=121_800))
    arrived, report = read(path)
    listing = of(Instrument, arrived)[0]
    assert (listing.strike, listing.option_type, listing.contract_size, listing.contract, listing.settlement) == (
        102_000.0, "call", 0.01, "inverse", "BTC",
    )  # fmt: skip
    listing_expiry = 1_764_316_800_000_000
    assert listing.expiry_us == listing_expiry
    tick = of(PriceTick, arrived)[0]
    assert (tick.price_kind, tick.index_source, tick.instrument, tick.price) == ("index", True, None, 121_718.4)
    vol = of(InstrumentVolatility, arrived)[0]
    assert vol.vol_annual == 0.45
    assert vol.forward_basis is not None
    years = (listing_expiry - T0) * 1e-6 / (365 * 86_400)
    assert black_in_coin(121_718.4 * (1 + vol.forward_basis), 102_000, 0.45, years) == pytest.approx(0.18, rel=1e-10)
    assert report.malformed == 0


def test_an_option_row_without_mark_and_index_keeps_its_volatility(tmp_path: Path) -> None:
    """The first row of a file, which has no index yet, loses nothing else and is noted."""
    path = files.write(tmp_path / "o.csv", files.OKX_HEADER, files.okx(0, mark="", index=""))
    arrived, report = read(path)
    assert of(PriceTick, arrived) == []
    assert of(InstrumentVolatility, arrived)[0].forward_basis is None
    assert report.malformed == 0
    assert report.notes["row without an index"] == 1


@pytest.mark.parametrize(
    "row",
    [files.okx(0, strike="103000"), files.okx(0, kind="put"), files.okx(0, vol="45"), files.okx(0, vol="-0.4"),
     files.okx(0, expiry=1_764_316_800_000_001), files.okx(0, index="x")],
)  # fmt: skip
def test_a_contradictory_option_row_is_malformed(tmp_path: Path, row: str) -> None:
    """Columns that contradict the symbol, and volatilities in percent, are not believed."""
    path = files.write(tmp_path / "o.csv", files.OKX_HEADER, row)
    arrived, report = read(path)
    assert of(InstrumentVolatility, arrived) == []
    assert report.malformed == 1


# --- Binance bars -------------------------------------------------------------------------------

OPEN_MS = T0 // 1000


@pytest.mark.parametrize("scale", [1, 1000])
def test_a_mark_bar_arrives_at_its_end(tmp_path: Path, scale: int) -> None:
    """A bar is known when it is over, in either unit; it marks the perpetual and feeds no index."""
    end = OPEN_MS * scale + 60_000 * scale - 1
    path = files.write(
        tmp_path / "btcusd_perp_mark_1m.csv.gz", files.MARK_HEADER, f"{OPEN_MS * scale},10,12,9,11,{end},60"
    )
    arrived, _ = read(path)
    tick = of(PriceTick, arrived)[0]
    assert (tick.event_time_us, tick.received_time_us, tick.price) == (T0 + 60_000_000, T0 + 60_000_000, 11.0)
    assert (tick.price_kind, tick.index_source, tick.instrument, tick.max_age_ms) == (
        "mark",
        False,
        "BTCUSD_PERP",
        180_000,
    )


def test_a_spot_bar_with_iso_times_arrives_at_its_end(tmp_path: Path) -> None:
    """Without a close time the bar lasts a minute; without a zone its time is UTC."""
    path = files.write(
        tmp_path / "usdeusdt_binance_1m.csv.gz", files.SPOT_BAR_HEADER, "2025-10-10 12:40:00,1,1.01,0.65,0.7,5"
    )
    arrived, _ = read(path)
    tick = of(PriceTick, arrived)[0]
    assert (tick.event_time_us, tick.price, tick.underlying, tick.index_source) == (T0 + 60_000_000, 0.7, "USDE", True)


def test_bars_of_several_symbols_come_in_order_of_time(tmp_path: Path) -> None:
    """Symbols stored one after the other are replayed side by side."""
    rows = [
        f"{symbol},{OPEN_MS + minute * 60_000},1,3,1,{price},1,{OPEN_MS + minute * 60_000 + 59_999},1,1,1,1"
        for symbol, price in (("AVAXUSDT", 2), ("DOTUSDT", 3))
        for minute in range(3)
    ]
    path = files.write(tmp_path / "binance_um_perp_1m.csv.gz", files.UM_HEADER, *rows)
    ticks = of(PriceTick, read(path)[0])
    assert [tick.instrument for tick in ticks] == ["AVAXUSDT", "DOTUSDT"] * 3
    assert {tick.price_kind for tick in ticks} == {"trade"}
    assert all(tick.index_source for tick in ticks)


@pytest.mark.parametrize(
    "bar", ["2,3,1,4", "2,3,2.5,2.6", "0,3,1,2", "2,,1,2"], ids=["close high", "open low", "zero", "empty"]
)
def test_an_impossible_bar_is_malformed(tmp_path: Path, bar: str) -> None:
    """Prices outside low to high are not replayed."""
    path = files.write(
        tmp_path / "btcusd_perp_mark_1m.csv", files.MARK_HEADER, f"{OPEN_MS},{bar},{OPEN_MS + 59_999},60"
    )
    arrived, report = read(path)
    assert arrived == []
    assert report.malformed == 1


def test_an_hourly_bar_is_not_taken_for_a_minute(tmp_path: Path) -> None:
    """Another interval has another freshness, so it is not read as one-minute bars."""
    path = files.write(
        tmp_path / "btcusd_perp_mark_1m.csv", files.MARK_HEADER, f"{OPEN_MS},1,1,1,1,{OPEN_MS + 3_599_999},60"
    )
    assert read(path)[1].malformed == 1


def test_bars_of_an_unnamed_symbol_are_refused(tmp_path: Path) -> None:
    """Without a symbol in header or name there is nothing to map."""
    path = files.write(tmp_path / "prices.csv", files.SPOT_BAR_HEADER, "2025-10-10 12:40:00,1,1,1,1,5")
    with pytest.raises(UnknownSymbol):
        read(path)


def test_bars_derived_from_trades_are_refused(tmp_path: Path) -> None:
    """Bars beside their own trades would count every price twice."""
    path = files.write(
        tmp_path / "bars_1m.csv.gz", files.DERIVED_HEADER, "gemini,BTCUSD,2025-10-10 00:00:00+00:00,1,1,1,1,1,7"
    )
    with pytest.raises(NotReplayable):
        open_source(path)


# --- Deribit ------------------------------------------------------------------------------------

STAMP = "2026-02-02T04:50:19.002806+00:00"
STAMP_US = 1_770_007_819_002_806


def test_a_chain_row_gives_index_future_and_volatility(tmp_path: Path) -> None:
    """A snapshot has one index tick a coin and one mark a future; index and basis give each forward back."""
    path = files.write(
        tmp_path / "chain.csv.gz", files.CHAIN_HEADER,
        files.chain(STAMP, "BTC-27MAR26-70000-P", forward=76_400.5, index=75_843.42),
        files.chain(STAMP, "BTC-27MAR26-70000-C", forward=76_410.5, index=75_850.0, kind="call"),
        files.chain(STAMP, "BTC-24APR26-70000-C", forward=76_500.0, index=75_850.0, kind="call",
                    future="SYN.BTC-24APR26", expiry="2026-04-24T08:00:00+00:00"),
    )  # fmt: skip
    arrived, report = read(path)
    assert report.malformed == 0
    assert {at for at, _ in arrived} == {STAMP_US}
    ticks = of(PriceTick, arrived)
    assert [(tick.price_kind, tick.instrument, tick.price) for tick in ticks] == [
        ("index", None, 75_843.42), ("mark", "BTC-27MAR26", 76_400.5),
    ]  # fmt: skip
    vols = of(InstrumentVolatility, arrived)
    forwards = [75_843.42 * (1 + vol.forward_basis) for vol in vols if vol.forward_basis is not None]
    assert forwards == pytest.approx([76_400.5, 76_410.5, 76_500.0])
    names = [listing.instrument for listing in of(Instrument, arrived)]
    assert names == ["BTC-27MAR26-70000-P", "BTC-27MAR26", "BTC-27MAR26-70000-C", "BTC-24APR26-70000-C"]
    assert of(Instrument, arrived)[1].expiry_us == 1_774_598_400_000_000


@pytest.mark.parametrize(
    "change", [{"vol": "0"}, {"vol": ""}, {"strike": "71000"}, {"kind": "call"}, {"forward": "-1"}]
)
def test_a_bad_chain_row_does_not_hide_the_next(tmp_path: Path, change: dict[str, str]) -> None:
    """A refused row lists nothing, and the next good row of the option lists it."""
    bad = files.chain(STAMP, "BTC-27MAR26-70000-P", **{"forward": "76400", "index": "75843", **change})
    good = files.chain(STAMP, "BTC-27MAR26-70000-P", forward="76400", index="75843")
    arrived, report = read(files.write(tmp_path / "chain.csv", files.CHAIN_HEADER, bad, good))
    assert report.malformed == 1
    assert [type(record).__name__ for _, record in arrived] == [
        "Instrument", "PriceTick", "Instrument", "PriceTick", "InstrumentVolatility",
    ]  # fmt: skip


def test_futures_and_perpetuals_are_marks(tmp_path: Path) -> None:
    """A snapshot's future is marked at its stamp, a perpetual at the end of its candle."""
    futures = files.write(tmp_path / "f.csv", files.FUTURES_HEADER, f"{STAMP},BTC,BTC-13FEB26,75929.55,1,1,1,1,1")
    perpetuals = files.write(
        tmp_path / "p.csv", files.PERPETUAL_HEADER,
        "1770007819002,2026-02-02T04:50:19.0+00:00,ETH,ETH-PERPETUAL,1770007800000,1,1,1,2979.1,4.4,1",
    )  # fmt: skip
    assert [tick.price for tick in of(PriceTick, read(futures)[0])] == [75_929.55]
    tick = of(PriceTick, read(perpetuals)[0])[0]
    assert (tick.event_time_us, tick.instrument, tick.price_kind) == (1_770_007_860_000_000, "ETH-PERPETUAL", "mark")
    assert not open_source(perpetuals).leads


# --- files and folders --------------------------------------------------------------------------


def test_the_header_and_not_the_name_tells_the_layout(tmp_path: Path) -> None:
    """A renamed file is read all the same, packed or not."""
    for name in ("whatever.txt", "whatever.csv.gz"):
        assert len(read(files.write(tmp_path / name, files.TRADES_HEADER, files.trade(0, 1)))[0]) == 2


@pytest.mark.parametrize("content", [b"", b"a,b,c\n1,2,3\n", b"\x00\x01\x02", b"\x1f\x8bnot gzip"])
def test_an_unknown_file_is_refused_when_it_is_opened(tmp_path: Path, content: bytes) -> None:
    """Nothing is guessed about a file whose header we do not know."""
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.csv:1"):
        open_source(path)


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    """A path that is not there is named."""
    with pytest.raises(SourceError, match=r"none\.csv"):
        open_source(tmp_path / "none.csv")


def test_a_folder_gives_what_can_be_replayed(tmp_path: Path) -> None:
    """Trades are taken; derived bars, unknown tables and other files in the folder are passed over."""
    (tmp_path / "deep").mkdir()
    files.write(tmp_path / "deep" / "t.csv.gz", files.TRADES_HEADER, files.trade(0, 1))
    files.write(tmp_path / "bars.csv.gz", files.DERIVED_HEADER, "gemini,BTCUSD,2025-10-10 00:00:00,1,1,1,1,1,7")
    files.write(tmp_path / "other.csv", "a,b", "1,2")
    (tmp_path / "README.md").write_text("text")
    assert [source.name for source in open_sources([tmp_path])] == ["t.csv.gz"]


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    """An empty replay is never a success."""
    with pytest.raises(NothingToReplay):
        open_sources([tmp_path])


def test_unknown_format_names_the_header(tmp_path: Path) -> None:
    """The message quotes what was found."""
    with pytest.raises(UnknownFormat, match="alpha,beta"):
        open_source(files.write(tmp_path / "x.csv", "alpha,beta", "1,2"))


def every_layout(folder: Path) -> list[Source]:
    bar = f"{OPEN_MS},1,1,1,1,{OPEN_MS + 59_999},60"
    files.write(folder / "t.csv", files.TRADES_HEADER, files.trade(0, 1))
    files.write(folder / "o.csv", files.OKX_HEADER, files.okx(0))
    files.write(folder / "btcusd_perp_mark_1m.csv", files.MARK_HEADER, bar)
    files.write(folder / "usdeusdt_binance_1m.csv", files.SPOT_BAR_HEADER, "2025-10-10 12:40:00,1,1,1,1,5")
    files.write(folder / "c.csv", files.CHAIN_HEADER, files.chain(STAMP, "BTC-27MAR26-70000-P", forward=7, index=7))
    files.write(folder / "f.csv", files.FUTURES_HEADER, f"{STAMP},BTC,BTC-13FEB26,75929.55,1,1,1,1,1")
    return open_sources([folder])


def test_every_record_is_valid_on_the_wire(tmp_path: Path) -> None:
    """What a source makes, the strict codec reads back as the same record."""
    count = 0
    for source in every_layout(tmp_path):
        for _, record in source.records():
            topic = TOPIC_OF[type(record)]
            assert topic in source.topics
            assert codec.decode_record(topic, codec.encode(record)) == record
            count += 1
    assert count >= 12
