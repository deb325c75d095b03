"""Publishes risk arrays at a cadence of market time: the owner of trades partition 0 does it for all.

The topic is compacted and what is on it follows from the market, so arrays that a crash repeats or leaves out are
replaced by the next ones: nothing of them is stored, and no event waits for them.
"""

from __future__ import annotations

from collections.abc import Collection

import structlog

from monitor.engine.risk_arrays import risk_arrays
from monitor.engine.state import State
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Outbound, Publisher
from schemas.codec import encode
from schemas.headers import state_headers
from schemas.keys import record_key
from schemas.topics import RISK_ARRAYS

SECOND_US = 1_000_000
OWNER = 0  # the partition whose owner publishes

log = structlog.get_logger("monitor.worker")


class RiskArrays:
    """Arrays of one deployment; `sent` counts records."""

    def __init__(self, options: WorkerOptions, publisher: Publisher) -> None:
        self._options = options
        self._publisher = publisher
        self._interval_us = options.risk_arrays_every_s * SECOND_US
        self._done: int | None = None  # the interval that was published last
        self.sent = 0

    async def publish_if_due(self, states: Collection[State]) -> None:
        """Publish the arrays of an interval of market time that has begun, if they are ours."""
        if not self._interval_us:
            return
        owner = next((state for state in states if OWNER in state.shards and state.shards[OWNER].open), None)
        if owner is None or not owner.market.time_us:
            return
        interval = owner.market.time_us // self._interval_us
        if interval == self._done:
            return
        headers = state_headers(owner.shards[OWNER].marker.epoch)
        topic = self._options.topic(RISK_ARRAYS)
        messages = []
        for name in self._options.risk_arrays_sets:
            active = owner.market.parameters.get(name)
            if active is None:
                log.warning("no_parameter_set", set=name, wanted_for=topic)
                continue
            messages += [
                Outbound(topic, 0, record_key(record), encode(record), headers)
                for record in risk_arrays(owner.market, active)
            ]
        await self._publisher.send(messages)
        self._done = interval
        self.sent += len(messages)
