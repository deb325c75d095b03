"""How workers are, as their `/readyz` says: beside the tables, so that figures that stand still have their reason."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import aiohttp

from monitor.alerts.watching import ask, reasons

EVERY_S: Final = 1.0


class Workers:
    """Asks some workers at their endpoints; `said` has what each is not ready for, by its address; empty: ready."""

    def __init__(self, addresses: Iterable[str] = (), token: str = "") -> None:
        self.addresses = tuple(address.rstrip("/") for address in addresses)
        self._token = token
        self.said: dict[str, dict[str, str]] = {}

    async def look(self) -> None:
        """Ask all of them once."""
        async with aiohttp.ClientSession() as session:
            found = await asyncio.gather(*(ask(session, one, self._token) for one in self.addresses))
        self.said = {one: reasons(body) for one, body in zip(self.addresses, found, strict=True)}

    async def follow(self) -> None:
        """Ask for ever; without addresses there is nothing to ask."""
        while self.addresses:
            await self.look()
            await asyncio.sleep(EVERY_S)

    def lines(self) -> list[str]:
        """Return one line for each."""
        return [f"worker {address}: {_of(self.said.get(address))}" for address in self.addresses]


def _of(said: dict[str, str] | None) -> str:
    if said is None:
        return "is being asked"
    return "; ".join(f"{name.replace('_', ' ')}, {reason}" for name, reason in said.items()) or "ready"
