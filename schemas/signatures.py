"""Signed messages: one header that says who vouches for a message, and how to check it.

    risk-signature: 1;hmac-sha256;KEY;SIGNATURE

Version of this layout, algorithm, key id, and the signature in URL-safe base64 without padding. It covers the message
key, the body (with `event_time_us` and `valid_until_us`), and every header of ours in its order: `ce_...` (id, type,
source, subject, time), `content-type` and `risk-...` with the sender's epoch. Headers that others add on the way are
free to. Everything is written with its length before it, so no two messages have the same signed bytes.

HMAC needs nothing that Python does not have. Its price: who can verify can also sign, so a key is for readers who trust
each other. Ed25519 has its place in the algorithm's field.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

SIGNATURE: Final = "risk-signature"
LAYOUT: Final = "1"
ALGORITHM: Final = "hmac-sha256"
LEAST_KEY_BYTES: Final = 32  # what the hash gives: a shorter key is easier to guess than the signature
MAX_KEYS: Final = 16
MAX_SOLVER_KEYS: Final = 1_000
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OURS = ("ce_", "risk-")
_DOMAIN = b"liquidation-monitor event signature\x00"


class BadKeys(ValueError):
    """Lines of keys that cannot be used; names the line, never its content."""


class SignatureError(ValueError):
    """A message that nobody whom we trust vouches for."""


class Unsigned(SignatureError):
    """There is no signature."""


class UnknownKey(SignatureError):
    """The key that is named is none of ours, or the layout or algorithm is unknown."""


class Tampered(SignatureError):
    """The signature is not that of this message."""


@dataclass(frozen=True, slots=True)
class Key:
    """One shared key."""

    name: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys by name, in the order of their file: the first signs, all verify."""

    keys: tuple[Key, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their ids, which are no secrets."""
        return tuple(key.name for key in self.keys)


def parse_keys(text: str, most: int = MAX_KEYS) -> Keys:
    """Read keys, one a line: `ID hmac-sha256 BASE64`; empty lines and those that begin with `#` are skipped.

    Raises BadKeys on none, more than `most`, two of a name, and keys shorter than 32 bytes.
    """
    keys: list[Key] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        keys.append(_key(words, number))
        if keys[-1].name in {key.name for key in keys[:-1]}:
            raise BadKeys(f"line {number}: key {keys[-1].name} is there twice")
    if not 1 <= len(keys) <= most:
        raise BadKeys(f"{len(keys)} keys, expected 1 to {most}")
    return Keys(tuple(keys))


def sign(key: bytes | None, headers: Sequence[tuple[str, bytes]], body: bytes | None, keys: Keys) -> tuple[str, bytes]:
    """Return the header that signs a message with the first key."""
    first = keys.keys[0]
    mac = base64.urlsafe_b64encode(_mac(first, key, headers, body)).rstrip(b"=")
    return SIGNATURE, b";".join((LAYOUT.encode(), ALGORITHM.encode(), first.name.encode(), mac))


def verify(key: bytes | None, headers: Sequence[tuple[str, bytes]], body: bytes | None, keys: Keys) -> str:
    """Return the id of the key that signed a message; raise Unsigned, UnknownKey or Tampered."""
    found = [value for name, value in headers if name == SIGNATURE]
    if not found:
        raise Unsigned("there is no signature")
    if len(found) > 1:
        raise Tampered("there are several signatures")
    layout, algorithm, name, mac = _parts(found[0])
    if (layout, algorithm) != (LAYOUT, ALGORITHM):
        raise UnknownKey(f"signatures of layout {layout[:8]!r} with {algorithm[:32]!r} are not known here")
    named = next((each for each in keys.keys if each.name == name), None)
    if named is None:
        raise UnknownKey(f"key {name[:64]!r} is none of {', '.join(keys.names)}")
    if not hmac.compare_digest(mac, _mac(named, key, headers, body)):
        raise Tampered(f"the signature with key {name} is not of this message")
    return name


def _key(words: Sequence[str], number: int) -> Key:
    if len(words) != 3 or not _KEY_ID.fullmatch(words[0]):
        raise BadKeys(f"line {number}: expected an id, {ALGORITHM} and a key in base64")
    if words[1] != ALGORITHM:
        raise BadKeys(f"line {number}: only {ALGORITHM} is known")
    try:
        secret = base64.b64decode(words[2], validate=True)
    except binascii.Error:
        raise BadKeys(f"line {number}: the key is no base64") from None
    if len(secret) < LEAST_KEY_BYTES:
        raise BadKeys(f"line {number}: the key has {len(secret)} bytes, expected {LEAST_KEY_BYTES} or more")
    return Key(words[0], secret)


def _parts(value: bytes) -> tuple[str, str, str, bytes]:
    try:
        layout, algorithm, name, mac = value.decode("ascii").split(";")
        decoded = base64.b64decode(mac + "=" * (-len(mac) % 4), altchars=b"-_", validate=True)
    except ValueError:  # of the decoders, and of too few or too many parts
        raise Tampered("the signature cannot be read") from None
    return layout, algorithm, name, decoded


def _mac(key: Key, message_key: bytes | None, headers: Iterable[tuple[str, bytes]], body: bytes | None) -> bytes:
    parts: list[bytes | None] = [LAYOUT.encode(), ALGORITHM.encode(), key.name.encode(), message_key, body]
    for header, value in headers:
        if (header.startswith(_OURS) or header == "content-type") and header != SIGNATURE:
            parts += (header.encode(), value)
    # Null is not the empty value: a tombstone is no message without content.
    said = b"".join([b"-" if part is None else b"%d:%b" % (len(part), part) for part in parts])
    return hmac.digest(key.secret, _DOMAIN + said, "sha256")
