"""The settings of one process: a TOML file, over it the environment, over it the command's flags."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from monitor.alerts.settings import Alerts
from monitor.errors import UsageError

PREFIX = "LIQMON_"
# Variables under our prefix that are no settings: where the file is, and where the broker's jars are kept.
# Password and token are read where they are used, and are in nothing that can be printed.
PASSWORD_VARIABLE = "LIQMON_SASL_PASSWORD"  # noqa: S105 (its name)
HEALTH_TOKEN_VARIABLE = "LIQMON_HEALTH_TOKEN"  # noqa: S105 (its name)
NOT_SETTINGS = frozenset({"LIQMON_CONFIG", "LIQMON_CACHE_DIR", PASSWORD_VARIABLE, HEALTH_TOKEN_VARIABLE})
LogLevel = Literal["debug", "info", "warning", "error"]
Order = Literal["live", "strict"]
Answering = Literal["auto", "on", "off"]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a process needs to know before it starts; see `load` for where each value comes from."""

    broker_url: str | None = None
    """The broker, `host:port[,host:port...]`; `BROKER_URL` counts where `LIQMON_BROKER_URL` is absent. None starts a
    local broker where a command can, and is an error where it cannot."""
    local_broker: Literal["auto", "kafka", "tansu"] = "auto"
    """Which local broker: `auto` is Apache Kafka where Java and Maven are, else the embedded Tansu, which is in memory
    and not durable."""
    topic_prefix: Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9-]*\.)*$", max_length=100)] = ""
    """In front of every topic name, so that deployments share a cluster; ends with a point."""
    partitions: Annotated[int, Meta(ge=1, le=1000)] = 12
    """P, the partitions of account topics: fixed for the life of a deployment, and the limit of its workers."""
    application_id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=100)] = "liquidation-monitor-v1"
    """Consumer group and changelog names: it names the layout of the stored state, so a new layout starts beside the
    old one."""
    security_protocol: Literal["plaintext", "ssl", "sasl_ssl"] = "plaintext"
    """How the broker is spoken to: in plain text, over TLS, or over TLS with a user and a password (SCRAM). Plain text
    to another machine needs `insecure` besides. Secrets are no settings, see docs/security.md."""
    insecure: bool = False
    """Whether plain text may go to another machine."""
    tls_ca_file: str | None = None
    """Who may vouch for the broker, PEM; None: whom this machine trusts."""
    tls_certificate_file: str | None = None
    """Who we are to the broker (mutual TLS), PEM."""
    tls_key_file: str | None = None
    """The key of that certificate, PEM."""
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256"] = "SCRAM-SHA-512"
    """How the password is proved."""
    sasl_username: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """The user."""
    sasl_password_file: str | None = None
    """A file with the password in its first line; or the password in `LIQMON_SASL_PASSWORD`."""
    signing_key_file: str | None = None
    """Keys that the worker signs events with, the first of them; see docs/security.md. None signs nothing."""
    solver_key_file: str | None = None
    """A key for each solver by its name: answers in an auction count only if its solver signed them. None asks for
    none."""
    session_timeout_s: Annotated[float, Meta(ge=6, le=300)] = 10.0
    """How long a dead worker keeps its partitions. Below about 6 s a full garbage collection or a slow disk counts as
    death."""
    shutdown_timeout_s: Annotated[float, Meta(ge=1, le=600)] = 9.0
    """How long an orderly end may take before the process ends all the same, and its successor recovers: supervisors
    send SIGKILL after 10 s, unless they were told another time."""
    queue_records: Annotated[int, Meta(ge=1_000, le=10_000_000)] = 50_000
    """Records held between intake and engine, for each worker: 50,000 of 150 B are 8 MB and half a second of work."""
    flush_interval_ms: Annotated[float, Meta(ge=0, le=1_000)] = 5.0
    """How long an event may wait for others to share its flush: half the 25 ms that a tick may take to its event would
    be too long, a millisecond makes flushes of one record."""
    overload_lag_ms: Annotated[int, Meta(ge=0, le=3_600_000)] = 2_000
    """How far, in event time, the engine may be behind the newest record it has before evaluations are conflated, in
    live order; 0 never conflates. Two seconds of a price are no longer a price, and half a second is one busy flush."""
    audit_every_records: Annotated[int, Meta(ge=0)] = 10_000
    """After how many applied records a few accounts are computed again from nothing; 0 never. At 5,000 records a second
    that is every two seconds, for a few milliseconds."""
    audit_ends: bool = False
    """Whether a difference ends the worker (a restart makes the book anew), or is told while it goes on."""
    risk_arrays_every_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    """How often, in seconds of market time, risk arrays of the sets below go to their topic; 0 never. A thousand
    options are 300 kB each time."""
    risk_arrays_sets: Annotated[str, Meta(pattern=r"^[^,\s]+(,[^,\s]+)*$", max_length=1_000)] = "default"
    """Parameter sets whose risk arrays are published: names with commas between them."""
    snapshot_every_offsets: Annotated[int, Meta(ge=0, le=100_000_000)] = 100_000
    """How many offsets of a market topic lie between two snapshots of its fold, in live order; 0 neither writes nor
    reads any. Folding 100,000 records again takes seconds; all workers of a deployment have the same number."""
    order: Order = "live"
    """What a worker reads: the input topics, merged as they come, or the merged sequence that a replay publishes."""
    sequence_prefix: Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9-]*\.)*$", max_length=100)] | None = None
    """Prefix of that sequence where it is not `topic_prefix`: several deployments can then read one."""
    health_host: Annotated[str, Meta(min_length=1, max_length=255)] = "127.0.0.1"
    """Where a worker tells how it is: `/livez`, `/readyz`, `/metrics`. Any address but loopback needs a token."""
    health_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Its port; 0 takes a free one, told in the log line `health`, so that several workers share a machine."""
    health_token_file: str | None = None
    """A file with the token, at least 16 characters, in its first line; or the token in `LIQMON_HEALTH_TOKEN`."""
    page_acknowledgements: Answering = "auto"
    """Whether people may answer for alerts on the desk page, which writes on `risk.alert-notes.v1` with the worker's
    rights: `auto` where a token is asked for, or the broker asks the worker for none (plain text)."""
    commit_stalled_s: Annotated[float, Meta(ge=1, le=119)] = 30.0
    """When the watchdog of commits speaks (docs/watchdogs.md has all of them). A commit is due every half second, and
    one that moves to another coordinator takes seconds."""
    market_silent_s: Annotated[float, Meta(ge=1, le=86_400)] = 10.0
    """When that of the market does: publishers send a heartbeat a second."""
    publish_stalled_s: Annotated[float, Meta(ge=0.5, le=3_600)] = 5.0
    """When that of sends does: a broker answers within milliseconds."""
    lag_growing_s: Annotated[float, Meta(ge=5, le=86_400)] = 60.0
    """For how long the lag has to grow before its watchdog speaks."""
    min_free_mb: Annotated[int, Meta(ge=0, le=10_000_000)] = 50
    """Room on the disk of the data folder, in MB (10^6 bytes), below which the worker says so."""
    advice: bool = True
    """Whether margin calls and liquidations are followed by advice on what to do, from a process beside the worker."""
    data_dir: str | None = None
    """Where a local broker and the worker keep files; None uses temporary folders."""
    log_level: LogLevel = "info"
    """Least severe log line that is written."""


SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {"alerts": Alerts}
"""Tables of the settings file besides the settings above, with what may stand in each."""


class Origin(NamedTuple):
    """A setting's value and where it comes from: `default`, the file, a variable, or `flag`."""

    setting: str
    value: object
    origin: str


