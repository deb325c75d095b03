from __future__ import annotations

from pathlib import Path

import pytest

from monitor.replay.arrival import Merged, Span
from monitor.replay.sources import Truncated, open_sources
from schemas.records import Heartbeat, Input, Instrument, PriceTick
from tests.unit.replay import files
from tests.unit.replay.files import T0


def two_venues(folder: Path) -> Merged:
    files.write(
        folder / "a.csv", files.TRADES_HEADER,
        *(files.trade(second, 100 + second) for second in (0, 1, 2, 9)),
    )  # fmt: skip
    files.write(
        folder / "b.csv", files.TRADES_HEADER,
        *(files.trade(second, 200 + second, venue="coinbase", symbol="BTC-USD", late_s=5) for second in (0, 1, 3)),
    )  # fmt: skip
    return Merged(open_sources([folder]))


def ticks(arrived: list[tuple[int, Input]]) -> list[PriceTick]:
    return [record for _, record in arrived if isinstance(record, PriceTick)]


def test_files_are_merged_by_arrival_and_not_by_event_time(tmp_path: Path) -> None:
    """A late tick comes when it arrived: event time runs backwards across venues, arrival time never."""
    arrived = list(two_venues(tmp_path))
    at = [time for time, _ in arrived]
    assert at == sorted(at)
    assert [tick.price for tick in ticks(arrived)] == [100, 101, 102, 200, 201, 203, 109]
    events = [tick.event_time_us for tick in ticks(arrived)]
    assert events != sorted(events)


def test_every_second_of_arrival_has_one_heartbeat(tmp_path: Path) -> None:
    """Silence has its heartbeats too, each before the records of its second."""
    arrived = list(two_venues(tmp_path))
    beats = [record.event_time_us for _, record in arrived if isinstance(record, Heartbeat)]
    assert beats == [T0 + second * 1_000_000 for second in range(1, 10)]


def test_own_heartbeats_are_not_doubled(tmp_path: Path) -> None:
    """A source that beats by itself replayed again gives one heartbeat a second."""
    times = [T0 + second * 1_000_000 for second in (0, 1, 2, 5)]
    beat = '{{"topic":"market.ticks.v1","record":{{"kind":"heartbeat","source":"x","event_time_us":{}}}}}'
    lines = [beat.format(time) for time in times]
    path = files.write(tmp_path / "m.jsonl", *lines)
    beats = [record for _, record in Merged(open_sources([path])) if isinstance(record, Heartbeat)]
    assert [beat.event_time_us - T0 for beat in beats] == [s * 1_000_000 for s in range(6)]
    assert [beat.source for beat in beats] == ["x", "x", "x", "replay", "replay", "x"]


def test_definitions_come_before_their_ticks(tmp_path: Path) -> None:
    """No tick precedes the listing of its instrument."""
    listed: set[str] = set()
    for _, record in two_venues(tmp_path):
        if isinstance(record, Instrument):
            listed.add(record.instrument)
        if isinstance(record, PriceTick):
            assert record.instrument in listed


def test_the_span_cuts_by_arrival_and_keeps_definitions(tmp_path: Path) -> None:
    """From is inclusive, until exclusive, and instruments before it stay known."""
    merged = two_venues(tmp_path)
    merged.span = Span(from_us=T0 + 2_100_000, until_us=T0 + 6_000_000)
    arrived = list(merged)
    assert [tick.price for tick in ticks(arrived)] == [102, 200]
    assert any(isinstance(record, Instrument) for _, record in arrived)


def test_companions_do_not_stretch_the_replay(tmp_path: Path) -> None:
    """Mark bars of the days around are left out: a day of bars alone would hold every account."""
    files.write(tmp_path / "t.csv", files.TRADES_HEADER, files.trade(0, 1), files.trade(120, 2))
    open_ms = [T0 // 1000 + minute * 60_000 for minute in range(-3, 6)]
    files.write(
        tmp_path / "btcusd_perp_mark_1m.csv", files.MARK_HEADER, *(f"{at},5,5,5,5,{at + 59_999},60" for at in open_ms)
    )
    merged = Merged(open_sources([tmp_path]))
    marks = [tick.event_time_us - T0 for tick in ticks(list(merged)) if tick.price_kind == "mark"]
    assert marks == [60_000_000, 120_000_000]
    assert merged.outside == 3


def test_an_index_in_several_files_is_one_feed(tmp_path: Path) -> None:
    """Three option files carry the same index; it goes out once."""
    for name, symbol, strike in (
        ("a", "BTC-USD-251128-102000-C", "102000"),
        ("b", "BTC-USD-251128-132000-C", "132000"),
    ):
        files.write(
            tmp_path / f"{name}.csv", files.OKX_HEADER,
            *(files.okx(second, symbol=symbol, strike=strike, mark=0.05, index=1000 + second) for second in range(3)),
        )  # fmt: skip
    merged = Merged(open_sources([tmp_path]))
    assert [tick.price for tick in ticks(list(merged))] == [1000, 1001, 1002]
    assert merged.repeated == 3


def test_a_gap_between_recordings_has_no_heartbeats(tmp_path: Path) -> None:
    """Days of silence between two files are not a quiet market."""
    files.write(tmp_path / "t.csv", files.TRADES_HEADER, files.trade(0, 1), files.trade(40 * 86_400, 2))
    assert sum(isinstance(record, Heartbeat) for _, record in Merged(open_sources([tmp_path]))) < 5


def test_the_same_files_give_the_same_stream(tmp_path: Path) -> None:
    """A pass can be repeated: ties have a rule."""
    merged = two_venues(tmp_path)
    assert list(merged) == list(merged)


def test_a_damaged_file_ends_the_merge(tmp_path: Path) -> None:
    """The error of one source is not lost in the merge."""
    merged = two_venues(tmp_path)
    packed = files.write(tmp_path / "c.csv.gz", files.TRADES_HEADER, *(files.trade(s, s + 1) for s in range(3000)))
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(Truncated):
        list(Merged([*merged.sources, *open_sources([packed])]))
