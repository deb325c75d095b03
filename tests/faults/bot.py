"""A bot: reads alerts through the client package, as users do, and tells of each one and each refusal as a JSON line.

Usage: python -m tests.faults.bot BROKER PREFIX. It runs until SIGTERM.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import sys

from monitor.client import Refusal, subscribe


def tell(**fields: object) -> None:
    sys.stderr.write(json.dumps(fields) + "\n")
    sys.stderr.flush()


def refused(refusal: Refusal) -> None:
    tell(event="refused", reason=str(refusal.reason), text=refusal.text)


async def main(broker: str, prefix: str) -> None:
    # The market's time is not ours: nothing is too old.
    subscription = subscribe(
        group=f"{prefix}bot-faults", broker=broker, prefix=prefix, on_refused=refused, now_us=lambda: 0
    )  # fmt: skip
    async with subscription as alerts:
        tell(event="listening")
        async for alert in alerts:
            tell(event="alert", id=alert.id, body=hashlib.sha256(alert.message.value or b"").hexdigest())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    asyncio.run(main(sys.argv[1], sys.argv[2]))
