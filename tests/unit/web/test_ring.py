"""The ring of events: bounded, in order, found by position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.web.ring import Ring
from monitor.web.rows import EventRow


def row(number: int) -> EventRow:
    return EventRow(id=f"{number:032x}", kind="warning", account="a", event_time_us=number)


@given(length=st.integers(1, 20), added=st.integers(0, 60), asked=st.integers(0, 60), limit=st.integers(1, 70))
def test_what_follows_a_number_is_what_was_added_after_it(length: int, added: int, asked: int, limit: int) -> None:
    """A client that asks from any number gets exactly what follows, or is told that some of it is gone."""
    ring = Ring(length)
    for number in range(added):
        ring.add(("t", 0, number), row(number))
    assert (len(ring), ring.end) == (min(length, added), added)
    assert [one.event_time_us for _, one in ring.newest()] == list(range(added))[::-1][:length]
    if asked < added - len(ring):
        with pytest.raises(LookupError):
            ring.after(asked, limit)
    else:
        found = [one.event_time_us for _, one in ring.after(asked, limit)]
        assert found == list(range(asked, added))[:limit]
    for number in range(added):
        assert ring.number(("t", 0, number)) == (number if number >= ring.begin else None)
