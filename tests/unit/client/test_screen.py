"""What a bot is told to act on, and what is refused, with which reason."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

import monitor.client
from monitor.client import Alert, Reason, Refusal, Screen
from schemas.codec import encode
from schemas.headers import event_headers
from schemas.signatures import sign
from schemas.topics import LIQUIDATIONS, TRADES
from tests.client_messages import KEYS, OTHERS, STRANGERS, event, message
from tests.support import ROOT

EVENT = event()
NOW_US = EVENT.event_time_us


def reason(result: Alert | Refusal) -> Reason | None:
    return result.reason if isinstance(result, Refusal) else None


def test_a_signed_event_is_an_alert() -> None:
    """An event that is whole, new and in time comes through, with its epoch and the key that vouches for it."""
    alert = Screen(KEYS).judge(message(EVENT, epoch=4), NOW_US)
    assert isinstance(alert, Alert)
    assert (alert.event, alert.epoch, alert.signed_by) == (EVENT, 4, "now")
    assert (alert.id, alert.kind, alert.account) == (EVENT.id, "margin_call", "desk-7")


def test_signatures_refuse() -> None:
    """Unsigned, signed by a stranger, with another key of the same name, and altered events each have their reason."""
    whole = message(EVENT)
    assert whole.value is not None
    altered = whole._replace(value=encode(event(shortfall=2.0)))
    rekeyed = whole._replace(key=b"desk-8")
    assert reason(Screen(KEYS).judge(message(EVENT, keys=None), NOW_US)) == Reason.UNSIGNED
    assert reason(Screen(KEYS).judge(message(EVENT, keys=STRANGERS), NOW_US)) == Reason.UNKNOWN_KEY
    assert reason(Screen(KEYS).judge(message(EVENT, keys=OTHERS), NOW_US)) == Reason.TAMPERED
    assert reason(Screen(KEYS).judge(altered, NOW_US)) == Reason.TAMPERED
    assert reason(Screen(KEYS).judge(rekeyed, NOW_US)) == Reason.TAMPERED


def test_signatures_can_be_optional() -> None:
    """While signing is being introduced, unsigned events pass and wrongly signed ones do not."""
    screen = Screen(KEYS, require_signature=False)
    unsigned = screen.judge(message(EVENT, keys=None), NOW_US)
    assert isinstance(unsigned, Alert)
    assert unsigned.signed_by is None
    assert reason(screen.judge(message(event(sequence=12), keys=OTHERS), NOW_US)) == Reason.TAMPERED


def test_repeats_and_contradicting_repeats() -> None:
    """An id comes once; with another body it is told apart from a mere repeat."""
    screen = Screen()
    assert isinstance(screen.judge(message(EVENT), NOW_US), Alert)
    assert reason(screen.judge(message(EVENT, offset=9), NOW_US)) == Reason.REPEATED
    assert reason(screen.judge(message(event(shortfall=2.0)), NOW_US)) == Reason.TWO_CONTENTS


def test_a_forged_epoch_shuts_nobody_out() -> None:
    """Only a verified message moves the highest epoch of a partition."""
    screen = Screen(KEYS)
    assert reason(screen.judge(message(EVENT, epoch=99, keys=OTHERS), NOW_US)) == Reason.TAMPERED
    assert isinstance(screen.judge(message(EVENT, epoch=1), NOW_US), Alert)


def test_epochs_are_of_a_partition_and_a_topic() -> None:
    """A fenced worker's events are dropped on its partition, and those of other partitions and topics are not."""
    screen = Screen()
    assert isinstance(screen.judge(message(EVENT, epoch=5), NOW_US), Alert)
    assert reason(screen.judge(message(event(sequence=12), epoch=4), NOW_US)) == Reason.STALE_EPOCH
    assert isinstance(screen.judge(message(event("other"), epoch=4, partition=1), NOW_US), Alert)
    liquidation = event(sequence=13, kind="liquidation")
    assert isinstance(screen.judge(message(liquidation, epoch=4), liquidation.event_time_us), Alert)


