"""Files as they lie on a disk: plain, gzip, zip with one file in it, Zstandard. Told by their first bytes."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from monitor.replay.sources.errors import SourceError

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
SUFFIXES = ("", ".gz", ".zip", ".zst")  # a packed file's name goes on with one of these
DAMAGE = (EOFError, OSError, zlib.error, zipfile.BadZipFile)  # what reading a damaged file raises


def opened(path: Path) -> tuple[BinaryIO, BinaryIO]:
    """Open a file; return its bytes on the disk, whose place tells progress, and its bytes unpacked.

    Raises SourceError if it cannot be opened, or is a zip of several files.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path.name}: cannot be read: {error.strerror}", "check the path") from error
    magic = raw.read(4)
    raw.seek(0)
    try:
        if magic.startswith(GZIP_MAGIC):
            return raw, cast("BinaryIO", gzip.GzipFile(fileobj=raw))
        if magic == ZIP_MAGIC:
            return raw, _member(path, raw)
        if magic == ZSTD_MAGIC:
            return raw, _zstd(path, raw)
    except BaseException:
        raw.close()
        raise
    return raw, raw


def _member(path: Path, raw: BinaryIO) -> BinaryIO:
    try:
        archive = zipfile.ZipFile(raw)
    except zipfile.BadZipFile as error:
        raise SourceError(f"{path.name}: damaged zip file: {error}", "fetch the file again") from error
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if len(names) != 1:
        raise SourceError(f"{path.name}: {len(names)} files in a zip instead of one", "unpack it, and give the folder")
    return cast("BinaryIO", archive.open(names[0]))


def _zstd(path: Path, raw: BinaryIO) -> BinaryIO:
    try:
        import pyarrow as pa  # noqa: PLC0415 (an extra: only Zstandard and Parquet need it)
    except ImportError as error:
        raise SourceError(
            f"{path.name}: Zstandard needs pyarrow", "install the extra `parquet`, or unpack it"
        ) from error
    return cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd"))
