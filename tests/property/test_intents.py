from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from monitor.answers.plan import Policy, plan
from monitor.liquidation.intents import Desk, Excess, excess_of, intent_of
from schemas.intents import Answer, Award, Intent, Refusal, intent_id
from tests.plan_books import breached

OPEN_US = 1_000_000
LIMITS = {"x": (0.0, 2.0), "y": (-1.5, 0.0)}


def concave(trades: Mapping[str, float], cost_usd: float) -> float:
    """An excess of 100 USD short, which buying x and selling y make up for, the more the less."""
    x, y = trades.get("x", 0.0), -trades.get("y", 0.0)
    return -100.0 + 60.0 * min(x, 1.0) + 20.0 * max(0.0, x - 1.0) + 50.0 * y - 5.0 * y * y - cost_usd


def judge(found: Award, intent: Intent, excess: Excess) -> None:
    """An award is within limits and cost, takes nothing that is not needed, and releases what it says."""
    trades: dict[str, float] = {}
    spent, before = 0.0, excess({}, 0.0)
    for one in found.taken:
        assert before < 0.0
        assert 0.0 < one.share <= 1.0
        for name, quantity in one.trades.items():
            trades[name] = trades.get(name, 0.0) + quantity
        spent += one.cost_usd
        now = excess(trades, spent)
        assert now > before
        assert math.isclose(now - before, one.release_usd, rel_tol=1e-6, abs_tol=1e-9 * abs(before))
        before = now
    assert spent <= intent.worst_cost_usd * (1.0 + 1e-9)
    for name, quantity in trades.items():
        low, high = intent.limits[name]
        assert low - 1e-6 * abs(low) <= quantity <= high + 1e-6 * abs(high)
    assert math.isclose(found.left_usd, max(0.0, -before), rel_tol=1e-9, abs_tol=1e-9)


def allowed(answer: Answer) -> bool:
    """Whether a basket alone is within the limits."""
    return all(LIMITS[name][0] <= q <= LIMITS[name][1] for name, q in answer.basket.items())


