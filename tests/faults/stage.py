"""One run under a fault: topics of its own, paced input, a crew of workers, a bot, and the verdict at the end."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.errors import KafkaError

from monitor.brokers import topics as cluster_topics
from monitor.brokers.selfcheck import Checked
from schemas.records import Input
from schemas.topics import ACCOUNT_TOPICS, DEAD_LETTERS, LIQUIDATIONS, MARGIN_CALLS, REGIMES, SEQUENCED
from tests.faults import evidence, judge
from tests.faults.cluster import Cluster
from tests.faults.crew import Broken, Crew
from tests.faults.evidence import Evidence
from tests.faults.feed import Feed, Order, P
from tests.faults.table import Row
from tests.integration.worker.deployment import market
from tests.integration.worker.support import Kafka, Process

APPLICATION = "app"
PER_SECOND = 150.0
SESSION_S = 30.0  # a worker that gets no processor for so long counts as dead
QUICK_S = 6.0  # where takeovers from the dead are what is looked at
# The input's market runs 25 times as fast as ours: each takeover would be an overload, and topics do not say where
# evaluations were left out. F17 and F18 have it as it is.
NO_OVERLOAD = "0"
QUIET_S = "60"  # an orderly end is timed where it is the fault, and nowhere else

_seeds = itertools.count(100)


@dataclass
class Stage:
    """A deployment under test, to be used with `with`; `row` is filled while it runs and complete after `judge`."""

    cluster: Cluster
    order: Order
    row: Row
    per_second: float = PER_SECOND
    many: int = 15_000
    between: Callable[[Iterator[Input]], Iterator[Input]] = iter
    environment: Mapping[str, str] = field(default_factory=dict)
    session_s: float = SESSION_S
    recompute_steps: int = evidence.STEPS
    keep: Path | None = None
    ready_ms: float = 0.0

    def __enter__(self) -> Self:
        self.prefix = f"f{uuid.uuid4().hex[:10]}."
        self.folder = Path(tempfile.mkdtemp(prefix="liqmon-faults-"))
        self.started_s = time.monotonic()
        asyncio.run(cluster_topics.apply(self.cluster.address, cluster_topics.wanted_topics(self.prefix, P)))
        self.kafka = Kafka(self.cluster.address, Checked())
        records = self.between(market(next(_seeds)))
        self.feed = Feed(self.cluster.address, self.prefix, self.order, records, self.per_second, self.many)
        self.crew = Crew(self.worker)
        self.bot = Process([sys.executable, "-m", "tests.faults.bot", self.cluster.address, self.prefix])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:  # fmt: skip
        self.row.seconds += time.monotonic() - self.started_s
        self.row.load = max(self.row.load, os.getloadavg()[0])
        self.feed.abandon()
        self.crew.end()
        self.bot.end()
        if self.keep is not None and not self.row.held:
            for number, worker in enumerate((*self.crew.ended, *self.crew.members)):
                (self.keep / f"{self.prefix}worker-{number}.log").write_text("".join(worker.text))
        self.kafka.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(error, Broken | TimeoutError | KafkaError | AssertionError):
            self.row.broken.append(f"{type(error).__name__}: {str(error)[:300]}".replace("\n", " "))
            return True
        return False

    # --- workers --------------------------------------------------------------------------------

    @property
    def group(self) -> str:
        """The workers' group."""
        return f"{self.prefix}{APPLICATION}{'-strict' if self.order == 'strict' else ''}"

    @property
    def changelog(self) -> str:
        """Topic of the stored state."""
        return f"{self.group}-state-changelog"

    def worker(self, module: str = "monitor", *before: str) -> Process:
        """Start a worker: the command, or a module that runs it with something changed."""
        arguments = [
            "worker", "--broker", self.cluster.address, "--prefix", self.prefix, "--partitions", str(P), "--app-id",
            APPLICATION, "--session-timeout", str(self.session_s), "--data", str(self.folder / "data"), "--order",
            self.order,
        ]  # fmt: skip
        environment = {
            "LIQMON_SHUTDOWN_TIMEOUT_S": QUIET_S, "LIQMON_OVERLOAD_LAG_MS": NO_OVERLOAD, **self.environment
        }  # fmt: skip
        return Process([sys.executable, "-m", module, *before, *arguments], environment)

    def begin(self, workers: int) -> None:
        """Start input and workers, and wait until the partitions are shared out."""
        self.bot.wait_for("listening")
        self.feed.start()
        for _ in range(workers):
            self.crew.add()
        self.crew.wait_until_shared()
        self.ready_ms = time.time() * 1000.0

    # --- what an outsider sees ------------------------------------------------------------------

    def messages(self) -> int:
        """Messages that bots may read."""
        return sum(
            sum(self.kafka.ends(f"{self.prefix}{topic.name}", P).values()) for topic in (MARGIN_CALLS, LIQUIDATIONS)
        )

    def wait_for_events(self, more: int) -> None:
        """Wait until workers have published some more."""
        enough = self.messages() + more
        self.crew.until(lambda: self.messages() >= enough, f"{more} more events")

    def behind(self) -> int:
        """Messages of the group's inputs that are not committed."""
        topics = (SEQUENCED,) if self.order == "strict" else ACCOUNT_TOPICS
        names = [f"{self.prefix}{topic.name}" for topic in topics]
        try:
            committed = self.kafka.committed(self.group, dict.fromkeys(names, P))
        except KafkaError:  # the first commit makes the topic of offsets; later the coordinator may be moving
            committed = {}
        return sum(
            end - committed.get((name, partition), 0)
            for name in names for partition, end in self.kafka.ends(name, P).items()
        )  # fmt: skip

    def reconnect(self) -> None:
        """Ask with new clients: the broker was away."""
        self.kafka.close()
        self.kafka = Kafka(self.cluster.address, Checked())

    # --- the end --------------------------------------------------------------------------------

    def finish(self) -> Evidence:
        """Stop the input, have everything applied, end the workers in an orderly way, and judge what is left."""
        end_ms = time.time() * 1000.0
        self.feed.stop()
        self.apply_all()
        for code, _ in self.crew.finish():
            if code != 0:
                self.row.broken.append(f"an orderly end had code {code}")
        return self.judge(end_ms)

    def apply_all(self) -> None:
        """Wait until everything that was published is applied and committed."""
        self.crew.until(lambda: self.behind() == 0, "everything applied and committed")

    def judge(self, end_ms: float) -> Evidence:
        """Judge what stands on the topics; every worker has ended."""
        found = evidence.read(self.cluster.address, self.prefix, self.changelog)
        self.row.sent_again += self.crew.sent_again
        gap_s = judge.longest_gap_s(found.stamps_ms, self.ready_ms, end_ms)
        self.row.gap_s = max(gap_s, self.row.gap_s) if self.row.gap_s == self.row.gap_s else gap_s
        verdict = self.row.verdict
        if self.order == "strict":
            reference = evidence.reference(self.feed.sourced)
            verdict.add(judge.strict(found.said, reference.events))
            verdict.add(judge.states(evidence.essences(found.accounts), reference.accounts))
        else:
            stored = {name: account.sequence for name, account in found.accounts.items()}
            verdict.add(judge.live(found.said, stored))
            held = {
                (name, instrument): holding.quantity
                for name, account in found.accounts.items() for instrument, holding in account.holdings.items()
            }  # fmt: skip
            verdict.add(judge.positions(held, self.feed.trades))
            kept = judge.in_force(found.said)[0]
            again = evidence.recompute_some(self.cluster.address, self.prefix, kept, self.recompute_steps, self.keep)
            verdict.add(asyncio.run(again))
        self._judge_letters()
        self._judge_bot(found)
        return found

    def _judge_letters(self) -> None:
        name = f"{self.prefix}{DEAD_LETTERS.name}"
        if letters := sum(self.kafka.ends(name, DEAD_LETTERS.partitions or P).values()):
            self.row.broken.append(f"{letters} dead letters of sound input")

    def _judge_bot(self, found: Evidence) -> None:
        """Wait until the bot has seen every message, and judge what it was given."""
        bot, messages = self.bot, len(found.alerts)
        self.crew.until(
            lambda: bot.child.poll() is not None or len(bot.said("alert")) + len(bot.said("refused")) >= messages,
            "the bot has read everything", 120.0,
        )  # fmt: skip
        alerts = [(line["id"], line["body"]) for line in bot.said("alert")]
        refused = Counter(str(line["reason"]) for line in bot.said("refused"))
        bodies = {one.id: one.body for one in judge.in_force(found.said)[0] if one.topic != REGIMES.name}
        self.row.verdict.add(judge.delivered(alerts, refused, evidence.digests(bodies)))


def rss_mb(pid: int) -> float:
    """Return how much memory a process has in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
