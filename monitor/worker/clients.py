"""Where the worker meets the broker: the clients that it makes, and nothing else of it.

Everything above these three is ours and runs as it is over any log that answers like Kafka's clients do; the simulator
gives such a log (docs/simulator.md).
"""

from __future__ import annotations

from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient


class Clients(Protocol):
    """Makes clients of one broker; each takes the settings of aiokafka's client of that name."""

    def producer(self, **settings: Any) -> Any:
        """Return a producer that is not started."""
        ...

    def consumer(self, **settings: Any) -> Any:
        """Return a consumer that is not started and belongs to no group."""
        ...

    def admin(self, **settings: Any) -> Any:
        """Return an admin client that is not started."""
        ...


class KafkaClients:
    """Clients of aiokafka."""

    def producer(self, **settings: Any) -> Any:
        """Return a producer that is not started."""
        return AIOKafkaProducer(**settings)

    def consumer(self, **settings: Any) -> Any:
        """Return a consumer that is not started and belongs to no group."""
        return AIOKafkaConsumer(**settings)

    def admin(self, **settings: Any) -> Any:
        """Return an admin client that is not started."""
        return AIOKafkaAdminClient(**settings)


KAFKA: Clients = KafkaClients()
