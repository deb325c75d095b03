from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from monitor.engine.ledger import (
    MAX_AMOUNT,
    RejectedRecord,
    apply_config,
    apply_trade,
    apply_transfer,
    entry_constant,
    exposures,
)
from monitor.engine.state import RECENT_IDS, Account, Holding
from schemas.records import AccountConfig, Instrument, Trade, Transfer

START_US = 1_700_000_000_000_000
EXPIRY_US = START_US + 86_400_000_000
VECTORS = Path(__file__).parents[3].parent / "shared" / "vectors.json"

LINEAR = Instrument(
    instrument="BTC-USDT-PERP", type="perpetual", underlying="BTC", settlement="USDT", event_time_us=START_US
)
SMALL_LINEAR = msgspec.structs.replace(LINEAR, instrument="ETH-PERP", underlying="ETH", contract_size=0.01)
INVERSE = Instrument(
    instrument="BTC-PERPETUAL", type="perpetual", underlying="BTC", settlement="BTC", contract="inverse",
    contract_size=10.0, event_time_us=START_US,
)  # fmt: skip
FUTURE = msgspec.structs.replace(INVERSE, instrument="BTC-FUTURE", type="future", expiry_us=EXPIRY_US)
LINEAR_OPTION = Instrument(
    instrument="BTC-USD-C", type="option", underlying="BTC", settlement="USD", strike=50_000.0, option_type="call",
    expiry_us=EXPIRY_US, contract_size=0.1, event_time_us=START_US,
)  # fmt: skip
INVERSE_OPTION = msgspec.structs.replace(
    LINEAR_OPTION, instrument="BTC-C", settlement="BTC", contract="inverse", contract_size=1.0
)
SPOT = Instrument(instrument="BTC-SPOT", type="spot", underlying="BTC", settlement="USD", event_time_us=START_US)
LISTING = {
    instrument.instrument: instrument
    for instrument in (LINEAR, SMALL_LINEAR, INVERSE, FUTURE, LINEAR_OPTION, INVERSE_OPTION, SPOT)
}


@pytest.fixture
def account() -> Account:
    return Account(config=AccountConfig(account="desk", event_time_us=START_US))


def fill(
    account: Account, instrument: Instrument, quantity: float, price: float, *, fee: float = 0.0, trade_id: str = "",
    at_us: int = START_US,
) -> bool:  # fmt: skip
    """Apply one fill; ids count up unless given."""
    trade_id = trade_id or f"auto-{sum(map(len, account.recent_ids))}-{len(account.recent_ids)}-{quantity}-{price}"
    trade = Trade(
        trade_id=trade_id, account=account.name, instrument=instrument.instrument, quantity=quantity, price=price,
        fee=fee, event_time_us=at_us,
    )  # fmt: skip
    return apply_trade(account, trade, instrument)


def transfer(account: Account, asset: str, amount: float, transfer_id: str = "") -> bool:
    """Apply one transfer."""
    record = Transfer(
        transfer_id=transfer_id or f"auto-{len(account.recent_ids)}-{asset}-{amount}", account=account.name,
        asset=asset, amount=amount, event_time_us=START_US,
    )  # fmt: skip
    return apply_transfer(account, record)


def test_adding_averages_by_quantity(account: Account) -> None:
    """Fills in one direction of a linear contract average their prices by quantity, and pay only their fees."""
    fill(account, LINEAR, 1.0, 60_000.0, fee=2.0)
    fill(account, LINEAR, 3.0, 64_000.0, fee=-0.5)
    assert account.holdings == {LINEAR.instrument: Holding(4.0, 63_000.0, 0.0, 1.5)}
    assert account.balances == {"USDT": -1.5}


def test_reducing_realises(account: Account) -> None:
    """A reduction realises P&L in the settlement asset and leaves the average price alone."""
    fill(account, SMALL_LINEAR, -300.0, 4_000.0)
    fill(account, SMALL_LINEAR, 100.0, 3_900.0, fee=1.0)
    assert account.holdings[SMALL_LINEAR.instrument] == Holding(-200.0, 4_000.0, 100.0, 1.0)
    assert account.balances == {"USDT": 99.0}


