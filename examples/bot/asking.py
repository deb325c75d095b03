"""What the bot asks others: a worker for a plan, the venue for contracts, positions and fills."""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct

from examples.bot.decide import Trade
from examples.bot.journal import Fill, Order

TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)


class Unavailable(Exception):
    """Somebody does not answer: another round may find them."""


class Refused(Exception):
    """The venue does not take an order, and says why."""


class _Planned(Struct):
    instrument: str
    quantity: float
    held: float = 0.0


class Plan(Struct):
    """What a worker proposes: `outcome` is `nothing`, `reduce` or `infeasible`."""

    account: str
    outcome: str
    orders: tuple[_Planned, ...] = ()


_read_plan = msgspec.json.Decoder(Plan).decode
_read_fill = msgspec.json.Decoder(Fill).decode
_read_numbers = msgspec.json.Decoder(dict[str, float]).decode


class Planner:
    """The workers' endpoints: whichever has the account answers."""

    def __init__(self, session: aiohttp.ClientSession, urls: tuple[str, ...]) -> None:
        self._session = session
        self._urls = urls

    async def plan(self, account: str) -> Plan | None:
        """Return the plan for an account, None where no endpoint is named or none has the account.

        Raises Unavailable where one is named and cannot answer now.
        """
        for url in self._urls:
            try:
                async with self._session.get(f"{url}/v1/accounts/{account}/plan", timeout=TIMEOUT) as response:
                    body = await response.read()
                    if response.status == 404:
                        continue  # another worker's account
                    if response.status != 200:
                        raise Unavailable(f"{url} says {response.status}")
                    return _read_plan(body)
            except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError) as error:
                raise Unavailable(f"{url}: {error!r}") from error
        return None


class Venue:
    """The venue's interface: see `examples/toy_venue.py`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None) -> None:
        self._session = session
        self._url = url
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def contract_usd(self) -> dict[str, float]:
        """Return what one contract of each instrument stands for now, USD."""
        return _read_numbers(await self._ask("GET", "/contracts"))

    async def positions(self, account: str) -> dict[str, float]:
        """Return an account's signed contracts."""
        return _read_numbers(await self._ask("GET", f"/positions/{account}"))

    async def send(self, account: str, order: Order) -> Fill:
        """Send an order, or learn its fill if it was sent before; raises Refused or Unavailable."""
        body = {"id": order.id, "account": account, "instrument": order.instrument, "quantity": order.quantity}
        return _read_fill(await self._ask("POST", "/orders", body))

    async def fill(self, order: Order) -> Fill | None:
        """Return the fill of an order that may have been sent, None if the venue does not know it."""
        try:
            return _read_fill(await self._ask("GET", f"/orders/{order.id}"))
        except Refused:
            return None

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        try:
            async with self._session.request(
                method, self._url + path, json=body, headers=self._headers, timeout=TIMEOUT
            ) as response:
                found = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"the venue: {error!r}") from error
        if response.status >= 500:
            raise Unavailable(f"the venue says {response.status}")
        if response.status != 200:
            raise Refused(found[:200].decode(errors="replace"))
        return found


def trades_of(plan: Plan, contract_usd: dict[str, float]) -> list[Trade]:
    """Return a plan's orders in what the venue lists; what it does not list is left out."""
    return [
        Trade(order.instrument, order.quantity, contract_usd[order.instrument], order.held)
        for order in plan.orders
        if order.instrument in contract_usd
    ]
