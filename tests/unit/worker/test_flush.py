"""The order of a flush: the one thing that crash safety rests on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from monitor.engine import State, collect, confirm, confirm_pending, new_state, open_shard, pending, step
from monitor.engine.state import decode_marker
from monitor.worker.changelog import decode_letters
from monitor.worker.dead_letters import Letter
from monitor.worker.flush import Flusher
from monitor.worker.liveness import Pulse
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Outbound, Publisher
from schemas.records import Trade, Transfer
from schemas.topics import REGIMES, TICKS, TRADES
from tests.correlation_break import market_of
from tests.engine_market import START_US, Log, both, opening

OPTIONS = WorkerOptions(broker="b:1", partitions=1, application_id="app")


class Recorder(Publisher):
    """A publisher whose broker is a list; it can fail before its n-th batch."""

    def __init__(self, fail_at: int = -1) -> None:
        super().__init__(OPTIONS, Pulse(1e9))
        self.batches: list[list[Outbound]] = []
        self.fail_at = fail_at

    async def send(self, messages: Sequence[Outbound]) -> None:
        if len(self.batches) == self.fail_at:
            raise ConnectionError
        if messages:
            self.batches.append(list(messages))


def liquidated() -> State:
    """A state with an event to be flushed."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=3)
    money = Transfer(transfer_id="1", account="a", asset="USD", amount=25_000.0, event_time_us=START_US)
    fill = Trade(
        trade_id="1", account="a", instrument="BTC-PERPETUAL", quantity=1.0, price=100_000.0, event_time_us=START_US
    )
    step(state, [log(record) for record in (*opening(), money, fill, *both("BTC", 86_000.0, START_US + 1_000_000))])
    return state


MARKET_LETTER = Letter(TICKS.name, 0, 5, 0, "clock_ahead", "why", b"k", b"raw")
UNREAD_LETTER = Letter(TRADES.name, 0, 6, 0, "bad_json", "why", b"k", b"{")
REJECTED_LETTER = Letter(TRADES.name, 0, 7, 0, "unknown_instrument", "why", b"a", b"raw")


def sent(recorder: Recorder) -> list[list[str]]:
    """Topics and changelog keys of each acknowledged batch."""
    return [
        [(m.key or b"").decode() if m.topic == OPTIONS.changelog else m.topic for m in batch]
        for batch in recorder.batches
    ]


def test_state_comes_before_events_and_dead_letters_where_they_cannot_be_lost() -> None:
    """Each step of a flush is a batch of its own, in the order in which a crash between any two loses nothing."""
    state, recorder = liquidated(), Recorder()
    flush = collect(state)
    reported = {TICKS.name: (5, 0)}
    asyncio.run(
        Flusher(OPTIONS, recorder).send(
            state.shards, flush, [MARKET_LETTER, UNREAD_LETTER], [REJECTED_LETTER], reported
        )
    )
    assert sent(recorder) == [
        ["risk.dead-letters.v1"],
        ["!dead-letters/0", "a", "!marker/0"],
        ["risk.liquidations.v1", "risk.dead-letters.v1", "risk.dead-letters.v1"],
        ["risk.account-states.v1"],
    ]
    stored = {message.key: message.value for message in recorder.batches[1]}
    letters = decode_letters(stored[b"!dead-letters/0"] or b"")
    assert letters.rows == ((TRADES.name, 7, 0, "unknown_instrument", "why"),)
    assert letters.market == reported
    state_and_event = [*recorder.batches[1], recorder.batches[2][0], *recorder.batches[3]]
    assert {message.partition for message in state_and_event} == {0}


@pytest.mark.parametrize("batch", range(4))
def test_a_failed_step_ends_the_flush(batch: int) -> None:
    """Nothing of a later step is sent when an earlier one was not acknowledged."""
    state, recorder = liquidated(), Recorder(fail_at=batch)
    flush = collect(state)
    with pytest.raises(ConnectionError):
        asyncio.run(Flusher(OPTIONS, recorder).send(state.shards, flush, [MARKET_LETTER], [], {}))
    assert len(recorder.batches) == batch


def test_events_carry_the_epoch_in_a_header_and_not_in_their_body() -> None:
    """The epoch of the sender may differ between two deliveries; the bytes of the event may not."""
    state, recorder = liquidated(), Recorder()
    asyncio.run(Flusher(OPTIONS, recorder).send(state.shards, collect(state), [], [], {}))
    (event,) = recorder.batches[1]
    headers = dict(event.headers or [])
    assert headers["risk-epoch"] == b"3"
    assert headers["ce_source"] == b"app"
    assert b"epoch" not in (event.value or b"")


def test_a_regime_is_in_the_marker_before_it_is_on_its_topic() -> None:
    """Partition 0's marker carries the change until it is sent, under its coins, and is written again without it."""
    state, log, recorder = new_state(), Log(), Recorder()
    open_shard(state, 0, None, [], partitions=1, epoch=3)
    records = iter(log(record) for record in market_of(1))
    while not step(state, [next(records)]):
        pass
    flush = collect(state)
    flusher = Flusher(OPTIONS, recorder)
    asyncio.run(flusher.send(state.shards, flush, [], [], {}))
    assert sent(recorder) == [["!marker/0"], [REGIMES.name]]
    stored, event = recorder.batches[0][0], recorder.batches[1][0]
    marker = decode_marker(stored.value or b"")
    assert [change.body.encode() for change in marker.regimes] == [event.value]
    assert marker.published_flush < marker.flush
    headers = dict(event.headers or [])
    assert (headers["ce_type"], headers["ce_subject"]) == (b"risk.regime.v1", b"BTC,ETH,SOL,XRP")
    assert (event.key, event.partition, headers["risk-epoch"]) == (b"BTC,ETH,SOL,XRP", 0, b"3")
    successor = new_state()
    open_shard(successor, 0, marker, [], partitions=1, epoch=4)
    (again,) = pending(successor, 0)
    assert (again.id, again.body, again.key) == (headers["ce_id"].decode(), event.value, event.key)
    confirm_pending(successor, 0)
    assert pending(successor, 0) == []
    confirm(state, flush)
    asyncio.run(flusher.markers(state.shards))
    last = decode_marker(recorder.batches[2][0].value or b"")
    assert (last.regimes, last.published_flush, last.regime_us) == ([], last.flush, marker.regime_us)


def test_a_last_marker_says_what_is_published() -> None:
    """After a flush is confirmed, its markers are written again once, and not a second time."""
    state, recorder = liquidated(), Recorder()
    flusher = Flusher(OPTIONS, recorder)

    async def scenario() -> None:
        flush = collect(state)
        await flusher.send(state.shards, flush, [], [], {})
        confirm(state, flush)
        recorder.batches.clear()
        await flusher.markers(state.shards)
        await flusher.markers(state.shards)

    asyncio.run(scenario())
    assert sent(recorder) == [["!marker/0"]]
    marker = decode_marker(recorder.batches[0][0].value or b"")
    assert marker.published_flush == marker.flush == 1
