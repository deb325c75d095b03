"""Historical files as streams of typed records in arrival order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from monitor.replay.sources import (
    arrow,
    binance_bars,
    binance_trades,
    deribit,
    deribit_api,
    okx_options,
    packed,
    tardis_tickers,
    tardis_trades,
)
from monitor.replay.sources.base import TOPIC_OF, Arrived, CsvSource, Layout, ListSource, RecordsSource, Source
from monitor.replay.sources.errors import (
    NothingToReplay,
    NotReplayable,
    SourceError,
    Truncated,
    UnclearLayout,
    UnclearMarket,
    UnclearTime,
    UnknownFormat,
    UnknownSymbol,
)
from monitor.replay.sources.table import Report, Table
from schemas.topics import ACCOUNT_TOPICS, INSTRUMENTS, PARAMETERS, SOURCE_RANK

__all__ = [
    "ACCOUNTS_FILE_TOPICS", "TOPIC_OF", "Arrived", "CsvSource", "Layout", "ListSource", "NotReplayable",
    "NothingToReplay", "RecordsSource", "Report", "Source", "SourceError", "Truncated", "UnclearLayout",
    "UnclearMarket", "UnclearTime", "UnknownFormat", "UnknownSymbol", "open_accounts", "open_source", "open_sources",
]  # fmt: skip

# Where one's columns contain another's, the one with more is meant.
LAYOUTS: tuple[Layout, ...] = (
    okx_options.LAYOUT,
    tardis_trades.LAYOUT,
    tardis_tickers.QUOTES_LAYOUT,
    tardis_tickers.DERIVATIVES_LAYOUT,
    binance_trades.LAYOUT,
    deribit.CHAIN_LAYOUT,
    deribit.FUTURES_LAYOUT,
    deribit.PERPETUALS_LAYOUT,
    binance_bars.DERIVED_LAYOUT,
    binance_bars.SYMBOLS_LAYOUT,
    binance_bars.LAYOUT,
)
ACCOUNTS_FILE_TOPICS = tuple(topic.name for topic in (PARAMETERS, INSTRUMENTS, *ACCOUNT_TOPICS))
SUFFIXES = (
    *(f"{kind}{packing}" for kind in (".csv", ".jsonl") for packing in packed.SUFFIXES),
    ".zip",
    *arrow.FORMATS,
)


def open_source(path: Path, *, market: str | None = None, lenient: bool = False) -> Source:
    """Tell a file's layout by its header row, or its shape without one.

    `market` is the market of Binance's files that do not tell it (`binance_names.MARKETS`). `lenient` passes over
    symbols without an instrument, and counts them. Raises SourceError if the layout is none of ours, is not clear or
    cannot be replayed.
    """
    if arrow.is_arrow(path):
        return arrow.ArrowSource(path, _replayable(path, arrow.ArrowTable(path).header), market, lenient)
    if deribit_api.is_api(path):
        return deribit_api.ApiSource(path, deribit_api.LAYOUT, market, lenient)
    table = Table(path)
    table.close()
    if table.header and table.header[0].startswith("{"):
        if any(field.startswith(("offset:", '"offset"')) for field in table.header):  # a recorded line has its place
            return RecordsSource(path, tuple(SOURCE_RANK), recorded=True)
        return RecordsSource(path)
    return CsvSource(path, _replayable(path, table.header), market, lenient)


def _replayable(path: Path, header: Sequence[str]) -> Layout:
    layout = layout_of(path, header)
    if layout is binance_bars.DERIVED_LAYOUT:
        raise NotReplayable(f"{path.name}: bars derived from trades", "replay the trades themselves")
    return layout


def layout_of(path: Path, header: Sequence[str]) -> Layout:
    """Return the layout that a header tells; raises UnknownFormat, or UnclearLayout if it tells several."""
    columns = set(header)
    found = [layout for layout in LAYOUTS if layout.columns <= columns and not layout.without & columns]
    found = [one for one in found if not any(one.columns < other.columns for other in found)]
    if not found:
        raise UnknownFormat(path, ",".join(header))
    if len(found) > 1:
        raise UnclearLayout(path, [layout.name for layout in found])
    return found[0]


def open_sources(paths: Iterable[Path], *, market: str | None = None, lenient: bool = False) -> list[Source]:
    """Open files, and the files in folders, in the order of their names.

    In a folder, files of other kinds and bars derived from trades are passed over; a file named by itself has to be
    replayable. `market` and `lenient` as in `open_source`. Raises SourceError; NothingToReplay if a folder has no file
    of a known layout.
    """
    sources: list[Source] = []
    for path in paths:
        if path.is_dir():
            found = [
                source for file in sorted(path.rglob("*")) if (source := _in_folder(file, market, lenient)) is not None
            ]
            if not found:
                raise NothingToReplay(f"{path.name}: no file of a known layout", "see docs/replay.md for the layouts")
            sources += found
        else:
            sources.append(open_source(path, market=market, lenient=lenient))
    return sources


def open_accounts(path: Path) -> Source:
    """Open a file of accounts: settings, transfers, trades, and the instruments and parameters they need."""
    table = Table(path)
    table.close()
    if not (table.header and table.header[0].startswith("{")):
        raise UnknownFormat(path, ",".join(table.header))
    return RecordsSource(path, ACCOUNTS_FILE_TOPICS, leads=False)


def _in_folder(file: Path, market: str | None, lenient: bool) -> Source | None:
    if not file.is_file() or not file.name.endswith(SUFFIXES):
        return None
    try:
        return open_source(file, market=market, lenient=lenient)
    except (NotReplayable, UnknownFormat):
        return None
