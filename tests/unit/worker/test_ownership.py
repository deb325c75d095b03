"""Taking a partition over: what is stored again before anything else happens."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.engine import new_state
from monitor.engine.outbox import marker_key
from monitor.engine.state import Marker, encode
from monitor.worker.changelog import Letters, RecoveredState, encode_letters, letters_key
from monitor.worker.dead_letters import Owed
from monitor.worker.flush import Flusher
from monitor.worker.liveness import Pulse
from monitor.worker.options import WorkerOptions
from monitor.worker.ownership import Ownership
from schemas.topics import TRADES
from tests.unit.worker.test_flush import Recorder

OPTIONS = WorkerOptions(broker="b:1", partitions=1, application_id="app")
PASSED = (TRADES.name, 4, 0, "unknown_instrument", "why")
NOT_PASSED = (TRADES.name, 5, 0, "unknown_instrument", "why")


def opened(*rows: tuple[str, int, int, str, str]) -> list[tuple[bytes, bytes]]:
    """Changelog after a worker has opened a partition that had reached trade 4 and had stored these letters."""
    marker = Marker(partition=0, partitions=1, epoch=1, flush=3, positions={TRADES.name: (4, 0)})
    log = [(marker_key(0), encode(marker)), (letters_key(0), encode_letters(Letters(1, 4, rows)))]
    log.append((marker_key(0), encode(Marker(**{**_fields(marker), "epoch": 2}))))
    state, recorder = new_state(), Recorder()
    engine: Any = SimpleNamespace(
        options=OPTIONS, order=SimpleNamespace(state_of=lambda _partition: state), owed=Owed(), reported={},
        flusher=Flusher(OPTIONS, recorder), unstated={}, pulse=Pulse(OPTIONS.session_timeout_s),
    )  # fmt: skip
    unused: Any = None
    asyncio.run(Ownership(engine, unused)._open(recovered(log).take(0)))
    written = [item for batch in recorder.batches for item in batch if item.topic == OPTIONS.changelog]
    return [*log, *((item.key or b"", item.value or b"") for item in written)]


def _fields(marker: Marker) -> dict[str, Any]:
    return {name: getattr(marker, name) for name in marker.__struct_fields__}


def recovered(log: list[tuple[bytes, bytes]]) -> RecoveredState:
    """Return what an owner reads from a changelog."""
    state = RecoveredState(OPTIONS.changelog)
    for offset, (key, value) in enumerate(log):
        state.add(0, offset, key, value)
    return state


@pytest.mark.parametrize(
    ("rows", "owed"), [((PASSED, NOT_PASSED), (PASSED,)), ((NOT_PASSED,), ()), ((PASSED,), (PASSED,))]
)
def test_letters_of_records_that_are_judged_again_are_not_owed_by_a_later_owner(
    rows: tuple[Any, ...], owed: tuple[Any, ...]
) -> None:
    """A former owner stored a letter and not the marker that passes its record; the record may be applied now.

    If the next owner ends as well, after it has applied it, the one after that must not report it.
    """
    log = opened(*rows)
    applied = Marker(partition=0, partitions=1, epoch=2, flush=5, positions={TRADES.name: (5, 0)})
    letters = recovered([*log, (marker_key(0), encode(applied))]).take(0).letters
    assert letters is not None
    assert letters.rows == owed
