"""The settings of one KRaft node on loopback, as a pure function of its ports and folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Listener:
    """One more way to the broker: a port, and a protocol such as SASL_SSL."""

    port: int
    protocol: str


@dataclass(frozen=True, slots=True)
class Node:
    """One combined broker and controller.

    `voters` maps node ids to controller ports, our own included; `listeners` are those besides the plain one, by name.
    """

    node_id: int
    port: int
    controller_port: int
    log_dir: Path
    voters: Mapping[int, int] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    listeners: Mapping[str, Listener] = field(default_factory=dict)


def server_properties(node: Node) -> dict[str, str]:
    """Return the broker settings of `node`; its overrides win."""
    voters = dict(node.voters) or {node.node_id: node.controller_port}
    copies = str(min(3, len(voters)))
    in_sync = "2" if len(voters) > 2 else "1"
    ours = [f"PLAINTEXT://{HOST}:{node.port}"]
    ours += [f"{name}://{HOST}:{listener.port}" for name, listener in node.listeners.items()]
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(node.node_id),
        # A fixed voter list, not a dynamic quorum: a dynamic one stores its ports in the data folder, and a kept
        # folder could then not be started on other ports.
        "controller.quorum.voters": ",".join(f"{i}@{HOST}:{port}" for i, port in sorted(voters.items())),
        "listeners": ",".join([*ours, f"CONTROLLER://{HOST}:{node.controller_port}"]),
        "advertised.listeners": ",".join(ours),
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join(
            ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT"]
            + [f"{name}:{listener.protocol}" for name, listener in node.listeners.items()]
        ),
        "log.dirs": str(node.log_dir),
        # A misspelt topic is an error, not a new topic.
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        # 50 partitions of each serve clusters with thousands of groups; here they only cost start-up time.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "1",
        # The default of 3 s is for many members that start together; here it would be dead time in each start.
        "group.initial.rebalance.delay.ms": "0",
        # The default of 128 MB is taken from the heap at start, a quarter of what we give.
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
    return {**settings, **node.overrides}


def render(settings: Mapping[str, str]) -> str:
    """Return `settings` in Java's properties format; backslashes are its only escape we can meet."""
    return "".join(f"{key}={value.replace(chr(92), chr(92) * 2)}\n" for key, value in settings.items())
