"""The checks of the fault plan can fail: made-up streams with each kind of broken guarantee."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from monitor.engine.state import Account
from schemas.records import AccountConfig
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS, REGIMES
from tests.faults import judge
from tests.faults.evidence import essences
from tests.faults.judge import Said, Verdict
from tests.faults.load import growth_mb
from tests.faults.table import Row, table


def said(account: str, sequence: int, body: bytes = b"", *, identity: str = "", epoch: int = 1) -> Said:
    name = identity or f"{account}/{sequence}"
    return Said(MARGIN_CALLS.name, 0, epoch, name, account, sequence, body or name.encode())


SOUND = [said("a", 1), said("b", 1), said("a", 2), said("a", 3)]
REFERENCE = {one.id: one.body for one in SOUND}
STORED = {"a": 3, "b": 1, "c": 0}


def counts(verdict: Verdict) -> tuple[int, int, int, int]:
    return verdict.lost, verdict.duplicated, verdict.differing, verdict.holes


def both(messages: Iterable[Said]) -> list[tuple[int, int, int, int]]:
    """What strict and live order have against a stream."""
    stream = list(messages)
    return [counts(judge.strict(stream, REFERENCE)), counts(judge.live(stream, STORED))]


def test_a_sound_stream_passes() -> None:
    """Every event once, in any order between accounts, breaks nothing."""
    assert both(SOUND) == [(0, 0, 0, 0), (0, 0, 0, 0)]
    assert not judge.strict(SOUND, REFERENCE).broken
    assert not judge.live(SOUND, STORED).broken


def test_repeats_with_the_same_bytes_are_counted_and_allowed() -> None:
    """Delivery is at least once: a second copy breaks nothing and is told."""
    twice = [*SOUND, SOUND[1]]
    assert both(twice) == [(0, 0, 0, 0), (0, 0, 0, 0)]
    assert [judge.strict(twice, REFERENCE).repeats, judge.live(twice, STORED).repeats] == [1, 1]


def test_a_lost_event_is_found() -> None:
    """At the end of an account's sequence it leaves no hole, before that it does."""
    assert both(SOUND[:3]) == [(1, 0, 0, 0), (1, 0, 0, 0)]
    assert both([SOUND[0], SOUND[1], SOUND[3]]) == [(1, 0, 0, 1), (1, 0, 0, 1)]
    assert judge.live(SOUND[:3], STORED).broken


def test_an_event_under_two_ids_is_found() -> None:
    """What a reader cannot drop by id counts as duplicated, and so does what nobody has stored."""
    again = said("a", 2, identity="other")
    assert both([*SOUND, again]) == [(0, 1, 0, 0), (0, 1, 0, 0)]
    assert both([*SOUND, said("a", 4)]) == [(0, 1, 0, 0), (0, 1, 0, 0)]


def test_two_contents_of_one_id_are_found() -> None:
    """Either order of them, and in strict order also one content that is not the reference's."""
    assert both([*SOUND, said("a", 2, b"other")]) == [(0, 0, 1, 0), (0, 0, 1, 0)]
    assert both([said("a", 2, b"other"), *SOUND]) == [(0, 0, 1, 0), (0, 0, 1, 0)]
    other = [said("a", 1, b"other"), *SOUND[1:]]
    assert counts(judge.strict(other, REFERENCE)) == (0, 0, 1, 0)


def test_a_hole_is_found_without_a_reference() -> None:
    """Sequence numbers begin with 1 and leave none out, whatever is stored."""
    assert judge.live([said("a", 1), said("a", 3)], {}).holes == 1
    assert judge.live([said("a", 2)], {}).holes == 1


def test_what_comes_after_a_larger_epoch_is_left_out() -> None:
    """A zombie's contradiction counts in strict order; readers of live order drop it, and it is told."""
    late = said("a", 2, b"other", epoch=1)
    stream = [*SOUND, said("b", 2, epoch=2), late]
    stored = {**STORED, "b": 2}
    verdict = judge.live(stream, stored)
    assert (counts(verdict), verdict.stale) == ((0, 0, 0, 0), 1)
    assert judge.strict(stream, {**REFERENCE, "b/2": b"b/2"}).differing == 1
    assert judge.in_force([said("a", 1, epoch=2), said("a", 2, epoch=2)])[1] == 0


def test_changes_of_regime_have_ids_and_no_sequence() -> None:
    """Two contents of one are found; they are no account's hole."""
    change = Said(REGIMES.name, 0, 1, "r", "", 0, b"calm")
    assert counts(judge.live([*SOUND, change], STORED)) == (0, 0, 0, 0)
    assert judge.live([*SOUND, change, change._replace(body=b"breakdown")], STORED).differing == 1


