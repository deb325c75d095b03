from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.evaluation import Evaluation
from monitor.engine.events import LAST_GOOD, TOPIC_OF, build_event, shortfall_usd, to_outgoing
from monitor.engine.parameters import DEFAULT_SET, ActiveSet
from monitor.engine.reasons import MAX_REASON, reason
from monitor.engine.state import Account
from monitor.engine.status import Transition
from schemas.ids import canonical, event_id, parameter_hash
from schemas.records import AccountConfig, AccountEvent, Cause, StatusParameters, UnderlyingRisk
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS

START_US = 1_700_000_000_000_000
ACTIVE = ActiveSet(DEFAULT_SET, parameter_hash(DEFAULT_SET))
CAUSE = Cause(topic="market.ticks.v1", offset=41, index=3)
POSITIONS = {"market.ticks.v1": (41, 3), "risk.trades.v1": (7, 0)}
LIMITS = StatusParameters()


def risk(underlying: str, im_usd: float, **changes: float) -> UnderlyingRisk:
    part = UnderlyingRisk(
        underlying=underlying, index_price=60_000.0, value_usd=1_000.0, scan_usd=0.9 * im_usd, roll_usd=0.1 * im_usd,
        delta_shock_usd=0.0, im_usd=im_usd, delta_coins=1.5, scenario=4, price_move=-0.16, vol_shock="up",
        scenario_pnl_usd=-0.9 * im_usd,
    )  # fmt: skip
    return msgspec.structs.replace(part, **changes)


CALLED = Evaluation(100_000.0, 104_350.0, 83_480.0, (risk("ETH", 4_350.0), risk("BTC", 100_000.0)))


def step(kind: str = "margin_call", **changes: object) -> Transition:
    fields: dict[str, object] = {
        "kind": kind, "state_from": "warning", "state_to": kind, "data_hold": False, "jump": False, "at_us": START_US,
        "episode": 2, "reason": "conditions", "timer": None,
    }  # fmt: skip
    if kind == "data_hold":
        fields |= {"state_to": "warning", "data_hold": True, "reason": "hold_raised"}
    if kind == "resolved":
        fields["state_to"] = "healthy"
    return msgspec.convert(fields | changes, Transition)


@pytest.fixture
def account() -> Account:
    return Account(config=AccountConfig(account="desk", event_time_us=START_US), sequence=5)


def event_of(account: Account, transition: Transition, evaluation: Evaluation = CALLED) -> AccountEvent:
    return build_event(account, transition, evaluation, cause=CAUSE, positions=POSITIONS, parameters=ACTIVE)


def test_event_carries_what_it_was_computed_from(account: Account) -> None:
    """An event names its account, its cause, every position, the model and the parameters in force."""
    event = event_of(account, step())
    assert (event.account, event.episode, event.sequence) == ("desk", 2, 6)
    assert event.id == event_id("desk", 2, 6, "margin_call")
    assert (event.cause, event.positions) == (CAUSE, POSITIONS)
    assert (event.model, event.parameter_set, event.parameter_hash) == ("P", "default", ACTIVE.hash)
    assert event.valid_until_us - event.event_time_us == 60_000_000
    assert (event.equity_usd, event.im_requirement_usd, event.mm_requirement_usd) == (100_000.0, 104_350.0, 83_480.0)


def test_each_event_takes_one_sequence_number(account: Account) -> None:
    """Sequence numbers have no hole and never repeat, whatever the kind."""
    kinds = list(TOPIC_OF) * 3
    assert [event_of(account, step(kind)).sequence for kind in kinds] == list(range(6, 6 + len(kinds)))
    assert account.sequence == 5 + len(kinds)


@pytest.mark.parametrize("kind", list(TOPIC_OF))
def test_topics(account: Account, kind: str) -> None:
    """Calls and their end are on one topic, liquidations, bankruptcies and holds on the other."""
    calls = {"warning", "margin_call", "recovered", "resolved"}
    outgoing = to_outgoing(event_of(account, step(kind)))
    assert outgoing.topic == (MARGIN_CALLS.name if kind in calls else LIQUIDATIONS.name)


def test_body_is_canonical_and_complete(account: Account) -> None:
    """The body is canonical JSON that reads back as the same event, under the event's id."""
    event = event_of(account, step())
    outgoing = to_outgoing(event)
    assert outgoing.body.encode() == canonical(event)
    assert outgoing.id == event.id
    assert msgspec.json.decode(outgoing.body, type=AccountEvent) == event
    assert list(json.loads(outgoing.body)) == sorted(json.loads(outgoing.body))


