"""The error an operator sees: what is wrong and what to do about it, in one line."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    UNREACHABLE = 3


class MonitorError(Exception):
    """Report a fault that the operator can repair: `cause` names it, `remedy` says how to get on.

    Both are single lines. The command line prints them and exits with `exit_code`; anything that is not a
    MonitorError is a defect of ours and keeps its traceback.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FINDINGS

    def __init__(self, cause: str, remedy: str) -> None:
        self.cause = " ".join(cause.split())
        self.remedy = " ".join(remedy.split())
        super().__init__(f"{self.cause}; {self.remedy}")


class UsageError(MonitorError):
    """Report a wrong option, setting or file given by the operator."""

    exit_code = ExitCode.USAGE
