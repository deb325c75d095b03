from __future__ import annotations

import msgspec
import pytest
from aiokafka.partitioner import murmur2

from monitor.replay.publish import FRAME_ROWS, Message, Window
from monitor.replay.sequence import partition_of
from schemas import codec
from schemas.records import AccountConfig, Heartbeat, Input, Instrument, Trade
from schemas.topics import ACCOUNTS, INSTRUMENTS, SOURCE_RANK, TICKS, TRADES

T0 = 1_760_100_000_000_000
# The Java client's own test vectors (org.apache.kafka.common.utils.UtilsTest), signed 32 bits.
JAVA_MURMUR2 = {
    b"21": -973_932_308,
    b"foobar": -790_332_482,
    b"a-little-bit-long-string": -985_981_536,
    b"a-little-bit-longer-string": -1_486_304_829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58_897_971,
    b"abc": 479_470_107,
}


@pytest.mark.parametrize(("key", "value"), JAVA_MURMUR2.items())
def test_the_partitioner_is_that_of_java(key: bytes, value: int) -> None:
    """An account's partition is the one any other Kafka client computes for its key."""
    assert (int(murmur2(key)) - value) % 2**32 == 0
    assert partition_of(key.decode(), 12) == (value & 0x7FFFFFFF) % 12


def trade(account: str, number: int) -> Trade:
    return Trade(
        trade_id=f"{account}-{number}",
        account=account,
        instrument="X",
        quantity=1.0,
        price=1.0,
        event_time_us=T0 + number,
    )


def window_of(records: list[Input], partitions: int = 4) -> list[Message]:
    window = Window(partitions)
    for record in records:
        window.add(record)
    messages = window.take()
    assert window.take() == []
    return messages


def test_messages_go_out_in_the_rank_of_their_topics() -> None:
    """Definitions come before ticks, ticks before trades, whatever the order they were added in."""
    listing = Instrument(instrument="X", type="spot", underlying="X", settlement="USD", event_time_us=T0)
    config = AccountConfig(account="a", event_time_us=T0)
    messages = window_of([trade("a", 1), Heartbeat(source="s", event_time_us=T0), config, listing])
    ranks = [SOURCE_RANK[message.topic] for message in messages]
    assert ranks == sorted(ranks)
    assert {message.topic for message in messages} == {INSTRUMENTS.name, TICKS.name, ACCOUNTS.name, TRADES.name}


def test_frames_have_no_key_and_one_partition() -> None:
    """Rows of a frame belong to its partition, in order; the codec accepts it as it would from anybody."""
    trades: list[Input] = [trade(f"acc{k % 37}", k) for k in range(3_000)]
    messages = window_of(trades)
    assert sum(message.rows for message in messages) == 3_000
    seen: list[Trade] = []
    for message in messages:
        assert message.rows <= FRAME_ROWS
        assert message.partition is not None
        decoded = codec.decode_message(
            message.topic, message.key, message.value, partition=message.partition,
            partition_of=lambda key: partition_of(key.decode(), 4),
        )  # fmt: skip
        assert decoded.refused == []
        rows = [record for _, record in decoded.records]
        assert all(isinstance(row, Trade) for row in rows)
        seen += [row for row in rows if isinstance(row, Trade)]
    by_account = sorted(seen, key=lambda row: (row.account, row.event_time_us))
    assert [row.trade_id for row in sorted(seen, key=lambda row: row.account)] == [row.trade_id for row in by_account]


def test_single_records_carry_their_key() -> None:
    """A lone record, and any record of a compacted topic, is keyed and goes where its key goes."""
    configs: list[Input] = [AccountConfig(account=f"a{k}", event_time_us=T0) for k in range(10)]
    for message in [*window_of(configs), *window_of([trade("b", 1)])]:
        assert message.rows == 1
        assert message.key is not None
        assert message.partition == partition_of(message.key.decode(), 4)
        assert "rows" not in msgspec.json.decode(message.value)