def test_underlyings_are_ordered_by_requirement_then_name(account: Account) -> None:
    """The underlying that weighs most comes first, and equals come by name."""
    parts = (risk("SOL", 5.0), risk("ETH", 7.0), risk("ADA", 5.0))
    event = event_of(account, step(), Evaluation(1.0, 17.0, 13.6, parts))
    assert [part.underlying for part in event.underlyings] == ["ETH", "ADA", "SOL"]


@pytest.mark.parametrize(
    ("kind", "equity", "shortfall"),
    [
        ("warning", 110.0, 0.0),
        ("warning", 95.0, 5.0),
        ("margin_call", 95.0, 5.0),
        ("margin_call", 100.0, 0.0),
        ("recovered", 100.0, 0.0),
        ("resolved", 200.0, 0.0),
        ("liquidation", 70.0, 10.0),
        ("liquidation", 90.0, 0.0),
        ("data_hold", 70.0, 10.0),
        ("bankrupt", -30.0, 30.0),
        ("bankrupt", 0.0, 0.0),
    ],
)
def test_shortfall(kind: str, equity: float, shortfall: float) -> None:
    """What is missing is counted to IM for calls, to MM for liquidations and holds, to zero for bankruptcies."""
    assert shortfall_usd(step(kind).kind, Evaluation(equity, 100.0, 80.0)) == shortfall


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["equity_usd", "im_requirement_usd", "mm_requirement_usd"])
def test_unvalued_account_speaks_with_its_last_good_figures(account: Account, place: str, broken: float) -> None:
    """An account that cannot be valued says its last good figures, all three, and that they are that."""
    account.equity_usd, account.im_requirement_usd, account.mm_requirement_usd = 10.0, 13.0, 12.0
    figures = {"equity_usd": 1.0, "im_requirement_usd": 2.0, "mm_requirement_usd": 3.0, place: broken}
    evaluation = msgspec.convert(figures, Evaluation)
    event = event_of(account, step("data_hold", reason="hold_expired"), evaluation)
    assert (event.equity_usd, event.im_requirement_usd, event.mm_requirement_usd) == (10.0, 13.0, 12.0)
    assert (event.shortfall_usd, event.data_quality) == (2.0, (LAST_GOOD,))
    assert msgspec.json.decode(to_outgoing(event).body, type=AccountEvent) == event


@pytest.mark.parametrize("name", ["index_price", "value_usd", "delta_coins", "scenario_pnl_usd", "price_move"])
def test_unvalued_underlying_is_left_out_and_named(account: Account, name: str) -> None:
    """An underlying with a number that is none is flagged instead of published."""
    parts = (risk("BTC", 5.0), risk("ETH", 9.0, **{name: math.nan}))
    evaluation = Evaluation(1.0, 5.0, 4.0, parts, data_quality=("stale:ETH",))
    event = event_of(account, step(), evaluation)
    assert [part.underlying for part in event.underlyings] == ["BTC"]
    assert event.data_quality == ("stale:ETH", "unvalued:ETH")


def test_flags_are_sorted_and_said_once(account: Account) -> None:
    """Data-quality flags come in order, each once, whatever order they were found in."""
    evaluation = Evaluation(1.0, 2.0, 1.6, (), ("b:Y", "a:X", "b:Y"))
    assert event_of(account, step(), evaluation).data_quality == ("a:X", "b:Y")


