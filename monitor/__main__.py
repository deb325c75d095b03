"""`python -m monitor` is `liqmon`."""

from __future__ import annotations

from monitor.cli import main

main()
