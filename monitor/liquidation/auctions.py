"""All open auctions: which action opens next, what answers count for it, and when it is awarded.

A fold of four topics. Nothing is remembered that they do not say: an intent is open when it has been read from its
topic, an action is awarded when the award has been read; of two that were written for one the first in the log counts.
So a process that starts anew, or two beside each other, go on alike. Times are the log's own.

An action follows advice on a liquidation. If its award leaves something missing, the next action asks for that, on top
of what was awarded, as if it were done; new advice of the account (a new view) ends that chain and begins another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from monitor.answers.plan.candidates import candidates
from monitor.answers.plan.engine import situation_of
from monitor.answers.plan.situation import CannotPlan, Policy, Situation
from monitor.answers.view import decode
from monitor.liquidation.intents import Desk, Excess, excess_of
from schemas.ids import canonical
from schemas.intents import Answer, Award, Intent, Refusal, intent_id
from schemas.records import Advice

MIN_USD = 0.01  # less than that is not asked for
MAX_EARLY = 1_000  # intents, and answers of each, that are kept for an intent that has not been read
MAX_ADVICE = 8  # kept of an account, the newest in the log


class Terms(Struct, frozen=True, kw_only=True):
    """What the auctions of a deployment have in common; all are ours."""

    open_us: int = 5_000_000
    """How long answers are taken."""
    tolerance: float = 1.5
    """Most that is paid, over the plan's cost."""
    max_actions: int = 5
    """Actions on one advice."""
    stale_us: int = 60_000_000
    """Advice that is older is not acted on: after a long pause the account stands elsewhere."""
    policy: Policy = Policy()


@dataclass(slots=True)
class _Account:
    """One account: advice by id, its desk, intents by id, and what was awarded on the advice in force."""

    desk: Desk
    newest: tuple[int, int] = (-1, 0)  # episode and action of the newest intent read
    advice: Advice | None = None
    advised_us: int = 0
    by_id: dict[str, Advice] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)  # actions opened and awards made here


class _Given(NamedTuple):
    """An answer, when the log got it, and why it does not count."""

    answer: Answer
    at_us: int
    unfit: Refusal | None


