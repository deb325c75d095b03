"""What is compiled, when, and where the machine code comes from."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from numba.core import event

import kernels
from kernels import warmup
from kernels._jit import FAST, TALLY, Kernel
from kernels.machine_code import sources_digest
from tests.support import ROOT

FOLDER = ROOT / "kernels"


def dispatchers() -> dict[str, Kernel]:
    """Every kernel of the package by its qualified name, without what only becomes part of others."""
    found: dict[str, Kernel] = {}
    for module in pkgutil.walk_packages(kernels.__path__, "kernels."):
        namespace = vars(importlib.import_module(module.name))
        for value in namespace.values():
            if isinstance(value, Kernel):
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
HITS = "from kernels import outer; outer.result(10.0); print(sum(outer.result.stats.cache_hits.values()))"


def test_every_kernel_has_exactly_one_signature_and_no_other_can_arise() -> None:
    """Each kernel, once asked for, has its declared signature and cannot compile another."""
    found = dispatchers()
    assert len(found) > 20
    for name, dispatcher in found.items():
        dispatcher.compile("f4(f4)")
        assert len(dispatcher.nopython_signatures) == 1, name
        assert not cast("Any", dispatcher)._can_compile, name
        assert dispatcher.targetoptions.get("fastmath", False) in (False, FAST), name
        assert not dispatcher.targetoptions.get("parallel", False), name


def test_an_import_compiles_and_loads_nothing() -> None:
    """Machine code is fetched at first calls, so a process pays for the kernels that it uses."""
    names = ", ".join(module.name for module in pkgutil.walk_packages(kernels.__path__, "kernels."))
    program = f"import {names}; print(kernels._jit.TALLY.compiled, kernels._jit.TALLY.loaded)"
    assert run(ROOT, program) == "0 0"


ARRAYS = """
from kernels._jit import kernel


@kernel('f8[::1], i8[::1]')
def product(x, k):
    return x[0] * k[0]
"""


@pytest.mark.parametrize(
    "arguments",
    [
        "x.astype('f4'), k",
        "x, k.astype('i4')",
        "x[::2], k",
        "x.reshape(1, -1), k",
        "x.astype('>f8'), k",
        "fixed, k",
        "'x', k",
        "object(), k",
        "x",
    ],
)
def test_the_first_call_refuses_other_types(package: Path, arguments: str) -> None:
    """A first call with arrays of other types is a TypeError like every later one, and the declared ones work."""
    (package / "kernels" / "arrays.py").write_text(ARRAYS)
    program = f"""
import numpy as np
from kernels.arrays import product

x, k = np.full(4, 3.0), np.full(4, 2)
fixed = x.copy()
fixed.flags.writeable = False
for _ in range(2):
    try:
        product({arguments})
    except TypeError:
        print("refused")
