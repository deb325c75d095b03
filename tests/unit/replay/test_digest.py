"""One number for what a run said."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli import liqmon
from monitor.errors import UsageError
from monitor.replay.digest import of_bodies
from schemas.ids import canonical, event_id, regime_id
from schemas.records import AccountEvent, Cause, EventKind, RegimeChange

T0 = 1_760_100_000_000_000


def event(account: str, sequence: int, kind: EventKind = "warning", equity: float = 1.5, episode: int = 1) -> bytes:
    return canonical(
        AccountEvent(
            id=event_id(account, episode, sequence, kind), kind=kind, account=account, episode=episode,
            sequence=sequence, state_from="healthy", state_to="warning", data_hold=False, jump=False,
            event_time_us=T0 - sequence, valid_until_us=T0, cause=Cause(topic="timer"), positions={}, model="A",
            parameter_set="default", parameter_hash="0" * 16, equity_usd=equity, im_requirement_usd=1.0,
            mm_requirement_usd=1.0, shortfall_usd=0.0, reason="r", underlyings=(), v=1,
        )
    )  # fmt: skip


def regime(second: int) -> bytes:
    return canonical(
        RegimeChange(
            id=regime_id(("BTC", "ETH"), T0 + second, "calm"), regime="calm", underlyings=("BTC", "ETH"), distance=0.1,
            absorption_ratio=0.7, matrix_digest="0" * 16, event_time_us=T0 + second, v=1,
        )
    )  # fmt: skip


ORDERED = [event("a", 1), event("a", 2, "margin_call"), event("a", 3), event("b", 1), regime(1), regime(2)]


def test_the_digest_is_sha256_of_the_bodies_in_their_order() -> None:
    """A line each, by account and sequence, regime changes after them: recomputed here with hashlib alone."""
    expected = hashlib.sha256(b"".join(body + b"\n" for body in ORDERED)).hexdigest()
    result = of_bodies(ORDERED)
    assert (result.sha256, result.events, result.accounts, result.regimes) == (expected, 4, 2, 2)
    assert result.kinds == {"margin_call": 1, "warning": 3}
    assert (result.findings, result.repeats) == (0, 0)


def test_order_and_repeats_of_deliveries_do_not_matter() -> None:
    """Topics give events in any order and some of them twice."""
    shuffled = [*ORDERED, ORDERED[1], ORDERED[4]]
    random.Random(1).shuffle(shuffled)
    result = of_bodies(shuffled)
    assert result.sha256 == of_bodies(ORDERED).sha256
    assert (result.repeats, result.findings) == (2, 0)


def test_one_other_bit_is_another_digest() -> None:
    """A figure that differs in its last place changes the number."""
    moved = event("b", 1, equity=1.5000000000000002)
    assert of_bodies([*ORDERED[:3], moved, *ORDERED[4:]]).sha256 != of_bodies(ORDERED).sha256


@pytest.mark.parametrize(
    ("bodies", "said"),
    [
        ([event("a", 1), event("a", 1, equity=2.0)], "two contents"),
        ([event("a", 1), event("a", 1, "margin_call")], "is both"),
        ([event("a", 1), event("a", 3)], "no event 2"),
        ([event("a", 2)], "no event 1"),
        ([regime(1), regime(1).replace(b'"distance":0.1', b'"distance":0.2')], "is both"),
        ([regime(1).replace(b"calm", b"wild")], "is not that of wild"),
        ([b""], "no event"),
        ([b"{}"], "no event"),
        ([event("a", 1) + b" "], "not canonical"),
        ([event("a", 1).replace(b'"kind":"warning"', b'"kind":"resolved"')], "is not that of"),
    ],
)
def test_what_cannot_be_an_answer_is_named(bodies: list[bytes], said: str) -> None:
    """Two contents, two events at one place, a hole, and what is no event are findings."""
    result = of_bodies(bodies)
    assert result.findings == 1
    assert said in result.found[0]


def test_findings_are_counted_beyond_those_that_are_named() -> None:
    """A topic full of rubbish does not fill the memory with complaints."""
    result = of_bodies([b"rubbish"] * 1_000)
    assert (result.findings, len(result.found)) == (1_000, 20)


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(liqmon, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout, result.stderr


def test_the_command_reads_a_file(tmp_path: Path) -> None:
    """The digest stands on the first line; findings are named and make exit code 1."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(body + b"\n" for body in ORDERED))
    code, out, _ = invoke("digest", "--file", file)
    assert (code, out.splitlines()[0]) == (0, of_bodies(ORDERED).sha256)
    code, out, _ = invoke("digest", "--file", file, "--json")
    assert json.loads(out)["kinds"] == {"margin_call": 1, "warning": 3}
    file.write_bytes(event("a", 1) + b"\n" + event("a", 1, equity=3.0) + b"\n")
    code, _, err = invoke("digest", "--file", file)
    assert code == 1
    assert event_id("a", 1, 1, "warning") in err


def test_a_source_of_events_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither broker nor file, or both, is wrong use."""
    monkeypatch.delenv("BROKER_URL", raising=False)
    file = tmp_path / "events.jsonl"
    file.touch()
    for arguments in (["digest"], ["digest", "--file", file, "--broker", "127.0.0.1:1"]):
        with pytest.raises(UsageError):
            invoke(*arguments)
