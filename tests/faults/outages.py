"""F4: the broker goes away and comes back; of three brokers one is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.faults.cluster import Cluster
from tests.faults.plan import Plan, seconds_since
from tests.faults.stage import Stage
from tests.faults.table import Row


def f4(plan: Plan) -> Iterator[Row]:
    """Kill the only broker for some seconds, then one of three."""
    away = [(order, 10.0) for order in plan.orders]
    if plan.full:
        away += [(order, 120.0) for order in plan.orders]
    with Cluster() as cluster:
        for order, seconds in away:
            row = Row("F4 broker down", order, f"1 kill -9, {seconds:.0f} s")
            with Stage(cluster, order, row) as stage:
                stage.begin(2)
                stage.wait_for_events(5)
                cluster.kill(0)
                stage.crew.idle_for(seconds)
                cluster.start(0)
                start_s = time.monotonic()
                stage.reconnect()
                _await_progress(stage, row, start_s)
                stage.finish()
                row.more.append(f"{stage.crew.restarts} workers asked for a restart")
            yield row
    with Cluster(size=3) as cluster:
        for order in plan.orders if plan.full else plan.orders[:1]:
            kills = plan.choose(1, 3)
            row = Row("F4 one of three brokers", order, f"{kills} kill -9, copies 3, in sync 2")
            with Stage(cluster, order, row) as stage:
                stage.begin(2)
                for number in range(kills):
                    stage.wait_for_events(3)
                    cluster.kill(number)
                    start_s = time.monotonic()
                    _await_progress(stage, row, start_s)
                    cluster.start(number)
                stage.finish()
                row.more.append(f"{stage.crew.restarts} workers asked for a restart")
            yield row


def _await_progress(stage: Stage, row: Row, start_s: float) -> None:
    """Wait until the partitions are shared out and more events come than there were."""
    stage.crew.wait_until_shared()
    stage.wait_for_events(1)
    row.recoveries_s.append(seconds_since(start_s))
