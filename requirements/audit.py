"""Audit the pinned packages: `make audit`.

Three things, the first two without a network: the lock is what it should be (every package pinned and hashed, no index
address, no source archive asked for); every exception in audit.toml has a reason and a date, and none is past it; and
no package of the lock has a known vulnerability, exceptions aside, which pip-audit asks the advisory database.

Exit code 0: nothing found. 1: something found. 3: the database or pip-audit cannot be reached; with `--offline-ok`
that is said and counts as 0, for machines without a network.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
LOCKS = ("run.txt", "alerts.txt", "dev.txt")
FOUND, UNREACHABLE = 1, 3
# Long enough for a release of theirs, short enough to be looked at again.
LONGEST_DAYS = 90
TIMEOUT_S = 300.0
_PIN = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+( *;[^\\]*)? *\\?$")


@dataclass(frozen=True, slots=True)
class Accepted:
    """One advisory that is known and lived with, until a date."""

    advisory: str
    package: str
    reason: str
    expires: dt.date


def exceptions(text: str) -> list[Accepted]:
    """Read `[[exception]]` tables with id, package, reason and expires; raise ValueError on anything else."""
    found = []
    for table in tomllib.loads(text).get("exception", []):
        if set(table) != {"id", "package", "reason", "expires"}:
            raise ValueError(f"an exception has {sorted(table)}, expected id, package, reason and expires")
        if type(table["expires"]) is not dt.date or not str(table["reason"]).strip():
            raise ValueError(f"exception {table['id']} needs a reason, and a date to expire at")
        found.append(Accepted(str(table["id"]), str(table["package"]), str(table["reason"]), table["expires"]))
    return found


def judge_exceptions(found: Sequence[Accepted], today: dt.date, pinned: str) -> Iterator[str]:
    """Yield what is wrong with exceptions: expired, too far away, or of a package that is not there any more."""
    for one in found:
        if one.expires < today:
            yield f"exception {one.advisory} of {one.package} expired on {one.expires}: update it, or decide again"
        elif (one.expires - today).days > LONGEST_DAYS:
            yield f"exception {one.advisory} lasts longer than {LONGEST_DAYS} days"
        if not re.search(rf"(?mi)^{re.escape(one.package)}==", pinned):
            yield f"exception {one.advisory} is of {one.package}, which is not pinned any more: remove it"


def judge_lock(name: str, text: str) -> Iterator[str]:
    """Yield what is wrong with a lock file."""
    logical = re.sub(r"\\\n\s*", " ", text)
    for line in logical.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("-") or "://" in stripped:
            yield f"{name}: {stripped[:60]!r} is an option or an address"
        elif not _PIN.fullmatch(stripped.partition(" --hash=")[0]):
            yield f"{name}: {stripped[:60]!r} is not pinned to one version"
        elif "--hash=sha256:" not in stripped:
            yield f"{name}: {stripped[:60]!r} has no hash"


def ask(tool: str, accepted: Sequence[Accepted], lock: Path) -> int:
    """Run pip-audit over a lock; return 0, FOUND or UNREACHABLE, and print what it found."""
    ignored = [word for one in accepted for word in ("--ignore-vuln", one.advisory)]
    command = [tool, "--requirement", str(lock), "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    try:
        done = subprocess.run(
            [*command, "--format", "json", *ignored], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return UNREACHABLE  # it failed before it had anything to say
    found = [(package, each["id"]) for package in packages for each in package.get("vulns", ())]
    for package, advisory in found:
        sys.stderr.write(f"audit: {lock.name}: {package['name']} {package['version']} has {advisory}\n")
    if found:
        return FOUND
    # Of a package that its database does not know, or that it cannot ask about, it says nothing and ends with 0.
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped or not packages:
        sys.stderr.write(f"audit: {lock.name}: {len(skipped)} of {len(packages)} packages could not be asked about\n")
        return UNREACHABLE
    return 0


def main(arguments: Sequence[str]) -> int:
    """Audit; return the exit code."""
    parser = argparse.ArgumentParser(prog="make audit", description="Audit the pinned packages.")
    parser.add_argument("--offline-ok", action="store_true", help="No network is no failure; it is said.")
    offline_ok = parser.parse_args(arguments).offline_ok
    texts = {name: (FOLDER / name).read_text(encoding="utf-8") for name in LOCKS}
    try:
        accepted = exceptions((FOLDER / "audit.toml").read_text(encoding="utf-8"))
    except ValueError as error:
        sys.stderr.write(f"audit: audit.toml: {error}\n")
        return FOUND
    today = dt.datetime.now(tz=dt.UTC).date()
    wrong = [line for name, text in texts.items() for line in judge_lock(name, text)]
    wrong += judge_exceptions(accepted, today, texts["dev.txt"])
    for line in wrong:
        sys.stderr.write(f"audit: {line}\n")
    if wrong:
        return FOUND
    return _ask_all(accepted, offline_ok)


def _ask_all(accepted: Sequence[Accepted], offline_ok: bool) -> int:
    tool = shutil.which("pip-audit", path=str(Path(sys.executable).parent)) or shutil.which("pip-audit")
    codes = [UNREACHABLE] if tool is None else [ask(tool, accepted, FOLDER / name) for name in LOCKS]
    if FOUND in codes:
        return FOUND
    if UNREACHABLE not in codes:
        sys.stdout.write(f"audit: no known vulnerability, {len(accepted)} exceptions\n")
        return 0
    why = "there is no pip-audit (pipx install pip-audit)" if tool is None else "the advisory database does not answer"
    sys.stderr.write(f"audit: locks and exceptions are in order; NOT asked for advisories: {why}\n")
    return 0 if offline_ok else UNREACHABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
