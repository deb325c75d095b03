from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.surface import RejectedVolatility, VolatilityFold
from monitor.errors import UsageError
from monitor.replay import contracts, offline, portfolios
from monitor.replay.accounts import AccountParameters, GeneratedAccounts, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import VENUES, GeneratedMarket, MarketParameters
from monitor.replay.paths import COINS, Coin, generator, simulate
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, TOPIC_OF, ListSource
from schemas import codec
from schemas.records import AccountConfig, ExpiryVolatility, Heartbeat, Input, Instrument, PriceTick, Trade, Transfer

SMALL = MarketParameters(seed=5, minutes=6, ticks_per_second=0.2, coins=4)


def market_bytes(parameters: MarketParameters) -> str:
    digest = hashlib.sha256()
    for at, record in Merged([GeneratedMarket(parameters)]):
        digest.update(b"%d " % at + codec.encode(record))
    return digest.hexdigest()


@cache
def small_market() -> list[tuple[int, Input]]:
    return list(Merged([GeneratedMarket(SMALL)]))


@cache
def small_accounts(accounts: int = 120, fills: float = 20.0) -> GeneratedAccounts:
    return generate_accounts(small_market(), AccountParameters(seed=9, accounts=accounts, fills_per_hour=fills))


# --- market -------------------------------------------------------------------------------------


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**63 - 1))
def test_a_market_is_a_function_of_its_parameters(seed: int) -> None:
    """The same seed gives the same bytes, another seed others."""
    parameters = MarketParameters(seed=seed, minutes=2, ticks_per_second=0.1, coins=2)
    other = MarketParameters(seed=seed ^ 1, minutes=2, ticks_per_second=0.1, coins=2)
    assert market_bytes(parameters) == market_bytes(parameters) != market_bytes(other)


def test_the_tick_rate_does_not_move_the_paths() -> None:
    """More ticks show the same market more often."""
    slow, fast = (GeneratedMarket(MarketParameters(seed=3, minutes=5, ticks_per_second=rate)) for rate in (0.1, 5.0))
    assert np.array_equal(slow.paths().log_price, fast.paths().log_price)


def test_market_arrival_never_goes_back_and_feeds_keep_their_order() -> None:
    """Arrival is monotone over all feeds, and event time within each feed."""
    latest = 0
    of_feed: dict[str, int] = defaultdict(int)
    for at, record in small_market():
        assert at >= latest
        latest = at
        if isinstance(record, PriceTick):
            assert record.event_time_us >= of_feed[record.source]
            assert record.received_time_us == at
            of_feed[record.source] = record.event_time_us


def test_every_market_record_is_valid_on_the_wire() -> None:
    """The strict codec reads each record back, and prices are positive."""
    for _, record in small_market():
        assert codec.decode_record(TOPIC_OF[type(record)], codec.encode(record)) == record


def test_a_market_has_every_kind_of_feed() -> None:
    """Each coin has its venues, perpetual and future; BTC and ETH inverse perpetuals, options and surfaces."""
    records = [record for _, record in small_market()]
    listed = {record.instrument: record for record in records if isinstance(record, Instrument)}
    sources = defaultdict(set)
    for record in records:
        if isinstance(record, PriceTick):
            sources[record.underlying].add(record.source)
            assert record.instrument is None or record.instrument in listed
    for coin in GeneratedMarket(SMALL).coins:
        names = set(contracts.perpetual_names(coin)) | {contracts.future_name(coin)}
        assert {f"{venue}:{coin.name}-USD" for venue in VENUES} | {f"exchange:{name}" for name in names} == sources[
            coin.name
        ]
    surfaces = {(r.underlying, r.expiry_us) for r in records if isinstance(r, ExpiryVolatility)}
    options = {(r.underlying, r.expiry_us) for r in listed.values() if r.type == "option"}
    assert surfaces == options
    assert {underlying for underlying, _ in surfaces} == {"BTC", "ETH"}