def test_flip_through_zero(account: Account) -> None:
    """A fill beyond the position realises all of it and opens the rest at its own price."""
    fill(account, LINEAR, 2.0, 60_000.0)
    fill(account, LINEAR, -5.0, 61_000.0)
    assert account.holdings[LINEAR.instrument] == Holding(-3.0, 61_000.0, 2_000.0, 0.0)
    assert account.balances == {"USDT": 2_000.0}


def test_closing_deletes_the_holding(account: Account) -> None:
    """A closed position is gone, and what it earned is in the balance."""
    fill(account, LINEAR, 2.0, 60_000.0, fee=3.0)
    fill(account, LINEAR, -2.0, 59_000.0, fee=3.0)
    assert account.holdings == {}
    assert account.balances == {"USDT": -2_006.0}


def test_inverse_average_is_harmonic(account: Account) -> None:
    """An inverse position's coin P&L at any price is the sum over its fills."""
    fills = [(100.0, 50_000.0), (300.0, 64_000.0), (50.0, 40_000.0)]
    for quantity, price in fills:
        fill(account, INVERSE, quantity, price)
    holding = account.holdings[INVERSE.instrument]
    assert holding.average_price == pytest.approx(450.0 / sum(q / p for q, p in fills), rel=1e-15)
    for price in (10_000.0, 57_123.45, 200_000.0):
        alone = sum(10.0 * q * (1.0 / p - 1.0 / price) for q, p in fills)
        assert 10.0 * 450.0 * (1.0 / holding.average_price - 1.0 / price) == pytest.approx(alone, rel=1e-12)


@pytest.mark.data
def test_inverse_pnl_of_a_venue(account: Account) -> None:
    """Coin P&L of an inverse contract agrees with the exchange's own published scenario vector."""
    if not VECTORS.exists():
        pytest.skip("the reference vectors are not beside the checkout")
    cases = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
    case = next(case for case in cases if case["id"] == "deribit/btc-perp-and-future")
    steps = case["inputs"]["params"]["buckets_each_side"]
    for name, base in case["inputs"]["positions_base"].items():
        mark = case["inputs"]["mark_prices"][name]
        published = case["expected"]["initial_vector_standard_by_bucket"][name]
        for bucket, pnl_coins in enumerate(published):
            move = case["inputs"]["params"]["price_range"] * (bucket - steps) / steps
            account.balances, account.holdings = {}, {}
            contracts = base * mark / INVERSE.contract_size
            fill(account, INVERSE, contracts, mark, trade_id=f"in-{name}-{bucket}")
            fill(account, INVERSE, -contracts, mark * (1.0 + move), trade_id=f"out-{name}-{bucket}")
            tolerance = case["tolerance"]
            assert account.balances.get("BTC", 0.0) == pytest.approx(
                pnl_coins, rel=tolerance["rel"], abs=tolerance["abs"]
            )


def test_inverse_reduction_and_fee_are_coins(account: Account) -> None:
    """An inverse contract realises and pays fees in coins of its underlying."""
    fill(account, INVERSE, 1_000.0, 50_000.0)
    fill(account, INVERSE, -500.0, 62_500.0, fee=0.001)
    assert account.balances["BTC"] == pytest.approx(5_000.0 / 50_000.0 - 5_000.0 / 62_500.0 - 0.001, rel=1e-15)
    assert account.holdings[INVERSE.instrument].realised_pnl == pytest.approx(0.02, rel=1e-14)


@pytest.mark.parametrize(
    ("instrument", "asset", "price", "premium"),
    [(LINEAR_OPTION, "USD", 1_500.0, 300.0), (INVERSE_OPTION, "BTC", 0.03, 0.06)],
    ids=["linear", "inverse"],
)
def test_option_premium_is_paid_once(
    account: Account, instrument: Instrument, asset: str, price: float, premium: float
) -> None:
    """Premiums move the balance at the trade; realised P&L is for reports and is not booked a second time."""
    fill(account, instrument, 2.0, price)
    assert account.balances == {asset: pytest.approx(-premium)}
    fill(account, instrument, -1.0, 2.0 * price)
    assert account.balances.get(asset, 0.0) == pytest.approx(0.0, abs=1e-15)
    assert account.holdings[instrument.instrument].realised_pnl == pytest.approx(premium / 2.0)
    fill(account, instrument, -1.0, price)
    assert account.balances == {asset: pytest.approx(premium / 2.0)}
    assert account.holdings == {}


