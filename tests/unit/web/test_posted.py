"""What a request that writes has to be: of this page or of a program, JSON, short, and not too often."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.connection import Endpoint, make_security
from monitor.web.answers import read_only
from monitor.web.posted import BURST, MAX_BYTES, Bucket, Refused, check_origin, check_type, read

HOST = "127.0.0.1:8787"
ID = "9f2c41d07a559f2c41d07a559f2c41d0"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": f"http://{HOST}"},
        {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://Desk.Example", "Host": "desk.example"},
    ],
)
def test_the_page_itself_and_programs_may(headers: dict[str, str]) -> None:
    """A browser on this page names it; a program names nothing; behind a proxy the name is the proxy's."""
    check_origin({"Host": HOST, **headers})


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": f"http://{HOST}.evil.example"},
        {"Origin": f"http://evil.example/{HOST}"},
        {"Origin": f"http://user@{HOST}"},
        {"Origin": f"file://{HOST}"},
        {"Origin": "http://[", "Sec-Fetch-Site": "same-origin"},
        {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://", "Host": ""},
    ],
)
def test_other_sites_may_not(headers: dict[str, str]) -> None:
    """By what the browser says of the request or of where it comes from, either alone."""
    with pytest.raises(Refused) as refused:
        check_origin({"Host": HOST, **headers})
    assert (refused.value.status, refused.value.code) == (403, "cross_site")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=application/json"}, 415),
        ({"Content-Type": "application/json", "Content-Length": str(MAX_BYTES + 1)}, 413),
        ({"Content-Type": "application/json", "Content-Length": "9" * 40}, 413),
        ({"Content-Type": "application/json", "Content-Length": "-1"}, 413),
    ],
)
def test_what_a_form_can_send_is_refused(headers: dict[str, str], status: int) -> None:
    """The three types that a browser sends without asking, and what is too long."""
    with pytest.raises(Refused) as refused:
        check_type(headers)
    assert refused.value.status == status
    check_type({"Content-Type": "application/json; charset=utf-8", "Content-Length": str(MAX_BYTES)})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": ID},
        {"id": ID[:12], "by": "Ada"},
        {"id": ID.upper(), "by": "Ada"},
        {"id": f"{ID}\n", "by": "Ada"},
        {"id": ID, "by": ""},
        {"id": ID, "by": "   "},
        {"id": ID, "by": "x" * 81},
        {"id": ID, "by": "Ada\u0000"},
        {"id": ID, "by": "Ada", "text": "one\ntwo"},
        {"id": ID, "by": "Ada", "text": "\u202egnihton"},
        {"id": ID, "by": "Ada", "text": "x" * 501},
        {"id": ID, "by": "Ada", "at_us": 1},
        [ID],
    ],
)
def test_bodies_that_cannot_be_used_are_told(body: Any) -> None:
    """A missing or unknown field, a part of an id, no name, characters that hide something."""
    with pytest.raises(Refused) as refused:
        read(json.dumps(body).encode())
    assert (refused.value.status, refused.value.code) == (400, "wrong_body")


def test_what_is_no_json_is_told() -> None:
    """Rubbish and half a body."""
    for body in (b"", b"{", b"\xff\xfe", b"id=1&by=Ada"):
        with pytest.raises(Refused) as refused:
            read(body)
        assert refused.value.code == "wrong_body"
    told = read(json.dumps({"id": ID, "by": " Ada ", "text": " hedging "}).encode())
    assert (told.id, told.by, told.text) == (ID, "Ada", "hedging")


def test_a_bucket_lets_some_through_and_then_one_a_second() -> None:
    """All at once up to its size; then as many as seconds have passed, and no more than its size after a day."""
    bucket = Bucket()
    for _ in range(BURST):
        bucket.take(100.0)
    with pytest.raises(Refused) as refused:
        bucket.take(100.5)
    assert refused.value.status == 429
    bucket.take(101.0)
    with pytest.raises(Refused):
        bucket.take(101.5)
    for _ in range(BURST):
        bucket.take(86_400.0)
    with pytest.raises(Refused):
        bucket.take(86_400.0)


def test_the_workers_name_is_not_lent_to_strangers() -> None:
    """With a token, or where the broker asks nobody who he is, the page writes; else only if it was told to."""
    plain, tls = "127.0.0.1:9092", Endpoint("broker:9093", make_security("ssl"))
    assert read_only("auto", token=False, address=plain) == ""
    assert read_only("auto", token=True, address=tls) == ""
    assert "no token" in read_only("auto", token=False, address=tls)
    assert read_only("on", token=False, address=tls) == ""
    assert "off" in read_only("off", token=True, address=plain)
