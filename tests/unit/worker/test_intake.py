"""The queue between agents and engine, and the order in which messages are acknowledged."""

from __future__ import annotations

import asyncio

from monitor.engine import Sourced
from monitor.worker.intake import Delivered, Intake, Source, delivered
from monitor.worker.options import WorkerOptions
from schemas.codec import encode
from schemas.records import AccountConfig, Trade
from schemas.refusals import Refused
from schemas.topics import ACCOUNTS, TRADES

TRADE = Trade(trade_id="1", account="a", instrument="X", quantity=1.0, price=1.0, event_time_us=1_760_000_000_000_000)


def message(offset: int, rows: int = 1, refused: int = 0) -> Delivered:
    return Delivered(
        topic=TRADES.name, partition=0, offset=offset, generation=1, key=b"a", value=b"",
        records=[(index, Sourced(TRADES.name, 0, offset, index, TRADE)) for index in range(rows)],
        refused=[Refused(rows + index, "bad_json", "", b"") for index in range(refused)],
    )  # fmt: skip


def test_a_full_queue_holds_its_agents_until_records_are_applied() -> None:
    """Records count until they are released, wherever they wait; then the next message gets in."""

    async def scenario() -> None:
        intake = Intake(10, asyncio.Event())
        await intake.put(message(0, rows=6))
        waiting = asyncio.create_task(intake.put(message(1, rows=6)))
        await asyncio.sleep(0)
        assert intake.take() is not None
        assert intake.take() is None
        await asyncio.sleep(0)
        assert not waiting.done()
        intake.release(6)
        await waiting
        assert intake.held == 6

    asyncio.run(scenario())


def test_a_message_larger_than_the_queue_gets_in_alone() -> None:
    """A frame beyond the bound does not wait for ever."""

    async def scenario() -> None:
        intake = Intake(10, asyncio.Event())
        await asyncio.wait_for(intake.put(message(0, rows=50)), 5.0)
        waiting = asyncio.create_task(intake.put(message(1)))
        await asyncio.sleep(0)
        assert not waiting.done()
        intake.clear()
        await waiting

    asyncio.run(scenario())


def test_messages_are_done_in_offset_order_once_their_last_row_is_applied() -> None:
    """A message is done when its last good row is; one without good rows when those before it are."""
    source = Source(TRADES.name, 0, expected=0, primed=True)
    source.unacked.extend([message(4, rows=2), message(5, rows=0, refused=1), message(7)])
    assert source.take_applied() == []
    source.applied = (4, 0)
    assert source.take_applied() == []
    source.applied = (4, 1)
    assert [item.offset for item in source.take_applied()] == [4, 5]
    source.applied = (7, 0)
    assert [item.offset for item in source.take_applied()] == [7]


def test_a_message_with_nothing_in_it_still_counts() -> None:
    """A tombstone has no rows: it is held, counted as one, and done with those before it."""
    source = Source(ACCOUNTS.name, 0, expected=0, primed=True)
    tombstone = message(0, rows=0)
    assert tombstone.weight == 1
    source.unacked.append(tombstone)
    assert source.take_applied() == [tombstone]


class Message:
    """What clients give: only what is read of it."""

    def __init__(self, key: bytes | None, value: bytes | None, partition: int = 0) -> None:
        self.key, self.value, self.partition, self.offset = key, value, partition, 3


def test_whatever_a_message_holds_becomes_rows_or_refusals() -> None:
    """Records, refused rows and tombstones come out of one function, with the position and generation kept."""
    options = WorkerOptions(broker="b:1", partitions=1)
    good = delivered(TRADES, Message(b"a", encode(TRADE)), 7, options)
    assert (good.offset, good.generation, good.refused) == (3, 7, [])
    assert good.records == [(0, Sourced(TRADES.name, 0, 3, 0, TRADE, encode(TRADE)))]
    bad = delivered(TRADES, Message(b"a", b"{"), 7, options)
    assert ([row.error_kind for row in bad.refused], bad.records) == (["bad_json"], [])
    null = delivered(TRADES, Message(b"a", None), 7, options)
    assert [row.error_kind for row in null.refused] == ["null_value"]
    config = AccountConfig(account="a", event_time_us=1_760_000_000_000_000)
    ((_, settings),) = delivered(ACCOUNTS, Message(b"a", encode(config)), 7, options).records
    assert settings.record == config
    tombstone = delivered(ACCOUNTS, Message(b"a", None), 7, options)
    assert (tombstone.records, tombstone.refused) == ([], [])


def test_an_account_of_another_partition_is_refused() -> None:
    """Kafka's own partitioner decides where an account lives; a record elsewhere would split its history."""
    options = WorkerOptions(broker="b:1", partitions=12)
    home = options.partition_of(b"a")
    there = delivered(TRADES, Message(b"a", encode(TRADE), home), 1, options)
    elsewhere = delivered(TRADES, Message(b"a", encode(TRADE), (home + 1) % 12), 1, options)
    assert there.records
    assert [row.error_kind for row in elsewhere.refused] == ["wrong_partition"]
