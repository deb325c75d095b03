"""Historical files as streams of typed records in arrival order."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from monitor.replay.sources import binance_bars, deribit, okx_options, tardis_trades
from monitor.replay.sources.base import TOPIC_OF, Arrived, CsvSource, Layout, ListSource, RecordsSource, Source
from monitor.replay.sources.errors import (
    NothingToReplay,
    NotReplayable,
    SourceError,
    Truncated,
    UnclearTime,
    UnknownFormat,
    UnknownSymbol,
)
from monitor.replay.sources.table import Report, Table
from schemas.topics import ACCOUNT_TOPICS, INSTRUMENTS, PARAMETERS

__all__ = [
    "ACCOUNTS_FILE_TOPICS", "TOPIC_OF", "Arrived", "CsvSource", "Layout", "ListSource", "NotReplayable",
    "NothingToReplay", "RecordsSource", "Report", "Source", "SourceError", "Truncated", "UnclearTime", "UnknownFormat",
    "UnknownSymbol", "open_accounts", "open_source", "open_sources",
]  # fmt: skip

# The layout with more columns comes first where one's columns contain another's.
LAYOUTS: tuple[Layout, ...] = (
    okx_options.LAYOUT,
    tardis_trades.LAYOUT,
    deribit.CHAIN_LAYOUT,
    deribit.FUTURES_LAYOUT,
    deribit.PERPETUALS_LAYOUT,
    binance_bars.DERIVED_LAYOUT,
    binance_bars.SYMBOLS_LAYOUT,
    binance_bars.LAYOUT,
)
ACCOUNTS_FILE_TOPICS = tuple(topic.name for topic in (PARAMETERS, INSTRUMENTS, *ACCOUNT_TOPICS))
SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")


def open_source(path: Path) -> Source:
    """Tell a file's layout by its header row; raises SourceError if it is none of ours or cannot be replayed."""
    table = Table(path)
    table.close()
    columns = set(table.header)
    if table.header and table.header[0].startswith("{"):
        return RecordsSource(path)
    for layout in LAYOUTS:
        if layout.columns <= columns:
            if layout is binance_bars.DERIVED_LAYOUT:
                raise NotReplayable(f"{path.name}: bars derived from trades", "replay the trades themselves")
            return CsvSource(path, layout)
    raise UnknownFormat(path, ",".join(table.header))


def open_sources(paths: Iterable[Path]) -> list[Source]:
    """Open files, and the files in folders, in the order of their names.

    In a folder, files of other kinds and bars derived from trades are passed over; a file named by itself has to be
    replayable. Raises SourceError; NothingToReplay if a folder has no file of a known layout.
    """
    sources: list[Source] = []
    for path in paths:
        if path.is_dir():
            found = [source for file in sorted(path.rglob("*")) if (source := _in_folder(file)) is not None]
            if not found:
                raise NothingToReplay(f"{path.name}: no file of a known layout", "see docs/replay.md for the layouts")
            sources += found
        else:
            sources.append(open_source(path))
    return sources


def open_accounts(path: Path) -> Source:
    """Open a file of accounts: settings, transfers, trades, and the instruments and parameters they need."""
    table = Table(path)
    table.close()
    if not (table.header and table.header[0].startswith("{")):
        raise UnknownFormat(path, ",".join(table.header))
    return RecordsSource(path, ACCOUNTS_FILE_TOPICS, leads=False)


def _in_folder(file: Path) -> Source | None:
    if not file.is_file() or not file.name.endswith(SUFFIXES):
        return None
    try:
        return open_source(file)
    except (NotReplayable, UnknownFormat):
        return None
