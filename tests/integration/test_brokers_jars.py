"""The cache of the broker's jars: complete or absent."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest

from monitor.brokers.interface import JarsUnavailable
from monitor.brokers.kafka.jars import CHECKSUMS, KAFKA_VERSION, POM, ensure_jars, jars_complete, jars_dir
from tests.integration.processes import Tools, assert_told, environment, liqmon

NAMES = [line.split()[1] for line in CHECKSUMS.read_text().splitlines()]


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """A PATH where `mvn` copies the real jars from a folder, so that a test can alter what it delivers."""
    folder = tmp_path / "bin"
    folder.mkdir()
    source = tmp_path / "source"
    shutil.copytree(ensure_jars(), source)
    (source / "jars.json").unlink()
    tools = Tools(folder).link("sh", "mkdir", "cp", "rm")
    tools.script(
        "mvn", f'for a; do case $a in -DoutputDirectory=*) d=${{a#*=}};; esac; done\nmkdir "$d"\ncp {source}/*.jar "$d"'
    )
    monkeypatch.setenv("PATH", str(folder))
    return tools


@pytest.mark.local_broker
def test_a_complete_cache_needs_no_maven(tmp_path: Path) -> None:
    """With the jars in the cache, fetching again works with nothing on PATH and no network."""
    ensure_jars()
    done = liqmon("broker", "fetch", env=environment(PATH=str(tmp_path)))
    assert (done.returncode, done.stdout.strip()) == (0, str(jars_dir()))


@pytest.mark.local_broker
def test_fetched_jars_are_published_whole(maven: Tools, tmp_path: Path) -> None:
    """A delivery that agrees with the checksums becomes a complete folder, and nothing else is left in the cache."""
    del maven
    cache = tmp_path / "cache"
    folder = ensure_jars(cache)
    assert jars_complete(folder)
    assert sorted(path.name for path in folder.glob("*.jar")) == sorted(NAMES)
    assert list(cache.iterdir()) == [folder]


@pytest.mark.local_broker
@pytest.mark.parametrize("damage", ["altered", "missing", "added"])
def test_a_delivery_that_differs_is_refused(maven: Tools, tmp_path: Path, damage: str) -> None:
    """A jar with other bytes, a missing one or one too many is named, and the cache stays empty."""
    source = tmp_path / "source"
    victim = source / min(NAMES)
    if damage == "altered":
        data = victim.read_bytes()
        victim.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "missing":
        victim.unlink()
    else:
        victim = source / "a-stranger.jar"
        victim.write_bytes(b"")
    del maven
    with pytest.raises(JarsUnavailable, match=re.escape(victim.name)):
        ensure_jars(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.local_broker
def test_a_damaged_cache_is_fetched_again(maven: Tools, tmp_path: Path) -> None:
    """A truncated jar in the cache is noticed by its size, and the folder is replaced."""
    del maven
    folder = ensure_jars(tmp_path / "cache")
    victim = folder / NAMES[0]
    victim.write_bytes(victim.read_bytes()[:100])
    assert not jars_complete(folder)
    assert ensure_jars(tmp_path / "cache") == folder
    assert jars_complete(folder)
    assert list((tmp_path / "cache").iterdir()) == [folder]


@pytest.mark.local_broker
def test_two_first_runs_at_once_agree(maven: Tools, tmp_path: Path) -> None:
    """Processes that fetch at the same time all end with the same complete folder."""
    del maven
    results: list[Path] = []
    threads = [threading.Thread(target=lambda: results.append(ensure_jars(tmp_path / "cache"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [jars_dir(tmp_path / "cache")] * 4
    assert jars_complete(results[0])
    assert list((tmp_path / "cache").iterdir()) == [results[0]]


def test_a_maven_that_hangs_up_leaves_nothing(tmp_path: Path) -> None:
    """A Maven that fails without a word is one line, and the cache stays empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    Tools(folder).script("mvn", "exit 1")
    env = environment(PATH=str(folder), LIQMON_CACHE_DIR=str(tmp_path / "cache"))
    assert_told(liqmon("broker", "fetch", env=env), 3, "no output", "network")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_checksums_are_of_the_pinned_version() -> None:
    """The list of checksums holds the broker of the version in the pom, every entry once."""
    assert f"kafka_2.13-{KAFKA_VERSION}.jar" in NAMES
    assert f"kafka-clients-{KAFKA_VERSION}.jar" in NAMES
    assert len(NAMES) == len(set(NAMES))
    assert all(re.fullmatch(r"[0-9a-f]{64}  \S+\.jar", line) for line in CHECKSUMS.read_text().splitlines())


def test_the_pom_pins_versions_and_names_no_repository() -> None:
    """Every version in the pom is exact, and where artefacts come from is the user's choice."""
    text = POM.read_text()
    versions = re.findall(r"<version>([^<]+)</version>", text)
    properties = dict(re.findall(r"<([a-z0-9]+\.version)>([^<]+)</", text))
    exact = [properties[v[2:-1]] if v.startswith("${") else v for v in versions]
    assert all(re.fullmatch(r"\d+(\.\d+)*", version) for version in exact)
    assert "repositor" not in text.lower()
