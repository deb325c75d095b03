"""One deployment under test: topics of its own, paced input, real workers, and what an outsider reads of it.

What is read back is taken apart with `json` alone: the checks share no code with what they check.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from aiokafka import AIOKafkaProducer

from monitor.brokers.tansu import SESSION_TIMEOUT_S
from schemas.codec import encode, key_of
from schemas.records import Heartbeat, Input, ParameterSet, Trade, Transfer
from schemas.topics import ACCOUNT_TOPICS, DEAD_LETTERS, LIQUIDATIONS, MARGIN_CALLS, Topic
from tests.engine_market import SPOT_USD, START_US, TOPIC_OF, both, opening
from tests.integration.worker.support import Kafka, Process, Read, eventually, read_all

ACCOUNTS = tuple(f"acct-{number}" for number in range(40))


@dataclass(repr=False)
class Deployment:
    """Workers of one prefix.

    A worker that gets no processor for longer than its session ends, so `session_s` is long unless the test kills one
    (`quick_takeovers`). On the embedded broker a first member waits for half of it, so there it is always short.
    """

    PARTITIONS: ClassVar[int] = 4

    broker: Kafka
    prefix: str
    spawn: Callable[[list[str]], Process]
    folder: Path
    session_s: float = 30.0
    application: str = "app"
    published: list[Input] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _publisher: threading.Thread | None = None

    def __post_init__(self) -> None:
        if not self.broker.checked.idempotent:
            self.session_s = SESSION_TIMEOUT_S

    def quick_takeovers(self) -> None:
        """Have the workers that are started from now on taken for dead soon."""
        self.session_s = min(self.session_s, 10.0)

    @property
    def changelog(self) -> str:
        return f"{self.prefix}{self.application}-state-changelog"

    @property
    def group(self) -> str:
        return f"{self.prefix}{self.application}"

    def arguments(self, *options: str) -> list[str]:
        """Arguments of `liqmon` for a worker of this deployment."""
        return [
            "worker", "--broker", self.broker.url, "--prefix", self.prefix, "--partitions", str(self.PARTITIONS),
            "--app-id", self.application, "--session-timeout", str(self.session_s),
            "--data", str(self.folder / "data"), *options,
        ]  # fmt: skip

    def worker(self, *options: str) -> Process:
        """Start a worker through the command line."""
        return self.spawn([sys.executable, "-m", "monitor", *self.arguments(*options)])

    # --- input ----------------------------------------------------------------------------------

    def publish(self, records: Iterable[Input]) -> None:
        """Publish records in order and wait for all."""
        asyncio.run(self._publish(records, 0.0))

    def keep_publishing(self, records: Iterable[Input], per_second: float) -> None:
        """Publish records in order, at a pace, until `finish_publishing`; `published` tells which."""
        self._publisher = threading.Thread(target=lambda: asyncio.run(self._publish(records, per_second)))
        self._publisher.start()

    def finish_publishing(self) -> None:
        """Have the paced publisher end, and wait for it."""
        self._stop.set()
        if self._publisher is not None:
            self._publisher.join(180.0)
            assert not self._publisher.is_alive()

    async def _publish(self, records: Iterable[Input], per_second: float) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.broker.url,
            acks="all",
            linger_ms=2,
            enable_idempotence=self.broker.checked.idempotent,
        )
        await producer.start()
        try:
            sent: list[Any] = []
            for number, record in enumerate(records):
                if self._stop.is_set():
                    break
                topic = TOPIC_OF[type(record)]
                key = key_of(topic.name, record)
                sent.append(await producer.send(f"{self.prefix}{topic.name}", encode(record), key=key))
                self.published.append(record)
                if per_second and number % 20 == 19:
                    await asyncio.sleep(20 / per_second)
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    # --- what an outsider sees ------------------------------------------------------------------

    def ends(self, topic: Topic) -> dict[int, int]:
        return self.broker.ends(f"{self.prefix}{topic.name}", topic.partitions or self.PARTITIONS)

    def caught_up(self) -> bool:
        """Whether every account input is committed."""
        committed = self.broker.committed(
            self.group, {f"{self.prefix}{topic.name}": self.PARTITIONS for topic in ACCOUNT_TOPICS}
        )
        return all(
            committed.get((f"{self.prefix}{topic.name}", partition), 0) == end
            for topic in ACCOUNT_TOPICS
            for partition, end in self.ends(topic).items()
        )

    def wait_until_caught_up(self, timeout_s: float = 240.0) -> None:
        eventually(self.caught_up, timeout_s, every_s=0.5)

    def events_so_far(self) -> int:
        """Messages on both event topics."""
        return sum(sum(self.ends(topic).values()) for topic in (MARGIN_CALLS, LIQUIDATIONS))

    def read(self, topic: Topic) -> list[Read]:
        return read_all(self.broker.url, f"{self.prefix}{topic.name}")

    def events(self) -> list[Read]:
        """Every physical message of both event topics."""
        return [*self.read(MARGIN_CALLS), *self.read(LIQUIDATIONS)]

    def dead_letters(self) -> list[Read]:
        return self.read(DEAD_LETTERS)

    def state(self) -> dict[str, dict[str, Any]]:
        """Newest stored value of each account: the largest (epoch, version) wins."""
        newest: dict[str, dict[str, Any]] = {}
        for message in read_all(self.broker.url, self.changelog):
            key = (message.key or b"").decode()
            value = json.loads(message.value or b"")
            if key.startswith("!"):
                continue
            order = (value.get("epoch", 0), value.get("version", 0))
            if key not in newest or order >= (newest[key].get("epoch", 0), newest[key].get("version", 0)):
                newest[key] = value
        return newest


def market(seed: int) -> Iterator[Input]:
    """A swinging market, one second a step, with long and short accounts that cross back and forth, and trades."""
    draw = random.Random(seed)
    yield from (record for record in opening() if not isinstance(record, ParameterSet))
    for number, account in enumerate(ACCOUNTS):
        yield _transfer(account, "open", 21_000.0 + 250.0 * number, START_US)
        yield _trade(account, "open", 1.0 if number % 2 else -1.0, SPOT_USD["BTC"], START_US)
    for second in itertools.count(1):
        time_us = START_US + second * 1_000_000
        price = SPOT_USD["BTC"] * (1.0 + 0.10 * math.sin(math.tau * second / 240) + draw.gauss(0.0, 0.002))
        yield Heartbeat(source="clock", event_time_us=time_us)
        yield from both("BTC", round(price, 1), time_us)
        account = draw.choice(ACCOUNTS)
        yield _trade(account, str(second), round(draw.uniform(-0.05, 0.05), 4) or 0.01, price, time_us)
        if second % 10 == 0:
            yield _transfer(draw.choice(ACCOUNTS), str(second), draw.choice((-500.0, 500.0)), time_us)


def _transfer(account: str, identity: str, amount: float, time_us: int) -> Transfer:
    return Transfer(transfer_id=identity, account=account, asset="USD", amount=amount, event_time_us=time_us)


def _trade(account: str, identity: str, quantity: float, price: float, time_us: int) -> Trade:
    return Trade(
        trade_id=identity, account=account, instrument="BTC-PERPETUAL", quantity=quantity, price=round(price, 1),
        event_time_us=time_us,
    )  # fmt: skip


def check_events(events: Iterable[Read], state: dict[str, dict[str, Any]]) -> Counter[str]:
    """Assert that no id has two contents and no sequence a hole, up to what the state says; return ids by count."""
    bodies: dict[str, set[bytes]] = defaultdict(set)
    counts: Counter[str] = Counter()
    sequences: dict[str, set[int]] = defaultdict(set)
    for message in events:
        body = json.loads(message.value or b"")
        bodies[body["id"]].add(message.value or b"")
        counts[body["id"]] += 1
        sequences[body["account"]].add(body["sequence"])
        assert message.headers["ce_id"].decode() == body["id"]
        assert (message.key or b"").decode() == body["account"]
    two = {identity: contents for identity, contents in bodies.items() if len(contents) > 1}
    assert not two, f"{len(two)} ids have more than one content"
    for account, value in state.items():
        last = value.get("sequence", 0)
        assert sequences.get(account, set()) == set(range(1, last + 1)), f"events of {account} are not 1 to {last}"
    assert set(sequences) <= set(state)
    return counts


def check_positions(records: Iterable[Input], state: dict[str, dict[str, Any]]) -> None:
    """Assert that stored positions are the sums of the published trades."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for record in records:
        if isinstance(record, Trade):
            sums[record.account, record.instrument] += record.quantity
    found = {
        (account, instrument): holding.get("quantity", 0.0)
        for account, value in state.items()
        for instrument, holding in value.get("holdings", {}).items()
    }
    assert set(found) == set(sums)
    for key, quantity in sums.items():
        assert abs(found[key] - quantity) <= 1e-9 * max(1.0, abs(quantity)), f"{key}: {found[key]} is not {quantity}"
