"""A replay on several cores: files, merge and order here, accounts in processes that have some partitions each.

Every process folds the whole market and has the accounts of its partitions, as workers in strict order have. So the
events are those of one engine; they come in the order of (event time, account, sequence), which does not depend on how
many processes there were. A process that has several lanes steps them one after the other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Several
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from monitor.engine import Sourced
from monitor.errors import MonitorError
from monitor.replay.ahead import BATCH as MESSAGE
from monitor.replay.ahead import packed, unpacked
from monitor.replay.arrival import Merged
from monitor.replay.lane import OWN, REGIME_PARTITION, AccountTime, Lane, Settings, Summary
from monitor.replay.offline import BATCH, STEP_EVERY_S, counted
from monitor.replay.progress import OnStep, Step, ignore
from monitor.replay.sequence import Sequence


class ProcessLost(MonitorError):
    """A process of a parallel replay is gone; if it failed, its traceback is on standard error."""

    def __init__(self) -> None:
        super().__init__("a process that steps accounts has ended", "see above for why, and start the replay again")


@dataclass(frozen=True, slots=True)
class Part:
    """One lane of one process: which settings (by number), which partitions, and where its events go."""

    settings: int
    mine: frozenset[int]
    path: Path


@dataclass(slots=True)
class Result:
    """What a part counted."""

    part: Part
    summary: Summary
    account_time: AccountTime


def run_parallel(
    stream: Merged, outs: Several[IO[bytes] | None], *, processes: int, partitions: int, batch: int = BATCH,
    settings: Several[Settings] = (OWN,), on_step: OnStep = ignore, clock: Callable[[], float] = time.monotonic,
) -> list[Summary]:  # fmt: skip
    """Read and merge a stream once and step it under each of `settings`, the accounts spread over processes.

    Events go to `outs`, one for each of the settings. Raises what the sources raise, and ProcessLost.
    """
    start_s = clock()
    with tempfile.TemporaryDirectory(prefix="liqmon-replay-") as folder, ExitStack() as stack:
        shares = shared_out(processes, partitions, len(settings), Path(folder))
        workers = [stack.enter_context(_worker(parts, settings, partitions, batch)) for parts in shares]
        sequence = Sequence(stream, partitions)
        _feed(sequence, [pipe for pipe, _ in workers], on_step, lambda: clock() - start_s)
        results = [result for pipe, _ in workers for result in _received(pipe)]
        summaries = []
        for number, out in enumerate(outs):
            found = [result for result in results if result.part.settings == number]
            if out is not None:
                write_merged([result.part.path for result in found], out)
            summaries.append(counted(merged(found), sequence, stream, clock() - start_s))
    return summaries


def shared_out(processes: int, partitions: int, settings: int, folder: Path) -> list[list[Part]]:
    """Share lanes out: whole settings where that is even, so that fewer fold the market, else partitions."""
    whole = settings % processes == 0
    groups = 1 if whole else min(processes, partitions)
    shares: list[list[Part]] = [[] for _ in range(min(processes, settings) if whole else groups)]
    for number in range(settings):
        for group in range(groups):
            mine = frozenset(range(group, partitions, groups))
            part = Part(number, mine, folder / f"{number}-{group}.jsonl")
            shares[(number if whole else group) % len(shares)].append(part)
    return shares


def _feed(
    sequence: Sequence, pipes: list[Connection], on_step: OnStep, elapsed: Callable[[], float]
) -> None:  # fmt: skip
    """Send the sequence to every process; each is at most its pipe behind."""
    items: list[Sourced] = []
    next_step_s = 0.0

    def send() -> None:
        message = packed(items)
        items.clear()
        try:
            for pipe in pipes:
                pipe.send(message)
        except OSError as error:
            raise ProcessLost from error

    for item in sequence:
        items.append(item)
        if len(items) < MESSAGE:
            continue
        send()
        elapsed_s = elapsed()
        if elapsed_s >= next_step_s:
            next_step_s = elapsed_s + STEP_EVERY_S
            rate = sequence.taken / max(elapsed_s, 1e-9)
            on_step(Step(sequence.taken, sequence.fraction, sequence.reached_us, rate))
    send()
    for pipe in pipes:
        pipe.send(None)


def _received(pipe: Connection) -> list[Result]:
    try:
        found: list[Result] = pipe.recv()
    except EOFError as error:
        raise ProcessLost from error
    return found


@contextmanager
def _worker(
    parts: list[Part], settings: Several[Settings], partitions: int, batch: int
) -> Iterator[tuple[Connection, BaseProcess]]:  # fmt: skip
    """Start a process for a block; nothing of it is left afterwards, however the block ends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_step, args=(parts, list(settings), partitions, batch, theirs), name="replay-accounts", daemon=True
    )
    process.start()
    theirs.close()  # so that the other process has the only one, and its end is the end of the pipe
    try:
        yield ours, process
    finally:
        ours.close()
        process.terminate()
        process.join()


def merged(results: Several[Result]) -> Summary:
    """Return what the lanes of one run counted, together; their accounts are not the same."""
    total, account_time = Summary(), AccountTime()
    for result in results:
        summary = result.summary
        for counts, more in ((total.events, summary.events), (total.rejected, summary.rejected)):
            for kind, count in more.items():
                counts[kind] = counts.get(kind, 0) + count
        for kind, first in summary.first.items():
            known = total.first.get(kind)
            if known is None or (first.event_time_us, first.account) < (known.event_time_us, known.account):
                total.first[kind] = first
        if REGIME_PARTITION in result.part.mine:
            total.regimes, total.ranges, total.last_us = summary.regimes, summary.ranges, summary.last_us
        account_time.take(result.account_time)
    account_time.finish(total.last_us, total)
    return total


class _Place(Struct):
    """Where an event stands: what belongs to no account comes before accounts of its moment."""

    event_time_us: int
    account: str = ""
    sequence: int = 0


_decode_place = msgspec.json.Decoder(_Place).decode


def write_merged(paths: Several[Path], out: IO[bytes]) -> None:
    """Write the events of some files in the order of (event time, account, sequence)."""
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in paths]
        places: list[tuple[int, str, int, int, int, int]] = []
        for number, file in enumerate(files):
            offset = 0
            for line in file:
                place = _decode_place(line)
                places.append((place.event_time_us, place.account, place.sequence, number, offset, len(line)))
                offset += len(line)
        places.sort()
        for *_, number, offset, length in places:
            files[number].seek(offset)
            out.write(files[number].read(length))


# --- the other processes --------------------------------------------------------------------------


def _step(parts: list[Part], settings: list[Settings], partitions: int, batch: int, pipe: Connection) -> None:
    """Step what comes through the lanes of this process, and send what they counted."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it, too
    with ExitStack() as stack:
        lanes = []
        for part in parts:
            out = stack.enter_context(part.path.open("wb"))
            lanes.append(Lane(out, partitions=partitions, mine=part.mine, settings=settings[part.settings]))
        taken = 0
        # Whoever reads the files may be gone: then nobody waits for the counts.
        with contextlib.suppress(EOFError, BrokenPipeError):
            while (message := pipe.recv()) is not None:
                order, rows = message
                records = list(unpacked(order, rows, taken, partitions))
                taken += len(records)
                for first in range(0, len(records), batch):
                    for lane in lanes:
                        lane.take(records[first : first + batch])
            for lane in lanes:
                lane.finish_counts()
            stack.close()
            results = zip(parts, lanes, strict=True)
            pipe.send([Result(part, lane.summary, lane.account_time) for part, lane in results])
