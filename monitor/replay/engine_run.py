"""`liqmon replay --to engine`: which way a run goes through the engine, by what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, get_args

from monitor.errors import UsageError
from monitor.replay import offline
from monitor.replay.ahead import pays
from monitor.replay.arrival import Merged
from monitor.replay.checkpoint import Checkpoints
from monitor.replay.lane import Lane, Settings, Summary
from monitor.replay.output import STDOUT, writing
from monitor.replay.parallel import run_parallel
from monitor.replay.progress import OnStep
from monitor.replay.under_model import UnderModel
from schemas.records import MarginModel


@dataclass(frozen=True, slots=True)
class EngineRun:
    """How a run goes: `settings` are lanes over one pass, the first of them is the run's own."""

    partitions: int
    batch: int = offline.BATCH
    processes: int = 1
    settings: tuple[Settings, ...] = (Settings(),)
    checkpoint: Path | None = None
    checkpoint_every_us: int = 3_600_000_000
    resume: bool = False
    resume_at_us: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be together (raises UsageError)."""
        names = [one.name for one in self.settings]
        if len(set(names)) != len(names):
            raise UsageError("two settings have one name", "give every --also a name of its own")
        if self.checkpoint is None and (self.resume or self.resume_at_us is not None):
            raise UsageError("nothing to go on from", "name the folder with --checkpoint")
        if self.checkpoint is not None and (self.processes > 1 or len(self.settings) > 1):
            raise UsageError("checkpoints are of one engine", "leave --processes and --also out, or --checkpoint")

    def through(self, stream: UnderModel, out: Path | None, on_step: OnStep) -> list[Summary]:
        """Run a stream; write events to `out`, those of other settings beside it."""
        with ExitStack() as stack:
            outs = [stack.enter_context(_maybe_writing(path)) for path in outputs(out, self.settings)]
            if self.processes > 1:
                return run_parallel(
                    stream, outs, processes=self.processes, partitions=self.partitions, batch=self.batch,
                    settings=self.settings, on_step=on_step,
                )  # fmt: skip
            if self.checkpoint is not None:
                return [self._checkpointed(stream, outs[0], on_step)]
            lanes = [
                Lane(file, partitions=self.partitions, settings=one)
                for file, one in zip(outs, self.settings, strict=True)
            ]
            return offline.run_lanes(stream, lanes, batch=self.batch, on_step=on_step, ahead=pays(stream))

    def _checkpointed(self, stream: UnderModel, out: IO[bytes] | None, on_step: OnStep) -> Summary:
        assert self.checkpoint is not None
        own = self.settings[0]
        checkpoints = Checkpoints(
            self.checkpoint, [*made_of(stream), f"model {own.model}", f"set {own.parameter_set}"],
            every_us=self.checkpoint_every_us, resume=self.resume or self.resume_at_us is not None,
            at_us=self.resume_at_us, settings=own,
        )  # fmt: skip
        with checkpoints:
            summary = offline.run(
                stream, out, partitions=self.partitions, batch=self.batch, on_step=on_step, ahead=pays(stream),
                checkpoints=checkpoints,
            )  # fmt: skip
            checkpoints.copy_events()
        return summary


def made_of(stream: Merged) -> list[str]:
    """Return what a stream is of: the names and sizes of its files, its span, and what it is merged by."""
    span = stream.span
    files = [f"{source.name} of {source.size_bytes} bytes" for source in stream.sources]
    return [*files, f"by {stream.by} from {span.from_us} until {span.until_us}"]


def settings_of(text: str) -> Settings:
    """Read `NAME=MODEL`, `NAME=MODEL/SET` or `NAME=/SET`; raises UsageError."""
    name, equals, rest = text.partition("=")
    model, _, parameter_set = rest.partition("/")
    if not (name and equals and rest) or not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"{text!r} is no NAME=MODEL/SET", "give for example stress=A or wide=P/wide-ranges")
    if model and model not in get_args(MarginModel):
        raise UsageError(f"no model {model!r}", f"give one of {', '.join(get_args(MarginModel))}")
    return Settings(name, model or None, parameter_set or None)  # type: ignore[arg-type]


def outputs(out: Path | None, settings: Sequence[Settings]) -> list[Path | None]:
    """Return where the events of each of the settings go: `events.jsonl`, and beside it `events.NAME.jsonl`."""
    if out is None:
        return [None] * len(settings)
    if out == STDOUT and len(settings) > 1:
        raise UsageError("several outputs do not fit on standard output", "name a file with --out")
    stem, dot, suffix = out.name.partition(".")
    return [out.with_name(f"{stem}.{one.name}{dot}{suffix}") if one.name else out for one in settings]


@contextmanager
def _maybe_writing(out: Path | None) -> Iterator[IO[bytes] | None]:
    if out is None:
        yield None
    else:
        with writing(out) as file:
            yield file
