"""Cascades against a plain loop over perpetuals, and what holds of every cascade."""

from __future__ import annotations

import math
import random

import pytest
from msgspec import structs

from monitor.answers.shock import Shock
from monitor.cascade import POLICIES, Accounts, Cascade, Policy, Setup, cascade, loop_gain
from monitor.engine import State, new_state, open_shard, step
from schemas.records import AccountConfig, Input, Trade, Transfer
from tests.engine_market import SPOT_USD, START_US, Log, opening

SETUP = Setup(depth=0.0001, insurance_usd=20_000.0, fee_rate=0.001)
SHOCK = Shock(moves={"BTC": -0.05})
CRASH = Shock(moves={"BTC": -0.18})


def leveraged(seed: int, accounts: int = 60, instruments: tuple[str, ...] = ("BTC-PERPETUAL",)) -> list[Input]:
    """Accounts with a few contracts each, some of them near their limit."""
    draw = random.Random(seed)
    found: list[Input] = []
    for k in range(accounts):
        name, time_us = f"a{k:03d}", START_US + 1_000 * k
        usd = 1_000.0 * draw.uniform(15.0, 32.0)
        found.append(AccountConfig(account=name, event_time_us=time_us))
        found.append(Transfer(transfer_id=f"t{k}", account=name, asset="USD", amount=usd, event_time_us=time_us))
        for n, instrument in enumerate(instruments):
            option = instrument.endswith(("-C", "-P"))
            price = 0.01 if option else SPOT_USD[instrument[:3]]
            size = 1.0 if instrument == "BTC-PERPETUAL" else draw.uniform(0.2, 1.0)
            quantity = size if draw.random() < 0.8 else -size
            fill = Trade(
                trade_id=f"f{k}-{n}", account=name, instrument=instrument, quantity=quantity, price=price,
                event_time_us=time_us,
            )  # fmt: skip
            found.append(fill)
    return found


def folded(records: list[Input]) -> State:
    """A state after a market's first prices and these records."""
    log, state = Log(), new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in [*opening(), *records]])
    return state


def played(state: State, policy: Policy, shock: Shock = SHOCK, setup: Setup = SETUP) -> Cascade:
    """A cascade over copies of a state's accounts."""
    return cascade(Accounts(state), shock, policy, setup)


@pytest.fixture(scope="module")
def perpetuals() -> State:
    """Accounts with one contract of BTC each, long or short."""
    return folded(leveraged(3))


def plain_loop(  # noqa: C901 (plain on purpose)
    state: State, setup: Setup
) -> tuple[list[float], list[int], float, float]:
    """Moves and new liquidations of each round, and what insurance paid and could not, in dollars and lists."""
    accounts = Accounts(state)
    depth = accounts.liquidity("BTC")
    annual = accounts.view.facts.coins["BTC"].annual_vol or depth.assumed_vol_annual
    eta = setup.eta * annual / math.sqrt(365.0) / math.sqrt(depth.daily_volume_usd * setup.depth)
    shard = state.shards[0].accounts
    price0 = SPOT_USD["BTC"]
    cash = {n: shard[n].balances["USD"] for n in sorted(shard)}
    size = {n: shard[n].holdings["BTC-PERPETUAL"].quantity for n in cash}
    rate = {n: Accounts(state).figures_of(n)[1] / price0 for n in list(cash)[:1]}
    charge = next(iter(rate.values()))  # of one contract, as a fraction of its price

    def push(flow: float) -> float:
        return math.copysign(eta * math.sqrt(abs(flow)), flow)

    total = recent = moved = paid = unpaid = 0.0
    fund, inside, closed = setup.insurance_usd, set[str](), set[str]()
    moves, news, last = list[float](), list[int](), price0
    for _ in range(setup.max_rounds):
        price = price0 * (1.0 - 0.18) * math.exp(moved)
        cash = {n: c + size[n] * (price - last) for n, c in cash.items()}
        last = price
        moves.append(price / price0 - 1.0)
        new = 0
        for n in cash:
            im = charge * abs(size[n]) * price
            if n in closed:
                continue
            if n in inside and cash[n] > 0.0 and im <= cash[n]:
                inside.remove(n)
            elif n not in inside and 0.8 * im >= cash[n]:
                inside.add(n)
                new += 1
        news.append(new)
        flow, of = 0.0, dict[str, float]()
        for n in sorted(inside):
            im, usd = charge * abs(size[n]) * price, abs(size[n]) * price
            cost = (depth.half_spread + setup.fee_rate) * usd
            need, gain = im - 0.99 * cash[n], im - 0.99 * cost
            share = 1.0 if cash[n] <= 0.0 or gain <= need or gain <= 0.0 else need / gain
            of[n] = -share * size[n] * price
            cash[n] -= share * cost
            fund += share * usd * setup.fee_rate
            size[n] -= share * size[n]
            flow += of[n]
        total, recent = total + flow, setup.fading * recent + flow
        after = setup.permanent * push(total) + (1.0 - setup.permanent) * push(recent)
        for n, one in of.items():
            cash[n] -= one * (after - moved) * 2.0 / 3.0
        moved = after
        for n in [one for one in inside if size[one] == 0.0]:
            inside.remove(n)
            closed.add(n)
            if cash[n] < 0.0:
                taken = min(-cash[n], fund)
                paid, unpaid, fund, cash[n] = paid + taken, unpaid - cash[n] - taken, fund - taken, 0.0
        if not new and not of:
            break
    return moves, news, paid, unpaid


