"""Why a worker ends by itself, and what its exit code tells a supervisor."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from monitor.errors import MonitorError


class Ending(IntEnum):
    """Exit codes of a worker that ended by itself (numbers of sysexits.h)."""

    REFUSED = 65
    """What is stored or configured cannot be used: a restart ends the same way, a person has to look."""
    DEFECT = 70
    """An exception nobody expected: the line before says where."""
    RESTART = 75
    """It could not be sure of its place any more: a restart recovers."""


class WorkerError(MonitorError):
    """A worker cannot go on."""

    ending: ClassVar[Ending] = Ending.RESTART


class Paused(WorkerError):
    """The process stood still for longer than its session: others may own its partitions now."""


class Fenced(WorkerError):
    """The group or the changelog says that another worker owns a partition of ours."""


class NotReady(WorkerError):
    """Nothing moved for the whole time a worker has to become ready."""


class RebalanceTimeout(WorkerError):
    """A flush did not end before partitions had to be given up."""


class PublishFailed(WorkerError):
    """The broker refused what a flush sent."""


class NotCommitting(WorkerError):
    """Offsets are acknowledged here and do not arrive at the broker."""


class OffsetHole(WorkerError):
    """A commit would have passed a record that is not applied."""


class RecoveryDied(WorkerError):
    """The framework's recovery ended, and no partition would ever be taken over."""


class AuditFailed(WorkerError):
    """Figures of the book are not what a recomputation gives, and the settings want an end then."""


class Refused(WorkerError):
    """Starting would mean to go on from a state that is not the true one."""

    ending = Ending.REFUSED


class CorruptState(Refused):
    """A record of the state changelog cannot be read."""


class LostState(Refused):
    """Inputs were consumed whose results are not in the changelog."""


class LostInput(Refused):
    """Inputs were deleted by the broker before they were applied."""


class WrongPartitions(Refused):
    """The state, the topics and the settings do not agree on the number of partitions."""


class OversizedAccount(Refused):
    """An account has outgrown what the changelog can carry."""


class UnsafeFramework(Refused):
    """This build of the framework acknowledges records that were not applied."""


class FolderInUse(Refused):
    """Another worker uses the data folder."""


class FolderNotWritable(Refused):
    """The data folder cannot be written: its rights, a read-only mount, no room."""
