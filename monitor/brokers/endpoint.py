"""The broker of the settings, with what protects the way to it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from monitor.brokers.probe import parse_address
from monitor.config import PASSWORD_VARIABLE, Settings
from monitor.connection import Endpoint, Secret, make_security, read_secret, require_protection
from monitor.errors import UsageError


def endpoint(
    settings: Settings, url: str | None = None, environ: Mapping[str, str] | None = None
) -> Endpoint:  # fmt: skip
    """Return where `url`, or else the settings' broker, is and how it is spoken to; reads the files of secrets.

    Raises UsageError if no broker is named or settings do not fit together, BadAddress, BadCredentials, and
    PlaintextRefused for another machine in plain text.
    """
    named = url or settings.broker_url
    if not named:
        raise UsageError("no broker named", "give --broker host:port or set BROKER_URL")
    servers = parse_address(named)
    security = make_security(
        settings.security_protocol,
        ca_file=settings.tls_ca_file,
        certificate_file=settings.tls_certificate_file,
        key_file=settings.tls_key_file,
        mechanism=settings.sasl_mechanism,
        username=settings.sasl_username,
        password=_password(settings, os.environ if environ is None else environ),
        insecure=settings.insecure,
    )
    found = Endpoint(servers, security)
    require_protection(found, servers.split(","))
    return found


def _password(settings: Settings, environ: Mapping[str, str]) -> Secret | None:
    said = environ.get(PASSWORD_VARIABLE)
    if said and settings.sasl_password_file:
        raise UsageError(
            f"the password is in {PASSWORD_VARIABLE} and in sasl_password_file",
            "unset one: nobody can tell which counts",
        )
    if settings.sasl_password_file:
        return read_secret(settings.sasl_password_file, "sasl_password_file")
    return Secret(said) if said else None
