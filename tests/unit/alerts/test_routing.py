"""Who is told what."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.alerts.routing import Holder, Target, needs_holders, route
from tests.unit.alerts.books import notice, settings

EVERY: dict[str, Any] = {"channels": ["desk"]}


def reaches(route_: dict[str, Any], **of: Any) -> bool:
    """Whether a notice goes to the desk by one route."""
    holder = Holder(of.pop("venue", ""), of.pop("group", ""))
    return bool(route(notice(**of), settings([{**EVERY, **route_}]).routes, holder).targets)


@pytest.mark.parametrize(
    ("filters", "of", "wanted"),
    [
        ({}, {}, True),
        ({"least_severity": "critical"}, {"kind": "margin_call"}, False),
        ({"least_severity": "warning"}, {"kind": "margin_call"}, True),
        ({"kinds": ["bankrupt"]}, {"kind": "liquidation"}, False),
        ({"kinds": ["bankrupt", "liquidation"]}, {"kind": "liquidation"}, True),
        ({"accounts": ["desk-*"]}, {"account": "desk-7"}, True),
        ({"accounts": ["desk-*"]}, {"account": "a-desk-7"}, False),
        ({"accounts": ["/desk-[0-9]$/"]}, {"account": "a-desk-7"}, True),
        ({"accounts": ["/^desk-[0-9]$/"]}, {"account": "a-desk-7"}, False),
        ({"accounts": ["nobody", "desk-?"]}, {"account": "desk-7"}, True),
        ({"accounts": ["*"]}, {"account": "", "kind": "regime"}, False),
        ({"parameter_sets": ["def*"]}, {}, True),
        ({"parameter_sets": ["other"]}, {}, False),
        ({"venues": ["okx"]}, {"venue": "okx"}, True),
        ({"venues": ["okx"]}, {}, False),
        ({"groups": ["fund-*"]}, {"group": "fund-3"}, True),
        ({"groups": ["fund-*"], "kinds": ["bankrupt"]}, {"group": "fund-3"}, False),
    ],
)
def test_all_filters_of_a_route_have_to_match(filters: dict[str, Any], of: dict[str, Any], wanted: bool) -> None:
    """Severity, kind, account, parameter set, venue and owner; what has no account matches no filter on accounts."""
    assert reaches(filters, **of) is wanted


def test_a_channel_gets_a_notice_once_with_the_shortest_window() -> None:
    """Two routes to one channel are one delivery; routes to several reach all of them."""
    routes = settings([{**EVERY, "window_s": 30}, {"channels": ["desk", "pager"], "window_s": 5}]).routes
    assert set(route(notice(), routes).targets) == {Target("desk", 5.0), Target("pager", 5.0)}


def test_a_last_route_hides_those_below() -> None:
    """What matched a route that is `last` is not shown to the others."""
    routes = settings([{**EVERY, "kinds": ["liquidation"], "last": True}, {"channels": ["pager"]}]).routes
    assert [one.channel for one in route(notice(), routes).targets] == ["desk"]
    assert [one.channel for one in route(notice(kind="warning"), routes).targets] == ["pager"]


def test_what_is_over_is_never_escalated() -> None:
    """A route that escalates does so for a call, and not for its end."""
    routes = settings([{**EVERY, "escalate_after_s": 60}]).routes
    assert route(notice(), routes).escalate_to == ("desk",)
    assert route(notice(kind="resolved"), routes).escalate_after_s is None


def test_accounts_are_only_read_where_a_route_asks() -> None:
    """Venues and owners need another topic, and with it another right."""
    assert not needs_holders(settings([EVERY]).routes)
    assert needs_holders(settings([{**EVERY, "groups": ["x"]}]).routes)