class Auctions(RuleBasedStateMachine):
    """One account's actions, with answers early, late, repeated, changed, beyond limits and for nothing."""

    @initialize()
    def start(self) -> None:
        self.desk = Desk("a")
        self.now_us, self.action, self.made = 0, 0, 0
        self.counted: dict[str, Answer] = {}
        self.dirty: set[str] = set()
        self.unfit: dict[str, Refusal] = {}
        self.sent: list[Answer] = []
        self.awards: dict[str, Award] = {}
        self.open_next()

    def open_next(self) -> None:
        self.action += 1
        self.intent = Intent(
            id=intent_id("a", 1, self.action), account="a", episode=1, action=self.action, release_usd=100.0,
            limits=LIMITS, worst_cost_usd=20.0, event_time_us=self.now_us, expires_us=self.now_us + OPEN_US,
        )  # fmt: skip
        self.counted, self.dirty, self.unfit = {}, set(), {}
        assert self.desk.open(self.intent, concave)

    @property
    def is_over(self) -> bool:
        """Whether the open action's time is over."""
        return self.now_us >= self.intent.expires_us

    @rule(x=st.floats(-0.5, 2.5), y=st.floats(-2.0, 0.5), cost=st.floats(0.0, 25.0), divisible=st.booleans())
    def answer(self, x: float, y: float, cost: float, divisible: bool) -> None:
        """A solver offers a basket at its price."""
        self.made += 1
        basket = {name: q for name, q in (("x", x), ("y", y)) if abs(q) > 1e-6}
        if not basket:
            return
        found = Answer(
            id=f"a{self.made}", intent=self.intent.id, account="a", solver="s", basket=basket, cost_usd=cost,
            divisible=divisible, event_time_us=self.now_us,
        )  # fmt: skip
        reply = self.desk.take(found, self.now_us)
        assert reply == ("late" if self.is_over else "taken" if allowed(found) else "not_allowed")
        if reply != "late":
            self.counted[found.id] = found
        self.sent.append(found)

    @rule(which=st.integers(0, 1_000), cheaper=st.booleans())
    def message_again(self, which: int, cheaper: bool) -> None:
        """A message comes twice, perhaps after its action was awarded, perhaps with another content under its id."""
        if not self.sent:
            return
        old = self.sent[which % len(self.sent)]
        new = msgspec.structs.replace(old, cost_usd=0.5 * old.cost_usd + 0.125) if cheaper else old
        reply = self.desk.take(new, self.now_us)
        if old.intent in self.awards:
            assert reply == "late"
        elif old.intent != self.intent.id:
            assert reply == "unknown"
        elif old.id in self.counted:
            same = new == self.counted[old.id]
            assert reply == ("again" if same else "changed")
            self.dirty |= set() if same else {old.id}
        else:
            assert reply == "late"

    @rule(which=st.integers(0, 1_000), fresh=st.booleans(), unsigned=st.booleans())
    def answer_of_nobody(self, which: int, fresh: bool, unsigned: bool) -> None:
        """An answer that its solver did not sign is told to be so, and leaves one that has its id as it is."""
        if not self.sent:
            return
        self.made += fresh
        old = self.sent[which % len(self.sent)]
        new = msgspec.structs.replace(
            old, intent=self.intent.id, id=f"n{self.made}" if fresh else old.id, cost_usd=0.0
        )  # fmt: skip
        reply = self.desk.take(new, self.now_us, "unsigned" if unsigned else "forged")
        if self.intent.id in self.awards or self.is_over:
            assert reply == "late"
            return
        assert reply == ("unsigned" if unsigned else "forged")
        self.unfit[new.id] = min(reply, self.unfit.get(new.id, reply))

    @rule(wait_us=st.integers(1, OPEN_US // 2))
    def wait(self, wait_us: int) -> None:
        """Some time goes by; before the end there is no award."""
        self.now_us += wait_us
        if not self.is_over:
            assert self.desk.award(self.now_us) is None

    @rule()
    def award(self) -> None:
        """When the time is over there is one award, and it counts every answer that counted and no other."""
        self.now_us = max(self.now_us, self.intent.expires_us)
        found = self.desk.award(self.now_us)
        assert found is not None
        assert self.awards.setdefault(found.intent, found) == found
        judge(found, self.intent, concave)
        taken = {one.answer for one in found.taken}
        assert taken | set(found.refused) == set(self.counted) | set(self.unfit)
        assert {name: why for name, why in self.unfit.items() if name not in self.counted} == {
            name: why for name, why in found.refused.items() if why in {"unsigned", "forged"}
        }
        beyond = {name for name, one in self.counted.items() if not allowed(one)} - self.dirty
        assert {name for name, why in found.refused.items() if why == "not_allowed"} == beyond
        assert not taken & set(found.refused)
        assert {name for name, why in found.refused.items() if why == "changed"} == self.dirty
        assert found == self.again_in_order()

    def again_in_order(self) -> Award | None:
        """The award of a desk that gets the same messages in another order, each of them once."""
        other = Desk("a")
        other.open(self.intent, concave)
        for name in sorted(self.counted, reverse=True):
            other.take(self.counted[name], self.intent.event_time_us)
        for name in sorted(self.dirty):
            changed = msgspec.structs.replace(self.counted[name], cost_usd=self.counted[name].cost_usd + 1.0)
            other.take(changed, self.intent.event_time_us)
        for name in sorted(self.unfit, reverse=True):
            other.take(self.nobody(name), self.intent.event_time_us, self.unfit[name])
        return other.award(self.intent.expires_us)

    def nobody(self, name: str) -> Answer:
        """An answer under a name."""
        return Answer(
            id=name, intent=self.intent.id, account="a", solver="s", basket={"x": 1.0}, cost_usd=0.0, event_time_us=0
        )

    @precondition(lambda self: self.intent.id in self.awards)
    @rule()
    def next_action(self) -> None:
        """The next action opens when one was awarded."""
        self.open_next()

    @precondition(lambda self: self.intent.id not in self.awards)
    @rule()
    def abandon(self) -> None:
        """A newer action opens over one that was never awarded."""
        self.open_next()

    @rule(back=st.integers(0, 2))
    def stale_intent(self, back: int) -> None:
        """An intent that comes again, or an older one, changes nothing."""
        older = msgspec.structs.replace(
            self.intent, action=self.action - back, id=intent_id("a", 1, self.action - back)
        )
        assert not self.desk.open(older, concave)

    @invariant()
    def awards_stay(self) -> None:
        """What was awarded does not change."""
        assert self.desk.awards == self.awards


Auctions.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestAuctions = Auctions.TestCase


def test_awards_by_the_exact_model() -> None:
    """On accounts that are short, awards release what they say by the exact model, whatever order answers came in."""
    for one in list(breached(4, 20)):
        found = plan(one)
        if found.outcome != "reduce":
            continue
        excess = excess_of(one, Policy(), found.target_v)
        intent = intent_of(one, Policy(), found, episode=3, action=1, at_us=0, open_us=OPEN_US)
        assert math.isclose(intent.release_usd, -excess({}, 0.0), rel_tol=1e-12)
        answers = [
            Answer(
                id=f"a{k}", intent=intent.id, account=found.account, solver="s", event_time_us=0,
                basket={order.instrument: share * order.quantity for order in found.orders},
                cost_usd=share * asked * found.cost_usd,
            )
            for k, (share, asked) in enumerate(((0.4, 1.0), (0.5, 0.7), (0.3, 1.2), (0.6, 3.0)))
        ]  # fmt: skip
        awards = []
        for order in (answers, answers[::-1], [*answers[2:], *answers]):
            desk = Desk(found.account)
            desk.open(intent, excess)
            for answer in order:
                desk.take(answer, 1)
            awards.append(desk.award(OPEN_US))
        assert awards[0] == awards[1] == awards[2]
        assert awards[0] is not None
        judge(awards[0], intent, excess)
        assert "a1" in {taken.answer for taken in awards[0].taken}
