"""The Faust app: what the framework is used for, and which of its ways are kept out.

It joins the group, assigns co-partitioned topics, recovers the changelog, and delivers messages. Everything that
decides about correctness (what is applied, written, sent and committed, and when) is in the engine task.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import faust
import faust.streams
from faust.types import TP

from monitor.connection import Address, as_endpoint, client_options
from monitor.worker.errors import UnsafeFramework, WrongPartitions
from monitor.worker.intake import Intake, hand_over
from monitor.worker.liveness import end_process
from monitor.worker.options import STATE_TABLE, WorkerOptions
from monitor.worker.ownership import REBALANCE_TIMEOUT_S, Ownership
from schemas.topics import Topic

# Messages that Faust may hold for each topic besides our queue. Frames are up to 1 MB: 4096, the default, is 4 GB.
BUFFERED_MESSAGES = 256


class StateTable(faust.Table[bytes, bytes]):
    """Has the changelog assigned together with the sources, and leaves its records to `Ownership`.

    Faust recovers a table at the speed of its streams, 3 to 15 thousand records a second; an hour of values that may
    not be compacted yet is millions. It drops exceptions of a recovery and then says that the worker is ready, and an
    event that comes after its partition was lost leaves a wrong start for the next recovery. So the table tells Faust,
    as a store on disk would, that it holds the log up to its end, and the owner reads the log itself.
    """

    mundane_level = "debug"
    ownership: Ownership
    ends: Mapping[int, int] = MappingProxyType({})

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Look up where the assigned changelogs end, before Faust asks how far we have come."""
        try:
            ours = [tp.partition for tp in assigned if tp.topic == self.changelog_topic_name]
            self.ends = await self.ownership.changelog_ends(ours)
            await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        except Exception as error:  # noqa: BLE001 (the process ends)
            end_process(error)

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the last offset of the log: nothing is left for Faust to recover."""
        end = self.ends.get(tp.partition, 0)
        return end - 1 if end else None

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Ignore what came in between: the owner reads up to the end that it finds."""

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:  # noqa: ARG002
        """Take over the assigned partitions; any exception ends the process, because Faust would drop it."""
        try:
            await self.ownership.take_over(tp.partition for tp in active_tps)
        except Exception as error:  # noqa: BLE001 (the process ends)
            end_process(error)


def create_app(options: WorkerOptions, folder: Path, intake: Intake) -> faust.App:
    """Build the app with its agents; nothing is started. Raises UnsafeFramework."""
    check_framework()
    app = faust.App(
        options.group,
        broker=[f"kafka://{server}" for server in as_endpoint(options.broker).servers.split(",")],
        broker_credentials=_credentials(options.broker),
        datadir=str(folder),
        # The changelog is the store; a second copy on disk would have to be kept true to it.
        store="memory://",
        Table=StateTable,
        # Standby replicas keep the changelog partitions of others among ours.
        table_standby_replicas=0,
        # No leader: its topic has one partition and is of no use here.
        topic_disable_leader=True,
        # Topics are made by `liqmon topics` and by us, with their settings; Faust would make them with its own.
        topic_allow_declare=False,
        topic_partitions=options.partitions,
        # It compares `persisted_offset`, which is right, with ListOffsets, which on the embedded broker is not.
        recovery_consistency_check=False,
        # The option of the command line overrides this one; we do not start through it.
        web_enabled=False,
        # exactly_once commits offsets and results in different transactions.
        processing_guarantee="at_least_once",
        # Messages in our queue are unacknowledged on purpose; waiting for them would block every rebalance.
        stream_wait_empty=False,
        stream_buffer_maxsize=BUFFERED_MESSAGES,
        key_serializer="raw",
        value_serializer="raw",
        broker_session_timeout=options.session_timeout_s,
        broker_heartbeat_interval=options.session_timeout_s / 5.0,
        broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        broker_request_timeout=max(40.0, options.session_timeout_s + 10.0),
        broker_commit_interval=60.0,  # there is nothing for Faust to commit, see `group`
        broker_max_poll_records=1_000,
    )
    for topic in options.inputs:
        _add_agent(app, topic, options, intake)
    return app


