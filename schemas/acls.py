"""Who may do what on the broker: one table, from which come the documentation, the commands and the tests.

Rights are by exact name wherever a name is known, and none is on the cluster: what may create a topic may create that
topic. Kafka adds Describe to whoever may read or write, and DescribeConfigs to whoever may alter configurations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from schemas import topics
from schemas.topics import Topic, full_name

Resource = Literal["topic", "group"]
Pattern = Literal["literal", "prefixed"]
Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs", "AlterConfigs"]

INPUTS = (*topics.ACCOUNT_TOPICS, *topics.MARKET_TOPICS)
PRICES = (topics.INSTRUMENTS, topics.TICKS, topics.VOLATILITY)
BOOKS = (topics.ACCOUNTS, topics.TRANSFERS, topics.TRADES, topics.PARAMETERS)
EVENTS = (topics.MARGIN_CALLS, topics.LIQUIDATIONS)
WRITTEN = (
    *EVENTS, topics.ACCOUNT_STATES, topics.REGIMES, topics.RISK_ARRAYS, topics.ADVICE, topics.WORKERS,
    topics.MARKET_SNAPSHOTS, topics.DEAD_LETTERS,
)  # fmt: skip


class Acl(NamedTuple):
    """One right: to do `operation` on a resource, named exactly or by the beginning of its name."""

    resource: Resource
    name: str
    pattern: Pattern
    operation: Operation


@dataclass(frozen=True, slots=True)
class Deployment:
    """What names follow from: the prefix of its topics and the application id of its workers."""

    prefix: str = ""
    application_id: str = "liquidation-monitor-v1"

    @property
    def groups(self) -> tuple[str, str]:
        """Groups of the workers, live and strict."""
        group = f"{self.prefix}{self.application_id}"
        return group, f"{group}-strict"

    @property
    def changelogs(self) -> tuple[str, ...]:
        """Topics of the stored state."""
        return tuple(f"{group}-state-changelog" for group in self.groups)


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of client; `runs` tells whether it is there all the time, or a person's for a task."""

    name: str
    purpose: str
    runs: bool
    acls: Callable[[Deployment], list[Acl]]


def _topics(of: Deployment, wanted: tuple[Topic, ...], *operations: Operation) -> list[Acl]:
    return [Acl("topic", full_name(topic, of.prefix), "literal", each) for topic in wanted for each in operations]


def _worker(of: Deployment) -> list[Acl]:
    return [
        # Its own snapshots of the market are where a start goes on from; others' endpoints, where questions go.
        *_topics(of, (*INPUTS, topics.SEQUENCED, topics.MARKET_SNAPSHOTS, topics.WORKERS), "Read"),
        # Its desk page shows accounts of all workers.
        *_topics(of, (*EVENTS, topics.ACCOUNT_STATES, topics.REGIMES), "Read"),
        # There people answer for alerts. It does not make that topic: it starts without.
        *_topics(of, (topics.ALERT_NOTES,), "Read", "Write", "DescribeConfigs"),
        *_topics(of, WRITTEN, "Write"),
        # It refuses to start on topics that differ from the table.
        *_topics(of, tuple(one for one in topics.ALL if one not in topics.AUCTION_TOPICS), "DescribeConfigs"),
        *(
            Acl("topic", name, "literal", operation)
            for name in of.changelogs for operation in ("Read", "Write", "DescribeConfigs")
        ),
        *(Acl("group", name, "literal", "Read") for name in of.groups),
    ]  # fmt: skip


def _bot(of: Deployment) -> list[Acl]:
    return [
        *_topics(of, (*EVENTS, topics.ACCOUNT_STATES, topics.REGIMES, topics.ADVICE), "Read"),
        Acl("group", f"{of.prefix}bot-", "prefixed", "Read"),
    ]


def _solver(of: Deployment) -> list[Acl]:
    return [
        *_topics(of, (topics.ADVICE, topics.INTENTS, topics.AWARDS), "Read"),
        *_topics(of, (topics.ANSWERS,), "Write"),
        Acl("group", f"{of.prefix}solver-", "prefixed", "Read"),
    ]


def _auction(of: Deployment) -> list[Acl]:
    # It belongs to no group: what it has said stands on its own topics.
    return [
        *_topics(of, (topics.ADVICE, topics.INTENTS, topics.ANSWERS, topics.AWARDS), "Read"),
        *_topics(of, (topics.INTENTS, topics.AWARDS), "Write"),
        *_topics(of, (topics.ANSWERS,), "DescribeConfigs"),
    ]


