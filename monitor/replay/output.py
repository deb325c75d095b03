"""Files that a command writes: complete or not there at all."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from monitor.errors import UsageError

STDOUT = Path("-")


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing, gzip by its suffix, `-` for standard output; it gets its name when the block ends well.

    Raises UsageError if it cannot be written.
    """
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = path.with_name(path.name + ".part")
    try:
        raw = part.open("wb")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})", "give another --out") from error
    try:
        with raw:
            if path.suffix == ".gz":
                # No name and no time in the header, so that the same records are the same bytes.
                with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                    yield cast("IO[bytes]", packed)
            else:
                yield raw
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
