"""Times of answers: of one account of model P in two coins with options, and of a sweep over a whole book.

Milliseconds, medians of interleaved rounds. The account holds four contracts of each coin; the market is an hour old.
"""

from __future__ import annotations

import msgspec

from benchmarks.rounds import medians
from monitor.answers import view as views
from monitor.answers.book_wide import breaches
from monitor.answers.bundle import Build, check, make, read
from monitor.answers.distance import distance
from monitor.answers.explain import explain
from monitor.answers.shock import Shock
from monitor.answers.what_if import Fill, Hypothesis, what_if
from monitor.engine import State, evaluate_account, new_state, open_shard, step
from schemas.records import AccountConfig, AccountEvent, Input, Trade, Transfer
from tests.engine_market import START_US, Log, opening

BOOK = 10_000
NAME = "account-0"
CONTRACTS = ("PERPETUAL", "INVERSE", "C", "P")


def measure(accounts: int = BOOK) -> dict[str, float | bool]:
    """Return the milliseconds of each answer; `breaches_us_each` is microseconds per account of the book."""
    one, event = _state(1)
    hypothesis = Hypothesis(fills=(Fill("BTC-PERPETUAL", 0.1),))
    view = views.take(one, NAME)
    build = Build("benchmark", "any", "any")
    assert event is not None
    data = make(view, event, build)
    found = medians({
        "view": lambda: views.take(one, NAME),
        "explain": lambda: explain(view),
        "explain_shapley": lambda: explain(view, shapley=True),
        "distance": lambda: distance(view),
        "pre_trade": lambda: what_if(views.take(one, NAME, also=hypothesis.names), hypothesis, attributed=False),
        "what_if": lambda: what_if(view, hypothesis),
        "bundle": lambda: make(view, event, build),
        "verify_bundle": lambda: check(read(data), build),
    })  # fmt: skip
    book, _ = _state(accounts)
    shock = Shock(moves={"BTC": -0.07}, vol=0.3)
    swept = medians({"breaches": lambda: breaches(book, shock)}, rounds=3)["breaches"]
    figures: dict[str, float | bool] = {f"{name}_ms": 1e3 * seconds for name, seconds in found.items()}
    return figures | {
        "breaches_ms": 1e3 * swept, "breaches_accounts": float(accounts), "breaches_us_each": 1e6 * swept / accounts,
        "pre_trade_below_1ms": found["pre_trade"] < 1e-3,
    }  # fmt: skip


def _state(accounts: int) -> tuple[State, AccountEvent | None]:
    """Return a book of similar accounts, and the last liquidation in it."""
    state, log = new_state(certificates=False), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in opening()])
    events = []
    for k in range(accounts):
        name = f"account-{k}"
        records: list[Input] = [
            AccountConfig(account=name, event_time_us=START_US),
            Transfer(transfer_id="in", account=name, asset="USD", amount=9_000.0 + 10 * k, event_time_us=START_US),
            Transfer(transfer_id="coin", account=name, asset="BTC", amount=0.05, event_time_us=START_US),
        ]  # fmt: skip
        for number, contract in enumerate(f"{coin}-{kind}" for coin in ("BTC", "ETH") for kind in CONTRACTS):
            option = contract[-2:] in ("-C", "-P")
            size = 8_000.0 / {"BTC": 100_000.0, "ETH": 4_000.0}[contract[:3]]
            quantity = (-1.0) ** (number // 3) * (800.0 if contract.endswith("INVERSE") else size)
            price = 0.03 if option else {"BTC": 100_000.0, "ETH": 4_000.0}[contract[:3]]
            records.append(
                Trade(
                    trade_id=str(number), account=name, instrument=contract, quantity=round(quantity, 4), price=price,
                    event_time_us=START_US,
                )
            )  # fmt: skip
        events += step(state, [log(record) for record in records])
    if accounts > 1:
        return state, None
    figures = evaluate_account(state, NAME)
    amount = 0.9 * figures.mm_requirement_usd - figures.equity_usd
    taken = Transfer(transfer_id="all", account=NAME, asset="USD", amount=amount, event_time_us=START_US)
    events += step(state, [log(taken)])
    found = [msgspec.json.decode(one.body, type=AccountEvent) for one in events if '"kind":"liquidation"' in one.body]
    return state, found[-1] if found else None
