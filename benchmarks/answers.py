"""Times of answers: of one account of model P in two coins with options, and of a sweep over a whole book.

Milliseconds, medians of interleaved rounds. The account holds four contracts of each coin; the market is an hour old.
The check before a trade is asked of a worker's state, of that account and of one with 300 contracts: a contract that it
holds (`pre_trade`), and one that nobody holds, so that it has to be priced (`unheld`). `p99` is of single
calls by the clock, `cpu_p99` by the processor time of the thread: on a shared machine the first has the others in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from benchmarks.rounds import medians
from monitor.answers import view as views
from monitor.answers.book_wide import breaches
from monitor.answers.bundle import Build, check, make, read
from monitor.answers.distance import distance
from monitor.answers.explain import explain
from monitor.answers.plan import plan
from monitor.answers.plan.engine import situation_of
from monitor.answers.pre_trade import pre_trade
from monitor.answers.shock import Shock
from monitor.answers.what_if import Fill, Hypothesis, what_if
from monitor.engine import State, evaluate_account, new_state, open_shard, step
from schemas.records import AccountConfig, AccountEvent, Input, Instrument, Trade, Transfer
from tests.engine_market import EXPIRY_US, START_US, Log, opening

BOOK = 100_000
MANY = 300  # contracts
CALLS = 2_000  # of a check before a trade
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
    situation = situation_of(view.account, view.market())
    many, _ = _state(1, MANY)
    held, unheld = (Hypothesis(fills=(Fill(name, 0.1),)) for name in ("BTC-PERPETUAL", "BTC-UNHELD"))
    spread = {}
    for name, state, supposed in (
        ("pre_trade", one, held), ("pre_trade_300", many, held), ("pre_trade_300_unheld", many, unheld),
    ):  # fmt: skip
        spread |= _spread(name, lambda state=state, supposed=supposed: pre_trade(state, NAME, supposed))  # type: ignore[misc]
    found = medians({
        "view": lambda: views.take(one, NAME),
        "explain": lambda: explain(view),
        "explain_shapley": lambda: explain(view, shapley=True),
        "distance": lambda: distance(view),
        "what_if": lambda: what_if(view, hypothesis),
        "plan": lambda: plan(situation),
        "bundle": lambda: make(view, event, build),
        "verify_bundle": lambda: check(read(data), build),
    })  # fmt: skip
    book, _ = _state(accounts)
    shock = Shock(moves={"BTC": -0.07}, vol=0.3)
    swept = medians({"breaches": lambda: breaches(book, shock)}, rounds=3)["breaches"]
    began_ns = time.process_time_ns()
    breaches(book, shock)
    cpu_ms = 1e-6 * (time.process_time_ns() - began_ns)
    figures: dict[str, float | bool] = {f"{name}_ms": 1e3 * seconds for name, seconds in found.items()}
    return figures | {
        "breaches_ms": 1e3 * swept, "breaches_accounts": float(accounts), "breaches_us_each": 1e6 * swept / accounts,
        "breaches_cpu_ms": cpu_ms,
        "pre_trade_below_1ms": all(spread[name] < 1.0 for name in spread if name.endswith("_cpu_p99_ms")),
    } | spread  # fmt: skip


def _spread(name: str, form: Callable[[], object]) -> dict[str, float]:
    """Return median and 99th percentile of single calls, by the clock and by processor time, milliseconds."""
    for _ in range(50):
        form()
    clock, cpu = [], []
    for _ in range(CALLS):
        began_ns, cpu_ns = time.perf_counter_ns(), time.thread_time_ns()
        form()
        cpu.append(time.thread_time_ns() - cpu_ns)
        clock.append(time.perf_counter_ns() - began_ns)
    found = {}
    for kind, times in (("", clock), ("_cpu", cpu)):
        times.sort()
        found[f"{name}{kind}_ms"] = 1e-6 * times[CALLS // 2]
        found[f"{name}{kind}_p99_ms"] = 1e-6 * times[CALLS * 99 // 100]
    return found


def _options(count: int) -> list[Instrument]:
    """Return so many options on both coins, and one that nobody will hold."""
    found = []
    for k in range(count):
        coin = ("BTC", "ETH")[k % 2]
        strike = {"BTC": 100_000.0, "ETH": 4_000.0}[coin] * (0.5 + (k // 2) / count)
        found.append(
            Instrument(
                instrument=f"{coin}-{k:03d}", type="option", strike=strike, option_type=("call", "put")[k // 2 % 2],
                underlying=coin, settlement=coin, contract="inverse", expiry_us=EXPIRY_US, event_time_us=START_US,
            )
        )  # fmt: skip
    return [*found, msgspec.structs.replace(found[0], instrument="BTC-UNHELD", strike=99_000.0)] if found else []


def _state(accounts: int, contracts: int = 8) -> tuple[State, AccountEvent | None]:
    """Return a book of similar accounts, and the last liquidation in it."""
    state, log = new_state(certificates=contracts > 8), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in opening()])
    more = _options(contracts - 8)
    step(state, [log(record) for record in more])
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
        for place, option in enumerate(more[:-1]):
            records.append(
                Trade(
                    trade_id=option.instrument, account=name, instrument=option.instrument, event_time_us=START_US,
                    quantity=(-1.0) ** (place // 3) * 0.01, price=0.03,
                )
            )  # fmt: skip
        events += step(state, [log(record) for record in records])
    if accounts > 1 or more:
        return state, None
    figures = evaluate_account(state, NAME)
    amount = 0.9 * figures.mm_requirement_usd - figures.equity_usd
    taken = Transfer(transfer_id="all", account=NAME, asset="USD", amount=amount, event_time_us=START_US)
    events += step(state, [log(taken)])
    found = [msgspec.json.decode(one.body, type=AccountEvent) for one in events if '"kind":"liquidation"' in one.body]
    return state, found[-1] if found else None
