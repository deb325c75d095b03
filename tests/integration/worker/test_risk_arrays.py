"""Risk arrays as the worker publishes them."""

from __future__ import annotations

import itertools
import json
import sys

import pytest

from schemas.records import Instrument
from schemas.topics import RISK_ARRAYS
from tests.integration.worker.deployment import Deployment, market
from tests.integration.worker.support import eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]  # only what hangs takes so long


def test_the_owner_of_partition_0_publishes_arrays(deployment: Deployment) -> None:
    """Each interval of market time brings an array of every coin and contract, under keys that compaction keeps."""
    config = deployment.folder / "settings.toml"
    config.write_text("risk_arrays_every_s = 60\n")
    deployment.publish(itertools.islice(market(seed=5), 600))
    worker = deployment.spawn([sys.executable, "-m", "monitor", "--config", str(config), *deployment.arguments()])
    worker.wait_for("ready")
    deployment.wait_until_caught_up()
    eventually(lambda: sum(deployment.ends(RISK_ARRAYS).values()) > 0, 120)
    assert worker.terminate() == 0
    messages = deployment.read(RISK_ARRAYS)
    by_key = {(message.key or b"").decode(): json.loads(message.value or b"") for message in messages}
    listed = {record.instrument for record in deployment.published if isinstance(record, Instrument)}
    assert {record["instrument"] for record in by_key.values()} == listed | {"BTC", "ETH"}
    assert {record["underlying"] for record in by_key.values()} == {"BTC", "ETH"}
    for key, record in by_key.items():
        assert key == f"default/{record['instrument']}"
        assert len(record["pnl_usd"]) == 16
        assert record["price_range"] > 0.0
    assert {record["kind"] for record in by_key.values()} >= {"coin", "linear", "inverse", "inverse_option"}
    times = [json.loads(message.value or b"")["event_time_us"] // 60_000_000 for message in messages]
    assert times == sorted(times)
    # Only what has a price has an array: the first interval may be told before the whole opening is read.
    counts = [times.count(interval) for interval in sorted(set(times))]
    assert counts[0] <= len(by_key)
    assert set(counts[1:]) <= {len(by_key)}
