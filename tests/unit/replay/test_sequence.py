from __future__ import annotations

import pytest

from monitor.engine import Sourced
from monitor.engine.merge import merge_sorted
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.sequence import Sequence, partition_of
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, TOPIC_OF, ListSource
from schemas import codec
from schemas.ids import canonical
from schemas.records import Input, Record, Trade
from schemas.topics import ACCOUNT_TOPICS, SOURCE_RANK

MARKET = MarketParameters(seed=8, minutes=8, ticks_per_second=0.2, coins=3)


@pytest.fixture(scope="module")
def accounts() -> list[tuple[str, Input]]:
    parameters = AccountParameters(seed=6, accounts=40, fills_per_hour=10.0)
    return generate_accounts(Merged([GeneratedMarket(MARKET)]), parameters).records


def stream(accounts: list[tuple[str, Input]]) -> Merged:
    return Merged([GeneratedMarket(MARKET), ListSource("accounts", accounts, ACCOUNTS_FILE_TOPICS)])


def test_records_are_merged_by_event_time_as_if_all_were_known(accounts: list[tuple[str, Input]]) -> None:
    """Reading ahead gives the order of a merge that sees every topic to its end."""
    by_topic: dict[str, list[Sourced]] = {topic: [] for topic in SOURCE_RANK}
    for _, record in stream(accounts):
        rows = by_topic[TOPIC_OF[type(record)]]
        rows.append(Sourced(TOPIC_OF[type(record)], 0, len(rows), 0, record))
    expected = [item.record for item in merge_sorted((SOURCE_RANK[topic], rows) for topic, rows in by_topic.items())]
    assert [item.record for item in Sequence(stream(accounts), 4)] == expected


def test_ordinals_count_all_records_from_zero(accounts: list[tuple[str, Input]]) -> None:
    """A position is the place in the whole sequence, whatever the topic; account records name their partition."""
    sequence = Sequence(stream(accounts), 4)
    items = list(sequence)
    assert [(item.offset, item.index) for item in items] == [(ordinal, 0) for ordinal in range(len(items))]
    assert sequence.taken == sum(sequence.counts.values()) == len(items)
    names = {topic.name for topic in ACCOUNT_TOPICS}
    for item in items:
        assert item.topic == TOPIC_OF[type(item.record)]
        account = getattr(item.record, "account", None)
        assert (account is not None) == (item.topic in names)
        assert item.partition == (0 if account is None else partition_of(account, 4))
    assert {item.partition for item in items if isinstance(item.record, Trade)} == {0, 1, 2, 3}


def test_the_order_does_not_depend_on_the_partitions(accounts: list[tuple[str, Input]]) -> None:
    """A record has the same ordinal in a deployment of any size."""
    one, many = (list(Sequence(stream(accounts), partitions)) for partitions in (1, 12))
    assert [(item.offset, item.record) for item in one] == [(item.offset, item.record) for item in many]


def test_a_record_that_went_through_a_topic_says_the_same(accounts: list[tuple[str, Input]]) -> None:
    """What the engine is given directly and what a worker decodes have the same canonical bytes, number by number."""
    for item in Sequence(stream(accounts), 4):
        read = codec.decode_record(item.topic, codec.encode(item.record))
        assert isinstance(read, Record)
        assert canonical(read) == canonical(item.record)
