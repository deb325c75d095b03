"""Auctions as a fold of their topics: what opens, what counts, and that a new start goes on as the old one."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from monitor.answers.plan.engine import situation_of
from monitor.answers.view import decode
from monitor.liquidation.auctions import Auctions, Terms
from monitor.liquidation.intents import excess_of
from schemas.codec import encode
from schemas.ids import canonical
from schemas.records import Advice, Answer, Award, Intent
from tests.auction_books import advice_on, short_view

TERMS = Terms(open_us=1_000)
AT_US = 1_800_000_000_000_000


@dataclass
class Log:
    """Four topics; `written` are messages with the time that the log got them."""

    written: list[tuple[Advice | Intent | Answer | Award, int]] = field(default_factory=list)

    def read_into(self, auctions: Auctions) -> Auctions:
        """Give all of it, topic by topic, as a start does."""
        for kind in (Advice, Intent, Award, Answer):
            for record, at_us in self.written:
                if type(record) is kind:
                    give(auctions, record, at_us)
        return auctions


def give(auctions: Auctions, record: Advice | Intent | Answer | Award, at_us: int) -> None:
    """Give one message."""
    match record:
        case Advice():
            auctions.advised(record, at_us)
        case Intent():
            auctions.opened(record)
        case Answer():
            auctions.answered(record, at_us)
        case Award():
            auctions.awarded(record)


def offer(intent: Intent, number: int, share: float, cost_usd: float, advice: Advice) -> Answer:
    """A solver offers a share of the plan's own trades."""
    basket = {one.instrument: share * one.quantity for one in advice.trades}
    return Answer(
        id=f"answer-{number}", intent=intent.id, account=intent.account, solver=f"solver-{number % 3}", basket=basket,
        cost_usd=cost_usd, event_time_us=AT_US,
    )  # fmt: skip


@pytest.fixture(scope="module")
def advice() -> Advice:
    return advice_on(short_view())


def test_an_intent_asks_for_what_is_missing(advice: Advice) -> None:
    """Its release is what lacks to the target; what may be traded lies between nothing and all of what is held."""
    auctions = Auctions(TERMS)
    auctions.advised(advice, AT_US)
    (intent,) = auctions.to_open(AT_US)
    missing = advice.im_requirement_usd / advice.target_v - advice.equity_usd
    assert math.isclose(intent.release_usd, missing, rel_tol=1e-12)
    assert intent.worst_cost_usd == 1.5 * advice.cost_usd
    assert intent.advice == advice.id
    for one in advice.trades:
        low, high = intent.limits[one.instrument]
        assert min(0.0, -one.held) <= low <= 0.0 <= high <= max(0.0, -one.held)
        assert low <= one.quantity <= high
    assert auctions.to_open(AT_US) == []


def test_nothing_opens_without_need(advice: Advice) -> None:
    """No intent for a margin call, for old advice, for an account that trades cannot help, or that needs none."""
    for one, at_us in (
        (replace(advice, kind="margin_call"), AT_US), (replace(advice, view=None), AT_US),
        (replace(advice, outcome="infeasible"), AT_US), (replace(advice, outcome="nothing"), AT_US),
        (advice, AT_US - TERMS.stale_us - 1),
    ):  # fmt: skip
        auctions = Auctions(TERMS)
        auctions.advised(one, at_us)
        assert auctions.to_open(AT_US) == []


def run_through(log: Log, advice: Advice, now_us: int = AT_US) -> list[Award]:
    """Play actions to their end, each with the same kinds of answers; a new start reads the log at every step."""
    running = Auctions(TERMS)
    log.written.append((advice, now_us))
    running.advised(advice, now_us)
    awards: list[Award] = []
    for _ in range(TERMS.max_actions + 1):
        intents = running.to_open(now_us)
        assert [encode(one) for one in intents] == [
            encode(one) for one in log.read_into(Auctions(TERMS)).to_open(now_us)
        ]  # fmt: skip
        if not intents:
            break
        (intent,) = intents
        log.written.append((intent, now_us))
        assert running.opened(intent)
        assert not running.opened(replace(intent, expires_us=intent.expires_us + 5)), "the first in the log counts"
        cheap = offer(intent, 1, 0.3, 0.25 * advice.cost_usd, advice)
        answers = [
            (cheap, now_us), (cheap, now_us + 1),  # twice
            (offer(intent, 2, 0.3, 0.35 * advice.cost_usd, advice), now_us + 2),
            (offer(intent, 2, 0.3, 0.01 * advice.cost_usd, advice), now_us + 3),  # changed: neither counts
            (offer(intent, 3, 0.3, 0.01 * advice.cost_usd, advice), intent.expires_us),  # late
            (offer(intent, 4, 50.0, 0.0, advice), now_us + 4),  # beyond what is held
            (replace(cheap, id="answer-5", intent="0" * 32), now_us + 5),  # of no intent
        ]  # fmt: skip
        replies = [running.answered(*one) for one in answers]
        assert replies == ["taken", "again", "taken", "changed", "late", "not_allowed", "unknown"]
        log.written += answers
        now_us = intent.expires_us
        assert running.expired(now_us - 1) == []
        assert [one.id for one in running.expired(now_us)] == [intent.id]
        award = running.award(intent)
        assert award is not None
        again = log.read_into(Auctions(TERMS))
        (open_one,) = again.expired(now_us)
        assert again.award(open_one) == award
        log.written.append((award, now_us))
        assert running.awarded(award)
        assert not running.awarded(replace(award, left_usd=1e9)), "what was awarded stays"
        assert award.refused == {"answer-2": "changed", "answer-4": "not_allowed"}
        awards.append(award)
    return awards