def test_heartbeats_come_every_second() -> None:
    """One a second of arrival time, from the first tick to the last."""
    beats = [record.event_time_us for _, record in small_market() if isinstance(record, Heartbeat)]
    assert set(np.diff(beats)) == {1_000_000}
    assert len(beats) == 60 * SMALL.minutes - 1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_correlation_rises_in_the_crash_and_breaks_after_it(seed: int) -> None:
    """Returns keep together in the calm, more so in the crash; then the two groups part company."""
    paths = simulate(COINS, 7_200, 1, seed)
    group = np.array([coin.group for coin in COINS])
    across = group[:, None] != group[None, :]
    mean = []
    for phase in range(3):
        rows = np.flatnonzero(paths.phase == phase)
        returns = np.diff(paths.log_price[rows[0] : rows[-1] + 1 : 5], axis=0)
        mean.append(float(np.asarray(np.corrcoef(returns.T))[across].mean()))
    calm, crash, broken = mean
    assert 0.40 < calm < 0.75
    assert crash > max(0.75, calm)
    assert broken < 0.0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_the_crash_is_a_crash(seed: int) -> None:
    """BTC falls by 5 to 40 % through it and moves by less than 3 % in the calm; volatility rises by half at least."""
    paths = simulate(COINS, 3_600, 1, seed)
    calm, crash = (np.flatnonzero(paths.phase == phase) for phase in (0, 1))
    fall = paths.log_price[crash[-1], 0] - paths.log_price[crash[0], 0]
    assert math.log(0.60) < fall < math.log(0.95)
    assert np.ptp(paths.log_price[calm, 0]) < 0.03
    assert paths.level.max() > 1.5 * paths.level[0]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([coin for coin in COINS if coin.name in contracts.OPTION_COINS]),
    st.sampled_from(contracts.EXPIRIES), st.floats(1.0, 1.9), st.floats(-0.05, 0.08), st.integers(0, 7 * 1_440),
)  # fmt: skip
def test_no_smile_admits_butterfly_arbitrage(coin: Coin, name: str, level: float, basis: float, minute: int) -> None:
    """Call prices of Black-76 on the smile are decreasing and convex in the strike, and the engine takes the smile."""
    at_us = contracts.START_US + minute * 60_000_000
    expiry_us = contracts.expiry_us(name)
    if expiry_us - at_us < 3_600_000_000:
        return
    smile = contracts.smile(coin, expiry_us, at_us, level, basis)
    years = (expiry_us - at_us) / contracts.YEAR_US
    x = np.linspace(smile.x_min, smile.x_max, 241)
    vol = smile.atm_vol_annual + smile.slope * x + smile.curvature * x * x
    assert vol.min() > 0.05
    strike = np.exp(x * math.sqrt(years))
    deviation = vol * math.sqrt(years)
    d1 = -np.log(strike) / deviation + 0.5 * deviation
    normal = np.vectorize(lambda value: 0.5 * math.erfc(-value / math.sqrt(2.0)))
    call = normal(d1) - strike * normal(d1 - deviation)
    slopes = np.diff(call) / np.diff(strike)
    assert slopes.max() < 0.0
    assert slopes.min() > -1.0
    assert np.diff(slopes).min() > -1e-9
    try:
        VolatilityFold().apply(smile)
    except RejectedVolatility as refusal:
        pytest.fail(str(refusal))


@given(st.sampled_from(COINS[:2]), st.floats(1.0, 1.9), st.integers(0, 4 * 1_440))
def test_total_variance_grows_with_time(coin: Coin, level: float, minute: int) -> None:
    """At the money a later expiry never has less total variance: no calendar arbitrage."""
    at_us = contracts.START_US + minute * 60_000_000
    total = []
    for name in contracts.EXPIRIES:
        smile = contracts.smile(coin, contracts.expiry_us(name), at_us, level, 0.05)
        total.append(smile.atm_vol_annual**2 * (smile.expiry_us - at_us))
    assert total == sorted(total)


@pytest.mark.parametrize(
    "wrong", [{"minutes": 0}, {"minutes": 10_081}, {"ticks_per_second": 0.0}, {"coins": 1}, {"coins": 9}, {"seed": -1}]
)
def test_an_impossible_market_is_refused(wrong: dict[str, int]) -> None:
    """Parameters outside their bounds are a usage error."""
    with pytest.raises(UsageError):
        MarketParameters(**wrong)


