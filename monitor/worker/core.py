"""The parts of one worker put together: everything but the framework that feeds them, and the clients below."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiokafka import TopicPartition

from monitor.brokers.selfcheck import Checked
from monitor.worker.claims import Claims
from monitor.worker.clients import KAFKA, Clients
from monitor.worker.engine_task import Engine
from monitor.worker.flush import Flusher
from monitor.worker.group import Group
from monitor.worker.intake import Intake
from monitor.worker.live_order import LiveOrder
from monitor.worker.liveness import Pulse
from monitor.worker.log_view import LogView
from monitor.worker.market_reader import MarketReader
from monitor.worker.metrics import Meters
from monitor.worker.options import WorkerOptions
from monitor.worker.order import Order
from monitor.worker.ownership import Ownership
from monitor.worker.publisher import Publisher
from monitor.worker.snapshots import Snapshots
from monitor.worker.strict_order import StrictOrder


@dataclass(frozen=True, slots=True, eq=False)
class Core:
    """One worker's parts; each is described where it is defined."""

    pulse: Pulse
    publisher: Publisher
    view: LogView
    order: Order
    group: Group
    intake: Intake
    engine: Engine
    ownership: Ownership


def make_core(
    options: WorkerOptions, checked: Checked, meters: Meters | None = None, clients: Clients = KAFKA
) -> Core:  # fmt: skip
    """Put a worker together; nothing is started. Call it in the loop that will run it."""
    wake = asyncio.Event()
    inputs = [
        TopicPartition(options.topic(topic), partition)
        for topic in options.inputs for partition in range(options.partitions)
    ]  # fmt: skip
    pulse = Pulse(options.session_timeout_s)
    publisher = Publisher(options, pulse, idempotent=checked.idempotent, clients=clients)
    view = LogView(options.broker, options.group, inputs, exact_ends=checked.ends_exact, clients=clients)
    claims = Claims(options.changelog, view)
    publisher.written = claims.written
    order: Order
    if options.order == "strict":
        order = StrictOrder(options, view)
    else:
        order = LiveOrder(options, view, MarketReader(options, wake, clients), Snapshots(options, view, publisher))
    group, intake = Group(options), Intake(options.queue_records, wake)
    engine = Engine(options, Flusher(options, publisher, meters), order, intake, view, pulse, group, wake)
    return Core(pulse, publisher, view, order, group, intake, engine, Ownership(engine, claims))
