"""Attribution of a requirement's change: each group alone, all together, and what is stored for it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from monitor.engine import State, attribution, decode_account, evaluate_account, new_state, open_shard, step
from monitor.engine.parameters import DEFAULT_SET, ActiveSet
from monitor.engine.state import Account, encode
from schemas.records import (
    AccountConfig,
    AccountEvent,
    AttributionPart,
    Heartbeat,
    Input,
    NettingParameters,
    ParameterSet,
    PriceTick,
    Trade,
    Transfer,
)
from tests.engine_market import SPOT_USD, START_US, Log, both, opening, smile

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
GROUPS = ("time", "parameters", "price", "vol", "correlation", "basis", "collateral", "trades")


class Desk:
    """An engine with one account that holds futures and options of two coins, and coins as collateral."""

    def __init__(self, model: str = "P", deposit: float = 500_000.0, trades: Sequence[Trade] | None = None) -> None:
        self.state: State = new_state()
        self.log = Log()
        open_shard(self.state, 0, None, [], partitions=1, epoch=1)
        config = AccountConfig(account="a", event_time_us=START_US, margin_model="A" if model == "A" else "P")
        self.run(
            [
                *opening(),
                config,
                _transfer("usd", "USD", deposit),
                _transfer("eth", "ETH", 20.0),
                *(_trades() if trades is None else trades),
            ]
        )

    @property
    def account(self) -> Account:
        """The account."""
        return self.state.shards[0].accounts["a"]

    @property
    def im_usd(self) -> float:
        """Its initial requirement now."""
        return evaluate_account(self.state, "a").im_requirement_usd

    def run(self, records: Sequence[Input]) -> list[AccountEvent]:
        """Step records and return the events."""
        outgoing = step(self.state, [self.log(record) for record in records])
        assert not self.state.rejected
        return [msgspec.json.decode(item.body, type=AccountEvent) for item in outgoing]

    def attribute(self) -> dict[str, float]:
        """Attribute the change since the baseline, by group."""
        active = self.state.market.parameters.get(self.account.config.parameter_set)
        assert active is not None
        parts = attribution.attribute(self.account, self.state.market, active)
        assert parts is not None
        assert tuple(part.group for part in parts) == GROUPS
        return {part.group: part.change_usd for part in parts}


def _transfer(number: str, asset: str, amount: float) -> Transfer:
    return Transfer(transfer_id=number, account="a", asset=asset, amount=amount, event_time_us=START_US)


def _trade(number: str, instrument: str, quantity: float, price: float) -> Trade:
    return Trade(
        trade_id=number, account="a", instrument=instrument, quantity=quantity, price=price, event_time_us=START_US
    )


def _trades() -> list[Trade]:
    return [
        _trade("1", "BTC-PERPETUAL", 2.0, 100_000.0), _trade("2", "BTC-P", -3.0, 0.02),
        _trade("3", "ETH-INVERSE", -9_000.0, 4_000.0), _trade("4", "ETH-C", -10.0, 0.03),
    ]  # fmt: skip


def _prices(factor: float, time_us: int) -> list[Input]:
    return [tick for coin, spot in SPOT_USD.items() for tick in both(coin, factor * spot, time_us)]


@pytest.mark.parametrize("model", ["A", "P"])
@pytest.mark.parametrize(
    ("records", "moved"),
    [
        ([Heartbeat(source="clock", event_time_us=START_US + 61 * MINUTE_US)], {"time", "vol"}),
        ([smile("BTC", START_US, vol=0.9)], {"vol"}),
        ([msgspec.structs.replace(smile("ETH", START_US), forward_basis=0.02)], {"basis", "vol"}),
        (_prices(0.96, START_US + 1), {"price", "vol", "collateral"}),
        ([_trade("5", "BTC-PERPETUAL", -1.0, 100_000.0)], {"trades"}),
        ([_transfer("more", "ETH", 5.0)], {"trades"}),
        (
            [msgspec.structs.replace(DEFAULT_SET, event_time_us=START_US, risk_matrix=DEFAULT_SET.risk_matrix,
                                     underlyings={}, netting=NettingParameters(correlation_stress=0.3))],
            {"parameters"},
        ),
    ],
)  # fmt: skip
def test_a_group_takes_the_change_that_its_inputs_make(model: str, records: list[Input], moved: set[str]) -> None:
    """What one record moves is attributed to its groups and to no other, and the parts sum to the change."""
    desk = Desk(model)
    before, baseline = desk.im_usd, desk.account.baseline
    assert baseline is not None
    assert baseline.im_usd == before
    desk.run(records)
    desk.account.baseline = baseline  # an own record renews it: count from before
    parts = desk.attribute()
    assert {group for group, change in parts.items() if change != 0.0} == moved
    assert sum(parts.values()) == pytest.approx(desk.im_usd - before, abs=1e-9 * desk.im_usd)
    assert abs(desk.im_usd - before) > 1.0


def test_all_groups_together_sum_to_the_change() -> None:
    """After everything has moved at once the eight parts still sum to the change."""
    desk = Desk()
    before, baseline = desk.im_usd, desk.account.baseline
    mark = PriceTick(
        underlying="BTC", source="venue-c", price_kind="mark", instrument="BTC-PERPETUAL", price=93_000.0,
        event_time_us=START_US + 130 * SECOND_US,
    )  # fmt: skip
    desk.run(
        [
            Heartbeat(source="clock", event_time_us=START_US + 126 * SECOND_US),
            *_prices(0.92, START_US + 120 * SECOND_US),
            smile("BTC", START_US + 121 * SECOND_US, vol=1.1),
            mark,
            ParameterSet(name="default", event_time_us=START_US + 1, underlyings=DEFAULT_SET.underlyings,
                         netting=NettingParameters(correlation_stress=0.5, floor_correlation=0.2)),
            _trade("9", "ETH-PERPETUAL", -30.0, 3_700.0),
        ]
    )  # fmt: skip
    desk.account.baseline = baseline
    parts = desk.attribute()
    assert all(parts[group] != 0.0 for group in ("parameters", "price", "vol", "basis", "collateral", "trades"))
    assert sum(parts.values()) == pytest.approx(desk.im_usd - before, abs=1e-9 * desk.im_usd)


def test_new_correlations_are_a_group_of_their_own() -> None:
    """After two hours of two coins that fall together, the netted requirement changes by what the matrices changed."""
    desk = Desk()
    desk.run([_trade("6", "ETH-PERPETUAL", 40.0, 4_000.0)])  # long of both: what moves together adds up
    _fall_together(desk)
    baseline, before = desk.account.baseline, desk.im_usd
    assert desk.state.market.ticks.correlation.version > 0
    desk.account.baseline = attribution.take_baseline(desk.account, desk.state.market, _active(desk), desk.state.book)
    assert desk.attribute() == dict.fromkeys(GROUPS, 0.0)
    desk.account.baseline = baseline
    parts = desk.attribute()
    assert parts["correlation"] != 0.0
    assert baseline is not None
    assert sum(parts.values()) == pytest.approx(before - baseline.im_usd, abs=1e-9 * before)


def test_a_baseline_survives_its_storage() -> None:
    """An account read back from its stored bytes attributes the same change, bit for bit."""
    desk = Desk()
    _fall_together(desk)
    desk.run([_trade("7", "BTC-PERPETUAL", 0.5, 100_000.0)])
    stored = decode_account(encode(desk.account))
    assert stored.baseline == desk.account.baseline
    desk.run(_prices(0.97, desk.state.market.time_us))
    found = desk.attribute()
    desk.account.baseline = stored.baseline
    assert desk.attribute() == found


def test_an_event_counts_from_the_event_before_it() -> None:
    """The first event counts from the latest own record, every later one from the event before."""
    desk = Desk(deposit=40_000.0)
    opened = desk.account.baseline
    assert opened is not None
    events: list[AccountEvent] = []
    for second in range(1, 60):
        events += desk.run(_prices(1.0 - 0.004 * second, START_US + second * SECOND_US))
    assert [event.kind for event in events][:2] == ["warning", "margin_call"]
    base = opened.im_usd
    for sequence, event in enumerate(events):
        assert event.attribution_base is not None
        assert event.attribution is not None
        assert event.attribution_base.sequence == sequence
        assert event.attribution_base.im_requirement_usd == base
        assert _sum(event.attribution) == pytest.approx(event.im_requirement_usd - base, abs=1e-9 * base)
        base = event.im_requirement_usd


def test_values_of_a_set_that_is_gone_are_in_the_baseline() -> None:
    """A baseline under a published set keeps its values, so a second publication is attributed to parameters."""
    desk = Desk()
    first = msgspec.structs.replace(DEFAULT_SET, event_time_us=START_US, netting=NettingParameters(mm_factor=0.7))
    desk.run([first, _trade("8", "BTC-PERPETUAL", 0.5, 100_000.0)])
    baseline, before = desk.account.baseline, desk.im_usd
    assert baseline is not None
    assert baseline.parameters is not None
    second = msgspec.structs.replace(
        first, event_time_us=START_US + 1, netting=NettingParameters(correlation_stress=1.0)
    )
    desk.run([second])
    parts = desk.attribute()
    assert parts["parameters"] == pytest.approx(desk.im_usd - before, abs=1e-9 * before)
    assert parts["parameters"] > 0.0


def _fall_together(desk: Desk) -> None:
    for minute in range(1, 150):
        factor = 1.0 + 0.002 * ((minute * 7) % 11 - 5)
        desk.run([Heartbeat(source="clock", event_time_us=START_US + minute * MINUTE_US)])
        desk.run(_prices(factor, START_US + minute * MINUTE_US + SECOND_US))


def _active(desk: Desk) -> ActiveSet:
    active = desk.state.market.parameters.get("default")
    assert active is not None
    return active


def _sum(parts: Sequence[AttributionPart]) -> float:
    return sum(part.change_usd for part in parts)


@pytest.mark.parametrize("model", ["A", "P"])
def test_a_coin_that_is_gone_altogether_is_attributed_to_trades(model: str) -> None:
    """Coins that were collateral at the baseline, and that the account has no trace of any more, are still priced."""
    desk = Desk(model, trades=_trades()[:1])
    before, baseline = desk.im_usd, desk.account.baseline
    desk.run([_transfer("out", "ETH", -20.0)])
    assert "ETH" not in desk.account.balances
    desk.account.baseline = baseline
    found = desk.attribute()
    assert desk.im_usd < before
    assert found["trades"] == pytest.approx(desk.im_usd - before, abs=1e-6)
    assert sum(found.values()) == pytest.approx(desk.im_usd - before, abs=1e-6)
