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
from kernels._jit import FAST
from kernels.machine_code import sources_digest
from tests.support import ROOT

FOLDER = ROOT / "kernels"


def dispatchers() -> dict[str, Dispatcher]:
    """Every compiled function of the package by its qualified name, without what only becomes part of others."""
    found: dict[str, Dispatcher] = {}
    for module in pkgutil.iter_modules(kernels.__path__):
        namespace = vars(importlib.import_module(f"kernels.{module.name}"))
        for value in namespace.values():
            if isinstance(value, Dispatcher) and not value.targetoptions.get("forceinline"):
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
    for module in ("_jit.py", "machine_code.py"):
        shutil.copy(FOLDER / module, folder)
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
        assert dispatcher.targetoptions.get("fastmath", False) in (False, FAST), name
        assert not dispatcher.targetoptions.get("parallel", False), name


def called_in(path: Path) -> set[str]:
    """Names, as `module.function`, of what a file takes from the modules of `kernels`."""
    tree = ast.parse(path.read_text())
    modules: dict[str, str] = {}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "kernels":
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kernels."):
            module = str(node.module).removeprefix("kernels.")
            found |= {f"{module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found.add(f"{modules[node.value.id]}.{node.attr}")
    return found


def test_warm_up_calls_every_kernel_that_python_calls() -> None:
    """No kernel that the engine or the shell calls is missing from the warm-up."""
    used = set().union(*(called_in(path) for path in (ROOT / "monitor").rglob("*.py"))) & set(dispatchers())
    assert len(used) > 20
    assert used <= called_in(FOLDER / "warmup.py")


def test_nothing_is_compiled_after_warm_up() -> None:
    """After a warm-up every further call finds its machine code."""
    warmup.warm_up()
    before = {name: list(dispatcher.signatures) for name, dispatcher in dispatchers().items()}
    with event.install_recorder("numba:compile") as compilations:
        told = warmup.warm_up()
    assert compilations.buffer == []
    assert before == {name: list(dispatcher.signatures) for name, dispatcher in dispatchers().items()}
    assert told.compiled + told.loaded >= len(before)
    assert told.load_s > 0.0
    assert told.first_calls_s > 0.0


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


def test_machine_code_of_another_cpu_is_not_used(package: Path) -> None:
    """Code compiled for one CPU is not loaded where numba compiles for another one, and both are kept."""
    program = "from kernels import outer; print(sum(outer.result.stats.cache_hits.values()), outer.result(10.0))"
    generic = {"NUMBA_CPU_NAME": "generic"}
    assert [run(package, program), run(package, program, **generic)] == ["0 21.0", "0 21.0"]
    assert [run(package, program), run(package, program, **generic)] == ["1 21.0", "1 21.0"]


@pytest.mark.parametrize("switch", [{"NUMBA_LOOP_VECTORIZE": "0"}, {"NUMBA_OPT": "1"}, {"NUMBA_BOUNDSCHECK": "1"}])
def test_machine_code_of_other_compiler_options_is_not_used(package: Path, switch: dict[str, str]) -> None:
    """Slow code from a trial with the compiler's switches never reaches a start without them."""
    program = "from kernels import outer; print(sum(outer.result.stats.cache_hits.values()))"
    assert [run(package, program, **switch), run(package, program)] == ["0", "0"]


def test_machine_code_goes_where_numba_is_told_to(package: Path, tmp_path: Path) -> None:
    """With NUMBA_CACHE_DIR nothing is written beside the modules, and the next start finds it there."""
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "elsewhere")}
    program = "from kernels import outer; print(sum(outer.result.stats.cache_hits.values()))"
    assert [run(package, program, **environment), run(package, program, **environment)] == ["0", "1"]
    assert list((tmp_path / "elsewhere").glob("**/*.nbc"))
    assert not list((package / "kernels").glob("**/*.nbc"))


def test_machine_code_of_a_read_only_install_is_loaded(package: Path) -> None:
    """What was compiled when an image was built is used where nothing can be written, and left as it is."""
    run(package, RESULT)
    before = {path: path.read_bytes() for path in package.glob("**/*.nb?")}
    environment = {"NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
    program = "from kernels import outer; print(sum(outer.result.stats.cache_hits.values()), outer.result(10.0))"
    assert run(package, program, **environment) == "1 21.0"
    assert {path: path.read_bytes() for path in package.glob("**/*.nb?")} == before


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
