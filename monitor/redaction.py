"""The values that must not be printed: known to the process, replaced wherever it writes lines.

The second lock. The first is that secrets are kept in `monitor.connection.Secret`, are never settings, and stand in no
message; this one is for what libraries put into their exceptions.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from types import TracebackType

MASK = "***"
# Shorter ones would be found in innocent words.
LEAST_LENGTH = 6

_hidden: set[str] = set()


def hide(value: str) -> None:
    """Have `clean` replace a value from now on, also in the forms that `repr` and JSON give it."""
    for form in (value, repr(value)[1:-1], value.replace("\\", "\\\\").replace('"', '\\"')):
        if len(form) >= LEAST_LENGTH:
            _hidden.add(form)


def clean(text: str, values: Iterable[str] = ()) -> str:
    """Return a text without the hidden values, and without `values`."""
    # The longest first: one may be part of another.
    for value in sorted({*_hidden, *values}, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def clean_tracebacks() -> None:
    """Have tracebacks of exceptions that end the process cleaned, too."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(clean("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = show