def test_an_alert_has_an_end() -> None:
    """An event is acted on up to its `valid_until_us` and not a microsecond longer."""
    assert isinstance(Screen().judge(message(EVENT), EVENT.valid_until_us), Alert)
    late = Screen()
    assert reason(late.judge(message(EVENT), EVENT.valid_until_us + 1)) == Reason.EXPIRED
    assert late.remembered == 0


def test_what_was_handled_before_is_known() -> None:
    """A seeded message counts as seen, expired or not, and so does its epoch."""
    screen = Screen(KEYS)
    screen.seed(message(EVENT, epoch=3))
    assert reason(screen.judge(message(EVENT, epoch=3), NOW_US)) == Reason.REPEATED
    assert reason(screen.judge(message(event(sequence=12), epoch=2), NOW_US)) == Reason.STALE_EPOCH


def test_what_does_not_fit_together_is_refused() -> None:
    """Headers of another event, another topic, another key, and an id that is not of its content are contradictions."""
    whole, other = message(EVENT, keys=None), message(event(sequence=12), keys=None)
    invented = msgspec.structs.replace(EVENT, id="0" * 32)
    for changed in (
        whole._replace(headers=other.headers),
        whole._replace(topic=LIQUIDATIONS.name),
        whole._replace(topic=TRADES.name),
        whole._replace(key=b"desk-8"),
        message(invented, keys=None),
    ):
        assert reason(Screen().judge(changed, NOW_US)) == Reason.CONTRADICTORY


def test_unknown_versions_are_refused_as_such() -> None:
    """A later layout of the body, or another contract in the header, is no malformed event."""
    whole = message(EVENT, keys=None)
    assert whole.value is not None
    later = whole._replace(value=whole.value.replace(b'"v":1', b'"v":2'))
    headers = [(n, v.replace(b":1", b":2") if n == "ce_dataschema" else v) for n, v in whole.headers]
    assert reason(Screen().judge(later, NOW_US)) == Reason.UNKNOWN_VERSION
    assert reason(Screen().judge(whole._replace(headers=headers), NOW_US)) == Reason.UNKNOWN_VERSION


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b"[" * 99, b'{"v":1,"rows":[]}'])
def test_rubbish_is_malformed(value: bytes | None) -> None:
    """Whatever stands where an event should, signed or not, is refused and raises nothing."""
    whole = message(EVENT, keys=None)
    signed = [*whole.headers, sign(whole.key, whole.headers, value, KEYS)]
    assert isinstance(Screen(KEYS).judge(whole._replace(value=value, headers=signed), NOW_US), Refusal)
    assert isinstance(Screen().judge(whole._replace(value=value, headers=[]), NOW_US), Refusal)


def test_a_new_field_is_no_new_version() -> None:
    """A body with a field that a later monitor adds is read."""
    body = encode(EVENT).replace(b'{"account"', b'{"a_later_field":[1],"account"', 1)
    headers = event_headers(body, source="desk", epoch=1)
    assert isinstance(Screen().judge(message(EVENT)._replace(value=body, headers=headers), NOW_US), Alert)


def test_the_public_names() -> None:
    """What bots may import, under this version."""
    assert monitor.client.API_VERSION == "1.1"
    assert sorted(monitor.client.__all__) == [
        "API_VERSION", "Alert", "Message", "Reason", "Refusal", "Screen", "Standing", "StateView", "Subscription",
        "read_keys", "states", "subscribe",
    ]  # fmt: skip
    undocumented = [n for n in monitor.client.__all__ if n != "API_VERSION" and not getattr(monitor.client, n).__doc__]
    assert undocumented == []


def test_a_bot_loads_little() -> None:
    """Importing the client loads neither the engine nor the kernels, nor what they and the worker stand on."""
    code = (
        "import sys, monitor.client\n"
        "heavy = {'numpy', 'numba', 'faust', 'mode', 'click', 'rich', 'structlog', 'kernels'}\n"
        "ours = [m for m in sys.modules if m.startswith(('monitor.engine', 'monitor.models', 'monitor.worker'))]\n"
        "print(sorted(heavy & set(sys.modules)) + ours)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
