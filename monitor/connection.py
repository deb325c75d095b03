"""How every Kafka client here reaches its broker: where, over what, and as whom.

Each client takes its parameters from `client_options`, so that one place decides what may leave this machine in plain
text. A bare `host:port` means plain text, and is refused beyond loopback.
"""

from __future__ import annotations

import base64
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from monitor import redaction
from monitor.errors import UsageError
from schemas.signatures import MAX_KEYS, BadKeys, Keys, parse_keys

Protocol = Literal["plaintext", "ssl", "sasl_ssl"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256"]


class PlaintextRefused(UsageError):
    """Plain text to another machine, which nobody asked for in so many words."""


class BadCredentials(UsageError):
    """A certificate, key or password file that cannot be used."""


class Secret:
    """A value that no representation shows; `reveal` is called where a library needs it, nowhere else."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        redaction.hide(value)

    def reveal(self) -> str:
        """Return the value."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class Security:
    """What a connection is protected by; `context` is None in plain text alone, `insecure` allows that anywhere."""

    protocol: Protocol = "plaintext"
    context: ssl.SSLContext | None = None
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: Secret | None = None
    insecure: bool = False


PLAINTEXT = Security()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A cluster: `servers` is `host:port[,host:port...]`."""

    servers: str
    security: Security = PLAINTEXT

    def __str__(self) -> str:
        return self.servers


Address = Endpoint | str
"""What functions take that connect; a string is a broker in plain text on this machine."""


def as_endpoint(address: Address) -> Endpoint:
    """Return the endpoint of an address."""
    return address if isinstance(address, Endpoint) else Endpoint(address)


def client_options(address: Address) -> dict[str, Any]:
    """Return what aiokafka's clients take: servers, protocol, TLS context, credentials. Raises PlaintextRefused."""
    endpoint = as_endpoint(address)
    require_protection(endpoint, endpoint.servers.split(","))
    security = endpoint.security
    options: dict[str, Any] = {"bootstrap_servers": endpoint.servers, "security_protocol": security.protocol.upper()}
    if security.protocol != "plaintext":
        options["ssl_context"] = security.context
    if security.protocol == "sasl_ssl":
        assert security.password is not None  # see `make_security`
        options |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": security.password.reveal(),
        }
    return options


def require_protection(endpoint: Endpoint, servers: list[str]) -> None:
    """Raise PlaintextRefused if one of `servers` is on another machine and would be spoken to in plain text."""
    if endpoint.security.protocol != "plaintext" or endpoint.security.insecure:
        return
    for server in servers:
        if not is_loopback(server.rpartition(":")[0]):
            raise PlaintextRefused(
                f"{server} is not on this machine, and nothing protects the way there",
                "set LIQMON_SECURITY_PROTOCOL to sasl_ssl or ssl, or say --insecure on a network that you trust",
            )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address alone; a name is not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def make_security(
    protocol: Protocol, *, ca_file: str | None = None, certificate_file: str | None = None,
    key_file: str | None = None, mechanism: Mechanism = "SCRAM-SHA-512", username: str | None = None,
    password: Secret | None = None, insecure: bool = False,
) -> Security:  # fmt: skip
    """Return the security of a connection: TLS 1.2 or later, certificates and host names verified.

    `ca_file` None trusts what this machine trusts. With `certificate_file` and `key_file` (PEM; one file may have
    both) the broker can verify us, too. Raises UsageError on what does not fit together, BadCredentials on files.
    """
    if protocol == "plaintext":
        if username or password or certificate_file or ca_file:
            raise UsageError(
                "certificates or credentials are set, and security_protocol is plaintext",
                "set LIQMON_SECURITY_PROTOCOL to sasl_ssl or ssl, or unset them",
            )
        return Security(insecure=insecure)
    if protocol == "sasl_ssl" and not (username and password):
        raise UsageError(
            "sasl_ssl needs a user and a password",
            "set LIQMON_SASL_USERNAME, and LIQMON_SASL_PASSWORD_FILE or LIQMON_SASL_PASSWORD",
        )
    if protocol == "ssl" and (username or password):
        raise UsageError("ssl takes no user and no password", "set LIQMON_SECURITY_PROTOCOL to sasl_ssl, or unset them")
    context = _context(ca_file, certificate_file, key_file)
    return Security(protocol, context, mechanism, username, password)


def read_secret(file: str, what: str) -> Secret:
    """Return the first line of a file as a secret; raises BadCredentials without ever quoting it."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadCredentials(f"{what} {file} cannot be read ({error.strerror})", "check its path and rights") from error
    except UnicodeDecodeError:
        raise BadCredentials(f"{what} {file} is no text", "put the secret into its first line") from None
    if not lines or not lines[0].strip():
        raise BadCredentials(f"{what} {file} is empty", "put the secret into its first line")
    return Secret(lines[0].strip())


def read_keys(file: str | Path, most: int = MAX_KEYS) -> Keys:
    """Return the signing keys in a file; raises BadCredentials without ever quoting it."""
    try:
        text = Path(file).read_text(encoding="utf-8")
        keys = parse_keys(text, most)
    except OSError as error:
        raise BadCredentials(
            f"key file {file} cannot be read ({error.strerror})", "check its path and rights"
        ) from error
    except UnicodeDecodeError:
        raise BadCredentials(f"key file {file} is no text", "see docs/security.md") from None
    except BadKeys as error:
        raise BadCredentials(f"key file {file}: {error}", "see docs/security.md") from error
    for key in keys.keys:
        redaction.hide(base64.b64encode(key.secret).decode())
    return keys


def _context(ca_file: str | None, certificate_file: str | None, key_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BadCredentials(
            f"tls_ca_file {ca_file} has no certificates ({_told(error)})", "give a PEM file"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate_file is None:
        if key_file is not None:
            raise UsageError("tls_key_file is set without tls_certificate_file", "set both")
        return context
    try:
        # A password that is never right: without one OpenSSL would ask for it on the terminal of a daemon.
        context.load_cert_chain(certificate_file, key_file, password="")
    except (OSError, ssl.SSLError) as error:
        raise BadCredentials(
            f"tls_certificate_file {certificate_file} and its key cannot be used ({_told(error)})",
            "give the certificate and its key without a password, as PEM",
        ) from error
    return context


def _told(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or "no PEM")
