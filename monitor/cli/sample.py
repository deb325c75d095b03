"""`liqmon sample`: a replay under several models, parameter sets and treatments of correlation, kept as one run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import click
import msgspec

from monitor.cli.replay import Moment
from monitor.errors import UsageError

STEP_S = 60


@click.command(
    epilog="\b\nExample:\n  liqmon sample market.jsonl --accounts accounts.jsonl --under P \\\n"
    "    --under P+identity_floor --out run\n"
    "  liqmon judge run\n  liqmon report run --out report.html"
)
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--accounts", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True,
              help="JSON lines of accounts, transfers and trades.")  # fmt: skip
@click.option("--under", "texts", metavar="[NAME=]MODEL[+TREATMENT][:SET.json]", multiple=True,
              default=("A", "B", "C", "D", "E", "P"), show_default=True,
              help="A configuration; may be repeated. Treatments of correlation: docs/judgement.md.")  # fmt: skip
@click.option("--vary", "grids", metavar="FIELD=VALUE,...", multiple=True,
              help="Model P under each value, too; several make every combination: docs/calibration.md.")  # fmt: skip
@click.option("--every", "every_s", type=click.IntRange(1, 86_400), default=STEP_S, show_default=True,
              help="Seconds of market time between samples.")  # fmt: skip
@click.option("--slow-every", "slow_s", type=click.IntRange(1, 86_400), default=5 * STEP_S, show_default=True,
              help="The same for models that are too slow for ticks.")  # fmt: skip
@click.option("--from", "from_us", type=Moment(), help="First sample, UTC. [default: when the accounts are open]")
@click.option("--until", "until_us", type=Moment(), help="No sample from then on, UTC.")
@click.option("--one-of", type=click.IntRange(1), default=1, show_default=True, help="Only every so many-th account.")
@click.option("--probes/--no-probes", default=True, show_default=True, help="Add one-position accounts of each coin.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes; changes no figure.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and no progress.")
def command(  # noqa: PLR0913, PLR0917 (click passes every option by name)
    files: tuple[Path, ...], accounts: Path, texts: tuple[str, ...], grids: tuple[str, ...], every_s: int, slow_s: int,
    from_us: int | None, until_us: int | None, one_of: int, out: Path, *, probes: bool, jobs: int, as_json: bool,
) -> int:  # fmt: skip
    """Replay FILES once, and ask every configuration about every account at whole steps of market time.

    The market is folded record by record; figures are those of the engine at each sample. The run is a folder with
    `run.json` and `paths.npz`; `liqmon judge`, `compare-runs`, `calibrate` and `report` read it.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.asking.reading import set_from  # noqa: PLC0415
    from monitor.engine.parameters import DEFAULT_ACTIVE  # noqa: PLC0415
    from monitor.judgement import store  # noqa: PLC0415
    from monitor.judgement.configurations import parsed, varied  # noqa: PLC0415
    from monitor.judgement.parts import in_parts  # noqa: PLC0415
    from monitor.judgement.sampling import Sampling  # noqa: PLC0415
    from monitor.replay.arrival import Merged  # noqa: PLC0415
    from monitor.replay.progress import progress_bar  # noqa: PLC0415
    from monitor.replay.sources import open_accounts, open_sources  # noqa: PLC0415

    try:
        configurations = (*parsed(texts, lambda file: set_from(Path(file))), *varied(DEFAULT_ACTIVE.set, grids))
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError(str(error), "see docs/judgement.md") from error
    stream = Merged([*open_sources(files), open_accounts(accounts)])
    sampling = Sampling(
        every_us=every_s * 1_000_000,
        slow_us=slow_s * 1_000_000,
        from_us=from_us,
        until_us=until_us,
        one_of=one_of,
        probes=probes,
    )
    with progress_bar("sample", quiet=as_json) as on_step:
        paths = in_parts(stream, configurations, sampling, jobs, on_step)
    about = {
        "command": _command(),
        "inputs": {source.name: _sha256(path) for source, path in _files(files, accounts)},
        "every_s": every_s,
        "slow_every_s": slow_s,
        "accounts": len(paths.accounts),
    }
    paths = replace(paths, about=about)
    store.save(out, paths)
    said = {"out": str(out), "digest": paths.digest(), "samples": len(paths.times_us), "accounts": len(paths.accounts)}
    click.echo(json.dumps(said) if as_json else "\n".join(f"{name:>9} {value}" for name, value in said.items()))
    return 0


def _command() -> list[str]:
    import sys  # noqa: PLC0415

    return ["liqmon", *sys.argv[1:]]


def _files(files: tuple[Path, ...], accounts: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from monitor.replay.sources import open_accounts, open_sources  # noqa: PLC0415

    for path in files:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                try:
                    yield from ((source, file) for source in open_sources([file]))
                except Exception:  # noqa: BLE001, S112 (a file that is passed over)
                    continue
    yield open_accounts(accounts), accounts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
