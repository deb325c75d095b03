"""Log lines: JSON, one object a line, for machines; coloured text for a terminal. Always on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import Processor

from monitor import redaction

LIBRARIES = ("aiokafka", "faust", "mode", "asyncio")


def setup(level: str = "info", stream: TextIO | None = None, *, json: bool | None = None) -> None:
    """Send our lines and those of libraries to `stream` (standard error) at `level` and above.

    `json` None chooses by whether the stream is a terminal. Calling it again replaces the former set-up.
    """
    out = stream or sys.stderr
    as_json = not out.isatty() if json is None else json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]
        if as_json
        # Not the renderer's own tracebacks: they show the local variables of every frame, passwords among them.
        else [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )
    formatter = _Clean(
        # Libraries log through the standard module; their lines get the same fields.
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    redaction.clean_tracebacks()
    for name in LIBRARIES:
        # Their running commentary belongs to whoever looks for a fault.
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # A cached logger would keep the stream of the first set-up.
        cache_logger_on_first_use=False,
    )


class _Clean(structlog.stdlib.ProcessorFormatter):
    """Replaces secrets in the finished line."""

    def format(self, record: logging.LogRecord) -> str:
        return redaction.clean(super().format(record))


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()
