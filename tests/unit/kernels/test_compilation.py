"""What is compiled, when, and where the machine code comes from."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from numba.core import event
from numba.core.dispatcher import Dispatcher

import kernels
from kernels import warmup
from kernels._jit import sources_digest
from tests.support import ROOT

FOLDER = ROOT / "kernels"


def dispatchers() -> dict[str, Dispatcher]:
    """Every kernel of the package by its qualified name; helpers that become part of their callers are none."""
    found: dict[str, Dispatcher] = {}
    for module in pkgutil.iter_modules(kernels.__path__):
        namespace = vars(importlib.import_module(f"kernels.{module.name}"))
        for value in namespace.values():
            if isinstance(value, Dispatcher) and not value.targetoptions.get("forceinline", False):
                found[f"{value.py_func.__module__.removeprefix('kernels.')}.{value.py_func.__name__}"] = value
    return found


def run(folder: Path, program: str, **environment: str) -> str:
    """Output of a program in a fresh interpreter that imports `kernels` from `folder`."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a small package that compiles with our decorator: `outer` calls `inner`."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "__init__.py").touch()
    shutil.copy(FOLDER / "_jit.py", folder)
    header = "from kernels._jit import kernel\n"
    (folder / "inner.py").write_text(f"{header}\n@kernel('f8')\ndef scaled(x):\n    return 2.0 * x\n")
    (folder / "outer.py").write_text(
        f"{header}from kernels.inner import scaled\n\n@kernel('f8')\ndef result(x):\n    return scaled(x) + 1.0\n"
    )
    return tmp_path


RESULT = "from kernels import outer; print(outer.result(10.0))"


def test_every_kernel_has_exactly_one_signature_and_no_other_can_arise() -> None:
    """Each kernel is compiled at import for one signature and cannot compile another."""
    found = dispatchers()
    assert len(found) > 20
    for name, dispatcher in found.items():
        assert len(dispatcher.nopython_signatures) == 1, name
        assert not cast("Any", dispatcher)._can_compile, name
        assert not dispatcher.targetoptions.get("fastmath", False), name
        assert not dispatcher.targetoptions.get("parallel", False), name


def test_warm_up_calls_every_public_kernel() -> None:
    """No public kernel is missing from the warm-up, so none is loaded by the first record."""
    tree = ast.parse((FOLDER / "warmup.py").read_text())
    called = {
        f"{node.func.value.id}.{node.func.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    }
    public = {name for name in dispatchers() if not name.split(".")[1].startswith("_")}
    assert public <= called


def test_nothing_is_compiled_after_warm_up() -> None:
    """After a warm-up every further call finds its machine code."""
    warmup.warm_up()
    before = {name: list(dispatcher.signatures) for name, dispatcher in dispatchers().items()}
    with event.install_recorder("numba:compile") as compilations:
        seconds = warmup.warm_up()
    assert compilations.buffer == []
    assert before == {name: list(dispatcher.signatures) for name, dispatcher in dispatchers().items()}
    assert seconds >= 0.0


def test_an_edit_of_a_called_module_is_seen_by_its_callers(package: Path) -> None:
    """Machine code of an older module is never used inside a caller whose own file did not change."""
    assert run(package, RESULT) == "21.0"
    inner = package / "kernels" / "inner.py"
    text = inner.read_text()
    inner.write_text(text.replace("2.0", "3.0"))
    assert run(package, RESULT) == "31.0"
    inner.write_text(text)
    assert run(package, RESULT) == "21.0"


def test_machine_code_is_reused_by_the_next_process(package: Path) -> None:
    """A second start loads what the first one compiled."""
    program = "from kernels import outer; print(sum(outer.result.stats.cache_hits.values()))"
    assert [run(package, program), run(package, program)] == ["0", "1"]


def test_kernels_work_where_nothing_can_be_written(package: Path) -> None:
    """Where no cache folder is possible the kernels compile in memory."""
    # A locator that only fits sources inside an archive stands for a read-only disk, which root does not notice.
    environment = {"NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
    assert run(package, RESULT, **environment) == "21.0"
    assert not list(package.glob("**/*.nbi"))


def test_kernels_run_as_plain_python() -> None:
    """With compilation switched off the same functions give the same number, for a debugger."""
    program = "from kernels import black76; print(black76.price(True, 66000.0, 70000.0, 0.2, 1.0))"
    assert run(ROOT, program, NUMBA_DISABLE_JIT="1") == run(ROOT, program)


def test_the_digest_covers_names_and_contents(tmp_path: Path) -> None:
    """Renaming a file, moving text between files or editing one changes the digest; other files do not."""
    (tmp_path / "a.py").write_text("x")
    (tmp_path / "b.py").write_text("y")
    digests = [sources_digest(tmp_path)]
    (tmp_path / "notes.txt").write_text("z")
    assert sources_digest(tmp_path) == digests[0]
    (tmp_path / "a.py").write_text("xy")
    (tmp_path / "b.py").write_text("")
    digests.append(sources_digest(tmp_path))
    (tmp_path / "a.py").rename(tmp_path / "c.py")
    digests.append(sources_digest(tmp_path))
    assert len(set(digests)) == 3
