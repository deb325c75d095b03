"""axe-core, one version of it with its checksum, fetched by npm into the user's cache; nothing of it is kept here."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from monitor.brokers.kafka.jars import jars_dir

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="


def source() -> str | None:
    """Return axe as a script; None where it is not in the cache and npm cannot fetch it."""
    kept = jars_dir().parent / f"axe-core-{VERSION}.tgz"
    if not kept.exists() and not _fetch(kept):
        return None
    data = kept.read_bytes()
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != SHA512:
        raise ValueError(f"{kept} is not axe-core {VERSION}: delete it")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = archive.extractfile("package/axe.min.js")
        assert found is not None
        return found.read().decode()


def _fetch(kept: Path) -> bool:
    npm = shutil.which("npm")
    if npm is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"axe-core@{VERSION}", "--pack-destination", folder]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False, cwd=folder)
        packed = list(Path(folder).glob("axe-core-*.tgz"))
        if done.returncode or not packed:
            return False
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(packed[0], kept)
    return True