# --- accounts -----------------------------------------------------------------------------------


@given(st.integers(20, 5_000), st.integers(0, 1_000))
def test_every_kind_has_its_share(accounts: int, seed: int) -> None:
    """Each of the six kinds is 10 to 25 % of the accounts."""
    counts = Counter(portfolios.kinds(accounts, generator(seed, 20)))
    assert sum(counts.values()) == accounts
    assert set(counts) == set(portfolios.SHARES)
    assert all(0.10 <= count / accounts <= 0.25 for count in counts.values())


def test_kinds_can_be_even_and_money_in_one_asset() -> None:
    """So many of each kind; the same positions with all money in another asset, and no asset without a price."""
    drawn = AccountParameters(seed=2, accounts=24, fills_per_hour=0.0, even=True)
    mixed = generate_accounts(small_market(), drawn)
    assert set(Counter(one.portfolio.kind for one in mixed.opened).values()) == {4}
    one_asset = generate_accounts(small_market(), replace(drawn, deposit="USDC"))
    for one, other in zip(mixed.opened, one_asset.opened, strict=True):
        assert one.portfolio.legs == other.portfolio.legs
        assert set(other.deposits) == {"USDC"}
    with pytest.raises(UsageError, match="USDE has no price"):
        generate_accounts(small_market(), replace(drawn, deposit="USDE"))


def test_a_coin_with_options_gets_spot() -> None:
    """Without spot in the market, covered calls hold spot of ours."""
    market = [(at_us, record) for at_us, record in small_market() if not _is_spot(record)]
    generated = generate_accounts(market, AccountParameters(seed=2, accounts=24, fills_per_hour=0.0))
    listed = [record for _, record in generated.records if isinstance(record, Instrument)]
    assert {one.instrument for one in listed if one.type == "spot"} <= {"BTC-USD", "ETH-USD"}
    calls = [one for one in generated.opened if one.portfolio.kind == "covered-call"]
    assert calls
    assert all(any(contract.instrument in listed for contract, _ in one.portfolio.legs) for one in calls)


def _is_spot(record: object) -> bool:
    return isinstance(record, Instrument) and record.type == "spot"


def test_accounts_are_a_function_of_seed_and_market() -> None:
    """The same seed on the same market gives the same records."""
    parameters = AccountParameters(seed=2, accounts=20, fills_per_hour=10.0)
    first, again = (generate_accounts(small_market(), parameters).records for _ in range(2))
    assert first == again
    other = generate_accounts(small_market(), AccountParameters(seed=3, accounts=20, fills_per_hour=10.0)).records
    assert first != other


def test_account_records_are_ordered_and_valid() -> None:
    """Records come by event time, each valid on the wire; an account is defined and funded before it trades."""
    times = []
    defined: set[str] = set()
    funded: set[str] = set()
    for topic, record in small_accounts().records:
        assert codec.decode_record(topic, codec.encode(record)) == record
        times.append(record.event_time_us)
        if isinstance(record, AccountConfig):
            defined.add(record.account)
        elif isinstance(record, Transfer):
            assert record.account in defined
            funded.add(record.account)
        elif isinstance(record, Trade):
            assert record.account in funded
    assert times == sorted(times)


def test_deposits_give_the_drawn_utilisation() -> None:
    """The engine's IM over equity is the value drawn, or less where leverage is bounded."""
    for account in small_accounts().opened:
        assert account.utilisation <= account.portfolio.utilisation * 1.001
        assert account.leverage <= 30.0 * 1.001 or account.portfolio.utilisation > 1.0
        if account.leverage < 29.0:
            assert account.utilisation == pytest.approx(account.portfolio.utilisation, rel=2e-3)


def test_the_surplus_leaves_again() -> None:
    """Transfers of each account sum to its calibrated deposit, asset by asset."""
    generated = small_accounts()
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for _, record in generated.records:
        if isinstance(record, Transfer):
            sums[record.account, record.asset] += record.amount
    for account in generated.opened:
        for asset in {*account.deposits, "USD"}:
            assert sums[account.name, asset] == pytest.approx(account.deposits.get(asset, 0.0), abs=1e-6)


