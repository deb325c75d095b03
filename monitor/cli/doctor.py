"""`liqmon doctor`: what to run when something is slow or does not start."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from monitor.config import Settings
from schemas.acls import ROLES

COLOURS = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command(
    epilog="\b\nExample:\n  liqmon doctor\n  BROKER_URL=127.0.0.1:9092 liqmon doctor --cold --json | jq .findings"
)
@click.option("--cold", is_flag=True, help="Also compile all kernels anew, in a temporary folder: some two minutes.")
@click.option("--role", type=click.Choice(list(ROLES)), help="Also try which rights of a role this user has.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(settings: Settings, *, cold: bool, role: str | None, as_json: bool) -> int:
    """Check versions, CPU, compiled kernels, memory, disk, clock and broker, and what protects the way to it.

    On a broker that is named: also topics, workers, and how old the last tick is.

    Times kernels against themselves without vectors: a numba or LLVM that does not vectorise here is a failure. Exit
    code 0 if nothing fails (warnings are no failures), 3 if all that fails is the broker at BROKER_URL, else 1.
    """
    # Imported here: `--help` needs nothing of it.
    from monitor.doctor.run import examine, exit_code  # noqa: PLC0415

    findings = []
    for finding in examine(settings, cold=cold, role=role):
        findings.append(finding)
        if not as_json:
            label = click.style(f"{finding.outcome:<8}", fg=COLOURS[finding.outcome])
            click.echo(f"{label} {finding.name:<9} {finding.said}")
            if finding.remedy:
                click.echo(f"{'':<18} -> {finding.remedy}")
    code = exit_code(findings)
    if as_json:
        click.echo(json.dumps({"exit_code": int(code), "findings": [asdict(finding) for finding in findings]}))
    return code
