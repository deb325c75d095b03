"""All checks in the order of their dependence: installation, machine, kernels, the broker, and what is on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from monitor.config import Settings
from monitor.doctor import machine
from monitor.doctor.finding import Finding
from monitor.errors import ExitCode, MonitorError

Check = Callable[[], Iterator[Finding]]


def checks(settings: Settings, *, cold: bool, role: str | None = None) -> tuple[tuple[str, Check], ...]:
    """Return the checks with their names, none begun."""

    def machine_code() -> Iterator[Finding]:
        from monitor.doctor.machine_code import cache, warm_up  # noqa: PLC0415 (needs numba)

        yield from warm_up(cold=cold, environ=os.environ)
        yield cache()

    def vectors() -> Iterator[Finding]:
        from kernels.selfcheck import pairs  # noqa: PLC0415
        from monitor.doctor.vectors import check  # noqa: PLC0415

        yield from check(pairs(), machine.width_bits(machine.features()))

    def broker() -> Iterator[Finding]:
        from monitor.doctor.broker import choice, tools  # noqa: PLC0415 (needs the Kafka client)
        from monitor.doctor.security import connection, rights  # noqa: PLC0415

        yield tools()
        yield from choice(settings)
        yield from connection(settings)
        yield from rights(settings, role)

    def on_the_broker() -> Iterator[Finding]:
        from monitor.doctor.cluster import cluster  # noqa: PLC0415 (needs the Kafka client)

        yield from cluster(settings)

    return (
        ("versions", lambda: iter((machine.versions(),))),
        ("cpu", lambda: iter((machine.cpu(machine.features()), machine.switches(os.environ), machine.cores()))),
        ("vectors", vectors),
        ("warm-up", machine_code),
        ("memory", lambda: iter((machine.memory(),))),
        ("disk", lambda: machine.disks(settings.data_dir)),
        ("clock", lambda: iter((machine.clock(),))),
        ("broker", broker),
        ("topics", on_the_broker),
    )


def examine(settings: Settings, *, cold: bool = False, role: str | None = None) -> Iterator[Finding]:
    """Yield what each check finds; one that cannot be made is a failure of its own, and the others go on."""
    for name, check in checks(settings, cold=cold, role=role):
        try:
            yield from check()
        except MonitorError as error:
            yield Finding(name, "failure", error.cause, error.remedy)
        except (ImportError, OSError, ValueError, KeyError, RuntimeError) as error:
            yield Finding(
                name, "failure", f"cannot be checked: {type(error).__name__}: {error}", "reinstall, or report it"
            )


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """Return 0 without a failure (warnings are none), 3 if all that fails is a broker's answer, else 1."""
    failures = [finding for finding in findings if finding.outcome == "failure"]
    if not failures:
        return ExitCode.OK
    if all(finding.values.get("reachable") is False for finding in failures):
        return ExitCode.UNREACHABLE
    return ExitCode.FINDINGS
