"""What a check says of files with known faults."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from monitor.cli import liqmon
from monitor.replay.quality import check, inspect
from monitor.replay.sources import open_source, open_sources
from tests.unit.replay import files
from tests.unit.replay.files import T0


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(liqmon, [str(argument) for argument in arguments], standalone_mode=False)


def spoilt(path: Path) -> Path:
    """Trades with every fault once: the line numbers are in the test below."""
    rows = [files.trade(k, 100 + k) for k in range(4)]
    rows += [rows[2]]  # line 6 repeats line 4
    rows += [files.trade(4, 0), files.trade(5, -3), files.trade(6, "x"), "gemini,BTCUSD"]  # lines 7 to 10
    rows += [files.trade(7, 107, late_s=60), files.trade(10, 110), files.trade(8, 108)]  # 12 arrives before, 13 is late
    rows += [files.trade(500, 120)]  # 14, after a gap of 490 s
    rows += [files.trade(501, 121, symbol="NONE")]  # 15
    rows += [files.trade(502, 122).replace(str(T0 + 502_000_000), str((T0 + 502_000_000) // 1_000))]  # 16, in ms
    return files.write(path, files.TRADES_HEADER, *rows)


def test_every_fault_is_counted_and_named(tmp_path: Path) -> None:
    """Rows, both clocks, a gap, a repeated row, disorder, units, bad prices and symbols, by file and line."""
    quality = inspect(open_source(spoilt(tmp_path / "trades.csv")))
    assert (quality.rows, quality.records, quality.feeds) == (15, 11, 1)
    assert (quality.first_event_us, quality.last_event_us) == (T0, T0 + 502_000_000)
    assert (quality.first_arrival_us, quality.last_arrival_us) == (T0 + 100_000, T0 + 502_100_000)
    assert [line.split(": ")[0] for line in quality.malformed_lines] == [f"trades.csv:{line}" for line in (7, 8, 9, 10)]
    assert (quality.malformed, quality.bad_prices) == (4, 3)
    assert (quality.duplicates, quality.duplicate_lines) == (1, ["trades.csv:6: as line 4"])
    assert (quality.disorder, quality.most_disorder_us) == (2, 2_000_000)  # lines 6 and 13
    assert quality.late_arrivals == 3  # line 6; lines 12 and 13, after the late arrival of line 11
    assert [(gap.from_us - T0, gap.until_us - T0) for gap in quality.longest_gaps] == [(10_000_000, 500_000_000)]
    assert quality.unit_changes == ["trades.csv:16: timestamp from us to ms"]
    assert quality.unknown == {"gemini NONE": (15, 1)}
    assert not quality.clean


def test_a_bound_of_gaps_is_the_users(tmp_path: Path) -> None:
    """Every silence above it is counted, and the longest are named."""
    path = files.write(tmp_path / "trades.csv", files.TRADES_HEADER, *(files.trade(k * k, 1) for k in range(40)))
    source = open_source(path)
    assert inspect(source).gaps == 0  # no two trades are 130 s apart
    quality = inspect(source, 20_000_000)
    assert quality.gaps == sum(2 * k + 1 > 20 for k in range(39))
    assert [gap.until_us - gap.from_us for gap in quality.longest_gaps] == [
        (2 * k + 1) * 1_000_000 for k in range(38, 28, -1)
    ]


def test_files_are_the_same_on_several_cores(tmp_path: Path) -> None:
    """Large files are read by other processes: the summaries are those of one."""
    paths = [tmp_path / f"trades-{number}.csv" for number in range(2)]
    for path in paths:
        files.write(path, files.TRADES_HEADER, *(files.trade(k * 0.01, 100 + k % 7) for k in range(40_000)))
    assert sum(path.stat().st_size for path in paths) > 4_000_000
    assert list(check(open_sources(paths))) == [inspect(source) for source in open_sources(paths)]


def test_a_damaged_file_is_told_not_raised(tmp_path: Path) -> None:
    """The check goes on with the other files."""
    whole = files.write(
        tmp_path / "a_trades.csv.gz", files.TRADES_HEADER, *(files.trade(k, k + 1) for k in range(5_000))
    )
    damaged = tmp_path / "b_trades.csv.gz"
    damaged.write_bytes(whole.read_bytes()[:20_000])
    first, second = check(open_sources([whole, damaged]))
    assert first.clean
    assert "damaged after this line" in second.error


def test_the_command_only_looks(tmp_path: Path) -> None:
    """`--check` says what is wrong, runs nothing, and its exit code is 1 when rows were not understood."""
    path = spoilt(tmp_path / "trades.csv")
    result = invoke("replay", path, "--check")
    assert result.return_value == 1
    for text in ("malformed trades.csv:7: ", "repeated trades.csv:6: as line 4", "not understood trades.csv:15: ",
                 "unit of time trades.csv:16: ", "1 gaps (longest 490.0 s of gemini:BTCUSD trade BTC-USD"):  # fmt: skip
        assert text in result.output
    told = json.loads(invoke("replay", path, "--check", "--json").stdout)
    assert told["quality"][0]["unknown"] == {"gemini NONE": {"line": 15, "rows": 1}}
    good = files.write(tmp_path / "good_trades.csv", files.TRADES_HEADER, files.trade(0, 1))
    assert invoke("replay", good, "--check").return_value == 0


def test_a_run_looks_first(tmp_path: Path) -> None:
    """The summary is told before anything runs, and stands in the JSON of the run."""
    path = files.write(tmp_path / "trades.csv", files.TRADES_HEADER, *(files.trade(k, 100 + k) for k in range(5)))
    result = invoke("replay", path, "--to", "engine", "--json")
    (quality,) = json.loads(result.stdout)["quality"]
    assert (quality["name"], quality["rows"], quality["clean"]) == ("trades.csv", 5, True)
    assert json.loads(invoke("replay", path, "--to", "engine", "--no-check", "--json").stdout)["quality"] == []
