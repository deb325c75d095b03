"""What has to hold of market snapshots: each is the fold from the beginning, whoever wrote it, whatever was killed."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from monitor.engine.composite import RejectedTick
from monitor.engine.listing import RejectedInstrument
from monitor.engine.market import Market
from monitor.engine.parameters import RejectedParameters
from monitor.engine.snapshot import UnusableSnapshot, parts, restore, take
from monitor.engine.state import Sourced
from monitor.engine.surface import RejectedVolatility
from schemas.codec import encode
from schemas.keys import record_key
from schemas.records import MarketSnapshotPart
from schemas.topics import MARKET_SNAPSHOTS
from tests.simulator.world import World

REFUSALS = (RejectedTick, RejectedVolatility, RejectedInstrument, RejectedParameters)


def check_snapshots(world: World, market: list[Sourced], failures: list[str], figures: dict[str, int]) -> None:
    """Compare all that was ever written with what one fold from the beginning writes, byte for byte."""
    written: dict[tuple[str, int], dict[bytes, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    for stored in world.log.read(world.options.topic(MARKET_SNAPSHOTS)):
        if stored.value is None:
            figures["snapshot parts deleted"] += 1
            continue
        part = msgspec.json.decode(stored.value, type=MarketSnapshotPart)
        written[part.topic, part.offset][stored.key or b""].add(stored.value)
    for (topic, offset), found in sorted(written.items()):
        snapshot = take(_folded(market, topic, offset), topic, offset)
        wanted = {record_key(part): encode(part) for part in parts(snapshot, world.options.snapshot_chunk_bytes)}
        for key, values in found.items():
            if values != {wanted.get(key)}:
                failures.append(f"snapshot part {key!r} has {len(values)} contents, or not that of a fold from nothing")
        figures["snapshots"] += 1
        if set(found) != set(wanted):
            figures["snapshots left incomplete"] += 1
            continue
        try:
            restore(msgspec.json.decode(min(values), type=MarketSnapshotPart) for values in found.values())
        except UnusableSnapshot as trouble:
            failures.append(f"snapshot {topic}/{offset}: {trouble}")


def _folded(market: list[Sourced], topic: str, offset: int) -> Market:
    """Fold the records of one topic below an offset, alone."""
    folded = Market()
    for item in market:
        if item.topic == topic and item.offset < offset:
            folded.positions[topic] = item.position
            try:
                folded.apply(item.record)
            except REFUSALS:
                continue
    return folded
