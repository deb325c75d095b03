"""What the page's addresses answer, without a server."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.errors import UsageError
from monitor.web import views
from monitor.web.accounts import Query, Sample
from monitor.web.desk import Desk
from monitor.web.rows import Correlation, IndexRow, Market
from monitor.web.sampler import Seen
from schemas.records import AccountEvent
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS
from tests.browser.stage import made_events
from tests.unit.web.test_accounts import state

NOW_US = 1_760_000_000_000_000


def around(**more: Any) -> views.Around:
    told: dict[str, Any] = {
        "now_s": 100.0, "now_us": NOW_US, "instance": "ab12", "partitions": 4, "reading": "live", "behind": 0,
        "unreadable": 0, "readiness": b'{"ready":true,"reasons":[]}\n', "loop_at_s": 99.5,
    }  # fmt: skip
    return views.Around(**(told | more))


def seen(**more: Any) -> Seen:
    index = IndexRow(
        underlying="BTC", price_usd=95_000.0, held=True, flags=("stale",), fresh_sources=0, sources=2, quiet_s=9.0,
        annual_vol=None, price_range=None,
    )  # fmt: skip
    correlation = Correlation(
        version=1, time_us=NOW_US, underlyings=("BTC",), quiet=(), fast=[[1.0]], slow=[[1.0]], absorption_ratio=1.0,
        distance=0.0, rise=0.0, regime="breakdown", regime_since_us=NOW_US, stale=(),
    )  # fmt: skip
    told: dict[str, Any] = {
        "at_s": 99.0, "partitions": (0, 2), "market": Market(time_us=NOW_US, indices=(index,), contracts=()),
        "correlation": correlation, "heard_s": 95.8, "lag_s": 0.1,
    }  # fmt: skip
    return Seen(**(told | more))


def desk(events: int = 10) -> Desk:
    made = Desk()
    made.accounts.state(state("a", status="warning"), 1)
    made.accounts.state(state("b"), 1)
    for offset, event in enumerate(made_events(events, NOW_US)):
        topic = LIQUIDATIONS if event.kind == "liquidation" else MARGIN_CALLS
        made.event((topic.name, 0, offset), event)
    return made


def plain(told: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(told))


def test_a_pulse_says_how_old_everything_is() -> None:
    """Ages, whose accounts these are, what is held, and the worker's own readiness as it stands."""
    told = desk()
    told.accounts.sample(Sample("a", NOW_US - 4_000_000, 100.0, 95.0, 76.0))
    found = plain(views.pulse(told, seen(), around(dropped=2)))
    assert (found["heard_s"], found["loop_s"], found["seen_s"]) == pytest.approx((4.2, 0.5, 1.0))
    assert found["readiness"] == {"ready": True, "reasons": []}
    assert found["shown"] == {
        "partitions": [0, 2], "of": 4, "own": 1, "reading": "live", "behind": 0, "unreadable": 0, "figures_age_s": 4.0,
    }  # fmt: skip
    assert (found["counts"]["warning"], found["counts"]["healthy"], found["totals"]["accounts"]) == (1, 1, 2)
    assert (found["indices_held"], found["regime"], found["dropped"]) == (["BTC"], "breakdown", 2)
    assert found["kinds"] == {"liquidation": 2, "margin_call": 8}


def test_a_pulse_before_anything_is_known_makes_nothing_up() -> None:
    """A worker that starts has no ages, no regime and no market."""
    found = plain(views.pulse(Desk(), None, around(loop_at_s=None, reading="starting")))
    assert [found[name] for name in ("heard_s", "loop_s", "seen_s", "lag_s")] == [None] * 4
    assert (found["regime"], found["market_time_us"], found["shown"]["figures_age_s"]) == ("", 0, None)
    assert plain(views.market(None)) == {"v": 1, "market": None}
    assert plain(views.correlation(Desk(), None)) == {"v": 1, "correlation": None, "changes": []}
    assert plain(views.events(Desk(), "ab12")) == {"v": 1, "id": "", "kept": 0, "events": []}