def origins(file: Path | None, environ: Mapping[str, str], flags: Mapping[str, object] | None = None) -> list[Origin]:
    """Return every setting with its value and origin, in the order of `Settings`; raises as `load`."""
    settings = load(file, environ, flags)
    from_file = _from_file(file) if file else {}
    variables = {name: PREFIX + name.upper() for name in _from_environment(environ)}
    if "broker_url" in variables and not environ.get(variables["broker_url"]):
        variables["broker_url"] = "BROKER_URL"
    given = {name for name, value in (flags or {}).items() if value is not None}
    return [
        Origin(
            name,
            getattr(settings, name),
            "flag" if name in given else variables.get(name) or (str(file) if name in from_file else "default"),
        )
        for name in Settings.__struct_fields__
    ]


def load(file: Path | None, environ: Mapping[str, str], flags: Mapping[str, object] | None = None) -> Settings:
    """Return the settings: `flags` that are not None, over `environ`, over `file`, over the defaults.

    `BROKER_URL` counts as `LIQMON_BROKER_URL` where that is absent; an empty variable counts as absent.
    Raises UsageError naming the setting, its source and what is wrong.
    """
    layers = [_from_file(file)] if file else []
    layers.append(_from_environment(environ))
    layers.append({name: value for name, value in (flags or {}).items() if value is not None})
    merged: dict[str, object] = {}
    for layer in layers:
        merged |= layer
    if "@" in str(merged.get("broker_url") or ""):
        # Told here, without quoting it: what stands before the sign is a password.
        raise UsageError(
            "the broker's address has a user or a password in it",
            "give host:port, and set LIQMON_SASL_USERNAME and LIQMON_SASL_PASSWORD_FILE",
        )
    try:
        return msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong setting: {error}", "correct it in the file, the environment or the flag") from error


def parse(file: Path) -> dict[str, object]:
    """Return what a settings file says; raises UsageError."""
    try:
        with file.open("rb") as stream:
            values = tomllib.load(stream)
    except OSError as error:
        raise UsageError(f"settings file {file} cannot be read ({error.strerror})", "check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"settings file {file} is not TOML ({error})", "correct it") from error
    return values


def _from_file(file: Path) -> dict[str, object]:
    values = parse(file)
    for name in values:
        if name not in SECTIONS:
            _require_known(name, name, f"settings file {file}")
    return {name: value for name, value in values.items() if name not in SECTIONS}


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    if url := environ.get("BROKER_URL"):
        values["broker_url"] = url
    for variable, value in environ.items():
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS and value and section_of(variable) is None:
            name = variable.removeprefix(PREFIX).lower()
            _require_known(name, variable, "the environment")
            values[name] = value
    return values


def _require_known(name: str, written: str, source: str) -> None:
    """Refuse a misspelt setting: silently ignored it would run with the default."""
    if PREFIX + name.upper() == PASSWORD_VARIABLE:
        raise UsageError(
            f"{source} has {written}, and settings files are copied and committed",
            f"put the password into a file of its own and name it with sasl_password_file, or set {PASSWORD_VARIABLE}",
        )
    if name not in Settings.__struct_fields__:
        near = difflib.get_close_matches(name, Settings.__struct_fields__, n=1)
        spelt = PREFIX + near[0].upper() if near and written.isupper() else "".join(near)
        remedy = f"did you mean {spelt}?" if near else f"settings are {', '.join(Settings.__struct_fields__)}"
        raise UsageError(f"{source} has {written}, which is no setting", remedy)


def section_of(variable: str) -> str | None:
    """Return the section that a variable belongs to, None for a setting's."""
    for name in SECTIONS:
        if variable.startswith(f"{PREFIX}{name.upper()}_"):
            return name
    return None