def test_a_plain_loop_over_perpetuals_comes_to_the_same(perpetuals: State) -> None:
    """Rounds, prices, liquidations, what insurance pays and bad debt are those of a loop over numbers."""
    found = played(perpetuals, POLICIES["at_once"], CRASH)
    moves, news, paid, unpaid = plain_loop(perpetuals, SETUP)
    assert [one.new for one in found.rounds] == news
    assert [one.move["BTC"] for one in found.rounds] == pytest.approx(moves, rel=1e-9)
    assert found.insurance_usd == pytest.approx(paid, rel=1e-9)
    assert found.bad_debt_usd == pytest.approx(unpaid, rel=1e-9)
    assert len(news) > 3
    assert sum(news[1:]) > 0
    assert paid > 0.0


def test_the_state_stays_as_it_is(perpetuals: State) -> None:
    """A cascade works on copies, and says the same again."""
    assert played(perpetuals, POLICIES["at_once"]) == played(perpetuals, POLICIES["at_once"])


def test_without_impact_nobody_pushes_anybody(perpetuals: State) -> None:
    """If flow moves no price, the shock's own victims are all, and nothing is amplified."""
    found = played(perpetuals, POLICIES["at_once"], setup=Setup(eta=0.0))
    assert found.amplification == {"BTC": 1.0}
    assert [one.new for one in found.rounds if one.new] == [len(found.liquidated)]
    assert {push.pusher for push in found.pushes} == {"shock"}


@pytest.mark.parametrize("kind", sorted(POLICIES))
def test_every_policy_ends_and_adds_up(kind: str) -> None:
    """Under any policy and with options in the books: sums over rounds are the totals, and it comes to rest."""
    names = ("BTC-PERPETUAL", "BTC-INVERSE", "BTC-C", "BTC-P", "ETH-PERPETUAL")
    state = folded(leveraged(5, 40, names))
    found = played(state, POLICIES[kind], Shock(moves={"market": -0.12}, vol=0.1), Setup(depth=0.01, max_rounds=400))
    assert found.ended == "quiet"
    assert sum(one.new for one in found.rounds) >= len(found.liquidated) > 5
    assert math.fsum(one.insurance_usd for one in found.rounds) == pytest.approx(found.insurance_usd, abs=1e-6)
    assert math.fsum(one.bad_debt_usd for one in found.rounds) == pytest.approx(found.bad_debt_usd, abs=1e-6)
    assert set(found.bankrupt) <= set(found.liquidated)
    assert found.rounds[-1].open == 0
    assert found.insurance_usd <= found.fees_usd + 1e-6


def test_containment_does_what_it_says(perpetuals: State) -> None:
    """Staggered and capped flows are smaller in any round; what bidders take moves no price."""
    largest = {
        kind: max(abs(one.flow_usd.get("BTC", 0.0)) for one in played(perpetuals, policy, setup=slow).rounds)
        for kind, policy, slow in (
            ("at_once", POLICIES["at_once"], SETUP),
            ("stagger", POLICIES["stagger"], SETUP),
            ("cap", Policy(kind="cap", volume_per_round=0.01), SETUP),
            ("auction", Policy(kind="auction", capacity_usd=1e12), SETUP),
        )
    }
    assert largest["stagger"] < 0.8 * largest["at_once"]
    assert largest["cap"] <= 0.01 * 5e9 * SETUP.depth * (1.0 + 1e-9)
    assert largest["auction"] == 0.0


def test_the_gain_is_the_slope_of_impact() -> None:
    """A crowd at one price makes the loop unstable there, and not before; nobody in liquidation is a gain of zero."""
    records = leveraged(3, 40)
    alike = [structs.replace(one, amount=25_000.0) if isinstance(one, Transfer) else one for one in records]
    found = loop_gain(Accounts(folded(alike)), "BTC", [-0.01 * k for k in range(1, 16)], Setup(depth=0.0005))
    before = [point for point in found.points if not point.liquidated]
    assert found.unstable_at is not None
    assert before
    assert all(point.gain == 0.0 for point in before)
    at = next(point for point in found.points if point.move == found.unstable_at)
    assert at.liquidated > 20
    assert at.underlying == "BTC"
    deep = loop_gain(Accounts(folded(alike)), "BTC", [-0.01 * k for k in range(1, 16)], Setup(depth=1e6))
    assert deep.unstable_at is None
    with pytest.raises(ValueError, match="one sign"):
        loop_gain(Accounts(folded(alike)), "BTC", [-0.01, 0.02])