def test_short_option_receives_premium(account: Account) -> None:
    """Writing an option credits its premium, less the fee."""
    fill(account, LINEAR_OPTION, -10.0, 500.0, fee=1.0)
    assert account.balances == {"USD": 499.0}
    assert account.holdings[LINEAR_OPTION.instrument].quantity == -10.0


def test_option_average_is_arithmetic(account: Account) -> None:
    """Premiums are linear in the price, in coins too, so option averages are arithmetic."""
    fill(account, INVERSE_OPTION, 1.0, 0.02)
    fill(account, INVERSE_OPTION, 1.0, 0.04)
    assert account.holdings[INVERSE_OPTION.instrument].average_price == pytest.approx(0.03, rel=1e-15)


def test_spot_swaps_balances(account: Account) -> None:
    """A spot fill swaps coins for dollars and leaves no holding."""
    transfer(account, "USD", 100_000.0)
    fill(account, SPOT, 0.3, 60_000.0, fee=18.0)
    assert account.balances == {"USD": 81_982.0, "BTC": 0.3}
    assert account.holdings == {}
    fill(account, SPOT, -0.1, 60_000.0)
    fill(account, SPOT, -0.2, 60_000.0)
    assert account.balances == {"USD": 99_982.0}


def test_spot_fee_in_the_same_asset(account: Account) -> None:
    """A pair whose two legs are one asset moves that balance by both."""
    odd = msgspec.structs.replace(SPOT, underlying="USD")
    fill(account, odd, 10.0, 1.5, fee=1.0)
    assert account.balances == {"USD": -6.0}


def test_lots_close_exactly(account: Account) -> None:
    """A position built in one lot and closed in many small ones leaves nothing, not even rounding."""
    fill(account, LINEAR, 100_000.0, 60_000.0)
    for lot in range(1_000):
        fill(account, LINEAR, -99.9, 60_000.0, trade_id=f"a{lot}")
        fill(account, LINEAR, -0.1, 60_000.0, trade_id=f"b{lot}")
    assert account.holdings == {}


def test_decimal_sums_are_exact(account: Account) -> None:
    """Three dimes less thirty cents are nothing, and a balance of nothing is no balance."""
    for amount in (0.1, 0.2, -0.3):
        transfer(account, "XYZ", amount)
    assert account.balances == {}


@pytest.mark.parametrize(("left", "kept"), [(1e-7, True), (3e-9, False)])
def test_residue_rule(account: Account, left: float, kept: bool) -> None:
    """What remains of a netting below its rounding is not a position; what is above it is one."""
    fill(account, LINEAR, 12_345.678_901_234_567, 60_000.0)
    fill(account, LINEAR, -12_345.678_901_234_567 + left, 60_000.0)
    assert bool(account.holdings) is kept


def test_duplicates_change_nothing(account: Account) -> None:
    """A trade or transfer that comes again is ignored, also after the account was closed."""
    assert fill(account, LINEAR, 1.0, 60_000.0, trade_id="7")
    assert transfer(account, "USD", 5.0, transfer_id="7")
    before = msgspec.json.encode(account)
    assert not fill(account, LINEAR, 1.0, 60_000.0, trade_id="7")
    assert not transfer(account, "USD", 5.0, transfer_id="7")
    assert msgspec.json.encode(account) == before
    account.config = msgspec.structs.replace(account.config, closed=True)
    assert not transfer(account, "USD", 5.0, transfer_id="7")


def test_trade_ids_count_per_instrument(account: Account) -> None:
    """Venues number trades per instrument, so the same id on another instrument is another trade."""
    assert fill(account, LINEAR, 1.0, 60_000.0, trade_id="7")
    assert fill(account, SMALL_LINEAR, 1.0, 4_000.0, trade_id="7")
    assert len(account.holdings) == 2


def test_ids_are_forgotten_in_order(account: Account) -> None:
    """The last ids are remembered, no more."""
    for number in range(RECENT_IDS + 1):
        assert fill(account, LINEAR, 1.0, 60_000.0, trade_id=str(number))
    assert len(account.recent_ids) == RECENT_IDS
    assert not fill(account, LINEAR, 1.0, 60_000.0, trade_id="1")
    assert fill(account, LINEAR, 1.0, 60_000.0, trade_id="0")


