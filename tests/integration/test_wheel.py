"""The wheel: what is in it, and that it runs where nothing of the checkout is."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without a network."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel, and its dependencies by a link to those of this run."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    bin_ = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(bin_ / "python")]
    command = [*pip, "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    links = [path for path in [*site.getsitepackages(), *sys.path] if path.endswith("site-packages")]
    # Appended to the path, so it cannot hide the wheel; .pth files in linked folders are not read.
    (packages / "dependencies.pth").write_text("\n".join(dict.fromkeys(links)) + "\n")
    return bin_


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run from a folder that is not the checkout, with nothing of it on Python's path."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "BROKER_URL"}}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=240, check=False)


def test_it_holds_the_three_packages_and_their_data(wheel: Path) -> None:
    """Only kernels, monitor and schemas are in it, with the pom, the checksums, the contracts and the licence."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"kernels", "monitor", "schemas"}
    assert {"monitor/brokers/kafka/pom.xml", "monitor/brokers/kafka/jars.sha256"} <= set(names)
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    contracts = {path.relative_to(ROOT).as_posix() for path in (ROOT / "schemas" / "json").rglob("*.json")}
    assert contracts
    assert contracts <= set(names)
    page = {path.relative_to(ROOT).as_posix() for path in (ROOT / "monitor" / "web" / "static").iterdir()}
    assert "monitor/web/static/index.html" in page
    assert page <= set(names)
    assert [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".nbi", ".nbc"))] == []


def test_every_module_of_the_checkout_is_in_it(wheel: Path) -> None:
    """No module is forgotten."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {
        p.relative_to(ROOT).as_posix() for top in ("kernels", "monitor", "schemas") for p in (ROOT / top).rglob("*.py")
    }
    assert modules <= names


def test_it_runs_in_a_fresh_environment(installed: Path, tmp_path: Path) -> None:
    """Both ways to start it work away from the checkout, and use the installed modules."""
    for command in ([installed / "liqmon"], [installed / "python", "-m", "monitor"]):
        done = run(*command, "--help", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Commands:" in done.stdout
    where = run(installed / "python", "-c", "import monitor; print(monitor.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(installed.parent)


@pytest.mark.local_broker
def test_it_finds_its_pom(installed: Path, tmp_path: Path) -> None:
    """The installed command finds the jars with the pom and the checksums that it ships."""
    done = run(installed / "liqmon", "broker", "fetch", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (Path(done.stdout.strip()) / "jars.json").is_file()
