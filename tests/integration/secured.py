"""One Apache Kafka with TLS, users and an authorizer: certificates good and bad, and who comes as whom."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from monitor.brokers import LocalKafka
from monitor.brokers.endpoint import endpoint
from monitor.config import load
from monitor.connection import Endpoint
from schemas.acls import ROLES
from tests.integration.processes import environment
from tests.support import ROOT

SCRIPT = ROOT / "deploy" / "tls" / "make-certificates.sh"
# Users besides the roles: the cluster's owner, and those of single tests.
USERS = ("owner", *ROLES)
LISTENERS = {"OUTSIDE": "SASL_SSL", "MUTUAL": "SSL", "EXPIRED": "SSL", "ELSEWHERE": "SSL"}
PLACES = {
    "process.roles", "node.id", "controller.quorum.voters", "listeners", "advertised.listeners", "log.dirs",
    "listener.security.protocol.map", "controller.listener.names", "inter.broker.listener.name",
}  # fmt: skip


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


def issue(folder: Path, name: str, *, names: str, usage: str = "serverAuth", start: str = "", end: str = "") -> Path:
    """Have the authority in `folder` sign a certificate; return a PEM file with key and chain.

    `start` and `end` are YYYYMMDDHHMMSSZ; the certificate's time is now without them.
    """
    base = folder / f"{name}-authority"
    base.mkdir()
    (base / "index.txt").touch()
    (base / "serial").write_text("1000")
    (base / "ca.conf").write_text(
        "[ca]\ndefault_ca=this\n[this]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
        "policy=any\n[any]\ncommonName=supplied\n"
    )
    (base / "ext").write_text(f"subjectAltName={names}\nextendedKeyUsage={usage}\n")
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key", cwd=base)
    openssl("req", "-new", "-key", "key", "-subj", f"/CN={name}", "-out", "csr", cwd=base)
    times = ["-startdate", start, "-enddate", end] if end else ["-days", "30"]
    openssl(
        "ca", "-batch", "-notext", "-config", "ca.conf", "-in", "csr", "-out", "crt", "-extfile", "ext",
        "-cert", str(folder / "ca.pem"), "-keyfile", str(folder / "ca.key"), *times, cwd=base,
    )  # fmt: skip
    made = folder / f"{name}.pem"
    made.write_text("".join((path).read_text() for path in (base / "key", base / "crt", folder / "ca.pem")))
    return made


def compose_settings(folder: Path) -> dict[str, str]:
    """Settings of the compose file's broker, by the image's rule for names, with `folder` for its secrets.

    Where it listens and what it keeps is left to the local broker.
    """
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["kafka-tls"]
    settings = {
        name.removeprefix("KAFKA_").lower().replace("___", "-").replace("_", "."): value
        for name, value in service["environment"].items()
    }
    return {
        name: value.replace("/etc/kafka/secrets", str(folder)) for name, value in settings.items() if name not in PLACES
    }


@dataclass(frozen=True, slots=True)
class Secured:
    """The broker and what is needed to come to it."""

    broker: LocalKafka
    folder: Path

    @property
    def plain(self) -> str:
        """The way of the superuser: plain text on this machine."""
        return f"127.0.0.1:{self.broker.port}"

    def at(self, listener: str) -> str:
        return f"127.0.0.1:{self.broker.ports[listener]}"

    def variables(self, user: str, **changes: str) -> dict[str, str]:
        """The settings of a user of the listener for users, as variables."""
        return {
            "BROKER_URL": self.at("OUTSIDE"),
            "LIQMON_SECURITY_PROTOCOL": "sasl_ssl",
            "LIQMON_TLS_CA_FILE": str(self.folder / "ca.pem"),
            "LIQMON_SASL_USERNAME": user,
            "LIQMON_SASL_PASSWORD_FILE": str(self.folder / "passwords" / user),
            **changes,
        }

    def environment(self, user: str, **changes: str) -> dict[str, str]:
        """The environment of a process that comes as `user`."""
        return environment(**self.variables(user, **changes))

    def endpoint(self, user: str = "", variables: Mapping[str, str] | None = None) -> Endpoint:
        """What a process with these settings connects to."""
        found = dict(self.variables(user) if variables is None else variables)
        return endpoint(load(None, found), environ=found)

    def over_tls(self, listener: str, **changes: str) -> Endpoint:
        """A listener without users."""
        return self.endpoint(
            variables={
                "BROKER_URL": self.at(listener),
                "LIQMON_SECURITY_PROTOCOL": "ssl",
                "LIQMON_TLS_CA_FILE": str(self.folder / "ca.pem"),
                **changes,
            }
        )


@contextmanager
def secured_kafka(folder: Path) -> Iterator[Secured]:
    """Start it, with certificates made here, and a user for each role who has no rights yet."""
    subprocess.run([SCRIPT, folder], check=True, capture_output=True)
    expired = issue(folder, "expired", names="IP:127.0.0.1", start="20200101000000Z", end="20200201000000Z")
    elsewhere = issue(folder, "elsewhere", names="DNS:elsewhere.invalid,IP:192.0.2.1")
    issue(folder, "machine", names="DNS:machine.invalid", usage="clientAuth")
    overrides = {
        **compose_settings(folder),
        "ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.expired.ssl.keystore.location": str(expired),
        "listener.name.elsewhere.ssl.keystore.location": str(elsewhere),
    }
    users = []
    for user in USERS:
        password = (folder / "passwords" / user).read_text().strip()
        users += ["--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"]
    with LocalKafka(heap_mb=512, overrides=overrides, listeners=LISTENERS, format_options=users) as broker:
        yield Secured(broker, folder)
