"""Files beside the page: pictures as PNG, the judgement as JSON, calls and paths as Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from monitor.errors import UsageError
from monitor.judgement.calls import Call
from monitor.judgement.paths import Paths
from monitor.judgement.report.page import page
from monitor.judgement.report.pictures import pictures
from monitor.judgement.report.tables import tables
from monitor.judgement.verdict import Judgement


def write(
    out: Path, title: str, paths: Paths, found: Judgement, calls: Mapping[str, Sequence[Call]], *, parquet: bool = True
) -> list[Path]:
    """Write the page `out` and its files, named after it; return all of them. Raises UsageError."""
    base = "P" if "P" in paths.names else paths.names[-1]
    shown = pictures(paths, calls, base)
    files: dict[str, bytes] = {out.name: page(title, paths, found, shown, tables(found)).encode()}
    files |= {f"{out.stem}-{one.name}.png": one.png for one in shown}
    files[f"{out.stem}.json"] = msgspec.json.encode(found) + b"\n"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for name, body in files.items():
            (out.parent / name).write_bytes(body)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror})", "give another --out") from error
    written = [out.parent / name for name in files]
    return [*written, *_parquet(out, paths, calls)] if parquet else written


def _parquet(out: Path, paths: Paths, calls: Mapping[str, Sequence[Call]]) -> list[Path]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415
        import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow", "install the extra `parquet`, or give --no-parquet") from error
    rows = [{"configuration": name, **msgspec.structs.asdict(one)} for name, found in calls.items() for one in found]
    schema = pa.schema([
        ("configuration", pa.string()), ("account", pa.string()), ("kind", pa.string()), ("at_us", pa.int64()),
        ("equity_usd", pa.float64()), ("im_usd", pa.float64()), ("mm_usd", pa.float64()), ("jump", pa.bool_()),
    ])  # fmt: skip
    size = len(paths.accounts)
    columns = {
        "at_us": np.repeat(paths.times_us, size), "account": np.tile(np.array(paths.accounts), len(paths.times_us)),
        "kind": np.tile(np.array(paths.kinds), len(paths.times_us)), "equity_usd": paths.equity_usd.ravel(),
        "gross_usd": paths.gross_usd.ravel(), "held": paths.held.ravel(),
    }  # fmt: skip
    for one in paths.requirements:
        columns |= {
            f"im_usd:{one.configuration.name}": one.im_usd.ravel(),
            f"mm_usd:{one.configuration.name}": one.mm_usd.ravel(),
        }
    files = {
        out.with_name(f"{out.stem}-calls.parquet"): pa.Table.from_pylist(rows, schema=schema),
        out.with_name(f"{out.stem}-paths.parquet"): pa.table(columns),
    }
    for file, table in files.items():
        pq.write_table(table, file, compression="zstd")
    return list(files)
