"""`liqmon auction` over the topics: advice and answers in, intents and awards out.

It belongs to no group and keeps nothing: a start reads its four topics from their beginnings. An award is written when
the answers' log has been read to where it ended after the intent's expiry, so it does not depend on how fast it is
read. Several processes write the same intents and awards; of each the first in the log counts, for readers, too.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from monitor.brokers.ends import end_offsets
from monitor.connection import Address, client_options
from monitor.liquidation.auctions import Auctions, Terms
from monitor.verify.inputs import partitions_of
from schemas.codec import decode_message, encode
from schemas.headers import AUCTION
from schemas.intents import Refusal
from schemas.records import Advice, Answer, Award, Intent
from schemas.signatures import Keys, SignatureError, Tampered, Unsigned, sign, verify
from schemas.topics import ADVICE, ANSWERS, AWARDS, INTENTS, Topic, full_name

if TYPE_CHECKING:
    from collections.abc import Iterable

POLL_MS: Final = 200
# What a batch has is taken in this order: an intent needs its advice, an answer its intent.
READ: Final = (ADVICE, INTENTS, AWARDS, ANSWERS)

log = structlog.get_logger("monitor.auction")


class Auction:
    """The auctions of one deployment."""

    def __init__(
        self, broker: Address, prefix: str, terms: Terms, keys: Keys | None = None, solvers: Keys | None = None
    ) -> None:
        """Say where and on which terms.

        With `keys` advice, intents and awards count only if one of them signed, and the first signs what is written;
        with `solvers` an answer counts only if the key of its solver's name signed it.
        """
        self._broker = broker
        self._keys = keys
        self._solvers = solvers
        self._names = {full_name(topic, prefix): topic for topic in READ}
        self._prefix = prefix
        self.auctions = Auctions(terms)
        self.refused = 0
        self._consumer: Any = None
        self._producer: Any = None
        self._answers: list[TopicPartition] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Run until told to stop; raises KafkaError or OSError where the broker does not do its part."""
        partitions = range(await partitions_of(self._broker, self._prefix, ANSWERS))
        tps = [TopicPartition(name, p) for name in self._names for p in partitions]
        self._answers = [tp for tp in tps if self._names[tp.topic] is ANSWERS]
        self._consumer = AIOKafkaConsumer(
            **client_options(self._broker), client_id="liqmon-auction", enable_auto_commit=False,
            auto_offset_reset="earliest",
        )  # fmt: skip
        self._producer = AIOKafkaProducer(**client_options(self._broker), client_id="liqmon-auction", acks="all")
        try:
            await self._consumer.start()
            await self._producer.start()
            self._consumer.assign(tps)
            await self._consumer.seek_to_beginning(*tps)
            await self._rewind(tps)
            log.info("ready", partitions=len(partitions))
            while not stop.is_set():
                await self._poll()
                await self._speak()
        finally:
            await self._producer.stop()
            await self._consumer.stop()

    async def _rewind(self, tps: list[TopicPartition]) -> None:
        """Read up to where all topics end now, topic by topic: nothing is said before."""
        ends = await end_offsets(self._broker, tps, exact=False)
        for topic in READ:
            mine = [tp for tp in tps if self._names[tp.topic] is topic]
            while not await self._has_read({tp: ends[tp] for tp in mine}):
                await self._poll(mine)

    async def _has_read(self, ends: dict[TopicPartition, int]) -> bool:
        return all([await self._consumer.position(tp) >= end for tp, end in ends.items()])

    async def _poll(self, tps: Iterable[TopicPartition] = ()) -> None:
        batches = await self._consumer.getmany(*tps, timeout_ms=POLL_MS)
        for topic in READ:
            for tp, messages in batches.items():
                if self._names[tp.topic] is topic:
                    for message in messages:
                        self._take(topic, message)

    def _take(self, topic: Topic, message: Any) -> None:
        decoded = decode_message(topic.name, message.key, message.value)
        self.refused += len(decoded.refused)
        for refused in decoded.refused:
            log.info(
                "refused", topic=topic.name, offset=message.offset, kind=refused.error_kind, reason=refused.error_text
            )
        at_us = message.timestamp * 1_000
        if topic is not ANSWERS and not self._is_ours(topic, message):
            return
        for _, record in decoded.records:
            match record:
                case Advice():
                    self.auctions.advised(record, at_us)
                case Intent():
                    if self.auctions.opened(record):
                        log.info("opened", **_about(record), release_usd=record.release_usd)
                case Answer():
                    reply = self.auctions.answered(record, at_us, self._unfit(record, message))
                    log.info("answered", intent=record.intent, answer=record.id, solver=record.solver, reply=reply)
                case Award():
                    if self.auctions.awarded(record):
                        log.info("awarded", **_about(record), taken=len(record.taken), left_usd=record.left_usd)

    def _is_ours(self, topic: Topic, message: Any) -> bool:
        """Whether a message of a topic that only we and workers write to is signed as ours are."""
        if self._keys is None:
            return True
        try:
            verify(message.key, message.headers, message.value, self._keys)
        except SignatureError as error:
            self.refused += 1
            log.warning("unverified", topic=topic.name, offset=message.offset, reason=str(error))
            return False
        return True

    def _unfit(self, answer: Answer, message: Any) -> Refusal | None:
        """Return why an answer is not its solver's, None if it is or nobody asks."""
        if self._solvers is None:
            return None
        try:
            name = verify(message.key, message.headers, message.value, self._solvers)
            if name == answer.solver:
                return None
            reason: SignatureError = Tampered(f"key {name} signed an answer of {answer.solver}")
        except SignatureError as error:
            reason = error
        log.warning("unverified", topic=ANSWERS.name, offset=message.offset, answer=answer.id, reason=str(reason))
        return "unsigned" if isinstance(reason, Unsigned) else "forged"

    async def _speak(self) -> None:
        """Write what is due: intents, and awards of expired ones whose answers are all read."""
        now_us = time.time_ns() // 1_000
        for intent in self.auctions.to_open(now_us):
            await self._send(INTENTS, intent)
        expired = self.auctions.expired(now_us)
        if not expired:
            return
        ends = await end_offsets(self._broker, self._answers, exact=False)
        while not await self._has_read(ends):
            await self._poll()
        for intent in expired:
            award = self.auctions.award(intent)
            if award is not None:
                await self._send(AWARDS, award)

    async def _send(self, topic: Topic, record: Intent | Award) -> None:
        key, body = record.account.encode(), encode(record)
        headers = AUCTION if self._keys is None else [*AUCTION, sign(key, AUCTION, body, self._keys)]
        await self._producer.send_and_wait(full_name(topic, self._prefix), body, key=key, headers=headers)


def _about(record: Intent | Award) -> dict[str, Any]:
    found = msgspec.structs.asdict(record)
    return {
        "intent": found.get("intent") or found["id"], "account": record.account, "episode": record.episode,
        "action": record.action,
    }  # fmt: skip
