"""Identities: ids, hashes and digests against SHA-256 of texts written out by hand."""

from __future__ import annotations

import hashlib
import json
import struct

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.ids import canonical, digest, event_id, parameter_hash
from schemas.records import ParameterSet, RiskMatrixParameters, StatusParameters, Trade

NOW = 1_760_043_600_123_456
DEFAULT_RISK_MATRIX = (
    '{"annualised_move_risk":0.075,"buckets_each_side":4,"correlation_contingency_rate":0.0,'
    '"delta_shock_slope":0.00005,"delta_shock_threshold_usd":20000000.0,"dte_floor_days":1.0,'
    '"extended_dampener_usd":100000.0,"extended_factor":1.0,'
    '"extended_moves":[-0.66,-0.33,0.5,1.0,2.0,3.0,4.0,5.0],"extended_table":"simple","futures_offset_rate":0.0,'
    '"long_term_vega_power":0.13,"max_delta_shock":0.1,"max_offsetable_pnl_usd":0.0,'
    '"min_annualised_move":0.01,"min_volatility_for_shock_up":0.5,"mm_factor":0.8,"pnl_offset":0.0,'
    '"price_range":0.16,"short_option_rate":0.0,"short_term_vega_power":0.3,"vega_offset_rate":0.0,'
    '"volatility_range_down":0.25,"volatility_range_up":0.5}'
)


def written(value: object) -> str:
    """Sorted JSON of the parameters that are not written out by hand here."""

    def plain(item: object) -> object:
        if isinstance(item, msgspec.Struct):
            return {name: plain(getattr(item, name)) for name in item.__struct_fields__}
        if isinstance(item, dict):
            return {name: plain(part) for name, part in item.items()}
        return [plain(part) for part in item] if isinstance(item, tuple) else item

    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"))


DEFAULT = ParameterSet(name="default", event_time_us=NOW)
BY_HAND = {
    "name": '"default"',
    "netting": '{"breakdown_stress":0.5,"concentration_stress":0.2,"correlation_stress":0.1,'
    '"fine_grid_days":7.0,"finest_grid_days":1.0,'
    '"fixed_ranges":["DAI","USDC","USDE","USDT"],"floor_correlation":0.5,"mm_factor":0.8,"ranges":"ladder"}',
    "risk_matrix": DEFAULT_RISK_MATRIX,
    "status": '{"event_validity_ms":60000,"leave_dwell_ms":10000,"liquidation_enter_u":1.0,"liquidation_leave_v":1.0,'
    '"margin_call_dwell_ms":1000,"margin_call_enter_v":1.0,"margin_call_leave_v":0.95,"max_data_hold_ms":300000,'
    '"recovered_dwell_ms":60000,"warning_enter_v":0.9,"warning_leave_v":0.85}',
    "underlyings": "{}",
    "v": "1",
}


def in_canonical_form(**others: str) -> str:
    """The default set as it is hashed, with other texts for some of its values."""
    fields = [name for name in DEFAULT.__struct_fields__ if name != "event_time_us"]
    texts = {name: written(getattr(DEFAULT, name)) for name in fields} | BY_HAND | others
    return "{" + ",".join(f'"{name}":{text}' for name, text in sorted(texts.items())) + "}"


def test_an_event_id_is_the_hash_of_what_the_event_is() -> None:
    """The id is the first 32 digits that sha256sum gives for the canonical list, printed here by hand."""
    assert event_id("desk-7", 3, 11, "margin_call") == "6cff063b7b063df074035daf0f13fcfd"
    assert event_id('Kaffee/ä "q"', 0, 1, "data_hold") == "b8b2c149e62f991f8dc2df2593381b50"
    text = '["a",0,0,"warning"]'
    assert event_id("a", 0, 0, "warning") == hashlib.sha256(text.encode()).hexdigest()[:32]


def test_every_part_of_an_event_id_counts() -> None:
    """Another account, episode, sequence or kind is another event."""
    assert len({
        event_id("a", 1, 1, "warning"), event_id("b", 1, 1, "warning"), event_id("a", 2, 1, "warning"),
        event_id("a", 1, 2, "warning"), event_id("a", 1, 1, "resolved"), event_id("a", 11, 1, "warning"),
    }) == 6  # fmt: skip