DELISTED = msgspec.structs.replace(LINEAR, delisted=True, event_time_us=START_US + 10)
QUANTO = msgspec.structs.replace(LINEAR, settlement="ETH")


@pytest.mark.parametrize(
    ("instrument", "quantity", "price", "fee", "at_us", "kind"),
    [
        (FUTURE, 1.0, 60_000.0, 0.0, EXPIRY_US, "instrument_expired"),
        (LINEAR_OPTION, 1.0, 60_000.0, 0.0, EXPIRY_US + 1, "instrument_expired"),
        (DELISTED, 1.0, 60_000.0, 0.0, START_US + 10, "instrument_delisted"),
        (QUANTO, 1.0, 60_000.0, 0.0, START_US, "quanto_not_modelled"),
        (LINEAR, 1.0, 60_000.0, 2.0 * MAX_AMOUNT, START_US, "amount_out_of_range"),
        (LINEAR_OPTION, 1e15, 1e12, 0.0, START_US, "amount_out_of_range"),
        (SPOT, 1e15, 1e12, 0.0, START_US, "amount_out_of_range"),
        (INVERSE, -5.0, 5e-324, 0.0, START_US, "amount_out_of_range"),
        (INVERSE, 1e15, 5e-324, 0.0, START_US, "amount_out_of_range"),
    ],
)
def test_rejections_leave_the_account_alone(
    account: Account, instrument: Instrument, quantity: float, price: float, fee: float, at_us: int, kind: str
) -> None:
    """A refused trade says why and changes nothing, not even the remembered ids."""
    fill(account, INVERSE, 10.0, 50_000.0)
    before = msgspec.json.encode(account)
    with pytest.raises(RejectedRecord) as refused:
        fill(account, instrument, quantity, price, fee=fee, at_us=at_us)
    assert refused.value.kind == kind
    assert refused.value.text
    assert msgspec.json.encode(account) == before


@pytest.mark.parametrize("instrument", [FUTURE, DELISTED], ids=["expired", "delisted"])
def test_late_trades_from_before_the_end_count(account: Account, instrument: Instrument) -> None:
    """A fill from before the expiry or the delisting is a fill, whenever it comes."""
    assert fill(account, instrument, 1.0, 60_000.0, at_us=START_US + 9)


def test_closed_account_takes_nothing(account: Account) -> None:
    """A closed account refuses trades and transfers until it is opened again."""
    closed = msgspec.structs.replace(account.config, closed=True)
    assert apply_config(account, closed)
    with pytest.raises(RejectedRecord, match="account_closed"):
        fill(account, LINEAR, 1.0, 60_000.0)
    with pytest.raises(RejectedRecord, match="account_closed"):
        transfer(account, "USD", 1.0)
    assert apply_config(account, msgspec.structs.replace(closed, closed=False))
    assert transfer(account, "USD", 1.0)


@pytest.mark.parametrize("debt", [False, True])
def test_account_with_positions_or_debts_is_not_closed(account: Account, debt: bool) -> None:
    """Closing waits until positions and debts are gone; a remaining credit does not matter."""
    transfer(account, "BTC", 1.0)
    if debt:
        transfer(account, "USD", -1.0)
    else:
        fill(account, INVERSE, 1.0, 50_000.0)
    with pytest.raises(RejectedRecord, match="account_not_empty"):
        apply_config(account, msgspec.structs.replace(account.config, closed=True))
    assert not account.config.closed


def test_config_replaces_and_repeats(account: Account) -> None:
    """The last settings win, and the same settings again change nothing."""
    settings = AccountConfig(account="desk", event_time_us=START_US - 5, parameter_set="tight")
    assert apply_config(account, settings)
    assert account.config == settings
    assert not apply_config(account, settings)


def test_records_of_others_are_errors_of_the_program(account: Account) -> None:
    """A record of another account or instrument is no bad input but a bug."""
    other = Account(config=AccountConfig(account="other", event_time_us=START_US))
    trade = Trade(
        trade_id="1", account="desk", instrument=LINEAR.instrument, quantity=1.0, price=1.0, event_time_us=START_US
    )
    with pytest.raises(ValueError, match="given to"):
        apply_trade(other, trade, LINEAR)
    with pytest.raises(ValueError, match="given to"):
        apply_trade(account, trade, INVERSE)
    with pytest.raises(ValueError, match="given to"):
        apply_transfer(
            other, Transfer(transfer_id="1", account="desk", asset="USD", amount=1.0, event_time_us=START_US)
        )
    with pytest.raises(ValueError, match="given to"):
        apply_config(other, account.config)


