"""Parquet and Arrow files are what CSV files of the same columns are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from monitor.replay.arrival import Merged
from monitor.replay.quality import inspect
from monitor.replay.sources import Truncated, UnknownFormat, open_source, open_sources
from schemas.records import Heartbeat, Input, PriceTick
from tests.unit.replay import files

ROWS = [files.trade(k, 100.25 + k, symbol="BTCUSD" if k % 3 else "ETHUSD") for k in range(30)]


def records(path: Path) -> list[tuple[int, Input]]:
    return list(open_source(path).records())


def columns(*, typed: bool) -> pa.Table:
    """The rows as columns: whole numbers and floats, or with `typed` times and dictionaries."""
    names = files.TRADES_HEADER.split(",")
    by_column = zip(*(row.split(",") for row in ROWS), strict=True)
    values: dict[str, list[Any]] = dict(zip(names, map(list, by_column), strict=True))
    table = {name: pa.array(found) for name, found in values.items()}
    for name in ("price", "amount"):
        table[name] = pa.array([float(text) for text in values[name]])
    for name in ("timestamp", "local_timestamp"):
        table[name] = pa.array([int(text) for text in values[name]])
        if typed:
            table[name] = table[name].cast(pa.timestamp("us")).cast(pa.timestamp("ns", "UTC"))
    if typed:
        table["symbol"] = table["symbol"].dictionary_encode()
    return pa.table(table)


@pytest.fixture
def expected(tmp_path: Path) -> list[tuple[int, Input]]:
    return records(files.write(tmp_path / "trades.csv", files.TRADES_HEADER, *ROWS))


@pytest.mark.parametrize("typed", [False, True])
def test_a_file_is_what_its_rows_are_as_text(tmp_path: Path, expected: list[tuple[int, Input]], typed: bool) -> None:
    """Whatever the types of its columns, in Parquet and in Arrow's own format."""
    pq.write_table(columns(typed=typed), tmp_path / "trades.parquet", row_group_size=7)
    pyarrow.feather.write_feather(columns(typed=typed), str(tmp_path / "trades.arrow"))
    assert records(tmp_path / "trades.parquet") == expected
    assert records(tmp_path / "trades.arrow") == expected
    assert len(expected) == 32


def test_columns_may_be_in_the_names_of_folders(tmp_path: Path, expected: list[tuple[int, Input]]) -> None:
    """The files of hive partitions are merged; one of them alone has its partitions, too."""
    root = tmp_path / "trades"
    ds.write_dataset(
        columns(typed=False), root, format="parquet", partitioning=["exchange", "symbol"], partitioning_flavor="hive"
    )
    sources = open_sources([root])
    assert len(sources) == 2
    found = [(at_us, one) for at_us, one in Merged(sources) if not isinstance(one, Heartbeat)]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    assert [one for one in found if isinstance(one[1], PriceTick)] == [
        one for one in expected if isinstance(one[1], PriceTick)
    ]
    (one,) = (root / "exchange=gemini" / "symbol=ETHUSD").glob("*.parquet")
    assert [r for _, r in records(one)] == [r for _, r in expected if "ETH" in repr(r)]


def test_faults_are_named_by_row(tmp_path: Path) -> None:
    """The check tells them as it does for text."""
    table = columns(typed=False)
    prices = table["price"].to_pylist()
    prices[4], prices[6] = -1.0, None
    at = table.schema.get_field_index("price")
    pq.write_table(table.set_column(at, "price", pa.array(prices)), tmp_path / "trades.parquet")
    quality = inspect(open_source(tmp_path / "trades.parquet"))
    assert [line.split(": ")[0] for line in quality.malformed_lines] == ["trades.parquet:5", "trades.parquet:7"]
    assert (quality.rows, quality.malformed, quality.bad_prices) == (30, 2, 2)


def test_other_columns_and_damage_are_errors(tmp_path: Path) -> None:
    """An unknown layout and a damaged file end as they do for text."""
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(UnknownFormat):
        open_source(tmp_path / "a.parquet")
    path = tmp_path / "trades.parquet"
    pq.write_table(columns(typed=False), path, compression="gzip")
    whole = bytearray(path.read_bytes())
    whole[40:200] = bytes(160)
    path.write_bytes(bytes(whole))
    with pytest.raises(Truncated):
        records(path)
