"""Messages of the event topics as notices: screened as a bot screens them, and what is refused as a forgery told."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from monitor.alerts.notice import Notice, Place, of_event, of_refusal, of_regime
from monitor.alerts.settings import Alerts
from monitor.client.screen import Message, Reason, Refusal, Screen
from schemas.codec import decode_message
from schemas.headers import Headers
from schemas.records import RangeStep, RegimeChange
from schemas.signatures import Keys, SignatureError, verify
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS, REGIMES

READ: Final = (MARGIN_CALLS, LIQUIDATIONS, REGIMES)
# A monitor that works sends none of these: somebody else writes on the topic, or keys are not those of the workers.
TOLD_REASONS: Final = frozenset({Reason.UNSIGNED, Reason.UNKNOWN_KEY, Reason.TAMPERED, Reason.TWO_CONTENTS})
EVER: Final = 0
"""Events of any age are decoded: how old may be told is `max_age_s`, not until when a bot may act."""


class Received(NamedTuple):
    """One message as the broker gave it; `seen_us` is its timestamp there."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    seen_us: int


class Intake:
    """Turns messages into notices; `counts` are messages by what became of them."""

    def __init__(self, alerts: Alerts, keys: Keys | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._alerts = alerts
        self._keys = keys
        self._screen = Screen(keys)

    def notice(self, received: Received) -> Notice | None:
        """Return the notice of a message, None where nobody has to know of it."""
        place = Place(received.topic, received.partition, received.offset)
        if received.topic == REGIMES.name:
            return self._regime(received, place)
        judged = self._screen.judge(Message(*received[:6]), EVER)
        if not isinstance(judged, Refusal):
            self.counts["events"] += 1
            return of_event(judged.event, self._alerts, place, received.seen_us)
        self.counts[judged.reason] += 1
        if judged.reason in TOLD_REASONS:
            return of_refusal(judged.reason, judged.text, self._alerts, place, received.seen_us)
        return None

    def _regime(self, received: Received, place: Place) -> Notice | None:
        if self._keys is not None:
            try:
                verify(received.key, received.headers, received.value, self._keys)
            except SignatureError as error:
                self.counts["unsigned"] += 1
                return of_refusal("not signed by ours", str(error), self._alerts, place, received.seen_us)
        decoded = decode_message(received.topic, received.key, received.value)
        for _, record in decoded.records:
            if isinstance(record, RegimeChange | RangeStep):
                self.counts["regimes"] += 1
                return of_regime(record, self._alerts, place, received.seen_us)
        self.counts["malformed"] += 1
        return None