def test_actions_follow_each_other_until_nothing_is_missing(advice: Advice) -> None:
    """Each action asks for what the last one left, awards are on top of each other, and the sum does what it says."""
    awards = run_through(Log(), advice)
    assert [one.action for one in awards] == list(range(1, len(awards) + 1))
    assert len(awards) > 1
    left = [one.left_usd for one in awards]
    assert left == sorted(left, reverse=True)
    assert advice.view is not None
    view = decode(canonical(advice.view))
    exact = excess_of(situation_of(view.account, view.market()), TERMS.policy, advice.target_v)
    trades: dict[str, float] = {}
    spent = 0.0
    for award in awards:
        for taken in award.taken:
            spent += taken.cost_usd
            trades = {name: trades.get(name, 0.0) + taken.trades.get(name, 0.0) for name in {**trades, **taken.trades}}
        assert math.isclose(max(0.0, -exact(trades, spent)), award.left_usd, rel_tol=1e-9, abs_tol=1e-6)


def test_new_advice_begins_anew(advice: Advice) -> None:
    """After an award nobody answered for, only new advice opens an action; its number goes on in the episode."""
    auctions = Auctions(TERMS)
    auctions.advised(advice, AT_US)
    (intent,) = auctions.to_open(AT_US)
    auctions.opened(intent)
    award = auctions.award(intent)
    assert award is not None
    auctions.awarded(award)
    assert award.taken == ()
    assert auctions.to_open(AT_US + 1) == []
    newer = advice_on(short_view(1.5), sequence=5)
    auctions.advised(newer, AT_US + 2)
    (following,) = auctions.to_open(AT_US + 2)
    assert (following.episode, following.action, following.advice) == (1, 2, newer.id)
    later = advice_on(short_view(1.4), episode=2, sequence=9)
    again = Auctions(TERMS)
    for one in (advice, later):
        again.advised(one, AT_US)
    assert [(one.episode, one.action) for one in again.to_open(AT_US)] == [(2, 1)]


def test_a_start_finds_actions_on_older_advice(advice: Advice) -> None:
    """An open action on advice that newer one has followed is awarded all the same; what was pruned is only counted."""
    newer = [advice_on(short_view(1.3 + 0.01 * k), sequence=5 + k) for k in range(10)]
    first = Auctions(TERMS)
    first.advised(advice, AT_US)
    (intent,) = first.to_open(AT_US)
    early = Log([(advice, AT_US), (newer[0], AT_US), (intent, AT_US)]).read_into(Auctions(TERMS))
    assert early.expired(intent.expires_us) == [intent]
    assert early.to_open(AT_US) == []
    late = Log([(advice, AT_US), *((one, AT_US) for one in newer), (intent, AT_US)]).read_into(Auctions(TERMS))
    assert late.expired(intent.expires_us) == []
    assert [(one.action, one.advice) for one in late.to_open(AT_US)] == [(2, newer[-1].id)]


def test_the_order_between_topics_does_not_matter(advice: Advice) -> None:
    """What one process reads in another order than it was written leads to the same award."""
    first = Auctions(TERMS)
    first.advised(advice, AT_US)
    (intent,) = first.to_open(AT_US)
    messages: list[tuple[Advice | Intent | Answer | Award, int]] = [
        (advice, AT_US), (intent, AT_US), (offer(intent, 1, 0.4, 1.0, advice), AT_US + 1),
        (offer(intent, 2, 0.8, 3.0, advice), AT_US + 2),
    ]  # fmt: skip
    found = set()
    for order in itertools.permutations(messages):
        auctions = Auctions(TERMS)
        for one in order:
            give(auctions, *one)
        award = auctions.award(intent)
        assert award is not None
        found.add(encode(award))
    assert len(found) == 1
