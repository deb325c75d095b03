"""Apache Kafka of our own, one node or three on loopback, whose nodes can be killed and started again in place."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.brokers.child import Child
from monitor.brokers.kafka.jars import ensure_jars
from monitor.brokers.kafka.java import find_java
from monitor.brokers.kafka.local import LOG, new_cluster_id, start_error
from monitor.brokers.kafka.ports import choose_ports
from monitor.brokers.kafka.properties import HOST, Node, render, server_properties

START_S = 120.0
HEAP_MB = 512
# Nodes live for minutes and share two cores with what they serve: Java's second compiler does not pay.
JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.apache.logging.log4j.level=WARN")
OVERRIDES = {"group.min.session.timeout.ms": "3000"}


@dataclass
class Cluster:
    """`size` combined brokers and controllers; topics get as many copies as there are nodes, at most three."""

    size: int = 1
    nodes: list[Node] = field(default_factory=list)
    _children: dict[int, Child] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="liqmon-faults-kafka-"))
        ports = choose_ports(0, 2 * self.size - 2)
        voters = {number + 1: ports[2 * number + 1] for number in range(self.size)}
        self.nodes = [
            Node(
                number + 1, ports[2 * number], voters[number + 1], self.folder / f"node-{number + 1}" / "data",
                voters=voters, overrides=OVERRIDES,
            )
            for number in range(self.size)
        ]  # fmt: skip
        self._run = [find_java(), *JAVA, "-cp", f"{ensure_jars()}/*"]

    @property
    def address(self) -> str:
        """Bootstrap servers."""
        return ",".join(f"{HOST}:{node.port}" for node in self.nodes)

    def __enter__(self) -> Self:
        cluster_id = new_cluster_id()
        try:
            for node in self.nodes:
                self._format(node, cluster_id)
            for number in range(self.size):
                self._launch(number)
            for number in range(self.size):
                self._await(number)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def kill(self, number: int) -> None:
        """`kill -9` one node."""
        child = self._children.pop(number)
        os.kill(child.pid, signal.SIGKILL)
        child.stop()

    def start(self, number: int) -> None:
        """Start a node again on its folder and ports, and wait until it answers."""
        self._launch(number)
        self._await(number)

    def stop(self) -> None:
        """End all nodes and remove what they kept."""
        for number in list(self._children):
            self._children.pop(number).stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _format(self, node: Node, cluster_id: str) -> None:
        folder = node.log_dir.parent
        folder.mkdir()
        config = folder / "server.properties"
        config.write_text(render(server_properties(node)))
        tool = [*self._run, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(config)]
        with (folder / LOG).open("ab") as log:
            code = subprocess.run(tool, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode
        if code != 0:
            raise start_error(folder / LOG, f"node {node.node_id} could not format its data folder")

    def _launch(self, number: int) -> None:
        folder = self.nodes[number].log_dir.parent
        command = [*self._run, "kafka.Kafka", str(folder / "server.properties")]
        command[1:1] = ["-Xms128m", f"-Xmx{HEAP_MB}m"]
        self._children[number] = Child(command, log=folder / LOG, folder=None, grace_s=15.0)

    def _await(self, number: int) -> None:
        node = self.nodes[number]
        self._children[number].await_answer(
            f"{HOST}:{node.port}", START_S,
            lambda what: start_error(node.log_dir.parent / LOG, f"node {node.node_id} {what}"),
        )  # fmt: skip
