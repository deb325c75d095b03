"""Fetch the broker's jars once with Maven, check them, and keep them in the user's cache.

The folder is complete or absent: Maven copies into a temporary sibling, every jar is compared with the SHA-256
list shipped beside the pom, a stamp is written, and one rename publishes the folder. Later starts compare names
and sizes with the stamp and need neither Maven nor a network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from monitor.brokers.interface import JarsUnavailable, StorageUnusable
from monitor.brokers.kafka.java import find_maven

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
CHECKSUMS = HERE / "jars.sha256"
STAMP = "jars.json"
# A first download took 10 s here; a slow line may need minutes, a hung one should end within the patience of a CI.
MAVEN_TIMEOUT_S = 900


def _pinned_version() -> str:
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", POM.read_text())
    if found is None:
        raise ValueError(f"{POM} names no kafka.version")
    return found[1]


KAFKA_VERSION = _pinned_version()


def cache_dir() -> Path:
    """Return the user's cache folder: LIQMON_CACHE_DIR, else the XDG cache, else ~/.cache."""
    if own := os.environ.get("LIQMON_CACHE_DIR"):
        return Path(own).expanduser().absolute()
    xdg = os.environ.get("XDG_CACHE_HOME")
    return Path(xdg or Path.home() / ".cache").expanduser().absolute() / "liquidation-monitor"


def jars_dir(cache: Path | None = None) -> Path:
    """Return where the jars of the pinned version are, whether or not they are there yet."""
    return (cache or cache_dir()) / f"kafka-{KAFKA_VERSION}"


def jars_complete(folder: Path) -> bool:
    """Whether `folder` holds exactly the stamped jars with their sizes, of the checksum list we ship."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
        sizes = {path.name: path.stat().st_size for path in folder.glob("*.jar")}
    except (OSError, ValueError):
        return False
    return bool(stamp == {"checksums": _digest(CHECKSUMS), "sizes": sizes})


def ensure_jars(cache: Path | None = None) -> Path:
    """Return the folder of the broker's jars, fetching them with Maven if they are not in the cache.

    Raises NoMaven, JarsUnavailable, StorageUnusable.
    """
    folder = jars_dir(cache)
    if jars_complete(folder):
        return folder
    mvn = find_maven()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise StorageUnusable(
            f"cache folder {folder.parent} cannot be written ({error.strerror})", "set LIQMON_CACHE_DIR to another one"
        ) from error
    try:
        new = work / "jars"
        _run_maven(mvn, new, work / "maven.log")
        _verify(new)
        sizes = {path.name: path.stat().st_size for path in sorted(new.glob("*.jar"))}
        (new / STAMP).write_text(json.dumps({"checksums": _digest(CHECKSUMS), "sizes": sizes}, indent=1))
        _publish(new, folder, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _run_maven(mvn: str, into: Path, log: Path) -> None:
    command = [
        mvn, "-B", "-q", "-f", str(POM), "dependency:copy-dependencies",
        f"-DoutputDirectory={into}", "-DincludeScope=runtime",
    ]  # fmt: skip
    remedy = "connect to the network and run `liqmon broker fetch` once, or set BROKER_URL to a running Kafka"
    with log.open("w") as out:
        try:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=MAVEN_TIMEOUT_S, check=False
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise JarsUnavailable(f"Maven did not finish within {MAVEN_TIMEOUT_S} s", remedy) from error
    if code != 0:
        reason = maven_reason(log.read_text(errors="replace"))
        raise JarsUnavailable(f"Maven could not fetch Apache Kafka {KAFKA_VERSION} ({reason})", remedy)


def maven_reason(log: str) -> str:
    """Return the part of a failed Maven run that says why, at most 200 characters."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", log)
    errors = [line.removeprefix("[ERROR]").strip() for line in text.splitlines() if line.startswith("[ERROR]")]
    first = next((line for line in errors if line), text.strip()[:200] or "no output")
    # Maven chains causes as "outer: middle: inner"; only the inner end tells offline from not found.
    causes = first.split(" -> ")[0].split(": ")
    reason = ": ".join(causes[-2:])
    return reason if len(reason) <= 200 else f"...{reason[-197:]}"


def _verify(folder: Path) -> None:
    expected = {}
    for line in CHECKSUMS.read_text().splitlines():
        digest, name = line.split()
        expected[name] = digest
    found = {path.name: _digest(path) for path in folder.glob("*.jar")}
    if found != expected:
        names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise JarsUnavailable(
            f"{len(names)} of {len(expected)} jars differ from the pinned checksums, first {names[0]}",
            "remove them from the local Maven repository and the mirror that served them, then try again",
        )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _publish(new: Path, folder: Path, work: Path) -> None:
    """Move `new` to `folder`; a second process that was faster has published the same bytes."""
    if folder.exists() and not jars_complete(folder):
        folder.rename(work / "incomplete")
    try:
        new.rename(folder)
    except OSError:
        if not jars_complete(folder):
            raise