def test_a_parameter_hash_is_the_hash_of_all_values() -> None:
    """The hash covers every value, defaults included, and not the time of publication."""
    expected = hashlib.sha256(in_canonical_form().encode()).hexdigest()[:16]
    assert parameter_hash(DEFAULT) == expected
    assert parameter_hash(msgspec.structs.replace(DEFAULT, event_time_us=NOW + 1)) == expected


def test_a_parameter_hash_covers_the_underlyings() -> None:
    """A set with an underlying of its own hashes that underlying's full table too."""
    text = in_canonical_form(underlyings='{"ETH":' + DEFAULT_RISK_MATRIX + "}")
    with_eth = msgspec.structs.replace(DEFAULT, underlyings={"ETH": RiskMatrixParameters()})
    assert parameter_hash(with_eth) == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    "changed",
    [
        msgspec.structs.replace(DEFAULT, name="other"),
        msgspec.structs.replace(DEFAULT, risk_matrix=RiskMatrixParameters(mm_factor=0.75)),
        msgspec.structs.replace(DEFAULT, status=StatusParameters(leave_dwell_ms=1)),
        msgspec.structs.replace(DEFAULT, underlyings={"BTC": RiskMatrixParameters()}),
    ],
)
def test_a_changed_value_changes_the_parameter_hash(changed: ParameterSet) -> None:
    """No two sets of different values have the same hash."""
    assert parameter_hash(changed) != parameter_hash(DEFAULT)


def test_a_parameter_hash_is_the_same_before_and_after_the_wire() -> None:
    """A set built with whole numbers hashes as its readers will hash it."""
    built = msgspec.structs.replace(DEFAULT, risk_matrix=RiskMatrixParameters(delta_shock_threshold_usd=1_000_000))
    read = msgspec.json.decode(msgspec.json.encode(built), type=ParameterSet)
    assert parameter_hash(built) == parameter_hash(read)


def test_a_digest_is_the_hash_of_bodies_one_a_line() -> None:
    """The digest is what sha256sum gives for a file of the bodies, each ended by a newline."""
    assert digest([b'{"a":1}', b'{"b":2}']) == "3881dc2ee848fe04d776737c86afbc783e482e7c5be6431d3aab36fa8fa2c928"
    assert digest([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest([b'{"b":2}', b'{"a":1}']) != digest([b'{"a":1}', b'{"b":2}'])
    assert digest([b"ab"]) != digest([b"a", b"b"])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [1, [x]], lambda x: {"null": None, "a": {"b": (x,)}}])
def test_what_is_not_finite_has_no_canonical_form(bad: float, wrap: object) -> None:
    """NaN and infinity raise at any depth instead of becoming null."""
    assert callable(wrap)
    with pytest.raises(ValueError, match="NaN and infinity"):
        canonical(wrap(bad))


def test_a_record_with_nan_has_no_canonical_form() -> None:
    """The check reaches into records."""
    with pytest.raises(ValueError, match="NaN and infinity"):
        canonical(Trade(trade_id="1", account="a", instrument="i", quantity=1.0, price=float("nan"), event_time_us=NOW))


def test_canonical_text_is_sorted_dense_and_without_signed_zeros() -> None:
    """Names are sorted, nothing is padded, floats are short, and zero has one form."""
    value = {"b": [1, 2.50, -0.0, 1e-7, -0.05], "a": {"d": None, "c": "-0.0 ä\n"}, "B": True}
    assert canonical(value) == '{"B":true,"a":{"c":"-0.0 ä\\n","d":null},"b":[1,2.5,0.0,1e-7,-0.05]}'.encode()


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(-0.0)
@example(5e-324)
@example(1.7976931348623157e308)
@example(9007199254740993.0)
def test_a_canonical_float_reads_back_as_the_same_double(value: float) -> None:
    """The short form loses nothing, except the sign of zero."""
    assert struct.pack("d", orjson.loads(canonical(value))) == struct.pack("d", value + 0.0)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(PLAIN)
def test_canonical_is_idempotent_and_blind_to_order(value: object) -> None:
    """Reading canonical bytes and writing them again changes nothing, whatever the order of names was."""
    data = canonical(value)
    assert canonical(orjson.loads(data)) == data
    assert canonical(_reversed(value)) == data


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {name: _reversed(value[name]) for name in reversed(list(value))}
    return [_reversed(item) for item in value] if isinstance(value, list) else value