def test_events_come_newest_first_and_are_narrowed() -> None:
    """By kind, by text in account or reason, and by number."""
    told = desk(20)
    found = views.events(told, "ab12")
    assert [one.event_time_us for one in found.events] == [NOW_US + n for n in range(20)][::-1]
    assert found.id == "ab12.c.0.19"
    assert {one.kind for one in views.events(told, "ab12", kinds=("liquidation",)).events} == {"liquidation"}
    assert [one.account for one in views.events(told, "ab12", text="BURST-0007").events] == ["burst-0007"]
    assert len(views.events(told, "ab12", limit=3).events) == 3


def test_an_id_names_a_place_of_this_server_alone() -> None:
    """Back and forth; what another server said, or nobody, is no place."""
    for topic in (MARGIN_CALLS.name, LIQUIDATIONS.name):
        place = (topic, 3, 1_184)
        assert views.place_of(views.event_id("ab12", place), "ab12") == place
        assert views.place_of(views.event_id("ab12", place), "cd34") is None
    for rubbish in ("", "ab12", "ab12.c.0", "ab12.x.0.1", "ab12.c.-1.1", "ab12.c.0.1.2", "ab12.c.0." + "9" * 200):
        assert views.place_of(rubbish, "ab12") is None


def test_an_account_has_its_history_from_its_events_on() -> None:
    """Figures over time begin with what events said, and go on with samples; no moment comes twice."""
    told = desk()
    event = next(iter(made_events(1, NOW_US, "a")))
    told.event((MARGIN_CALLS.name, 1, 0), msgspec.structs.replace(event, account="a"))
    assert views.account(told, seen(), "nobody", 1) is None
    found = views.account(told, seen(), "a", 2)
    assert found is not None
    assert (found.here, found.partition, [one.kind for one in found.events]) == (True, 2, ["liquidation"])
    assert [one.time_us for one in found.history] == [NOW_US]
    for second in (1, 1, 2):
        told.sample(Sample("a", NOW_US + second * 1_000_000, 100.0, 95.0, 76.0))
        told.keep(NOW_US + second * 1_000_000, whole=True)
    again = views.account(told, None, "a", 1)
    assert again is not None
    assert not again.here
    assert [one.time_us - NOW_US for one in again.history] == [0, 1_000_000, 2_000_000]
    assert [one.time_us - NOW_US for one in views.history(told).points] == [1_000_000, 2_000_000]


def test_the_sum_is_kept_only_when_it_is_whole() -> None:
    """While accounts come in their sum moves without anything having happened."""
    told = desk()
    told.keep(NOW_US, whole=False)
    assert views.history(told).points == []


def test_queries_are_read() -> None:
    """What a query says, and its defaults."""
    asked = {"q": [" Pair "], "status": ["warning,bankrupt"], "sort": ["v"], "limit": ["7"], "held": ["1"]}
    assert views.query_of(asked) == Query("Pair", ("warning", "bankrupt"), True, "v", 7, 0)
    assert views.query_of({}) == Query()
    assert views.events_query({"kind": ["warning"], "limit": ["5"]}) == (("warning",), "", 5)


@pytest.mark.parametrize(
    "asked",
    [{"status": ["rich"]}, {"sort": ["size"]}, {"limit": ["501"]}, {"limit": ["-1"]}, {"limit": ["1" * 40]},
     {"held": ["yes"]}, {"q": ["a", "b"]}, {"colour": ["red"]}, {"offset": ["1e3"]}],
)  # fmt: skip
def test_wrong_queries_are_refused(asked: dict[str, list[str]]) -> None:
    """Each with a sentence of what to do."""
    with pytest.raises(UsageError):
        views.query_of(asked)


@pytest.mark.parametrize("asked", [{"kind": ["party"]}, {"limit": ["x"]}, {"status": ["warning"]}])
def test_wrong_event_queries_are_refused(asked: dict[str, list[str]]) -> None:
    """As those of accounts."""
    with pytest.raises(UsageError):
        views.events_query(asked)


def test_made_events_are_events() -> None:
    """What the browser tests publish by the thousand would be read by any bot."""
    events = list(made_events(1_200, NOW_US))
    assert len({one.id for one in events}) == 1_200
    assert all(msgspec.json.decode(msgspec.json.encode(one), type=AccountEvent) == one for one in events[:10])
