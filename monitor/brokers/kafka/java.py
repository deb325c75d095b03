"""Find the tools of the Java side and check that they are new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from monitor.brokers.interface import JavaTooOld, NoJava, NoMaven

JAVA_NEEDED = 17  # Kafka 4 brokers are compiled for it
_ELSE_URL = "or set BROKER_URL to a running Kafka"


def find_java() -> str:
    """Return the path of a `java` of version 17 or later: JAVA_HOME first, then PATH; raise NoJava, JavaTooOld."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    install = f"install Java {JAVA_NEEDED} or later (Debian: openjdk-17-jre-headless) {_ELSE_URL}"
    if java is None:
        where = f"in JAVA_HOME ({home})" if home else "on PATH"
        raise NoJava(f"no java {where}, needed to run a local Apache Kafka", install)
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoJava(f"{java} does not run ({error})", install) from error
    version = java_version(answer.stderr + answer.stdout)
    if version is None:
        raise NoJava(f"{java} does not tell its version", install)
    if version < JAVA_NEEDED:
        raise JavaTooOld(f"{java} is Java {version}, Apache Kafka needs {JAVA_NEEDED}", install)
    return java


def java_version(text: str) -> int | None:
    """Return the feature version in the output of `java -version` (8 for "1.8.0"), None if there is none."""
    found = re.search(r'version "(\d+)(?:\.(\d+))?', text)
    if found is None:
        return None
    major = int(found[1])
    return int(found[2]) if major == 1 and found[2] else major


def find_maven() -> str:
    """Return the path of `mvn`; raise NoMaven."""
    mvn = shutil.which("mvn")
    if mvn is None:
        raise NoMaven("no mvn on PATH, needed once to fetch Apache Kafka", f"install Maven (Debian: maven) {_ELSE_URL}")
    return mvn
