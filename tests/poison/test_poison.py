from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.fields import ERROR_KINDS
from schemas.records import Trade
from schemas.topics import TRADES
from tests.poison.kinds import BY_ENGINE, KINDS, unknown_field
from tests.poison.run import Found, run
from tests.poison.stream import Log, Message, records

SMOKE = 10_000
SHARE = 0.10


def spoiled(seed: int, wanted: int, *, large: bool = True) -> Log:
    return Log(records(seed, wanted, accounts=120), seed, SHARE, limit=wanted, large=large)


def test_every_bad_record_is_one_dead_letter_and_nothing_else() -> None:
    """A tenth of bad records of every kind: each is one letter with reason, key and bytes; the rest is as without."""
    found = run(spoiled(seed=1, wanted=SMOKE))
    assert not found.findings, found.shown
    assert set(found.bad) == {kind.make.__name__ for kind in KINDS}
    assert found.letters == found.bad.total() > 0.09 * (found.good + found.bad.total())
    assert found.events >= 10
    assert found.values >= 100


@settings(max_examples=3)
@given(st.integers(0, 10**6))
def test_any_seed(seed: int) -> None:
    """Whatever is spoiled and where: no letter too many or too few, and no event or stored account that differs."""
    found = run(spoiled(seed, 1_500, large=False))
    assert not found.findings, found.shown
    assert found.letters == found.bad.total()


def test_the_list_has_all_reasons() -> None:
    """Every reason of the codec's closed list is met by a kind here, and some of the engine's."""
    reasons = {wanted.reason for message in spoiled(2, 2_000) for wanted in message.wanted}
    assert reasons == {*ERROR_KINDS, *BY_ENGINE}


class Leaking(Log):
    """A log in which one record is said to be bad and is not."""

    def __iter__(self) -> Iterator[Message]:
        leaked = False
        for message in super().__iter__():
            wanted = message.wanted
            if not leaked and not message.good and message.topic is TRADES and wanted[0].name == unknown_field.__name__:
                leaked = True
                fields = msgspec.json.decode(message.value or b"")
                trade = Trade(**{name: value for name, value in fields.items() if name in Trade.__struct_fields__})
                yield dataclasses.replace(message, value=encode(trade))
            else:
                yield message


def test_a_record_that_slipped_through_would_be_found() -> None:
    """A good record in the place of a bad one is missed among the letters and seen in the stored accounts."""
    log = Leaking(records(4, 4_000, accounts=120), 4, SHARE, limit=4_000, large=False)
    found = run(log, Found())
    assert found.findings["missing"] > 0
    assert found.findings["state"] > 0
