"""Imports go downwards only: kernels, schemas, engine, shell."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ROOT

# What reaches outside: clocks, randomness, files, network, processes, other people's output.
OUTSIDE = {
    "asyncio", "ctypes", "datetime", "getpass", "glob", "http", "importlib", "inspect", "io", "locale",
    "logging", "multiprocessing", "os", "pathlib", "pickle", "platform", "random", "secrets", "shutil",
    "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "tomllib", "urllib",
    "uuid", "warnings",
}  # fmt: skip
OUTSIDE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})


# Modules that may, and why no result depends on it.
EXCEPTIONS = {
    "kernels/machine_code.py": {"pathlib"},  # the key of the machine code cache is a digest of the sources
    "kernels/_jit.py": {"time"},  # tells how long compilation took
    "monitor/judgement/store.py": {"pathlib"},  # a run is a folder
    "monitor/judgement/parts.py": {"multiprocessing"},  # accounts are shared out; figures do not depend on it
    "monitor/judgement/report/beside.py": {"pathlib"},  # writes the report
    "monitor/judgement/report/pictures.py": {"io", "datetime"},  # drawn into memory; times of the run as axes
    "monitor/judgement/report/tables.py": {"datetime"},  # times of the run as texts
    "kernels/warmup.py": {"time"},  # tells how long first calls took
}


@dataclass(frozen=True, slots=True)
class Floor:
    """A folder and what it may import: our modules by prefix, other distributions, and whether OUTSIDE."""

    folder: str
    ours: tuple[str, ...]
    others: frozenset[str]
    outside: bool = False


FLOORS = [
    Floor("kernels", ("kernels",), frozenset({"numpy", "numba", "llvmlite"})),
    Floor("schemas", ("schemas",), frozenset({"msgspec", "orjson"}), outside=True),
    Floor("monitor/models", ("kernels", "schemas", "monitor.models"), frozenset({"numpy", "msgspec"})),
    Floor(
        "monitor/engine", ("kernels", "schemas", "monitor.models", "monitor.engine"), frozenset({"numpy", "msgspec"})
    ),
    Floor(
        "monitor/answers",
        ("kernels", "schemas", "monitor.models", "monitor.engine", "monitor.answers"),
        frozenset({"numpy", "msgspec", "clarabel", "scipy"}),
    ),
    Floor(
        "monitor/cascade",
        ("kernels", "schemas", "monitor.models", "monitor.engine", "monitor.answers", "monitor.cascade"),
        frozenset({"numpy", "msgspec"}),
    ),
    Floor(
        "monitor/liquidation",
        ("kernels", "schemas", "monitor.models", "monitor.engine", "monitor.answers", "monitor.liquidation"),
        frozenset({"numpy", "msgspec"}),
    ),
    Floor(
        "monitor/judgement",
        (
            "kernels",
            "schemas",
            "monitor.models",
            "monitor.engine",
            "monitor.answers",
            "monitor.replay",
            "monitor.errors",
            "monitor.judgement",
        ),
        frozenset({"numpy", "msgspec", "scipy", "matplotlib", "pyarrow"}),
    ),
    # Bots load it: what connects, and what reads records.
    Floor(
        "monitor/client",
        ("schemas", "monitor.client", "monitor.config", "monitor.connection", "monitor.brokers"),
        frozenset({"aiokafka"}),
        outside=True,
    ),
]


def imported(tree: ast.AST, package: str) -> Iterator[tuple[str, int]]:
    """Yield the absolute name and line of every import, relative ones resolved against `package`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno


def violations(source: str, floor: Floor, package: str, allowed: AbstractSet[str] = frozenset()) -> list[str]:
    """Return what in `source` a module of `floor` must not do, with line numbers."""
    tree = ast.parse(source)
    found = []
    for name, line in imported(tree, package):
        top = name.split(".")[0]
        if any(name == ours or name.startswith(f"{ours}.") for ours in floor.ours) or top in floor.others:
            continue
        if top not in sys.stdlib_module_names:
            found.append(f"line {line}: imports {name}")
        elif top in OUTSIDE - allowed and not floor.outside:
            found.append(f"line {line}: imports {name}, which reaches outside")
    for node in ast.walk(tree) if not floor.outside else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OUTSIDE_CALLS:
            found.append(f"line {node.lineno}: calls {node.func.id}")
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"np.random", "numpy.random"}:
            found.append(f"line {node.lineno}: uses numpy.random")
    return found


MODULES = [(floor, path) for floor in FLOORS for path in sorted((ROOT / floor.folder).rglob("*.py"))]


@pytest.mark.parametrize(
    ("floor", "path"), MODULES, ids=lambda v: str(v.relative_to(ROOT)) if isinstance(v, Path) else v.folder
)
def test_a_module_imports_only_from_its_floor_and_below(floor: Floor, path: Path) -> None:
    """A module of the pure floors imports nothing above it and nothing that reaches outside."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    allowed = EXCEPTIONS.get(str(path.relative_to(ROOT)), set())
    assert violations(path.read_text(), floor, package, allowed) == []


@pytest.mark.parametrize(
    "source",
    [
        "import monitor.worker",
        "from monitor import engine, worker",
        "from ..worker import app",
        "import time",
        "from os import environ",
        "def f():\n    import random",
        "import aiokafka",
        "import scipy.stats",
        "x = open('f')",
        "import numpy as np\nx = np.random.default_rng()",
    ],
)
def test_the_check_sees(source: str) -> None:
    """Each forbidden form is seen, also inside functions and written relatively."""
    assert violations(source, FLOORS[3], "monitor.engine")


@pytest.mark.parametrize(
    "source", ["from . import state", "from monitor.engine import state", "import math", "from kernels import blocks"]
)
def test_the_check_lets_pass(source: str) -> None:
    """Imports within the floor, below it, and of the pure standard library are no violation."""
    assert violations(source, FLOORS[3], "monitor.engine") == []


def test_the_engine_runs_without_kafka_clients() -> None:
    """Importing the engine loads neither Faust nor a Kafka client nor the shell."""
    code = (
        "import sys, monitor.engine.step\n"
        "bad = {'faust', 'mode', 'aiokafka', 'click', 'structlog', 'asyncio'} & set(sys.modules)\n"
        "pure = ('monitor.engine', 'monitor.models')\n"
        "shell = [m for m in sys.modules if m.startswith('monitor.') and not m.startswith(pure)]\n"
        "print(sorted(bad) + shell)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
