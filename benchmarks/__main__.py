"""`python -m benchmarks GROUP [--json]`: the figures of one group, each the median of several processes.

A group is a module here whose `measure()` returns figures by key: ratios as numbers, facts as booleans. Each process
measures all of them in interleaved rounds (`benchmarks.rounds`). With `--json` the last line is one object: under each
key the median over the processes, under KEY_range the least and the largest, and `machine`, what the figures depend on.
"""

from __future__ import annotations

import importlib
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from benchmarks.compiled import compilers

GROUPS = (
    "kernels", "sweep", "ticks", "ticks-models", "es", "models", "records", "answers", "replay", "ingest", "latency",
    "restore", "page",
)  # fmt: skip
WITH_ACCOUNTS = ("ticks", "answers", "restore", "replay")
OVER_A_BROKER = ("ingest", "latency", "restore", "page")  # one process each: they take minutes, with their own rounds
PROCESSES = 3

Figures = dict[str, float | bool]


def merge(runs: Iterable[Figures]) -> dict[str, Any]:
    """Return median and range of every figure; a fact is true if it was in all runs."""
    runs = list(runs)
    merged: dict[str, Any] = {}
    for key, first in runs[0].items():
        values = [run[key] for run in runs]
        if isinstance(first, bool):
            merged[key] = all(values)
            continue
        merged[key] = statistics.median(values)
        merged[f"{key}_range"] = [min(values), max(values)]
    return merged


def machine() -> str:
    """Return what the figures depend on: processor, vector width, compilers, versions."""
    import llvmlite.binding  # noqa: PLC0415 (after the kernels have set its options)
    import numba  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    features = llvmlite.binding.get_host_cpu_features()
    vectors = next((name for name in ("avx512f", "avx2", "avx", "neon", "sse2") if features.get(name)), "none")
    llvm = ".".join(map(str, llvmlite.binding.llvm_version_info))
    versions = [
        f"{name} {subprocess.run([name, '-dumpversion'], capture_output=True, text=True, check=True).stdout.strip()}"
        for name in compilers()
    ]
    return ", ".join([
        f"{_processor()} ({llvmlite.binding.get_host_cpu_name()}, {vectors})", f"Python {platform.python_version()}",
        f"numpy {np.__version__}", f"numba {numba.__version__}", f"LLVM {llvm}", *versions,
    ])  # fmt: skip


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def table(figures: Mapping[str, Any]) -> str:
    """Return the figures as lines of text."""
    lines = []
    for key, value in figures.items():
        if isinstance(value, bool):
            lines.append(f"{key:32} {'yes' if value else 'NO':>10}")
        elif isinstance(value, int | float):
            low, high = figures[f"{key}_range"]
            lines.append(f"{key:32} {value:10.4g}   [{low:.4g}, {high:.4g}]")
    return "\n".join(lines)


@click.command()
@click.argument("groups", type=click.Choice(GROUPS), nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.option("--processes", type=click.IntRange(1), help="How many processes measure. [default: 3; over a broker 1]")
@click.option("--here", is_flag=True, hidden=True, help="Measure in this process and print its figures.")
@click.option(
    "--accounts",
    type=click.IntRange(10),
    help="With ticks, answers, restore, replay: how many. [default: 100000; replay 1000]",
)
@click.option("--replay", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="With ticks: a recorded day's folder, replayed as well.")  # fmt: skip
def main(
    groups: tuple[str, ...], as_json: bool, processes: int | None, here: bool, accounts: int | None, replay: Path | None
) -> None:  # fmt: skip
    """Measure one group of figures, or several one after the other."""
    options = {name: value for name, value in (("accounts", accounts), ("replay", replay)) if value is not None}
    if options and (len(groups) > 1 or groups[0] not in WITH_ACCOUNTS or (replay and groups[0] != "ticks")):
        raise click.UsageError("--accounts is an option of ticks, answers, restore and replay, --replay of ticks")
    if here:
        for group in groups:
            click.echo(json.dumps(importlib.import_module(f"benchmarks.{group.replace('-', '_')}").measure(**options)))
        return
    told = [f"--{name}={value}" for name, value in options.items()]
    figures: dict[str, Any] = {}
    for group in groups:
        count = processes or (1 if group in OVER_A_BROKER else PROCESSES)
        figures |= merge(_measured(group, told, count))
    figures["machine"] = machine()
    if "ticks" in groups and replay is None:
        click.echo("no recorded day was replayed: give its folder with --replay")
    click.echo(figures["machine"])
    click.echo(table(figures))
    if as_json:
        click.echo(json.dumps(figures))


def _measured(group: str, told: list[str], processes: int) -> list[Figures]:
    """Return what each of some processes measured."""
    runs = []
    for number in range(processes):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", group, "--here", *told],
            stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(done.returncode)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
        click.echo(f"{group}: process {number + 1} of {processes} done", err=True)
    return runs


if __name__ == "__main__":
    main()
