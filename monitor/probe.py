"""A container's health check: asks this machine's worker how it is; exit code 0 if it answers 200.

`python probe.py livez|readyz`, with the LIQMON_HEALTH_* variables of the worker. It imports nothing of the package: it
runs every few seconds.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path

TIMEOUT_S = 4.0


def main(path: str) -> int:
    """Ask once; return the exit code."""
    token = os.environ.get("LIQMON_HEALTH_TOKEN", "")
    if file := os.environ.get("LIQMON_HEALTH_TOKEN_FILE"):
        token = Path(file).read_text(encoding="utf-8").splitlines()[0].strip()
    host = os.environ.get("LIQMON_HEALTH_HOST", "127.0.0.1")
    # What listens everywhere listens here, too.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (asked, not bound)
    connection = HTTPConnection(host, int(os.environ.get("LIQMON_HEALTH_PORT", "9101")), timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"/{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        text = answer.read(4_096).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        text, well = f"no answer: {error}", False
    else:
        well = answer.status == 200
    sys.stdout.write(f"{text}\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "readyz"))
