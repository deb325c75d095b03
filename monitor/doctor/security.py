"""What protects the way to the broker, until when, and what we may do there."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from monitor.brokers.endpoint import endpoint
from monitor.brokers.interface import BrokerError
from monitor.brokers.rights import lacking
from monitor.config import Settings
from monitor.connection import Endpoint
from monitor.doctor.finding import Finding
from monitor.errors import MonitorError
from schemas.acls import Deployment, acls

WARN_DAYS = 21  # time to get a new certificate through whoever has to sign it
TIMEOUT_S = 3.0
DAY_S = 86_400.0
Values = dict[str, float | int | str | bool | None]


def connection(settings: Settings) -> Iterator[Finding]:
    """Return how the named broker is spoken to, when its certificates end, and secrets that others can read."""
    yield from _open_files(settings)
    if not settings.broker_url:
        return
    try:
        found = endpoint(settings)
    except MonitorError:
        return  # the broker's own finding tells it
    if found.security.protocol == "plaintext":
        if found.security.insecure:
            yield Finding(
                "security", "warning", "plain text, wherever the broker is (insecure)",
                "set security_protocol to sasl_ssl: whoever sees the network sees and changes everything",
            )  # fmt: skip
        else:
            yield Finding("security", "ok", "plain text, on this machine only")
        return
    for server in found.servers.split(","):
        finding = _certificate(found, server)
        if finding is not None:
            yield finding


def rights(settings: Settings, role: str | None) -> Iterator[Finding]:
    """Return the rights of `role` that our user lacks; nothing where no role or broker is named."""
    if role is None or not settings.broker_url:
        return
    deployment = Deployment(settings.topic_prefix, settings.application_id)
    wanted = acls(role, deployment)
    try:
        missing = asyncio.run(lacking(endpoint(settings), wanted))
    except BrokerError as error:
        yield Finding("rights", "warning", f"cannot be tried: {error.cause}", error.remedy)
        return
    values: Values = {"role": role, "wanted": len(wanted), "missing": len(missing)}
    if not missing:
        yield Finding("rights", "ok", f"all of role {role} that can be tried", values=values)
        return
    first = ", ".join(f"{acl.operation} on {acl.resource} {acl.name}" for acl in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    remedy = f"have the cluster's owner run `liqmon acls apply --role {role} --principal User:...`"
    yield Finding("rights", "failure", f"of role {role} there is no {first}{more}", remedy, values)


def _certificate(found: Endpoint, server: str) -> Finding | None:
    """Return until when a server's certificate is valid; None where it cannot be had, which is the probe's to tell."""
    assert found.security.context is not None  # narrows the type
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        with (
            socket.create_connection((host, int(port)), TIMEOUT_S) as plain,
            found.security.context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            certificate, version = secured.getpeercert(), secured.version()
    except OSError:
        return None
    assert certificate is not None  # it was verified
    days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / DAY_S
    who = f" as {found.security.username}" if found.security.username else ""
    said = f"{found.security.protocol}{who} to {server}, {version}, its certificate ends in {days:.0f} days"
    values: Values = {
        "protocol": found.security.protocol,
        "tls": version,
        "days_left": days,
    }
    if days < WARN_DAYS:
        return Finding("security", "warning", said, "renew it: clients refuse it from then on", values)
    return Finding("security", "ok", said, values=values)


def _open_files(settings: Settings) -> Iterator[Finding]:
    for file in (
        settings.sasl_password_file, settings.tls_key_file, settings.signing_key_file, settings.solver_key_file
    ):  # fmt: skip
        if file is not None and Path(file).exists() and Path(file).stat().st_mode & stat.S_IROTH:
            yield Finding(
                "secrets", "warning", f"{file} can be read by every user of this machine", f"chmod 600 {file}"
            )
