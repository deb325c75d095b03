"""Advice on margin calls and liquidations: made beside the worker, published behind the event, and never waited for.

An event that is acknowledged is noted here, the newest of each account. One after the other, a view of the account is
taken as it is then, the process beside the worker plans with it, and what comes is published: a turn of the engine
costs a view, some tenths of a millisecond, and waits for nothing. Where more accounts fall than can be advised, the
oldest notes are dropped and counted; the endpoint answers for them. What is lost with a crash is not made up for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from monitor.answers.view import PERPETUALS, View, encode, take
from monitor.asking.about import About
from monitor.asking.question import Question
from monitor.worker.errors import PublishFailed
from monitor.worker.helper import Helper, NotNow
from monitor.worker.publisher import Outbound
from schemas.fields import MAX_RECORD_BYTES
from schemas.headers import advice_headers
from schemas.topics import ADVICE, LIQUIDATIONS, MARGIN_CALLS

if TYPE_CHECKING:
    from monitor.engine.outbox import Event
    from monitor.worker.metrics import Meters
    from monitor.worker.options import WorkerOptions
    from monitor.worker.order import Order
    from monitor.worker.publisher import Publisher

MAX_NOTED: Final = 1_000  # accounts: half a minute of plans under model P
TRIES: Final = 12  # the process may be starting, for a minute on a busy machine, or have ended
PAUSE_S: Final = 1.0
ADVISED: Final = ("margin_call", "liquidation")
_TOPICS: Final = (MARGIN_CALLS.name, LIQUIDATIONS.name)

log = structlog.get_logger("monitor.worker")


class _Said(msgspec.Struct):
    """What is read of an event."""

    id: str
    kind: str
    account: str
    episode: int
    sequence: int


_read = msgspec.json.Decoder(_Said).decode
_write = msgspec.json.Encoder().encode


class Adviser:
    """Advises on the accounts of one worker."""

    def __init__(
        self, options: WorkerOptions, order: Order, publisher: Publisher, helper: Helper, meters: Meters,
        max_noted: int = MAX_NOTED,
    ) -> None:  # fmt: skip
        self._options = options
        self._order = order
        self._publisher = publisher
        self._helper = helper
        self._count = meters.advised
        self._max_noted = max_noted
        self._noted: OrderedDict[str, About] = OrderedDict()
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many accounts wait for advice."""
        return len(self._noted)

    def note(self, events: Iterable[Event]) -> None:
        """Note events that are out: those that are advised on, and those after which an older one is not."""
        for event in events:
            if event.topic not in _TOPICS:
                continue
            said = _read(event.body)
            if self._noted.pop(said.account, None) is not None:
                self._count("replaced")
            if said.kind in ADVISED:
                self._noted[said.account] = msgspec.convert(said, About, from_attributes=True)
        while len(self._noted) > self._max_noted:
            self._noted.popitem(last=False)
            self._count("dropped")
        if self._noted:
            self._wake.set()

    async def run(self) -> None:
        """Advise for ever."""
        while True:
            await self._wake.wait()
            while self._noted:
                _, about = self._noted.popitem(last=False)
                self._count(await self._advise(about))
            self._wake.clear()

    async def _advise(self, about: About) -> str:
        """Advise on one event; return what came of it."""
        for _ in range(TRIES):
            if about.account in self._noted:
                return "replaced"
            taken = self._take(about)
            if taken is None:
                return "gone"
            view, epoch = taken
            try:
                line = await self._helper.ask(await asyncio.to_thread(_question, view, about))
            except NotNow:
                await asyncio.sleep(PAUSE_S)
                continue
            return await self._publish(about, line, epoch)
        return "failed"

    def _take(self, about: About) -> tuple[View, int] | None:
        """Return the account as it is now with its partition's epoch; None if it is another's, held, or further."""
        for state in self._order.states:
            partition = state.partition_of.get(about.account)
            if partition is None:
                continue
            shard = state.shards[partition]
            account = shard.accounts[about.account]
            if account.data_hold or account.episode != about.episode or account.status not in ADVISED:
                return None
            return take(state, about.account, also=(PERPETUALS,)), shard.marker.epoch
        return None

    async def _publish(self, about: About, body: bytes, epoch: int) -> str:
        if body.startswith(b'{"error":'):
            log.info("no_advice", event_id=about.id, reason=body.decode(errors="replace")[:200])
            return "unplanned"
        body = body.rstrip(b"\n")
        if len(body) > MAX_RECORD_BYTES:
            return "failed"
        key = about.account.encode()
        headers = advice_headers(body, source=self._options.group, epoch=epoch)
        message = Outbound(self._options.topic(ADVICE), self._options.partition_of(key), key, body, headers)
        try:
            await self._publisher.send([message])
        except PublishFailed as error:
            log.warning("no_advice", event_id=about.id, reason=str(error))
            return "failed"
        return "published"


def _question(view: View, about: About) -> bytes:
    return _write(Question(kind="advice", view=msgspec.Raw(encode(view)), about=about))
