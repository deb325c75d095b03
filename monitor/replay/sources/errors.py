"""What can be wrong with a historical file, named by file and line."""

from __future__ import annotations

from pathlib import Path

from monitor.errors import ExitCode, MonitorError, UsageError


class SourceError(UsageError):
    """A file that cannot be replayed as given."""


class UnknownFormat(SourceError):
    """The header row belongs to no layout we read."""

    def __init__(self, path: Path, header: str) -> None:
        super().__init__(
            f"{path.name}:1: unknown layout, header {header[:120]!r}",
            "give a file of a layout listed in docs/replay.md",
        )


class UnknownSymbol(SourceError):
    """A venue or symbol that maps to no instrument of ours."""

    def __init__(self, path: Path, line: int, venue: str, symbol: str) -> None:
        super().__init__(
            f"{path.name}:{line}: no instrument for {venue[:40]!r} {symbol[:40]!r}",
            "replay files of the venues listed in docs/replay.md",
        )


class UnclearTime(SourceError):
    """A column of times in neither milliseconds nor microseconds."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path.name}:{line}: {reason}", "convert the column, or replay another file")


class UnclearMarket(SourceError):
    """A file whose market neither its name nor its folders tell."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name}: spot, USDT-margined or coin-margined, trades or marks: nothing tells",
            "keep it in the folders that it was published in, or say it with --binance",
        )


class UnclearLayout(SourceError):
    """A header that has the columns of several layouts."""

    def __init__(self, path: Path, names: list[str]) -> None:
        super().__init__(f"{path.name}:1: may be {' or '.join(names)}", "take out the columns that are not needed")


class NotReplayable(SourceError):
    """A layout we recognise and refuse."""


class NothingToReplay(SourceError):
    """A folder without a single file of a known layout."""


class Truncated(MonitorError):
    """A compressed file ends early or is damaged; the rows before that have been replayed.

    Flipped bytes may spoil rows before they are found: the checksum of a gzip file stands at its end.
    """

    exit_code = ExitCode.FINDINGS

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path.name}:{line}: damaged after this line ({reason})", "fetch the file again")
