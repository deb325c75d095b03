"""What is asked of a request that writes: where it comes from, what it is, and how often. Pure functions.

A page of another site can have a browser send a request here, with whatever the browser would send by itself. It can
not name our origin, and not send JSON without asking first, which nothing here allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

MAX_BYTES: Final = 4_096
BURST: Final = 10
THEN_EVERY_S: Final = 1.0


class Refused(Exception):
    """A request that is not carried out: status, a code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code = status, code


class Posted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That somebody looks after an alert: its whole id, who, and what is being done."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    by: Annotated[str, Meta(min_length=1, max_length=80)]
    text: Annotated[str, Meta(max_length=500)] = ""


_read = msgspec.json.Decoder(Posted).decode


def check_origin(headers: Mapping[str, str]) -> None:
    """Raise Refused for what a page of another site has sent; a program that is no browser says nothing of it."""
    host, origin = headers.get("Host", ""), headers.get("Origin")
    if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Refused(403, "cross_site", "another site may not write")
    # Without the scheme: it may be a proxy's that ends TLS.
    if origin is not None and (not host or _authority(origin) != host.lower()):
        raise Refused(403, "cross_site", "another site may not write")


def check_type(headers: Mapping[str, str]) -> None:
    """Raise Refused for anything but JSON of an allowed length: what forms send is not JSON."""
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "not_json", "the body has to be application/json")
    length = headers.get("Content-Length", "0")
    if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BYTES:
        raise too_large()


def too_large() -> Refused:
    """Return the refusal of a body that is too long."""
    return Refused(413, "too_large", f"the body may have {MAX_BYTES} bytes")


def read(body: bytes) -> Posted:
    """Return what a body says; raises Refused."""
    try:
        told = _read(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(400, "wrong_body", f"the body cannot be used: {error}") from None
    told = msgspec.structs.replace(told, by=told.by.strip(), text=told.text.strip())
    if not told.by or not (told.by + told.text).isprintable():
        raise Refused(400, "wrong_body", "`by` is empty, or a character of it or of `text` cannot be printed")
    return told


class Bucket:
    """So many requests at once, then one in so many seconds; pure but for the clock it is given."""

    def __init__(self, burst: int = BURST, then_every_s: float = THEN_EVERY_S) -> None:
        self._burst, self._every_s = float(burst), then_every_s
        self._left, self._at_s = float(burst), 0.0

    def take(self, now_s: float) -> None:
        """Take one; raises Refused if there is none."""
        self._left = min(self._burst, self._left + max(0.0, now_s - self._at_s) / self._every_s)
        self._at_s = now_s
        if self._left < 1.0:
            raise Refused(429, "too_many", f"more than {self._burst:.0f} at once; try again in a second")
        self._left -= 1.0


def _authority(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in {"http", "https"} else ""