def test_one_to_three_percent_start_in_call() -> None:
    """The share of accounts whose requirement exceeds their equity at the opening."""
    opened = small_accounts(200, 0.0).opened
    assert 0.01 <= sum(account.utilisation >= 1.0 for account in opened) / len(opened) <= 0.03


def test_collateral_is_mixed() -> None:
    """Dollars, dollar tokens and both coins are deposited."""
    assets = Counter(asset for account in small_accounts().opened for asset in account.deposits)
    assert set(assets) == {"USD", "USDC", "BTC", "ETH"}
    assert min(assets.values()) >= 5


def test_accounts_go_on_trading_at_market_prices() -> None:
    """Fills come through the whole market, near the last tick of a perpetual, with a fee."""
    generated = small_accounts()
    fills = [r for _, r in generated.records if isinstance(r, Trade) and "-f" in r.trade_id]
    assert len(fills) == generated.fills > 50
    last: dict[str, float] = {}
    pending = sorted(fills, key=lambda fill: fill.event_time_us)
    checked = 0
    for at, record in small_market():
        while pending and pending[0].event_time_us <= at:
            fill = pending.pop(0)
            assert fill.fee > 0.0
            if fill.instrument in last and fill.instrument.endswith("PERPETUAL"):
                assert fill.price == pytest.approx(last[fill.instrument], rel=0.03)  # its ticks are 5 s apart
                checked += 1
        if isinstance(record, PriceTick) and record.instrument is not None:
            last[record.instrument] = record.value_usd
    assert checked > 20


def test_hedged_books_are_hedged_and_covered_calls_covered() -> None:
    """Kinds are what their names say, leg by leg."""
    for account in small_accounts().opened:
        legs = account.portfolio.legs
        if account.portfolio.kind in ("hedged-pair", "basis"):
            net = sum(quantity * contract.notional_usd for contract, quantity in legs)
            assert abs(net) < 0.06 * account.portfolio.gross_usd + 200.0
        if account.portfolio.kind == "covered-call":
            coins = sum(q * c.instrument.contract_size for c, q in legs if c.instrument.type == "spot")
            sold = -sum(q * c.instrument.contract_size for c, q in legs if c.instrument.type == "option")
            assert 0.0 < sold <= coins + 2.0  # whole contracts of one coin, at most two of them rounded up
        if account.portfolio.kind == "short-volatility":
            assert all(quantity < 0.0 for contract, quantity in legs if contract.instrument.type == "option")


def test_a_market_without_options_is_refused() -> None:
    """Covered calls are never made of something else."""
    plain = [
        (at, record)
        for at, record in small_market()
        if not isinstance(record, ExpiryVolatility) and not (isinstance(record, Instrument) and record.type == "option")
    ]
    with pytest.raises(UsageError, match="options"):
        generate_accounts(plain, AccountParameters(seed=1, accounts=20))


def test_a_market_shorter_than_the_opening_is_refused() -> None:
    """Accounts cannot move in after the end."""
    with pytest.raises(UsageError, match="second 3600"):
        generate_accounts(small_market(), AccountParameters(accounts=20, opening_s=3_600))


def test_the_crash_touches_five_to_forty_percent() -> None:
    """Calls at the start of the calm are few, and the crash brings calls and liquidations to a good part."""
    parameters = MarketParameters(seed=11, minutes=16, ticks_per_second=0.1, coins=8)
    generated = generate_accounts(
        Merged([GeneratedMarket(parameters)]), AccountParameters(seed=4, accounts=150, fills_per_hour=0.0)
    )
    accounts = ListSource("accounts", generated.records, ACCOUNTS_FILE_TOPICS)
    summary = offline.run(Merged([GeneratedMarket(parameters), accounts]))
    assert summary.rejected == {}
    assert summary.accounts == 150
    assert 0.05 <= summary.touched / summary.accounts <= 0.40
    assert summary.events["liquidation"] > 0
    assert sum(summary.status_share.values()) == pytest.approx(1.0)