def add_state_table(app: faust.App, options: WorkerOptions, ownership: Ownership) -> None:
    """Register the table whose changelog carries the state."""
    # Without key_type Faust recovers keys of another type than it wrote.
    table: Any = app.Table(STATE_TABLE, key_type=bytes, value_type=bytes, partitions=options.partitions)
    table.ownership = ownership
    assert table.changelog_topic_name == options.changelog


def connect(app: faust.App, options: WorkerOptions, ownership: Ownership) -> None:
    """Have the app tell the owner about revocations, assignments and the end."""

    async def on_revoked(_app: object, revoked: set[TP], **_: object) -> None:  # noqa: ARG001
        # `revoked` names all partitions at every rebalance; which are lost is known after the next assignment.
        await ownership.give_up()

    async def on_assigned(_app: object, assigned: set[TP], **_: object) -> None:
        check_copartitioned(assigned, options)
        ownership.quicken()

    async def on_shutdown(_app: object, **_: object) -> None:
        await ownership.shut_down()

    app.on_partitions_revoked.connect(_ending(on_revoked), weak=False)
    app.on_partitions_assigned.connect(_ending(on_assigned), weak=False)
    app.on_before_shutdown.connect(_ending(on_shutdown), weak=False)


def check_framework() -> None:
    """Raise UnsafeFramework if streams run in pure Python.

    There a message of an older generation is acknowledged when it is skipped. Our offsets do not go through Faust's
    acknowledgements, so this is a second lock on the same door; and that path is four times slower.
    """
    if getattr(faust.streams, "_CStreamIterator", None) is None:
        raise UnsafeFramework(
            "this build of faust-streaming lacks its compiled streams", "install a wheel, and unset NO_CYTHON"
        )


def check_copartitioned(assigned: Iterable[TP], options: WorkerOptions) -> None:
    """Raise WrongPartitions unless all input topics and the changelog were assigned with the same partitions.

    The assignor only does so for topics of equal partition counts that it knows.
    """
    names = [options.changelog, *(options.topic(topic) for topic in options.inputs)]
    found = {name: {tp.partition for tp in assigned if tp.topic == name} for name in names}
    if any(partitions != found[options.changelog] for partitions in found.values()):
        told = ", ".join(f"{name} {sorted(partitions)}" for name, partitions in found.items())
        raise WrongPartitions(f"the group assigned unequal partitions: {told}", "run `liqmon topics plan`")


def _credentials(broker: Address) -> faust.auth.Credentials | None:
    """Return what Faust's own clients take instead of our `client_options`; raise PlaintextRefused as that does."""
    told = client_options(broker)
    if told["security_protocol"] == "PLAINTEXT":
        return None
    if told["security_protocol"] == "SSL":
        return faust.SSLCredentials(told["ssl_context"])
    return faust.SASLCredentials(
        username=told["sasl_plain_username"], password=told["sasl_plain_password"], mechanism=told["sasl_mechanism"],
        ssl_context=told["ssl_context"],
    )  # fmt: skip


def _add_agent(app: faust.App, topic: Topic, options: WorkerOptions, intake: Intake) -> None:
    """Read one input topic: decode and hand over, nothing else."""
    channel = app.topic(
        options.topic(topic), key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw",
        # Null values are refused rows, or tombstones: they have to arrive.
        allow_empty=True,
        # Offsets are committed by us.
        acks=False,
    )  # fmt: skip

    async def read(stream: Any) -> None:
        try:
            await hand_over(stream.noack().events(), topic, options, intake)
        except Exception as error:  # noqa: BLE001 (Faust would restart the agent behind the message)
            end_process(error)

    app.agent(channel, name=topic.name)(read)


def _ending(
    handler: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., Coroutine[Any, Any, None]]:
    """Make any exception of a handler end the process: Faust would crash one service and commit on its way out."""

    async def run(*args: Any, **kwargs: Any) -> None:
        try:
            await handler(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 (the process ends)
            end_process(error)

    return run