def _feed(of: Deployment) -> list[Acl]:
    return _topics(of, PRICES, "Write")


def _books(of: Deployment) -> list[Acl]:
    return _topics(of, BOOKS, "Write")


def _replay(of: Deployment) -> list[Acl]:
    # It looks at the partitions before it publishes, and does not publish a sequence behind another one.
    return [
        *_topics(of, INPUTS, "Write", "DescribeConfigs"),
        *_topics(of, (topics.SEQUENCED,), "Read", "Write", "DescribeConfigs"),
        Acl("group", f"{of.prefix}replay", "literal", "Read"),
    ]


def _letters(of: Deployment) -> list[Acl]:
    return [
        *_topics(of, (topics.DEAD_LETTERS,), "Read"),
        *_topics(of, INPUTS, "Write"),
        Acl("group", f"{of.prefix}letters-", "prefixed", "Read"),
    ]


def _auditor(of: Deployment) -> list[Acl]:
    # A digest reads what was said; to verify an event takes all that it was computed from.
    said = (*EVENTS, topics.REGIMES)
    return [
        *_topics(of, (*said, topics.ACCOUNT_STATES, *INPUTS, topics.SEQUENCED), "Read"),
        *_topics(of, (*said, topics.TRADES), "DescribeConfigs"),
    ]


def _admin(of: Deployment) -> list[Acl]:
    operations: tuple[Operation, ...] = ("Create", "Describe", "AlterConfigs", "DescribeConfigs")
    changelogs = (Acl("topic", name, "literal", operation) for name in of.changelogs for operation in operations)
    return [*_topics(of, topics.ALL, *operations), *changelogs]


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role("worker", "`liqmon worker`", True, _worker),
        Role("bot", "reads events and states: bots, desks, dashboards", True, _bot),
        Role("feed", "publishes prices, volatilities and instruments", True, _feed),
        Role("books", "publishes accounts, transfers, trades and parameters", True, _books),
        Role("solver", "answers intents of liquidations", True, _solver),
        Role("auction", "`liqmon auction`", True, _auction),
        Role("replay", "`liqmon replay` to the topics or to the sequence", False, _replay),
        Role("letters", "looks at dead letters and publishes them again", False, _letters),
        Role("auditor", "`liqmon digest` and `liqmon verify`", False, _auditor),
        Role("admin", "`liqmon topics plan` and `apply`", False, _admin),
    )
}


def acls(role: str, deployment: Deployment) -> list[Acl]:
    """Return the rights of a role, none twice, in the order of the table; raises KeyError on an unknown role."""
    return list(dict.fromkeys(ROLES[role].acls(deployment)))


def kafka_acls_lines(role: str, principal: str, deployment: Deployment) -> list[str]:
    """Return arguments of Kafka's own `kafka-acls.sh`, one call for each resource, for clusters managed with it."""
    by_resource: dict[tuple[Resource, str, Pattern], list[Operation]] = {}
    for acl in acls(role, deployment):
        by_resource.setdefault((acl.resource, acl.name, acl.pattern), []).append(acl.operation)
    return [
        f"--add --allow-principal {principal} "
        + " ".join(f"--operation {operation}" for operation in operations)
        + f" --{resource} {name} --resource-pattern-type {pattern}"
        for (resource, name, pattern), operations in by_resource.items()
    ]


def markdown() -> str:
    """Return the table of all roles under no prefix, one line for each set of operations."""
    rows = ["| role | for | may | on |", "|---|---|---|---|"]
    for role in ROLES.values():
        by_operations: dict[str, list[str]] = {}
        for line in _by_name(acls(role.name, Deployment())):
            by_operations.setdefault(line[1], []).append(line[0])
        first = True
        for operations, names in by_operations.items():
            kind = role.purpose if first else ""
            rows.append(f"| {role.name if first else ''} | {kind} | {operations} | {', '.join(names)} |")
            first = False
    return "\n".join(rows)


def _by_name(found: list[Acl]) -> list[tuple[str, str]]:
    operations: dict[str, list[str]] = {}
    for acl in found:
        star = "*" if acl.pattern == "prefixed" else ""
        shown = f"{'group ' if acl.resource == 'group' else ''}`{acl.name}{star}`"
        operations.setdefault(shown, []).append(acl.operation)
    return [(name, ", ".join(each)) for name, each in operations.items()]
