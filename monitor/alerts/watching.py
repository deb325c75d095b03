"""Workers' watchdogs as notices: `/readyz` of each, asked again and again, told once they stay."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
import msgspec

from monitor.alerts.notice import Notice, Place, of_watchdog
from monitor.alerts.settings import Alerts

SILENT: Final = "unreachable"
ANSWER_S: Final = 5.0
MAX_BYTES: Final = 65_536


class _Reason(msgspec.Struct):
    name: str
    reason: str = ""


class _Readyz(msgspec.Struct):
    ready: bool
    reasons: tuple[_Reason, ...] = ()


_read = msgspec.json.Decoder(_Readyz).decode


def reasons(body: bytes | None) -> dict[str, str]:
    """Return what an answer of `/readyz` complains of, by watchdog; None is no answer."""
    if body is None:
        return {SILENT: "its health endpoint does not answer"}
    try:
        return {one.name: one.reason for one in _read(body).reasons}
    except msgspec.DecodeError:
        return {SILENT: "what answers at its health endpoint is no worker"}


@dataclass(slots=True)
class _Raised:
    since_us: int
    told: bool = False


class Watch:
    """Folds what workers say into notices; pure but for the times it is given.

    `standing` are watchdogs that were told before a restart and never said to be over: (worker, name) and since when.
    """

    def __init__(self, alerts: Alerts, place: Place, standing: Mapping[tuple[str, str], int] | None = None) -> None:
        self._alerts = alerts
        self._place = place
        self._raised = {key: _Raised(since_us, told=True) for key, since_us in (standing or {}).items()}

    def look(self, worker: str, said: Mapping[str, str], now_us: int) -> list[Notice]:
        """Return what is new: watchdogs that stayed for long enough, and told ones that are over."""
        found = []
        for name, reason in said.items():
            raised = self._raised.setdefault((worker, name), _Raised(now_us))
            if not raised.told and now_us - raised.since_us >= self._alerts.watch_for_s * 1e6:
                raised.told = True
                found.append(self._notice(worker, name, reason, raised, now_us))
        for key in [key for key in self._raised if key[0] == worker and key[1] not in said]:
            raised = self._raised.pop(key)
            if raised.told:
                found.append(self._notice(worker, key[1], "", raised, now_us, over=True))
        return found

    def _notice(
        self, worker: str, name: str, reason: str, raised: _Raised, now_us: int, *, over: bool = False
    ) -> Notice:
        return of_watchdog(worker, name, reason, self._alerts, self._place, raised.since_us, now_us, over=over)


async def ask(session: aiohttp.ClientSession, worker: str, token: str) -> bytes | None:
    """Return the body of a worker's `/readyz`, None if there is none."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with asyncio.timeout(ANSWER_S), session.get(f"{worker}/readyz", headers=headers) as answer:
            return await answer.content.read(MAX_BYTES) if answer.status in {200, 503} else None
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
