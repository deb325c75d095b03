"""One answer on every path: one engine, several processes, several settings at once, and after a checkpoint."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from monitor.replay import offline
from monitor.replay.checkpoint import EVENTS, Checkpoints, UnusableCheckpoint, listed
from monitor.replay.digest import Digest, of_bodies
from monitor.replay.lane import Lane, Settings, Summary
from monitor.replay.parallel import run_parallel, shared_out
from tests.unit.replay.paths import PARTITIONS, stream

MINUTE_US = 60_000_000
SETTINGS = (Settings(), Settings("risk matrix", model="A"), Settings("positions", model="E"))


def engine(model: str | None = None) -> tuple[Summary, bytes]:
    out = io.BytesIO()
    return offline.run(stream(model), out, partitions=PARTITIONS), out.getvalue()


def digest(out: bytes) -> Digest:
    found = of_bodies(out.splitlines())
    assert found.found == []
    return found


@pytest.fixture(scope="module")
def alone() -> tuple[Summary, bytes]:
    return engine()


def counts(summary: Summary) -> tuple[object, ...]:
    return (
        summary.records, summary.rejected, summary.late, summary.accounts, summary.events, summary.regimes,
        summary.ranges, summary.touched, summary.status_share, summary.data_hold_share, summary.first_us,
        summary.last_us,
    )  # fmt: skip


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_change_no_event_and_no_count(alone: tuple[Summary, bytes], processes: int) -> None:
    """The digest is that of one engine, and the order of events does not depend on the number of processes."""
    out = io.BytesIO()
    (summary,) = run_parallel(stream(), [out], processes=processes, partitions=PARTITIONS)
    assert digest(out.getvalue()).sha256 == digest(alone[1]).sha256
    assert counts(summary) == counts(alone[0])
    one = io.BytesIO()
    run_parallel(stream(), [one], processes=1, partitions=PARTITIONS)
    assert out.getvalue() == one.getvalue()


def test_three_repeats_are_one_answer(alone: tuple[Summary, bytes]) -> None:
    """Byte for byte, and none of them empty."""
    assert len(digest(alone[1]).kinds) > 2
    assert engine()[1] == engine()[1] == alone[1]


def test_several_settings_over_one_pass_are_what_each_is_alone(alone: tuple[Summary, bytes]) -> None:
    """Read and merged once: each lane says what a run under its settings says, in one process and in several."""
    outs = [io.BytesIO() for _ in SETTINGS]
    lanes = [Lane(out, partitions=PARTITIONS, settings=one) for out, one in zip(outs, SETTINGS, strict=True)]
    summaries = offline.run_lanes(stream(), lanes)
    apart = [alone, engine("A"), engine("E")]
    assert [out.getvalue() for out in outs] == [out for _, out in apart]
    assert [counts(summary) for summary in summaries] == [counts(summary) for summary, _ in apart]
    assert len({digest(out).sha256 for _, out in apart}) == 3
    spread = [io.BytesIO() for _ in SETTINGS]
    found = run_parallel(stream(), spread, processes=2, partitions=PARTITIONS, settings=SETTINGS)
    assert [digest(out.getvalue()).sha256 for out in spread] == [digest(out).sha256 for _, out in apart]
    assert [counts(summary) for summary in found] == [counts(summary) for summary, _ in apart]


def test_lanes_are_shared_out_evenly(tmp_path: Path) -> None:
    """Whole settings where they are as many as processes or more, else partitions; nothing twice, nothing left out."""
    for processes, settings in ((1, 1), (2, 1), (2, 2), (2, 3), (3, 6), (9, 1)):
        shares = shared_out(processes, PARTITIONS, settings, tmp_path)
        assert len(shares) == min(processes, max(settings, PARTITIONS))
        assert max(map(len, shares)) == min(map(len, shares))
        given = sorted((part.settings, partition) for share in shares for part in share for partition in part.mine)
        assert given == [(number, partition) for number in range(settings) for partition in range(PARTITIONS)]
        assert len({part.path for share in shares for part in share}) == sum(map(len, shares))


def checkpointed(folder: Path, **how: object) -> tuple[Summary, bytes]:
    out = io.BytesIO()
    with Checkpoints(folder, ["test"], every_us=MINUTE_US, **how) as checkpoints:  # type: ignore[arg-type]
        summary = offline.run(stream(), out, partitions=PARTITIONS, checkpoints=checkpoints)
        checkpoints.copy_events()
    return summary, out.getvalue()


def test_every_checkpoint_goes_on_to_the_same_end(alone: tuple[Summary, bytes], tmp_path: Path) -> None:
    """Events byte for byte, and counts, from the last one back to the first."""
    summary, out = checkpointed(tmp_path)
    assert out == alone[1]
    assert counts(summary) == counts(alone[0])
    kept = list(listed(tmp_path))
    assert len(kept) >= 5
    for _, market_us in reversed(kept):
        again, said = checkpointed(tmp_path, resume=True, at_us=market_us)
        assert said == alone[1]
        assert counts(again) == counts(alone[0])


class Killed(Exception):
    """Stands for the end of the process."""


def test_a_run_that_was_broken_off_goes_on(alone: tuple[Summary, bytes], tmp_path: Path) -> None:
    """What was written behind the last checkpoint is forgotten and said again."""

    class Breaking(Checkpoints):
        def reach(self, lane: Lane) -> None:
            super().reach(lane)
            if lane.done > 1_500:
                raise Killed

    with Breaking(tmp_path, ["test"], every_us=MINUTE_US) as checkpoints, pytest.raises(Killed):
        offline.run(stream(), None, partitions=PARTITIONS, checkpoints=checkpoints)
    with (tmp_path / EVENTS).open("ab") as file:
        file.write(b'{"half an ev')
    assert 0 < list(listed(tmp_path))[-1][0] <= 1_756
    summary, out = checkpointed(tmp_path, resume=True)
    assert out == alone[1]
    assert counts(summary) == counts(alone[0])


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    """Nothing goes on from other files, nor begins over what is there, nor from what is damaged."""
    with pytest.raises(UnusableCheckpoint, match="no checkpoint"):
        checkpointed(tmp_path / "empty", resume=True)
    checkpointed(tmp_path)
    with pytest.raises(UnusableCheckpoint, match="already"):
        checkpointed(tmp_path)
    with (
        Checkpoints(tmp_path, ["other"], resume=True) as checkpoints,
        pytest.raises(UnusableCheckpoint, match="of another run"),
    ):
        checkpoints.lane(None, PARTITIONS)
    with pytest.raises(UnusableCheckpoint, match="that early"):
        checkpointed(tmp_path, resume=True, at_us=1)
    checkpointed(tmp_path / "more")
    newest = max((tmp_path / "more").glob("at-*.bin"))
    newest.write_bytes(newest.read_bytes()[:-7])
    with pytest.raises(UnusableCheckpoint, match="cannot be read"):
        checkpointed(tmp_path / "more", resume=True)
