"""Why a broker and we do not come together: one connection, and what it really failed with.

The client tells "unable to bootstrap" whatever happened. Where that is all, this module connects once more, alone, and
says which of the many it was.
"""

from __future__ import annotations

import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from monitor.brokers.interface import BrokerError
from monitor.connection import Endpoint, client_options

# Numbers of OpenSSL's verification errors (x509_vfy.h).
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_HOST = frozenset({62, 63, 64})
_REFUSED = (AuthenticationFailedError, SaslAuthenticationFailed)
_NO_SCRAM = (UnsupportedSaslMechanismError, IllegalSaslStateError)


class UntrustedBroker(BrokerError):
    """The broker's certificate does not prove that it is the one we mean."""


class UnknownIssuer(UntrustedBroker):
    """No authority that we trust has signed the certificate."""


class OtherHost(UntrustedBroker):
    """The certificate is of another host."""


class CertificateExpired(UntrustedBroker):
    """The certificate's time is over, or has not begun."""


class TlsFailed(BrokerError):
    """There is no TLS with this broker: it speaks plain text, another version, or wants a certificate of ours."""


class AuthenticationRefused(BrokerError):
    """The broker does not accept our user, password or mechanism."""


async def refusal(endpoint: Endpoint, timeout_s: float) -> BrokerError | None:
    """Return why the first server that says anything refuses us, None if none does.

    Passwords are in no text: what the broker says is only quoted where it cannot repeat ours.
    """
    options = client_options(endpoint)
    servers = options.pop("bootstrap_servers").split(",")
    if endpoint.security.protocol == "plaintext":
        return None
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            connection = await create_conn(
                host.strip("[]"),
                int(port),
                client_id="liqmon-probe",
                request_timeout_ms=int(timeout_s * 1000),
                **options,
            )
        except (OSError, KafkaError, TimeoutError) as error:
            found = _named(error, server, endpoint)
            if found is not None:
                return found
        else:
            connection.close()
    return None


def _named(error: BaseException, server: str, endpoint: Endpoint) -> BrokerError | None:
    match error:
        case ssl.SSLCertVerificationError():
            return _untrusted(error, server)
        case ssl.SSLError():
            return TlsFailed(
                f"{server} does not speak TLS with us ({error.reason or 'no reason told'})",
                "check that the port is the broker's TLS listener, and whether it wants tls_certificate_file",
            )
        case _ if isinstance(error, _REFUSED):
            return AuthenticationRefused(
                f"{server} refuses user {endpoint.security.username!r}", "check sasl_username and the password"
            )
        case _ if isinstance(error, _NO_SCRAM):
            return AuthenticationRefused(
                f"{server} does not offer {endpoint.security.mechanism}", "set sasl_mechanism to what the broker offers"
            )
        case KafkaError():
            # TCP and TLS were there and the first request was not answered.
            return TlsFailed(
                f"{server} closed the connection after the TLS handshake",
                "it wants a certificate of ours (tls_certificate_file), or the port is of another protocol",
            )
        case _:
            return None


def _untrusted(error: ssl.SSLCertVerificationError, server: str) -> UntrustedBroker:
    code = error.verify_code
    if code in {_EXPIRED, _NOT_YET_VALID}:
        when = "has expired" if code == _EXPIRED else "is not valid yet"
        return CertificateExpired(f"the certificate of {server} {when}", "renew it; check the clocks of both machines")
    if code in _OTHER_HOST:
        return OtherHost(
            f"the certificate of {server} is of another host",
            "use a name that the certificate has, or a new certificate",
        )
    return UnknownIssuer(
        f"the certificate of {server} was issued by nobody that we trust ({error.verify_message})",
        "set tls_ca_file to the certificates of its authority",
    )
