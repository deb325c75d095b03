"""One worked example of every record, for the generated contracts, the documentation and authors of other clients.

The two events belong together. An account is long 12 BTC and short 50 ETH of perpetuals, entered at 120,000 and 4,200
USD, with 300,000 USD of collateral. Under the default risk matrix each leg's worst scenario is 16 % against it.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec

from schemas import topics
from schemas.ids import advice_id, event_id, parameter_hash, regime_id
from schemas.intents import intent_id
from schemas.records import (
    AccountConfig,
    AccountEvent,
    AccountState,
    Advice,
    AdvisedTrade,
    Answer,
    Award,
    Cause,
    DeadLetter,
    ExpiryVolatility,
    Funding,
    Heartbeat,
    Instrument,
    InstrumentVolatility,
    Intent,
    MarketSnapshotPart,
    ParameterSet,
    Position,
    PriceTick,
    RangeStep,
    Record,
    RegimeChange,
    RiskArray,
    RiskMatrixParameters,
    SequencedRecord,
    ShadowPrice,
    SingleTrade,
    SviVolatility,
    Taken,
    Trade,
    Transfer,
    UnderlyingRisk,
    WorkerEndpoint,
)

_CALL_US: Final = 1_760_130_615_250_000  # 2025-10-10 21:10:15.25 UTC
_REGIME_US: Final = 1_760_130_600_000_000  # 21:10
_LIQUIDATION_US: Final = 1_760_130_961_500_000
_DECEMBER_US: Final = 1_766_736_000_000_000  # 2025-12-26 08:00 UTC
_PARAMETERS = ParameterSet(
    name="default",
    event_time_us=1_760_054_400_000_000,
    underlyings={"ETH": RiskMatrixParameters(price_range=0.16, volatility_range_up=0.40)},
)
_HASH = parameter_hash(_PARAMETERS)


def _risk(underlying: str, index_price: float, quantity: float, average_price: float, scenario: int) -> UnderlyingRisk:
    """Risk of one linear perpetual of one coin a contract, worst at the end of the price range."""
    move = 0.16 if quantity < 0.0 else -0.16
    loss_usd = round(-quantity * index_price * move, 2)
    return UnderlyingRisk(
        underlying=underlying,
        index_price=index_price,
        value_usd=quantity * (index_price - average_price),
        scan_usd=loss_usd,
        roll_usd=0.0,
        delta_shock_usd=0.0,
        im_usd=loss_usd,
        delta_coins=quantity,
        scenario=scenario,
        price_move=move,
        vol_shock="up",
        scenario_pnl_usd=-loss_usd,
    )


def _positions(offset: int, index: int) -> dict[str, Position]:
    return {
        topics.PARAMETERS.name: (0, 0),
        topics.INSTRUMENTS.name: (57, 0),
        topics.VOLATILITY.name: (9_120, 0),
        topics.TICKS.name: (offset, index),
        topics.ACCOUNTS.name: (311, 0),
        topics.TRANSFERS.name: (1_204, 0),
        topics.TRADES.name: (48_113, 7),
    }


def _event(
    kind: Literal["margin_call", "liquidation"],
    sequence: int,
    time_us: int,
    tick: Position,
    underlyings: tuple[UnderlyingRisk, ...],
    reason: str,
) -> AccountEvent:
    equity_usd = 300_000.0 + sum(risk.value_usd for risk in underlyings)
    im_usd = sum(risk.im_usd for risk in underlyings)
    mm_usd = round(0.8 * im_usd, 2)
    return AccountEvent(
        id=event_id("desk-7", 3, sequence, kind),
        kind=kind,
        account="desk-7",
        episode=3,
        sequence=sequence,
        state_from="warning" if kind == "margin_call" else "margin_call",
        state_to=kind,
        data_hold=False,
        jump=False,
        event_time_us=time_us,
        valid_until_us=time_us + 60_000_000,
        cause=Cause(topic=topics.TICKS.name, partition=0, offset=tick[0], index=tick[1]),
        positions=_positions(*tick),
        model="A",
        parameter_set=_PARAMETERS.name,
        parameter_hash=_HASH,
        equity_usd=equity_usd,
        im_requirement_usd=im_usd,
        mm_requirement_usd=mm_usd,
        shortfall_usd=(im_usd if kind == "margin_call" else mm_usd) - equity_usd,
        reason=reason,
        underlyings=underlyings,
        v=1,
    )


EVENTS: Final[dict[str, AccountEvent]] = {
    "margin_call": _event(
        "margin_call",
        11,
        _CALL_US,
        (184_233, 41),
        (_risk("BTC", 113_000.0, 12.0, 120_000.0, 0), _risk("ETH", 3_700.0, -50.0, 4_200.0, 24)),
        "Margin call after warning: initial margin 246,560.00 USD is 102.31 % of equity 241,000.00 USD, at or above "
        "100 % for 1 s. Most of it BTC 216,960.00 USD (87.99 %): worst scenario price -16.0 %, volatility up, "
        "P&L -216,960.00 USD, index 113,000.00 USD.",
    ),
    "liquidation": _event(
        "liquidation",
        12,
        _LIQUIDATION_US,
        (188_907, 3),
        (_risk("BTC", 105_000.0, 12.0, 120_000.0, 0), _risk("ETH", 3_300.0, -50.0, 4_200.0, 24)),
        "Liquidation after margin call: maintenance margin 182,400.00 USD is 110.55 % of equity 165,000.00 USD, at or "
        "above 100 %. Most of it BTC 201,600.00 USD (88.42 %): worst scenario price -16.0 %, volatility up, "
        "P&L -201,600.00 USD, index 105,000.00 USD.",
    ),
}
_LIQUIDATION = EVENTS["liquidation"]
_TRADE = Trade(
    trade_id="binance-5512907731",
    account="desk-7",
    instrument="BTC-USDT-PERP",
    quantity=12.0,
    price=120_000.0,
    event_time_us=1_760_090_400_000_000,
    fee=43.2,
)

_ADVICE = Advice(
    id=advice_id(_LIQUIDATION.id, _LIQUIDATION.positions),
    event=_LIQUIDATION.id,
    kind="liquidation",
    account="desk-7",
    episode=3,
    sequence=12,
    event_time_us=_LIQUIDATION_US,
    positions=_LIQUIDATION.positions,
    model="A",
    parameter_hash=_HASH,
    outcome="reduce",
    target_v=0.99,
    equity_usd=_LIQUIDATION.equity_usd,
    im_requirement_usd=_LIQUIDATION.im_requirement_usd,
    mm_requirement_usd=_LIQUIDATION.mm_requirement_usd,
    deposit_usd=99_750.0,
    single_trade=SingleTrade(instrument="BTC-USDT-PERP", quantity=-5.6, cost_usd=542.4),
    trades=(
        AdvisedTrade(
            instrument="BTC-USDT-PERP", quantity=-5.6, held=12.0, expected_price_usd=112_950.0, cost_usd=542.4
        ),
    ),
    cost_usd=542.4,
    release_usd=101_247.0,
    price_of_margin=0.0055,
    close_fraction=0.39,
    shadow_prices=(ShadowPrice(instrument="BTC-USDT-PERP", release_usd=18_080.0, cost_usd=96.9),),
    v=1,
)
_INTENT = intent_id("desk-7", 3, 1)

_EXAMPLES: tuple[Record, ...] = (
    _TRADE,
    Transfer(
        transfer_id="dep-20251010-0042",
        account="desk-7",
        asset="USDT",
        amount=300_000.0,
        event_time_us=1_760_086_800_000_000,
    ),
    AccountConfig(account="desk-7", event_time_us=1_760_086_800_000_000, group="alpha-fund", venue="binance"),
    Instrument(
        instrument="BTC-USDT-PERP",
        type="perpetual",
        underlying="BTC",
        settlement="USDT",
        event_time_us=1_760_054_400_000_000,
    ),
    Instrument(
        instrument="BTC-26DEC25-120000-C",
        type="option",
        underlying="BTC",
        settlement="BTC",
        event_time_us=1_760_054_400_000_000,
        contract="inverse",
        expiry_us=_DECEMBER_US,
        strike=120_000.0,
        option_type="call",
    ),
    PriceTick(
        underlying="BTC",
        source="binance:BTCUSDT",
        price_kind="trade",
        event_time_us=_CALL_US,
        price=113_000.0,
        instrument="BTC-USDT-PERP",
        index_source=True,
        received_time_us=_CALL_US + 3_100,
    ),
    PriceTick(
        underlying="BTC",
        source="deribit",
        price_kind="quote",
        event_time_us=_CALL_US,
        bid=0.0415,
        ask=0.0425,
        instrument="BTC-26DEC25-120000-C",
    ),
    Heartbeat(source="publisher", event_time_us=_CALL_US),
    Funding(
        instrument="BTC-USDT-PERP",
        underlying="BTC",
        source="binance",
        rate=0.0001,
        event_time_us=_CALL_US,
        received_time_us=_CALL_US + 3_100,
    ),
    InstrumentVolatility(
        underlying="BTC",
        source="deribit",
        instrument="BTC-26DEC25-120000-C",
        vol_annual=0.482,
        event_time_us=_CALL_US,
        expiry_us=_DECEMBER_US,
        forward_basis=0.0121,
    ),
    ExpiryVolatility(
        underlying="BTC",
        source="desk",
        expiry_us=_DECEMBER_US,
        atm_vol_annual=0.47,
        event_time_us=_CALL_US,
        slope=-0.031,
        curvature=0.018,
        x_min=-1.6,
        x_max=1.4,
        forward_basis=0.0121,
    ),
    SviVolatility(
        underlying="BTC",
        source="desk",
        expiry_us=_DECEMBER_US,
        a=0.021,
        b=0.09,
        rho=-0.28,
        m=0.03,
        sigma=0.19,
        event_time_us=_CALL_US,
        forward_basis=0.0121,
    ),
    _PARAMETERS,
    *EVENTS.values(),
    AccountState(
        account="desk-7",
        status="liquidation",
        data_hold=False,
        episode=3,
        sequence=12,
        version=4_077,
        event_time_us=_LIQUIDATION_US,
        equity_usd=_LIQUIDATION.equity_usd,
        im_requirement_usd=_LIQUIDATION.im_requirement_usd,
        mm_requirement_usd=_LIQUIDATION.mm_requirement_usd,
        model="A",
        parameter_set=_PARAMETERS.name,
        parameter_hash=_HASH,
        positions=_LIQUIDATION.positions,
        v=1,
    ),
    RegimeChange(
        id=regime_id(("BTC", "ETH", "SOL"), _REGIME_US, "breakdown"),
        regime="breakdown",
        regime_from="concentration",
        trigger="distance",
        underlyings=("BTC", "ETH", "SOL"),
        distance=0.260417,
        absorption_ratio=0.612,
        version=814,
        matrix_digest="6f1ed002ab559585",
        stale=("SOL",),
        event_time_us=_REGIME_US,
        v=1,
    ),
    RangeStep(
        underlying="BTC",
        version=11,
        price_range=0.25,
        reach=10,
        annual_volatility=0.4713,
        returns=4_102.7,
        event_time_us=_CALL_US,
        v=1,
    ),
    RiskArray(
        instrument="BTC-USDT-PERP",
        parameter_set=_PARAMETERS.name,
        parameter_hash=_HASH,
        pnl_usd=(
            *(9_040.0 * step for step in (0, 1, -1, 2, -2, 3, -3) for _ in range(2)),  # thirds of 24 %, vol up and down
            *(0.35 * 54_240.0 * sign for sign in (1, -1)),  # twice the range, counted at 35 %
        ),
        value_usd=0.0,
        delta_coins=1.0,
        event_time_us=_CALL_US,
        model="C",
        underlying="BTC",
        kind="linear",
        index_price=113_000.0,
        price=113_000.0,
        price_range=0.24,
        v=1,
    ),
    _ADVICE,
    Intent(
        id=_INTENT,
        account="desk-7",
        episode=3,
        action=1,
        advice=_ADVICE.id,
        release_usd=99_750.0,
        limits={"BTC-USDT-PERP": (-12.0, 0.0), "ETH-USDT-PERP": (0.0, 50.0)},
        worst_cost_usd=813.6,
        event_time_us=_LIQUIDATION_US,
        expires_us=_LIQUIDATION_US + 5_000_000,
    ),
    Answer(
        id="solver-a-000193",
        intent=_INTENT,
        account="desk-7",
        solver="solver-a",
        basket={"BTC-USDT-PERP": -6.0},
        cost_usd=410.0,
        event_time_us=_LIQUIDATION_US + 1_200_000,
    ),
    Award(
        intent=_INTENT,
        account="desk-7",
        episode=3,
        action=1,
        taken=(
            Taken(
                answer="solver-a-000193",
                solver="solver-a",
                share=0.92,
                trades={"BTC-USDT-PERP": -5.52},
                cost_usd=377.2,
                release_usd=99_750.0,
            ),
        ),
        refused={"solver-b-7": "outbid"},
        left_usd=0.0,
        event_time_us=_LIQUIDATION_US + 5_000_000,
    ),
    WorkerEndpoint(
        partition=4,
        url="http://10.0.4.17:9464",
        group="liquidation-monitor-v1",
        epoch=11,
        announced_us=_CALL_US,
        v=1,
    ),
    MarketSnapshotPart(
        topic=topics.TICKS.name,
        offset=100_000,
        chunk=0,
        chunks=1,
        layout=7,
        position=(99_999, 41),
        digest=hashlib.sha256(b"example").hexdigest(),
        state=msgspec.msgpack.encode({"time_us": 0}),
        v=1,
    ),
    SequencedRecord(ordinal=1_204_118, topic=topics.TRADES.name, record=msgspec.Raw(msgspec.json.encode(_TRADE)), v=1),
    DeadLetter(
        source_topic=topics.TRADES.name,
        source_partition=4,
        source_offset=48_114,
        source_index=17,
        error_kind="out_of_range",
        error_text="quantity is zero",
        first_seen_us=_CALL_US,
        schema="urn:liquidation-monitor:schema:risk.trades.v1:1",
        v=1,
    ),
)


def of(record: type[Record]) -> tuple[Record, ...]:
    """Return the examples of one record type, at least one."""
    return tuple(example for example in _EXAMPLES if type(example) is record)