def test_another_state_is_found() -> None:
    """One that differs, one that is missing and one too many each count; when it was written does not."""
    assert judge.states({"a": b"1", "b": b"2"}, {"a": b"1", "b": b"2"}).states == 0
    assert judge.states({"a": b"1", "b": b"3"}, {"a": b"1", "b": b"2"}).states == 1
    assert judge.states({"a": b"1", "c": b"2"}, {"a": b"1", "b": b"2"}).states == 2

    def account(version: int, sequence: int) -> Account:
        made = Account(config=AccountConfig(account="a", event_time_us=1))
        made.version, made.sequence = version, sequence
        return made

    one, later, other = (essences({"a": account(*way)}) for way in ((1, 1), (2, 1), (1, 2)))
    assert one == later
    assert one != other


def test_a_lost_trade_is_found() -> None:
    """Positions are the sums of the trades but for rounding."""
    trades = {("a", "X"): 0.1 + 0.2, ("b", "X"): 1.0}
    assert judge.positions({("a", "X"): 0.3, ("b", "X"): 1.0}, trades).states == 0
    assert judge.positions({("a", "X"): 0.3, ("b", "X"): 0.9}, trades).states == 1
    assert judge.positions({("a", "X"): 0.3}, trades).states == 1


def test_an_event_that_does_not_recompute_is_found() -> None:
    """It has to come out of one of the orders that the topics allow, but for what these do not say."""
    one, two, other = (json.dumps({"equity_usd": usd, "attribution": []}).encode() for usd in (1.0, 2.0, 3.0))
    counted = json.dumps({"equity_usd": 2.0, "attribution": [{"part": "prices"}]}).encode()
    events = {1: one, 2: two}
    assert judge.recomputed(events, [{1: one}, {1: one, 2: two}]).refuted == 0
    verdict = judge.recomputed(events, [{1: one, 2: other}, {1: one}])
    assert (verdict.recomputed, verdict.refuted, verdict.unsaid, verdict.broken) == (2, 1, 0, True)
    assert judge.recomputed(events, [{1: one}]).refuted == 1
    assert judge.recomputed({1: one}, [{1: one.replace(b" ", b"")}]).refuted == 1
    verdict = judge.recomputed(events, [{1: one, 2: counted}])
    assert (verdict.refuted, verdict.unsaid, verdict.broken) == (0, 1, False)


def test_what_a_bot_misses_or_gets_wrong_is_found() -> None:
    """Each event once with the bytes on the topic; repeats that the client drops are its work."""
    expected = {"x": "digest x", "y": "digest y"}
    sound = [("x", "digest x"), ("y", "digest y")]
    assert not judge.delivered(sound, {"repeated": 3, "stale_epoch": 1}, expected).broken
    assert judge.delivered(sound[:1], {}, expected).lost == 1
    assert judge.delivered([*sound, sound[0]], {}, expected).duplicated == 1
    assert judge.delivered([sound[0], ("y", "other")], {}, expected).differing == 1
    assert judge.delivered(sound, {"two_contents": 1}, expected).differing == 1


def test_the_longest_gap_is_that_of_one_partition() -> None:
    """Silence at the ends of the window counts; what another partition writes does not hide it."""
    stamps = {0: [500, 1_000, 9_000, 10_000], 1: list(range(0, 10_000, 100))}
    assert judge.longest_gap_s(stamps, 0.0, 10_000.0) == 8.0
    assert judge.longest_gap_s({0: [2_000]}, 0.0, 10_000.0) == 8.0
    assert judge.longest_gap_s({0: []}, 0.0, 3_000.0) == 3.0


def test_the_95th_percentile_is_one_of_the_values() -> None:
    """Of a hundred the 95th, of few the largest, of none no number."""
    assert judge.p95(range(1, 101)) == 95
    assert judge.p95([3.0, 1.0, 2.0]) == 3.0
    assert math.isnan(judge.p95([]))


def test_memory_that_grows_is_seen() -> None:
    """A straight rise over the last two thirds, not what came before."""
    assert growth_mb([(float(s), 100.0 if s >= 30 else float(s)) for s in range(90)]) == 0.0
    assert math.isclose(growth_mb([(float(s), 100.0 + s) for s in range(90)]), 59.0)


def test_a_row_holds_only_if_nothing_broke() -> None:
    """The word in the table, and with it the exit code, follows the verdict and what broke besides."""
    assert Row("F1", "strict", "1").held
    assert not Row("F1", "strict", "1", broken=["a worker ended with 70"]).held
    for name in ("lost", "duplicated", "differing", "holes", "states", "refuted"):
        verdict = Verdict()
        setattr(verdict, name, 1)
        row = Row("F1", "live", "1", verdict)
        assert not row.held
        assert "BROKEN" in table([row])
    assert "held" in table([Row("F1", "live", "1", Verdict(repeats=3, stale=1))])


def test_topics_of_a_partition_number_are_apart() -> None:
    """Epochs of one topic say nothing about another's."""
    ahead = Said(LIQUIDATIONS.name, 0, 9, "l", "b", 1, b"l")
    assert judge.in_force([ahead, said("a", 1, epoch=1)])[1] == 0
