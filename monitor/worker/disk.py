"""Whether the data folder can be written: asked, not assumed, because the answer changes while a worker runs.

Nothing of an account is on this disk (the changelog is the store), so a full one is told and ends nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

PROBE = "probe"


def disk_trouble(folder: Path, min_free_bytes: int) -> str:
    """Return what keeps a file from being written in a folder, or how little room is left; empty if all is well.

    Writes, syncs and removes one small file: it blocks for as long as the disk does.
    """
    probe = folder / PROBE
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, b"probe\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            probe.unlink(missing_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"the data folder {folder} cannot be written ({error.strerror})"
    if free < min_free_bytes:
        return f"the data folder {folder} has {free // 1_000_000} MB left, less than {min_free_bytes // 1_000_000}"
    return ""