print(product(x, k), len(product.signatures))
"""
    assert run(package, program).split() == ["refused", "refused", "6.0", "1"]


def test_a_loaded_kernel_does_not_load_those_it_calls(package: Path) -> None:
    """Machine code from the cache holds what it calls."""
    told = "from kernels._jit import TALLY; print(TALLY.compiled, TALLY.loaded)"
    assert [run(package, f"{RESULT}; {told}").split() for _ in range(2)] == [["21.0", "2", "0"], ["21.0", "0", "1"]]


def test_a_kernel_is_the_same_code_whoever_needs_it_first(package: Path) -> None:
    """A kernel compiled for a caller takes over none of the caller's compiler options."""
    (package / "kernels" / "caller.py").write_text(
        "from kernels._jit import inlined, kernel\nfrom kernels.outer import result\n\n"
        "@inlined(fast=True)\ndef between(x):\n    return result(x) * x\n\n"
        "@kernel('f8', fast=True)\ndef called(x):\n    return between(x)\n"
    )
    tell = (
        "import re; text, = result.inspect_llvm().values();"
        "print(sorted(set(re.findall(r'alwaysinline|nnan|contract|reassoc', text))), len(text.splitlines()))"
    )
    nowhere = {"NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
    alone = run(package, f"from kernels.outer import result; result(1.0); {tell}", **nowhere)
    through = run(
        package, f"from kernels.outer import result; from kernels import caller; caller.called(1.0); {tell}", **nowhere
    )
    assert alone == through
    assert alone.startswith("[] ")


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


def test_warm_up_calls_the_kernels_that_python_calls() -> None:
    """The warm-up names the kernels that the engine or the shell name, and no other."""
    used = set().union(*(called_in(path) for path in (ROOT / "monitor").rglob("*.py"))) & set(dispatchers())
    assert len(used) > 20
    assert used == called_in(FOLDER / "warmup.py") & set(dispatchers())


def test_no_tick_waits_for_machine_code() -> None:
    """After a warm-up the engine works off markets under every margin model without compiling or loading."""
    program = """
from kernels.warmup import warm_up
from monitor.models.warmup import warm_up as models_warm_up
models_warm_up()
warm_up()
from kernels._jit import TALLY
before = repr(TALLY)
from monitor.engine import new_state, open_shard, step
from tests.engine_market import Log, random_market
from tests.unit.engine.test_modelled import run
count = len(run(2, 150)[1])
for seed, pace in ((0, 1), (3, 20)):
    log, state = Log(), new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    count += len(list(step(state, [log(record) for record in random_market(seed, 1_500, tuple("abcdef"), pace)])))
print(count > 10, repr(TALLY) == before or (before, TALLY))
"""
    assert run(ROOT, program) == "True True"


def test_nothing_is_compiled_after_warm_up() -> None:
    """After a warm-up every further call finds its machine code."""
    warmup.warm_up()
    before = {name: list(dispatcher.signatures) for name, dispatcher in dispatchers().items()}
    tally = replace(TALLY)
    with event.install_recorder("numba:compile") as compilations:
        told = warmup.warm_up()
    assert compilations.buffer == []
    assert before == {name: list(dispatcher.signatures) for name, dispatcher in dispatchers().items()}
    assert tally == TALLY
    assert (told.compiled, told.loaded) == (TALLY.compiled, TALLY.loaded)
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
    assert [run(package, HITS), run(package, HITS)] == ["0", "1"]


def test_kernels_work_where_nothing_can_be_written(package: Path) -> None:
    """Where no cache folder is possible the kernels compile in memory."""
    # A locator that only fits sources inside an archive stands for a read-only disk, which root does not notice.
    environment = {"NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
    assert run(package, RESULT, **environment) == "21.0"
    assert not list(package.glob("**/*.nbi"))


def test_machine_code_of_another_cpu_is_not_used(package: Path) -> None:
    """Code compiled for one CPU is not loaded where numba compiles for another one, and both are kept."""
    program = "from kernels import outer; x = outer.result(10.0); print(sum(outer.result.stats.cache_hits.values()), x)"
    generic = {"NUMBA_CPU_NAME": "generic"}
    assert [run(package, program), run(package, program, **generic)] == ["0 21.0", "0 21.0"]
    assert [run(package, program), run(package, program, **generic)] == ["1 21.0", "1 21.0"]


@pytest.mark.parametrize("switch", [{"NUMBA_LOOP_VECTORIZE": "0"}, {"NUMBA_OPT": "1"}, {"NUMBA_BOUNDSCHECK": "1"}])
def test_machine_code_of_other_compiler_options_is_not_used(package: Path, switch: dict[str, str]) -> None:
    """Slow code from a trial with the compiler's switches never reaches a start without them."""
    assert [run(package, HITS, **switch), run(package, HITS)] == ["0", "0"]


def test_machine_code_goes_where_numba_is_told_to(package: Path, tmp_path: Path) -> None:
    """With NUMBA_CACHE_DIR nothing is written beside the modules, and the next start finds it there."""
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "elsewhere")}
    assert [run(package, HITS, **environment), run(package, HITS, **environment)] == ["0", "1"]
    assert list((tmp_path / "elsewhere").glob("**/*.nbc"))
    assert not list((package / "kernels").glob("**/*.nbc"))


def test_machine_code_of_a_read_only_install_is_loaded(package: Path) -> None:
    """What was compiled when an image was built is used where nothing can be written, and left as it is."""
    run(package, RESULT)
    before = {path: path.read_bytes() for path in package.glob("**/*.nb?")}
    environment = {"NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
    program = "from kernels import outer; x = outer.result(10.0); print(sum(outer.result.stats.cache_hits.values()), x)"
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
