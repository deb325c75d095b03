"""Signatures: one known answer, what they cover, and which keys are taken."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from schemas import examples
from schemas.codec import encode
from schemas.headers import event_headers, read_event_headers, state_headers
from schemas.signatures import SIGNATURE, BadKeys, Tampered, UnknownKey, Unsigned, parse_keys, sign, verify

CALL = examples.EVENTS["margin_call"]
BODY = encode(CALL)
KEY = CALL.account.encode()
HEADERS = event_headers(BODY, source="desk", epoch=7)
OLD, NEW = base64.b64encode(b"o" * 32).decode(), base64.b64encode(b"n" * 40).decode()


def test_the_signature_is_what_its_description_says() -> None:
    """HMAC-SHA256 over the described parts, each behind its length, put together here a second time."""
    name, value = sign(KEY, HEADERS, BODY, parse_keys(f"k1 hmac-sha256 {OLD}"))
    parts = [b"1", b"hmac-sha256", b"k1", KEY, BODY]
    for header, content in HEADERS:
        parts += [header.encode(), content]
    said = b"liquidation-monitor event signature\x00" + b"".join(
        str(len(part)).encode() + b":" + part for part in parts
    )
    mac = base64.urlsafe_b64encode(hmac.digest(b"o" * 32, said, hashlib.sha256)).decode().rstrip("=")
    assert (name, value.decode()) == (SIGNATURE, f"1;hmac-sha256;k1;{mac}")


def test_keys_rotate() -> None:
    """The first key of a file signs, all of them verify, and one that is gone does not."""
    before, both, after = (parse_keys(text) for text in (f"a hmac-sha256 {OLD}", _both(), f"b hmac-sha256 {NEW}"))
    old = [*HEADERS, sign(KEY, HEADERS, BODY, before)]
    new = [*HEADERS, sign(KEY, HEADERS, BODY, both)]
    assert (verify(KEY, old, BODY, both), verify(KEY, new, BODY, both), verify(KEY, new, BODY, after)) == (
        "a",
        "b",
        "b",
    )
    with pytest.raises(UnknownKey):
        verify(KEY, old, BODY, after)


def test_every_part_is_covered() -> None:
    """Another body, message key, header of ours, order of them, epoch, or one left out is not what was signed."""
    keys = parse_keys(_both())
    signed = sign(KEY, HEADERS, BODY, keys)
    higher = event_headers(BODY, source="desk", epoch=8)
    elsewhere = event_headers(BODY, source="test-deployment", epoch=7)
    changed = (
        (KEY, HEADERS, BODY + b" "), (KEY, HEADERS, None), (b"desk-8", HEADERS, BODY), (None, HEADERS, BODY),
        (KEY, higher, BODY), (KEY, elsewhere, BODY), (KEY, HEADERS[:-1], BODY), (KEY, HEADERS[::-1], BODY),
        (KEY, [*HEADERS, ("risk-epoch", b"9")], BODY),
    )  # fmt: skip
    for key, headers, body in changed:
        with pytest.raises(Tampered):
            verify(key, [*headers, signed], body, keys)


def test_headers_of_others_are_free_to_come() -> None:
    """What a tracer adds breaks no signature, and changes nothing that is read."""
    keys = parse_keys(_both())
    headers = [("traceparent", b"00-1"), *HEADERS, sign(KEY, HEADERS, BODY, keys)]
    assert verify(KEY, headers, BODY, keys) == "b"
    assert read_event_headers(headers) == read_event_headers(HEADERS)


def test_a_tombstone_is_not_an_empty_value() -> None:
    """Null and empty have different signatures, as key and as body."""
    keys, headers = parse_keys(_both()), state_headers(3)
    signed = {sign(key, headers, body, keys)[1] for key in (None, b"") for body in (None, b"")}
    assert len(signed) == 4


@pytest.mark.parametrize("value", [b"", b"1;hmac-sha256;a", b"1;hmac-sha256;a;!!", b"\xff", b"1;hmac-sha256;a;aaaa;b"])
def test_what_is_no_signature_is_refused(value: bytes) -> None:
    """An unreadable header is refused as tampering, and none at all as unsigned."""
    with pytest.raises(Tampered):
        verify(KEY, [*HEADERS, (SIGNATURE, value)], BODY, parse_keys(_both()))
    with pytest.raises(Unsigned):
        verify(KEY, HEADERS, BODY, parse_keys(_both()))


@pytest.mark.parametrize("algorithm", ["none", "ed25519", "HMAC-SHA256", "hmac-md5"])
def test_the_algorithm_is_not_the_senders_choice(algorithm: str) -> None:
    """Only the algorithm that the keys are for is taken, whatever the header says."""
    keys = parse_keys(_both())
    value = sign(KEY, HEADERS, BODY, keys)[1].replace(b"hmac-sha256", algorithm.encode())
    with pytest.raises(UnknownKey):
        verify(KEY, [*HEADERS, (SIGNATURE, value)], BODY, keys)


def test_two_signatures_are_none() -> None:
    """A second signature beside a right one is refused: readers could disagree on which counts."""
    keys = parse_keys(_both())
    signed = sign(KEY, HEADERS, BODY, keys)
    with pytest.raises(Tampered):
        verify(KEY, [*HEADERS, signed, signed], BODY, keys)


@pytest.mark.parametrize(
    "text",
    [
        "", "# nothing", "a", f"a hmac-sha256 {OLD} more", f"a ed25519 {OLD}", "a hmac-sha256 c2hvcnQ=",
        "a hmac-sha256 %",
        f"a;b hmac-sha256 {OLD}", f"a hmac-sha256 {OLD}\na hmac-sha256 {NEW}",
        "\n".join(f"k{n} hmac-sha256 {OLD}" for n in range(17)),
    ],
)  # fmt: skip
def test_unusable_keys_are_refused_without_being_quoted(text: str) -> None:
    """Short, repeated, unknown or unreadable keys raise BadKeys, whose text has no word of a key."""
    with pytest.raises(BadKeys) as caught:
        parse_keys(text)
    assert OLD not in str(caught.value)
    assert "c2hvcnQ" not in str(caught.value)


def test_keys_do_not_show() -> None:
    """A representation of keys has their names alone."""
    shown = repr(parse_keys(_both()))
    assert "'a'" in shown
    assert "oooo" not in shown


def _both() -> str:
    return f"# new first\nb hmac-sha256 {NEW}\n\na hmac-sha256 {OLD}\n"
