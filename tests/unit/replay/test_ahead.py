from __future__ import annotations

import gzip
import multiprocessing
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.engine import Sourced
from monitor.errors import ExitCode
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.ahead import LEAST_BYTES, Ahead, ReaderLost, cores, pays, reading_ahead
from monitor.replay.arrival import Merged, Span
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.sequence import Sequence
from monitor.replay.sources import (
    ACCOUNTS_FILE_TOPICS,
    ListSource,
    RecordsSource,
    Truncated,
    UnclearTime,
    open_source,
)
from schemas.records import Input

MARKET = MarketParameters(seed=8, minutes=8, ticks_per_second=0.2, coins=3)
HEADER = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
AT_MS = 1_760_054_400_000


@pytest.fixture(scope="module")
def accounts() -> list[tuple[str, Input]]:
    parameters = AccountParameters(seed=6, accounts=10, fills_per_hour=10.0)
    return generate_accounts(Merged([GeneratedMarket(MARKET)]), parameters).records


def trades(count: int) -> bytes:
    rows = [f"gemini,BTCUSD,{AT_MS + 100 * k},{AT_MS + 100 * k + 5},{k},buy,{120_000 + k % 7},1" for k in range(count)]
    return "\n".join([HEADER, *rows, ""]).encode()


def test_records_read_ahead_are_those_read_here(accounts: list[tuple[str, Input]]) -> None:
    """Another process gives the same records with the same positions, and says the same of what it read."""
    until_us = accounts[0][1].event_time_us + 300_000_000
    here, there = (
        Merged([GeneratedMarket(MARKET), ListSource("a", accounts, ACCOUNTS_FILE_TOPICS)], Span(until_us=until_us))
        for _ in range(2)
    )
    sequence = Sequence(here, 4)
    expected = list(sequence)
    with reading_ahead(there, 4) as ahead:
        assert list(ahead) == expected
    assert (ahead.counts, ahead.late) == (sequence.counts, sequence.late)
    for name in ("first_us", "last_us", "repeated", "outside"):
        assert getattr(there, name) == getattr(here, name)
    assert [source.report for source in there.sources] == [source.report for source in here.sources]
    assert ahead.fraction == sequence.fraction


def test_what_is_wrong_with_a_file_is_told_here(tmp_path: Path) -> None:
    """A damaged file gives every record before the damage, its malformed lines, and then its own error."""
    lines = trades(20_000).split(b"\n")
    lines[4_000] = b"gemini,BTCUSD,soon,soon,4,buy,cheap,1"
    packed = gzip.compress(b"\n".join(lines))
    path = tmp_path / "gemini_BTCUSD.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    here, there = Merged([open_source(path)]), Merged([open_source(path)])
    expected: list[Sourced] = []
    found: list[Sourced] = []
    with pytest.raises(Truncated) as told_here:
        expected.extend(Sequence(here, 1))
    with pytest.raises(Truncated) as told_there, reading_ahead(there, 1) as ahead:
        found.extend(ahead)
    assert str(told_there.value) == str(told_here.value)
    assert told_there.value.exit_code == ExitCode.FINDINGS
    assert len(found) > 4_000
    assert found == expected
    assert there.sources[0].report == here.sources[0].report
    assert there.sources[0].report.malformed == 1


def test_an_error_before_the_first_record_is_told_as_well(tmp_path: Path) -> None:
    """A file whose times have no clear unit is refused by its own error."""
    path = tmp_path / "gemini_BTCUSD.csv"
    path.write_text(f"{HEADER}\ngemini,BTCUSD,17,17,1,buy,120000,1\n")
    with (
        pytest.raises(UnclearTime, match=r"gemini_BTCUSD\.csv:2"),
        reading_ahead(Merged([open_source(path)]), 1) as ahead,
    ):
        list(ahead)


def test_leaving_early_ends_the_process(tmp_path: Path) -> None:
    """Whoever stops in the middle, by an error or an interrupt, leaves no process behind."""
    path = tmp_path / "gemini_BTCUSD.csv"
    path.write_bytes(trades(60_000))
    with pytest.raises(KeyboardInterrupt), reading_ahead(Merged([open_source(path)]), 1) as ahead:
        take(ahead, at_first=lambda: signal.raise_signal(signal.SIGINT))
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_is_missed(tmp_path: Path) -> None:
    """A reader that dies is an error that says so, and never the end of the records."""
    path = tmp_path / "gemini_BTCUSD.csv"
    path.write_bytes(trades(60_000))
    with pytest.raises(ReaderLost), reading_ahead(Merged([open_source(path)]), 1) as ahead:
        take(ahead, at_first=kill_reader)


def take(ahead: Ahead, at_first: Callable[[], None]) -> None:
    for item in ahead:
        if item.offset == 0:
            at_first()


def kill_reader() -> None:
    (process,) = multiprocessing.active_children()
    process.kill()
    process.join()


def test_only_large_files_pay(tmp_path: Path) -> None:
    """What is read in less time than a process takes to start is read here."""
    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    small.write_bytes(b"{}")
    with large.open("wb") as file:
        file.truncate(LEAST_BYTES)
    assert not pays(Merged([RecordsSource(small), GeneratedMarket(MARKET)]))
    assert pays(Merged([RecordsSource(small), RecordsSource(large)])) == (cores() > 1)
