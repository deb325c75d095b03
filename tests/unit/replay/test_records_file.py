from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from monitor.replay.gaps import measure
from monitor.replay.sources import RecordsSource, Truncated, UnknownFormat, open_accounts, open_source, open_sources
from monitor.replay.sources.records_file import MAX_LINE_BYTES, write_lines
from schemas.records import Heartbeat, Input, PriceTick, Trade
from tests.unit.replay import files
from tests.unit.replay.files import T0

BEAT = Heartbeat(source="s", event_time_us=T0)
TICK = PriceTick(
    underlying="BTC",
    source="s",
    price_kind="index",
    price=1.5,
    event_time_us=T0,
    received_time_us=T0 + 5,
    index_source=True,
)
TICKS = "market.ticks.v1"


def write(path: Path, *lines: bytes) -> RecordsSource:
    data = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return RecordsSource(path)


def line(*records: Input) -> bytes:
    buffer = io.BytesIO()
    write_lines(buffer, [(TICKS, record) for record in records])
    return buffer.getvalue().rstrip(b"\n")


@pytest.mark.parametrize("name", ["m.jsonl", "m.jsonl.gz"])
def test_written_records_are_read_back(tmp_path: Path, name: str) -> None:
    """What one command writes another reads, with arrival from the recorder's clock where there is one."""
    path = tmp_path / name
    write(path, line(BEAT, TICK))
    assert list(open_source(path).records()) == [(T0, BEAT), (T0 + 5, TICK)]


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[]",
        b'{"topic":"market.ticks.v1"}',
        b'{"topic":"market.ticks.v1","record":{"kind":"heartbeat"}}',
        b'{"topic":"market.ticks.v1","record":{"kind":"heartbeat","source":"s","event_time_us":1}}',
        b'{"topic":"market.ticks.v1","record":{"kind":"heartbeat","source":"s","event_time_us":1760100000000000},"x":1}',
        b'{"topic":"risk.margin-calls.v1","record":{}}',
        b'{"topic":"no.such.topic","record":{}}',
        b'{"topic":"risk.trades.v1","record":{"trade_id":"1"}}',
        b"\xff\xfe",
        b'{"topic":"' + b"x" * (2 * MAX_LINE_BYTES) + b'"}',
    ],
    ids=lambda bad: bad[:40].decode(errors="replace"),
)
def test_a_line_that_is_no_record_costs_one_line(tmp_path: Path, bad: bytes) -> None:
    """Whatever a line holds, the lines around it are read and the file and line are named."""
    source = write(tmp_path / "m.jsonl", line(BEAT), bad, line(TICK))
    assert [record for _, record in source.records()] == [BEAT, TICK]
    assert source.report.malformed == 1
    assert source.report.listed[0].startswith("m.jsonl:2: ")


def test_account_records_do_not_belong_into_a_market_file(tmp_path: Path) -> None:
    """A trade in a file of market data is named, not slipped in; a file of accounts takes it."""
    trade = Trade(trade_id="1", account="a", instrument="X", quantity=1.0, price=1.0, event_time_us=T0)
    path = tmp_path / "m.jsonl"
    with path.open("wb") as stream:
        write_lines(stream, [("risk.trades.v1", trade)])
    source = RecordsSource(path)
    assert list(source.records()) == []
    assert source.report.malformed == 1
    assert list(open_accounts(path).records()) == [(T0, trade)]


def test_a_table_is_no_file_of_accounts(tmp_path: Path) -> None:
    """A CSV file given as accounts is refused when it is opened."""
    with pytest.raises(UnknownFormat):
        open_accounts(files.write(tmp_path / "t.csv", files.TRADES_HEADER, files.trade(0, 1)))


def test_a_cut_off_record_file_is_damaged(tmp_path: Path) -> None:
    """Truncated gzip is an error after the complete lines."""
    beats = [Heartbeat(source=f"s{k * 7919 % 1013}", event_time_us=T0 + k * 1_234) for k in range(5_000)]
    source = write(tmp_path / "m.jsonl.gz", line(*beats))
    whole = source.path.read_bytes()
    source.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Truncated):
        list(source.records())
    assert 500 < source.report.records < 5_000


def test_gaps_are_measured_before_the_moment_only(tmp_path: Path) -> None:
    """The age follows from the gaps before, rounded up to 10 s; the silence after it counts as stale."""
    path = files.write(
        tmp_path / "t.csv",
        files.TRADES_HEADER,
        *(files.trade(85 * k, 1) for k in range(10)),
        files.trade(85 * 9 + 300, 1),
    )
    found = measure(open_sources([path]), T0 + 800_000_000)
    assert [(gaps.source, gaps.max_age_s, gaps.stale_before) for gaps in found] == [("gemini:BTCUSD", 90.0, 0.0)]
    assert found[0].stale_after == pytest.approx(210 / 300)
