"""The client against a plain account of what it should deliver, over any order of repeats, zombies and forgeries."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from monitor.client import Alert, Message, Reason, Refusal, Screen
from schemas.signatures import Tampered, UnknownKey, Unsigned, verify
from tests.client_messages import KEYS, OTHERS, STRANGERS, event, message

EVENTS = [event(account, sequence) for account in ("a", "b") for sequence in range(1, 7)]
NOW_US = EVENTS[0].event_time_us


@dataclass(frozen=True)
class Sent:
    """One message of a run."""

    event: int
    epoch: int
    partition: int
    signer: str

    @property
    def message(self) -> Message:
        keys = {"us": KEYS, "other": OTHERS, "stranger": STRANGERS, "nobody": None}[self.signer]
        return message(EVENTS[self.event], epoch=self.epoch, partition=self.partition, keys=keys)


SENT = st.builds(
    Sent, st.integers(0, len(EVENTS) - 1), st.integers(0, 4), st.integers(0, 1),
    st.sampled_from(["us", "us", "us", "other", "stranger", "nobody"]),
)  # fmt: skip


@given(st.lists(SENT, max_size=40))
def test_delivered_is_what_is_verified_current_and_new(run: list[Sent]) -> None:
    """An event is delivered exactly when it is ours, not below the highest epoch of its partition, and not yet seen."""
    screen = Screen(KEYS)
    told = [isinstance(screen.judge(sent.message, NOW_US), Alert) for sent in run]
    expected: list[bool] = []
    for number, sent in enumerate(run):
        ours = [each for each in run[:number] if each.signer == "us" and each.partition == sent.partition]
        current = all(each.epoch <= sent.epoch for each in ours)
        delivered = {each.event for each, was in zip(run[:number], expected, strict=True) if was}
        expected.append(sent.signer == "us" and current and sent.event not in delivered)
    assert told == expected


@given(st.lists(SENT, max_size=40), st.integers(0, 40))
def test_a_restart_delivers_nothing_that_was_handled(run: list[Sent], cut: int) -> None:
    """A second process that is seeded with what the first one read delivers what one process would have."""
    first, second = Screen(KEYS), Screen(KEYS)
    whole = [isinstance(first.judge(sent.message, NOW_US), Alert) for sent in run]
    for sent in run[:cut]:
        second.seed(sent.message)
    after = [isinstance(second.judge(sent.message, NOW_US), Alert) for sent in run[cut:]]
    assert after == whole[cut:]


@given(st.lists(st.integers(0, len(EVENTS) - 1), max_size=60), st.integers(1, 5))
def test_the_window_is_bounded(run: list[int], window: int) -> None:
    """No more ids are remembered than the window holds, and an id comes again only after that many others."""
    screen = Screen(window=window)
    delivered: list[int] = []
    for number in run:
        if isinstance(screen.judge(message(EVENTS[number], keys=None), NOW_US), Alert):
            assert number not in delivered[-window:]
            delivered.append(number)
        else:
            assert number in delivered[-window:]
        assert screen.remembered <= window


@given(st.data())
def test_no_changed_bit_is_verified(data: st.DataObject) -> None:
    """A message with any bit of body, key, signed header or signature changed is refused."""
    whole = message(EVENTS[0])
    index = data.draw(st.integers(-2, len(whole.headers) - 1))
    if index == -2:
        changed = whole._replace(value=_flipped(data, whole.value or b""))
    elif index == -1:
        changed = whole._replace(key=_flipped(data, whole.key or b""))
    else:
        headers = list(whole.headers)
        headers[index] = (headers[index][0], _flipped(data, headers[index][1]))
        changed = whole._replace(headers=headers)
    try:
        # The last character of base64 has bits that are not used: the same signature, written otherwise.
        assert verify(changed.key, changed.headers, changed.value, KEYS) == "now"
        assert changed[:5] == whole[:5]
        assert changed.headers[:-1] == whole.headers[:-1]
    except (Tampered, UnknownKey, Unsigned):
        result = Screen(KEYS).judge(changed, NOW_US)
        assert isinstance(result, Refusal)
        assert result.reason in {Reason.TAMPERED, Reason.UNKNOWN_KEY, Reason.UNSIGNED}


NAMES = st.sampled_from(["ce_id", "ce_type", "ce_time", "risk-epoch", "risk-signature", "x"])


@given(st.binary(max_size=300) | st.none(), st.binary(max_size=20) | st.none(), st.lists(st.tuples(NAMES, st.binary())))
def test_nothing_makes_it_raise(value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    """Whatever stands on the topic is refused with a reason."""
    for keys in (None, KEYS):
        found = Screen(keys).judge(message(EVENTS[0])._replace(value=value, key=key, headers=headers), NOW_US)
        assert isinstance(found, Refusal)


def _flipped(data: st.DataObject, of: bytes) -> bytes:
    place, bit = data.draw(st.integers(0, len(of) - 1)), data.draw(st.integers(0, 7))
    return of[:place] + bytes([of[place] ^ 1 << bit]) + of[place + 1 :]
