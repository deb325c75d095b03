"""F16: the same input gives the same events, whatever workers, frames and batches it passes through."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator

from monitor.brokers import topics as cluster_topics
from monitor.replay import digest, offline
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.publish_sequenced import publish_sequenced
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource
from schemas.records import Input
from tests.faults import evidence, judge
from tests.faults.feed import P
from tests.faults.plan import Plan, seconds_since, staged
from tests.faults.stage import Stage
from tests.faults.table import Row

BATCHES = (1, 100, 10_000)  # records given to one step of the engine
FRAMES = (1, 100, 1_000)  # rows of a message; 1,000 is the most that one may have


def f16(plan: Plan) -> Iterator[Row]:
    """Compare the engine in steps of any size with one, two and three workers over frames of any size."""
    parameters = MarketParameters(seed=8, minutes=plan.choose(8, 30), ticks_per_second=plan.choose(0.4, 1.0), coins=3)
    accounts = generate_accounts(
        Merged([GeneratedMarket(parameters)]),
        AccountParameters(seed=6, accounts=plan.choose(80, 300), fills_per_hour=10.0),
    ).records
    bodies = [_engine(parameters, accounts, batch) for batch in BATCHES]
    digests = {digest.of_bodies(one).sha256 for one in bodies}
    cases = plan.choose([(1, 1_000), (2, 100), (3, 1)], [(workers, rows) for workers in (1, 2, 3) for rows in FRAMES])
    row = Row("F16 same events", "strict", f"{len(BATCHES)} batch sizes, {len(cases)} x workers and frames")
    for workers, rows in cases:
        with staged(plan, "strict", row) as stage:
            start_s = time.monotonic()
            asyncio.run(_publish(stage, parameters, accounts, rows))
            for _ in range(workers):
                stage.crew.add()
            stage.crew.wait_until_shared()
            stage.apply_all()
            stage.crew.finish()
            found = evidence.read(stage.cluster.address, stage.prefix, stage.changelog)
            row.verdict.add(judge.strict(found.said, evidence.by_id(bodies[0])))
            digests.add(digest.of_bodies(one.body for one in found.said).sha256)
            row.recoveries_s.append(seconds_since(start_s))
    if len(digests) != 1:
        row.broken.append(f"{len(digests)} different digests")
    row.more.append(f"digest {min(digests)[:16]}")
    yield row


def _stream(parameters: MarketParameters, accounts: list[tuple[str, Input]]) -> Merged:
    return Merged([GeneratedMarket(parameters), ListSource("accounts", accounts, ACCOUNTS_FILE_TOPICS)])


def _engine(parameters: MarketParameters, accounts: list[tuple[str, Input]], batch: int) -> list[bytes]:
    out = io.BytesIO()
    offline.run(_stream(parameters, accounts), out, partitions=P, batch=batch)
    return out.getvalue().splitlines()


async def _publish(stage: Stage, parameters: MarketParameters, accounts: list[tuple[str, Input]], rows: int) -> None:
    address = stage.cluster.address
    await cluster_topics.apply(address, cluster_topics.wanted_topics(stage.prefix, P))
    await publish_sequenced(_stream(parameters, accounts), address, prefix=stage.prefix, frame_rows=rows)