def test_exposures(account: Account) -> None:
    """The book gets constants and rows: entry sides as cash, coins first, names in order."""
    transfer(account, "USD", 1_000.0)
    transfer(account, "USDC", 50.0)
    transfer(account, "SOL", 7.0)
    fill(account, LINEAR, 2.0, 60_000.0)
    fill(account, SMALL_LINEAR, -300.0, 4_000.0)
    fill(account, INVERSE, -1_000.0, 50_000.0)
    fill(account, LINEAR_OPTION, 3.0, 100.0)
    seen = exposures(account, LISTING)
    assert seen.usd == 1_000.0 - 30.0 - 120_000.0 + 12_000.0
    assert list(seen.rows) == ["BTC", "ETH", "SOL", "USDC"]
    assert seen.rows["USDC"] == [(None, 50.0)]
    assert seen.rows["BTC"] == [
        (None, -0.2),
        (INVERSE.instrument, -1_000.0),
        (LINEAR_OPTION.instrument, 3.0),
        (LINEAR.instrument, 2.0),
    ]
    assert seen.rows["ETH"] == [(SMALL_LINEAR.instrument, -300.0)]
    assert seen.rows["SOL"] == [(None, 7.0)]
    assert seen.unlisted == ()


def test_exposures_join_coin_collateral_and_entry(account: Account) -> None:
    """Coin collateral and the entry side of inverse futures are one quantity of coins."""
    transfer(account, "BTC", 1.5)
    fill(account, INVERSE, 1_000.0, 50_000.0)
    fill(account, FUTURE, 500.0, 62_500.0)
    name, coins = exposures(account, LISTING).rows["BTC"][0]
    assert name is None
    assert coins == pytest.approx(1.5 + 0.2 + 0.08, rel=1e-15)


def test_exposures_do_not_depend_on_the_order_of_inputs(account: Account) -> None:
    """Two accounts with the same portfolio have the same exposures, whatever came first."""
    other = Account(config=account.config)
    for desk, order in ((account, (LINEAR, SMALL_LINEAR, INVERSE)), (other, (INVERSE, SMALL_LINEAR, LINEAR))):
        for instrument in order:
            fill(desk, instrument, 3.0, 1_234.567)
    assert repr(exposures(account, LISTING)) == repr(exposures(other, LISTING))


def test_exposures_of_nothing(account: Account) -> None:
    """An empty account exposes nothing."""
    assert exposures(account, LISTING).rows == {}
    assert exposures(account, LISTING).usd == 0.0


def test_coins_that_cancel_leave_no_row(account: Account) -> None:
    """A coin debt that the entry side of an inverse position pays exactly is no row."""
    fill(account, INVERSE, 1_000.0, 50_000.0)
    transfer(account, "BTC", -0.2)
    assert exposures(account, LISTING).rows["BTC"] == [(INVERSE.instrument, 1_000.0)]


def test_unlisted_holdings_are_named(account: Account) -> None:
    """A holding whose instrument is not known is named, not left out in silence."""
    fill(account, LINEAR, 1.0, 60_000.0)
    fill(account, INVERSE, 1.0, 60_000.0)
    assert exposures(account, {INVERSE.instrument: INVERSE}).unlisted == (LINEAR.instrument,)


def test_entry_constant_completes_the_value() -> None:
    """Row value now plus entry side is the P&L since entry, in dollars or in coins."""
    price = 57_000.0
    usd, coins = entry_constant(Holding(3.0, 60_000.0), LINEAR)
    assert (3.0 * price + usd, coins) == (3.0 * (price - 60_000.0), 0.0)
    usd, coins = entry_constant(Holding(100.0, 50_000.0), INVERSE)
    assert usd == 0.0
    assert coins - 10.0 * 100.0 / price == pytest.approx(1_000.0 * (1 / 50_000.0 - 1 / price), rel=1e-12)
    assert entry_constant(Holding(3.0, 100.0), LINEAR_OPTION) == (0.0, 0.0)