SENTENCES = [
    (
        step("warning", state_from="healthy"),
        Evaluation(100_000.0, 90_500.0, 72_400.0),
        "Warning after healthy: initial margin 90,500.00 USD is 90.50 % of equity 100,000.00 USD, at or above 90 %.",
    ),
    (
        step("warning", state_from="margin_call", reason="timer", timer="leave"),
        Evaluation(100_000.0, 90_000.0, 72_000.0),
        (
            "Back to warning after margin call: initial margin 90,000.00 USD is 90.00 % of equity 100,000.00 USD, "
            "below 95 %."
        ),
    ),
    (
        step("margin_call", reason="timer", timer="margin_call"),
        CALLED,
        (
            "Margin call after warning: initial margin 104,350.00 USD is 104.35 % of equity 100,000.00 USD, "
            "at or above 100 % for 1 s. Most of it BTC 100,000.00 USD (95.83 %): worst scenario price -16.0 %, "
            "volatility up, P&L -90,000.00 USD, index 60,000.00 USD."
        ),
    ),
    (
        step("margin_call", state_from="recovered", reason="timer", timer="recovered"),
        Evaluation(100_000.0, 96_000.0, 76_800.0),
        (
            "Margin call after recovered: initial margin 96,000.00 USD is 96.00 % of equity 100,000.00 USD, "
            "at or above 95 %."
        ),
    ),
    (
        step("liquidation", state_from="healthy", jump=True),
        Evaluation(80_000.0, 104_000.0, 83_200.0, (), ("assumed_par:USDT",)),
        (
            "Liquidation after healthy without an earlier margin call: maintenance margin 83,200.00 USD is 104.00 % of "
            "equity 80,000.00 USD, at or above 100 %. Data: assumed_par:USDT."
        ),
    ),
    (
        step("liquidation", state_from="bankrupt", reason="deposit"),
        Evaluation(80_000.0, 88_000.0, 70_400.0),
        (
            "Liquidation after bankrupt, ended by a deposit: initial margin 88,000.00 USD is 110.00 % of equity "
            "80,000.00 USD, above 100 %."
        ),
    ),
    (
        step("liquidation", state_from="margin_call"),
        Evaluation(0.0, 88_000.0, 70_400.0),
        "Liquidation after margin call: maintenance margin 70,400.00 USD against equity 0.00 USD.",
    ),
    (
        step("bankrupt", state_from="liquidation"),
        Evaluation(-0.001, 88_000.0, 70_400.0),
        "Bankrupt after liquidation: equity 0.00 USD.",
    ),
    (
        step("recovered", state_from="liquidation"),
        Evaluation(100_000.0, 90_000.0, 72_000.0),
        (
            "Recovered after liquidation: initial margin 90,000.00 USD is 90.00 % of equity 100,000.00 USD, "
            "at or below 100 %."
        ),
    ),
    (
        step("resolved", reason="timer", timer="leave"),
        Evaluation(100_000.0, 80_000.0, 64_000.0, (risk("BTC", 80_000.0),)),
        "Resolved after warning: initial margin 80,000.00 USD is 80.00 % of equity 100,000.00 USD, below 85 %.",
    ),
    (
        step("data_hold"),
        Evaluation(80_000.0, 104_000.0, 83_200.0, (), ("stale:BTC",)),
        (
            "Data hold: no liquidation on stale or degraded data, by which maintenance margin 83,200.00 USD is "
            "104.00 % of equity 80,000.00 USD. Data: stale:BTC."
        ),
    ),
    (
        step("data_hold", state_from="liquidation", state_to="liquidation"),
        Evaluation(-80.0, 104.0, 83.2),
        (
            "Data hold: no bankruptcy on stale or degraded data, by which maintenance margin 83.20 USD against equity "
            "-80.00 USD."
        ),
    ),
    (
        step("data_hold", reason="hold_expired", timer="data_hold"),
        Evaluation(80_000.0, 104_000.0, 83_200.0),
        (
            "Data hold lasts 300 s: a human has to decide on liquidation, maintenance margin 83,200.00 USD is "
            "104.00 % of equity 80,000.00 USD by data that are not good."
        ),
    ),
    (
        step("data_hold", data_hold=False, reason="hold_released"),
        Evaluation(80_000.0, 70_000.0, 56_000.0),
        "Data hold released: maintenance margin 56,000.00 USD is 70.00 % of equity 80,000.00 USD.",
    ),
]


@pytest.mark.parametrize(("transition", "evaluation", "sentence"), SENTENCES)
def test_reasons(account: Account, transition: Transition, evaluation: Evaluation, sentence: str) -> None:
    """Each kind of event says in fixed words what happened, by which figures and limits, and what weighs most."""
    assert event_of(account, transition, evaluation).reason == sentence


AMOUNTS = st.floats(-1e18, 1e18)


@given(st.sampled_from([case[0] for case in SENTENCES]), AMOUNTS, AMOUNTS, st.integers(0, 40))
def test_reasons_are_bounded_and_printable(transition: Transition, equity: float, im: float, flags: int) -> None:
    """A reason stays within its bound and is plain text, however large the figures and however many the flags."""
    quality = tuple(f"no_price:ASSET{number}" for number in range(flags))
    evaluation = Evaluation(equity, abs(im), 0.8 * abs(im), (risk("BTC", abs(im)),), quality)
    text = reason(transition, evaluation, LIMITS)
    assert 0 < len(text) <= MAX_REASON
    assert text.isascii()
    assert text.isprintable()
    assert "-0.00 " not in text
    assert text == reason(transition, evaluation, LIMITS)


def test_components_of_a_missing_requirement_are_not_said(account: Account) -> None:
    """An account that cannot be valued speaks with its last figures, whose components nobody has."""
    blind = Evaluation(1.0, math.nan, math.nan, (), components={"shortfall": math.nan})
    event = event_of(account, step("data_hold"), blind)
    assert event.components is None
    assert LAST_GOOD in event.data_quality
    assert to_outgoing(event).body
