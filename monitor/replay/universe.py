"""What accounts can trade at a moment of a market, at which marks: read from the engine's own market state."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from kernels import black76
from kernels import surface as surface_kernel
from monitor.engine.market import Market
from monitor.engine.pricing import PRICING_GRID_US
from monitor.engine.surface import SurfaceRow
from schemas.records import Instrument

YEAR_US = 365 * 86_400 * 1_000_000
MIN_OPTION_LIFE_US = 86_400 * 1_000_000  # an option of less than a day would expire during the replay
MIN_OPTION_PRICE = 1e-5  # in its own unit: less is no price to trade at


@dataclass(frozen=True, slots=True)
class Contract:
    """An instrument at its mark.

    `price` in the instrument's own unit, `notional_usd` of one contract, `delta_coins` of one contract.
    """

    instrument: Instrument
    price: float
    notional_usd: float
    delta_coins: float

    @property
    def name(self) -> str:
        """The instrument's name."""
        return self.instrument.instrument


@dataclass(slots=True)
class CoinMarket:
    """What is tradable in one underlying; `index_usd` is its composite index."""

    underlying: str
    index_usd: float
    spot: Contract | None = None
    perpetuals: list[Contract] = field(default_factory=list)
    futures: list[Contract] = field(default_factory=list)
    calls: list[Contract] = field(default_factory=list)
    puts: list[Contract] = field(default_factory=list)


@dataclass(slots=True)
class Universe:
    """Everything tradable by underlying, what of ours had to be listed for it, and collateral prices."""

    coins: dict[str, CoinMarket]
    synthetic: list[Instrument]
    collateral_usd: dict[str, float]


def mark(market: Market, instrument: Instrument) -> float | None:
    """Return an instrument's mark in its own unit as the engine values it, None without an index or a volatility."""
    view = market.ticks.index(instrument.underlying)
    if view is None or not view.price_usd > 0.0:
        return None
    index = view.price_usd
    if instrument.type == "spot":
        return index
    if instrument.type != "option":
        return index * (1.0 + market.ticks.basis(instrument.instrument))
    forward, vol, years = _option_inputs(market, instrument, index)
    if not vol > 0.0 or years <= 0.0:
        return None
    assert instrument.strike is not None
    is_call = instrument.option_type == "call"
    value = float(black76.price(is_call, forward, instrument.strike, vol * math.sqrt(years), 1.0))
    return value / forward if instrument.contract == "inverse" else value


def read_universe(market: Market, listing: dict[str, Instrument], at_us: int) -> Universe:
    """Return what of `listing` can be traded now.

    Lists a linear perpetual for each coin that has none, and spot for each that has options and none: a call is
    covered by the coin. What is of ours is marked by the index, since nothing else prices it.
    """
    coins: dict[str, CoinMarket] = {}
    for name in sorted(listing):
        instrument = listing[name]
        price = mark(market, instrument)
        dollar_quoted = instrument.settlement in ("USD", "USDC", "USDT") or instrument.contract == "inverse"
        if price is None or instrument.delisted or not dollar_quoted:
            continue
        if instrument.expiry_us is not None and instrument.expiry_us < at_us + MIN_OPTION_LIFE_US:
            continue
        view = market.ticks.index(instrument.underlying)
        assert view is not None
        coin = coins.setdefault(instrument.underlying, CoinMarket(instrument.underlying, view.price_usd))
        _add(coin, market, instrument, price)
    collateral = {"USD": 1.0, "USDC": 1.0}
    collateral |= {name: coins[name].index_usd for name in ("BTC", "ETH", "USDE") if name in coins}
    coins = {name: coin for name, coin in coins.items() if name != "USDE"}  # a dollar token is no coin to trade
    synthetic = []
    for coin in coins.values():
        if not coin.perpetuals:
            instrument = synthetic_perpetual(coin, at_us)
            synthetic.append(instrument)
            coin.perpetuals.append(_linear(instrument, coin.index_usd))
        if coin.spot is None and coin.calls:
            instrument = synthetic_spot(coin, at_us)
            synthetic.append(instrument)
            coin.spot = Contract(instrument, coin.index_usd, coin.index_usd, 1.0)
    return Universe(coins, synthetic, collateral)


def synthetic_perpetual(coin: CoinMarket, at_us: int) -> Instrument:
    """Return a linear perpetual `X_USD-PERPETUAL`, settled in USD, of about ten dollars a contract."""
    return Instrument(
        instrument=f"{coin.underlying}_USD-PERPETUAL",
        type="perpetual",
        underlying=coin.underlying,
        settlement="USD",
        contract_size=10.0 ** round(math.log10(10.0 / coin.index_usd)),
        event_time_us=at_us,
    )


def synthetic_spot(coin: CoinMarket, at_us: int) -> Instrument:
    """Return spot `X-USD` of one coin, settled in USD."""
    return Instrument(
        instrument=f"{coin.underlying}-USD", type="spot", underlying=coin.underlying, settlement="USD",
        contract_size=1.0, event_time_us=at_us,
    )  # fmt: skip


def _add(coin: CoinMarket, market: Market, instrument: Instrument, price: float) -> None:
    size = instrument.contract_size
    if instrument.type == "spot":
        if instrument.settlement == "USD":
            coin.spot = Contract(instrument, price, size * price, size)
    elif instrument.type == "option":
        if price >= MIN_OPTION_PRICE:
            side = coin.calls if instrument.option_type == "call" else coin.puts
            side.append(Contract(instrument, price, size * coin.index_usd, size * _delta(market, instrument, coin)))
    else:
        contract = _linear(instrument, price) if instrument.contract == "linear" else _inverse(instrument, price)
        (coin.perpetuals if instrument.type == "perpetual" else coin.futures).append(contract)


def _linear(instrument: Instrument, price: float) -> Contract:
    return Contract(instrument, price, instrument.contract_size * price, instrument.contract_size)


def _inverse(instrument: Instrument, price: float) -> Contract:
    return Contract(instrument, price, instrument.contract_size, instrument.contract_size / price)


def _delta(market: Market, instrument: Instrument, coin: CoinMarket) -> float:
    forward, vol, years = _option_inputs(market, instrument, coin.index_usd)
    assert instrument.strike is not None
    is_call = instrument.option_type == "call"
    return float(black76.delta(is_call, forward, instrument.strike, vol * math.sqrt(years), 1.0))


def _option_inputs(market: Market, instrument: Instrument, index: float) -> tuple[float, float, float]:
    """Return forward, volatility (NaN without one) and years, at the engine's pricing time."""
    assert instrument.expiry_us is not None
    assert instrument.strike is not None
    basis = market.volatility.forward_basis(instrument.underlying, instrument.expiry_us)
    forward = index * (1.0 + (basis or 0.0))
    years = (instrument.expiry_us - market.time_us // PRICING_GRID_US * PRICING_GRID_US) / YEAR_US
    row: SurfaceRow = market.volatility.row(instrument)
    vol = surface_kernel.volatility(*row, instrument.strike, forward, max(years, 0.0))
    return forward, float(vol), years
