# %% [markdown]
# # A crash, replayed and looked at
#
# Opens as a notebook in VS Code, or in Jupyter with jupytext; runs as a script, too:
#
#     .venv/bin/python examples/crash_notebook.py crash.png
#
# Nothing here is a mock: the market is generated from a seed, but the engine is the one that a worker runs.

# %%
import sys
from collections import Counter

import matplotlib as mpl
import msgspec

mpl.use("Agg")  # a picture, no window; leave it out in a notebook
import matplotlib.pyplot as plt

from monitor.engine import collect, confirm, new_state, open_shard, step
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.sequence import Sequence
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource
from schemas.records import AccountEvent
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS

MINUTES, ACCOUNTS, SEED = 30, 150, 7
SAMPLE_US = 10_000_000  # how often figures are looked at, in market time
OPENED_US = 3 * 60_000_000  # by then all accounts have their first positions

# %% [markdown]
# ## Market and accounts
#
# Half an hour of ten coins that sell off together, and accounts of several kinds: hedged pairs, sellers of volatility,
# leveraged longs. `generate_accounts` gives each the cash that brings it to a utilisation drawn from its kind.

# %%
market = GeneratedMarket(MarketParameters(seed=SEED, minutes=MINUTES, ticks_per_second=0.5))
accounts = generate_accounts(Merged([market]), AccountParameters(seed=SEED, accounts=ACCOUNTS, fills_per_hour=2.0))
stream = Merged([market, ListSource("accounts", accounts.records, ACCOUNTS_FILE_TOPICS)])
names = [opened.name for opened in accounts.opened]
print(f"{len(names)} accounts, first of them {names[:3]}")

# %% [markdown]
# ## The engine
#
# `step(state, records)` is all there is: it changes the state and returns the events. Between two samples nothing else
# happens; a worker does the same with records from Kafka.

# %%
state = new_state()
open_shard(state, 0, None, [], partitions=1, epoch=1)
events: list[AccountEvent] = []
minutes: list[float] = []
index_usd: dict[str, list[float]] = {"BTC": [], "ETH": [], "SOL": []}
statuses: list[Counter[str]] = []
equity_usd: dict[str, list[float]] = {name: [] for name in names}
requirement_usd: dict[str, list[float]] = {name: [] for name in names}
next_sample_us = 0


def sample() -> None:
    """Note what the engine knows now."""
    minutes.append((state.market.time_us - first_us) / 60e6)
    for coin, path in index_usd.items():
        index = state.market.ticks.index(coin)
        path.append(index.price_usd if index else float("nan"))
    known = state.shards[0].accounts
    statuses.append(Counter(account.status for account in known.values()))
    figures = dict(zip(known, state.book.figures_of(list(known)), strict=True))
    for name in names:
        equity, im, _ = figures[name]
        equity_usd[name].append(equity)
        requirement_usd[name].append(im)
    confirm(state, collect(state))  # what a worker would store; here it is dropped


first_us = 0
for item in Sequence(stream, 1):
    events += [
        msgspec.json.decode(outgoing.body, type=AccountEvent)
        for outgoing in step(state, [item])
        if outgoing.topic in {MARGIN_CALLS.name, LIQUIDATIONS.name}
    ]
    first_us = first_us or state.market.time_us
    if state.market.time_us >= max(next_sample_us, first_us + OPENED_US):
        next_sample_us = state.market.time_us + SAMPLE_US
        sample()
print(Counter(event.kind for event in events))

# %% [markdown]
# ## Three pictures
#
# Prices; how many accounts were in trouble; and the first account that the sell-off called: its equity against its
# requirement. Where the requirement steps up while prices pause, correlations or volatility moved, and netting went.

# %%
SELL_OFF_US = first_us + 10 * 60_000_000
calls = [event for event in events if event.kind == "margin_call" and event.event_time_us >= SELL_OFF_US]
first_called = calls[0].account
figure, (prices, troubled, account) = plt.subplots(3, 1, sharex=True, figsize=(9, 9), layout="constrained")
for coin, path in index_usd.items():
    prices.plot(minutes, [100.0 * price / path[0] for price in path], label=coin)
prices.set_ylabel("index, % of the first")
prices.legend(frameon=False)
IN_TROUBLE = ("warning", "margin_call", "liquidation", "bankrupt")
troubled.stackplot(
    minutes, *([found[status] for found in statuses] for status in IN_TROUBLE),
    labels=IN_TROUBLE, colors=("#f2d16b", "#e89a3c", "#c8452f", "#4a1520"),
)  # fmt: skip
troubled.set_ylabel("accounts")
troubled.legend(frameon=False, loc="upper left")
account.plot(minutes, equity_usd[first_called], label="equity")
account.plot(minutes, requirement_usd[first_called], label="initial requirement")
for event in events:
    if event.account == first_called:
        account.axvline((event.event_time_us - first_us) / 60e6, color="#888888", linewidth=0.8)
        account.annotate(
            event.kind,
            ((event.event_time_us - first_us) / 60e6, account.get_ylim()[1]),
            fontsize=7,
            rotation=90,
            va="top",
        )
account.set_ylabel(f"{first_called}, USD")
account.set_xlabel("minutes")
account.legend(frameon=False)

# %%
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
    print(sys.argv[1])
print(calls[0].reason)
