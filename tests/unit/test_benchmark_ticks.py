"""The benchmark of ticks: both books see the same, sizes are counted once, and its flame graph adds up."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import sweep
from benchmarks.flame import Node, Sampler, svg
from benchmarks.ticks import Pair, Times, walk
from benchmarks.ticks_book import COINS, DAYS, array_bytes, build
from monitor.engine.segments import Segments

ACCOUNTS = 300


@pytest.fixture(scope="module")
def pair() -> Pair:
    """Both states of a small book."""
    return Pair(build(sweep.Book(ACCOUNTS).segments, ACCOUNTS))


def test_accounts_stand_where_they_were_drawn(pair: Pair) -> None:
    """Nobody is broke; one in a few is not healthy, and IM over equity is 1 / (1 + Exp(1)) of the same draws."""
    state = pair.built.plain
    drawn = 1.0 / (1.0 + np.random.default_rng(1).exponential(size=ACCOUNTS))
    found = []
    for name, account in state.shards[0].accounts.items():
        equity, im, _ = state.book.figures(name)
        found.append(im / equity)
        assert account.status in {"healthy", "warning", "margin_call", "liquidation"}
    assert found == pytest.approx(drawn.tolist(), rel=1e-9)
    statuses = [account.status for account in state.shards[0].accounts.values()]
    assert 0.02 * ACCOUNTS < ACCOUNTS - statuses.count("healthy") < 0.4 * ACCOUNTS


def test_both_books_get_the_same_records_and_give_the_same_events(pair: Pair) -> None:
    """After ticks large and small and a slice, every event and state is equal, and there were events."""
    times = walk(pair, 3e-3, 60)
    pair.refresh([pair.built.quotes.smile(COINS[0], DAYS[0], 1.1)], times)
    assert len(times.plain) == len(times.certified) == 61
    assert pair.equal
    assert pair.events > 0
    for name, account in pair.built.plain.shards[0].accounts.items():
        assert pair.built.certified.shards[0].accounts[name].status == account.status


def test_every_buffer_is_counted_once() -> None:
    """Views of an array, and the array in two places, are one buffer."""
    segments = Segments()
    before = array_bytes(segments)
    segments.again = segments.row[3:]  # type: ignore[attr-defined]
    assert array_bytes(segments) == before > segments.row.nbytes
    assert array_bytes([segments, {"row": segments.row}]) == before


def test_a_flame_graph_is_as_wide_as_its_calls() -> None:
    """The root is all of the width, and each frame the share of its seconds, kernels in a colour of their own."""
    kernel = Node(3.0)
    root = Node(4.0, {"book.Book.refresh": Node(4.0, {"kernels.netted_bounds.sweep": kernel})})
    drawn = svg(root, "a tick & more")
    assert "a tick &amp; more" in drawn
    assert drawn.count('width="1200.0"') == 2
    assert drawn.count('width="900.0"') == 1
    assert "kernels.netted_bounds.sweep 75.0 %" in drawn


def test_only_what_runs_inside_the_sampled_function_counts() -> None:
    """Samples outside of it are left out; inside, its own frames are below those it calls."""

    def busy() -> int:
        return sum(number * number for number in range(300_000))

    def inside() -> None:
        for _ in range(8):
            busy()

    sampler = Sampler(inside)
    with sampler:
        inside()
    assert sampler.root.seconds > 0.0
    assert set(sampler.root.calls) <= {f"{__name__}.{busy.__qualname__}"}
    assert Times().pops == []
