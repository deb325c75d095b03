"""The example bot: settings, journal, decisions, and the toy venue's prices."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.bot import config, decide
from examples.bot.decide import Known, Trade, Verdict
from examples.bot.journal import Fill, Intent, Journal, JournalBroken, Order, Outcome, order_id
from examples.toy_venue import Book
from monitor.errors import UsageError
from schemas.records import Instrument, PriceTick
from tests.engine_market import START_US, both, opening
from tests.support import ROOT
from tests.unit.client.test_states import state

ACCOUNT = "desk-7"
CONTRACT_USD = {"BTC-PERP": 100_000.0, "ETH-PERP": 4_000.0}
ORDERS = (Order("liq-1", "BTC-PERP", -1.0, 100_000.0), Order("liq-2", "ETH-PERP", 2.0, 8_000.0))


# --- settings -----------------------------------------------------------------------------------


def test_the_example_s_settings_are_read_and_variables_win(tmp_path: Path) -> None:
    """The file beside the bot holds no secret and is dry; a variable wins over it, a flag over both."""
    file = ROOT / "examples" / "liquidation_bot.toml"
    found = config.load(file, {}, {"LIQBOT_MAX_ATTEMPTS": "2", "LIQBOT_VENUE_TOKEN": "t", "LIQBOT_PLAN_URLS": "a,b"})
    assert found.dry_run
    assert (found.max_attempts, found.venue_token, found.plan_urls) == (2, "t", ("a", "b"))
    assert not config.load(file, {"dry_run": False}, {"LIQBOT_DRY_RUN": "true"}).dry_run
    assert config.load(None, {}, {}) == config.BotSettings()
    del tmp_path


@pytest.mark.parametrize("text", ['webhook_url = "https://x/s3cret"', "max_attempts = 0", "max_attemps = 3", "= 1"])
def test_wrong_settings_are_refused_without_quoting_secrets(tmp_path: Path, text: str) -> None:
    """Secrets in files, misspelt names and values out of range are told, and no secret is."""
    file = tmp_path / "bot.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        config.load(file, {}, {})
    assert "s3cret" not in str(error.value)


def test_the_bot_loads_no_engine() -> None:
    """The bot stands on the client: neither Faust, numpy, the engine nor the kernels come with it."""
    code = (
        "import sys, examples.liquidation_bot\n"
        "heavy = {'numpy', 'numba', 'faust', 'mode', 'kernels'}\n"
        "ours = [m for m in sys.modules if m.startswith(('monitor.engine', 'monitor.models', 'monitor.worker'))]\n"
        "print(sorted(heavy & set(sys.modules)) + ours)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


# --- the journal --------------------------------------------------------------------------------


def test_the_journal_knows_again_what_it_was_told(tmp_path: Path) -> None:
    """Intents without an outcome are pending after a restart; a line that a crash cut off has never been."""
    path = tmp_path / "journal"
    first, second = Intent("a", 1, 1, ORDERS), Intent("a", 1, 2, ORDERS)
    fill = Fill("liq-1", "BTC-PERP", -1.0, 99_000.0, 3, 17)
    with Journal(path) as journal:
        journal.write(first)
        journal.write(Outcome("a", 1, 1, (fill,)))
        journal.write(second)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"outcome","account":"a","epi')
    with Journal(path) as journal:
        assert journal.pending() == [second]
        assert (journal.actions("a", 1), journal.actions("a", 2)) == (2, 0)
        assert (journal.last_offset("a"), journal.last_offset("b")) == (17, -1)
        assert journal.ledger() == {"a": {"BTC-PERP": -1.0}}
        with pytest.raises(JournalBroken):
            Journal(path)
    assert path.read_bytes() == whole


def test_a_broken_journal_is_told(tmp_path: Path) -> None:
    """A line in the middle that cannot be read is nothing to go on from."""
    path = tmp_path / "journal"
    path.write_text("{}\n")
    with pytest.raises(JournalBroken, match="line 1"):
        Journal(path)


def test_order_ids_follow_from_the_action() -> None:
    """Different accounts, episodes, actions and numbers have different ids; the same have the same; they are legal."""
    ids = {order_id(*one) for one in itertools.product(("a", "b"), (1, 2), (1, 2), (0, 1))}
    assert len(ids) == 16
    assert order_id("a", 1, 1, 0) in ids
    assert max(map(len, ids)) <= 64


# --- decisions ----------------------------------------------------------------------------------


def test_an_account_is_judged_by_the_state_that_belongs_to_its_alert() -> None:
    """Only a liquidation whose state has our fills is acted on, and not more often than may be."""
    liquidation = state(status="liquidation", data_hold=False, sequence=7, positions={"risk.trades.v1": (20, 0)})
    known = Known(7, 20, 0)
    replaced = msgspec.structs.replace
    assert decide.judge(liquidation, known, 3) is Verdict.ACT
    assert decide.judge(None, known, 3) is Verdict.UNKNOWN
    assert decide.judge(liquidation, known._replace(sequence=8), 3) is Verdict.UNKNOWN
    assert decide.judge(replaced(liquidation, status="recovered"), known, 3) is Verdict.GONE
    assert decide.judge(replaced(liquidation, closed=True), known, 3) is Verdict.GONE
    assert decide.judge(replaced(liquidation, data_hold=True), known, 3) is Verdict.HELD
    assert decide.judge(liquidation, known._replace(last_offset=21), 3) is Verdict.BEHIND
    assert decide.judge(liquidation, known._replace(actions=3), 3) is Verdict.EXHAUSTED


def test_rounds_have_orders_of_their_own() -> None:
    """The order of a round is that of its seed and number, holds everyone once, and differs between bots."""
    accounts = [f"a{number}" for number in range(20)]
    assert decide.shuffled(accounts, 1, 1) == decide.shuffled(reversed(accounts), 1, 1)
    assert sorted(decide.shuffled(accounts, 1, 1)) == sorted(accounts)
    assert len({tuple(decide.shuffled(accounts, seed, number)) for seed in (1, 2) for number in (1, 2)}) == 4


TRADES = st.lists(
    st.builds(
        Trade,
        st.sampled_from("abc"),
        st.floats(-1e3, 1e3, allow_subnormal=False),
        st.floats(1.0, 1e5),
        st.floats(-1e3, 1e3, allow_subnormal=False),
    ),
    max_size=5,
)


@given(TRADES, st.floats(0.01, 1.0), st.floats(0.0, 1e8))
def test_caps_hold(trades: list[Trade], fraction: float, left_usd: float) -> None:
    """Whatever is wished, notional and close fraction stay within the caps, and no trade changes its side."""
    allowed = decide.within(trades, fraction, left_usd)
    if allowed is None:
        wanted_usd = sum(abs(trade.quantity) * trade.contract_usd for trade in trades)
        assert left_usd < wanted_usd * decide.LEAST_SHARE * (1 + 1e-9)
        return
    assert sum(abs(trade.quantity) * trade.contract_usd for trade in allowed) <= left_usd * (1 + 1e-9)
    wished = [trade for trade in trades if trade.quantity != 0.0]
    for trade, wish in zip(allowed, wished, strict=True):
        assert trade.quantity == 0.0 or (trade.quantity > 0.0) == (wish.quantity > 0.0)
        if trade.held * trade.quantity < 0.0:
            assert abs(trade.quantity) <= max(fraction, 1e-9) * abs(trade.held) * (1 + 1e-9)


def test_without_a_plan_the_largest_position_is_closed() -> None:
    """Largest by what it stands for in USD; what the venue does not list does not count."""
    (trade,) = decide.largest_first({"BTC-PERP": 1.0, "ETH-PERP": -50.0, "OLD": 1e9}, CONTRACT_USD)
    assert (trade.instrument, trade.quantity) == ("ETH-PERP", 50.0)
    assert decide.largest_first({}, CONTRACT_USD) == []


# --- the venue ----------------------------------------------------------------------------------


def test_the_toy_venue_s_prices_stand_against_whoever_orders() -> None:
    """A buyer pays more than the mark, a seller gets less, and more of it costs more; options are in their own unit."""
    book = Book()
    for record in opening():
        book.take(record)
    for later in range(1, 4):
        for underlying, price in (("BTC", 100_000.0), ("ETH", 4_000.0)):
            for tick in both(underlying, price, START_US + later * 1_000_000):
                book.take(tick)
    perpetual = book.find("BTC-PERPETUAL")
    assert isinstance(perpetual, Instrument)
    prices = [book.price(perpetual, quantity) for quantity in (-100.0, -1.0, 1.0, 100.0)]
    assert all(price is not None for price in prices)
    assert prices == sorted(prices)  # type: ignore[type-var]
    assert prices[1] < 100_000.0 < prices[2]  # type: ignore[operator]
    option = book.find("BTC-C")
    assert isinstance(option, Instrument)
    assert 0.0 < (book.price(option, 1.0) or 0.0) < 1.0
    usd = book.contract_usd()
    assert (usd["BTC-PERPETUAL"], usd["BTC-INVERSE"]) == (100_000.0, 10.0)
    assert book.find("nothing") is None
    book.take(PriceTick(underlying="X", source="s", price_kind="index", event_time_us=START_US, price=1.0))