class Auctions:
    """The auctions of all accounts."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.terms = terms or Terms()
        self._accounts: dict[str, _Account] = {}
        self._unadvised: dict[str, list[Intent]] = {}
        self._early: OrderedDict[str, list[_Given]] = OrderedDict()
        self.replies: dict[str, int] = {}
        """Answers by what became of them."""

    # --- what is read ---------------------------------------------------------------------------

    def advised(self, advice: Advice, at_us: int) -> None:
        """Take advice; that on liquidations alone is acted on, and the newest of an account."""
        if advice.kind != "liquidation" or advice.view is None:
            return
        one = self._account(advice.account)
        one.by_id[advice.id] = advice
        if one.advice is None or (advice.sequence, advice.event_time_us) >= (
            one.advice.sequence, one.advice.event_time_us
        ):  # fmt: skip
            one.advice, one.advised_us = advice, at_us
        for intent in self._unadvised.pop(advice.id, ()):
            self.opened(intent)
        while len(one.by_id) > MAX_ADVICE:
            del one.by_id[next(iter(one.by_id))]

    def opened(self, intent: Intent) -> bool:
        """Take an intent as its topic has it; False where it counts for nothing: another came first, or is newer."""
        one = self._account(intent.account)
        advice = one.by_id.get(intent.advice)
        one.newest = max(one.newest, (intent.episode, intent.action))
        if advice is None:
            self._unadvised.setdefault(intent.advice, []).append(intent)
            return False
        if intent.id in one.intents:
            return False
        try:
            if not one.desk.open(intent, self._excess(one, advice, intent.action)):
                return False
        except (CannotPlan, ValueError):
            return False
        before = {key: each for key, each in one.intents.items() if each.advice == intent.advice}
        one.intents = {**before, intent.id: intent}
        for given in self._early.pop(intent.id, ()):
            self.answered(*given)
        return True

    def answered(self, answer: Answer, at_us: int, unfit: Refusal | None = None) -> str:
        """Take an answer that the log got at a time; return what becomes of it for now.

        `unfit` says why nobody whom we trust vouches for it, where solvers have to sign.
        """
        one = self._accounts.get(answer.account)
        intent = None if one is None else one.intents.get(answer.intent)
        if one is not None and answer.intent in one.desk.awards:
            return self._count("late")
        if one is None or intent is None:
            self._keep(_Given(answer, at_us, unfit))
            return self._count("unknown")
        if at_us >= intent.expires_us:  # the award is to be the same however far the log was read when it is made
            return self._count("late")
        return self._count(one.desk.take(answer, at_us, unfit))

    def awarded(self, award: Award) -> bool:
        """Take an award as its topic has it; the first of an intent counts."""
        one = self._account(award.account)
        key = f"award {award.intent}"
        if key in one.said:
            one.said.discard(key)
        elif award.intent in one.desk.awards:
            return False
        one.desk.awards[award.intent] = award
        return True

    # --- what is due ----------------------------------------------------------------------------

    def to_open(self, now_us: int) -> list[Intent]:
        """Return intents to be written now, each of them once."""
        found = []
        for one in self._accounts.values():
            intent = self._next(one, now_us)
            if intent is not None:
                found.append(intent)
        return found

    def expired(self, now_us: int) -> list[Intent]:
        """Return open intents whose time is over: they are awarded when all answers up to then are read."""
        intents = (one.desk.intent for one in self._accounts.values() if one.desk.intent is not None)
        return [
            intent for intent in intents
            if intent.expires_us <= now_us and intent.id not in self._accounts[intent.account].desk.awards
        ]  # fmt: skip

    def award(self, intent: Intent) -> Award | None:
        """Return the award of an intent whose time is over, all answers read; None if it has been awarded."""
        one = self._accounts[intent.account]
        if intent.id in one.desk.awards:
            return None
        found = one.desk.award(intent.expires_us)
        if found is not None:
            one.said.add(f"award {intent.id}")
        return found

    def _next(self, one: _Account, now_us: int) -> Intent | None:
        advice, last = one.advice, one.desk.intent
        if advice is None or advice.outcome != "reduce":
            return None
        if last is not None and last.id not in one.desk.awards:
            return None  # one at a time
        mine = [intent for intent in one.intents.values() if intent.advice == advice.id]
        number = one.newest[1] + 1 if one.newest[0] == advice.episode else 1
        if f"{advice.id} {number}" in one.said:
            return None
        if not mine:
            if now_us - one.advised_us > self.terms.stale_us or one.newest[0] > advice.episode:
                return None
            one.said.add(f"{advice.id} {number}")
            return self._intent(advice, number, {}, 0.0, advice.im_requirement_usd / advice.target_v
                                - advice.equity_usd, now_us)  # fmt: skip
        before = one.desk.awards.get(mine[-1].id)
        if before is None or not before.taken or before.left_usd < MIN_USD or len(mine) >= self.terms.max_actions:
            return None
        one.said.add(f"{advice.id} {number}")
        trades, spent = _carried(one, advice.id, number)
        return self._intent(advice, number, trades, spent, before.left_usd, now_us)

    def _intent(
        self, advice: Advice, number: int, done: Mapping[str, float], spent_usd: float, release_usd: float, now_us: int
    ) -> Intent | None:  # fmt: skip
        try:
            of = candidates(_situation(advice), self.terms.policy)
        except (CannotPlan, ValueError):
            return None
        worst_usd = self.terms.tolerance * advice.cost_usd - spent_usd
        limits = {
            name: (float(of.low[i]) - done.get(name, 0.0), float(of.high[i]) - done.get(name, 0.0))
            for i, name in enumerate(of.names)
        }  # fmt: skip
        if worst_usd <= 0.0 or release_usd <= 0.0 or not limits:
            return None
        return Intent(
            id=intent_id(advice.account, advice.episode, number), account=advice.account, episode=advice.episode,
            action=number, advice=advice.id, release_usd=release_usd, limits=limits, worst_cost_usd=worst_usd,
            event_time_us=now_us, expires_us=now_us + self.terms.open_us,
        )  # fmt: skip

    def _excess(self, one: _Account, advice: Advice, action: int) -> Excess:
        """Return the exact excess after trades on top of what earlier actions on this advice were awarded."""
        exact = excess_of(_situation(advice), self.terms.policy, advice.target_v)

        def excess(trades: Mapping[str, float], cost_usd: float) -> float:
            # Looked up when it is asked: an intent may be read before the award that it rests on.
            done, spent_usd = _carried(one, advice.id, action)
            both = {name: done.get(name, 0.0) + trades.get(name, 0.0) for name in {**done, **trades}}
            return exact({name: both[name] for name in sorted(both)}, spent_usd + cost_usd)

        return excess

    def _keep(self, given: _Given) -> None:
        """Keep an answer for an intent that may yet be read; the oldest intents give way."""
        kept = self._early.setdefault(given.answer.intent, [])
        if len(kept) < MAX_EARLY:
            kept.append(given)
        while len(self._early) > MAX_EARLY:
            self._early.popitem(last=False)

    def _account(self, name: str) -> _Account:
        if name not in self._accounts:
            self._accounts[name] = _Account(Desk(name))
        return self._accounts[name]

    def _count(self, reply: str) -> str:
        self.replies[reply] = self.replies.get(reply, 0) + 1
        return reply


def _situation(advice: Advice) -> Situation:
    assert advice.view is not None
    view = decode(canonical(advice.view))
    return situation_of(view.account, view.market())


def _carried(one: _Account, advice: str, action: int) -> tuple[dict[str, float], float]:
    """Return trades and cost of the awards on some advice before an action."""
    trades: dict[str, float] = {}
    spent_usd = 0.0
    for intent in one.intents.values():
        award = one.desk.awards.get(intent.id)
        if intent.advice != advice or intent.action >= action or award is None:
            continue
        for taken in award.taken:
            spent_usd += taken.cost_usd
            for name, quantity in taken.trades.items():
                trades[name] = trades.get(name, 0.0) + quantity
    return trades, spent_usd
