"""The topic table: names, keys, partitions and policies in one place.

Market topics have one partition because order matters and every worker reads all of them; they scale by
frames. Account topics are co-partitioned by account (Kafka's murmur2 partitioner), so one worker owns all
inputs of an account.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType
from typing import Literal

from schemas import records

DAY_MS = 86_400_000
# A message larger than we read is refused with its original bytes, wherever a broker allowed it onto an input topic.
MAX_DEAD_LETTER_BYTES = 16 * 1_048_576
Policy = Literal["delete", "compact"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `partitions` None means the deployment's account partitions P; `record` may be a union."""

    name: str
    key: str
    policy: Policy
    record: type[records.Record] | UnionType
    partitions: int | None = None
    retention_ms: int | None = None
    min_compaction_lag_ms: int | None = None
    compression: str = "producer"
    max_message_bytes: int | None = None
    direction: Literal["input", "output", "internal", "beside"] = "input"  # beside: of others, and not for the engine
    purpose: str = ""

    @property
    def framed(self) -> bool:
        """Whether messages may be frames: their null key rules out compacted topics, and outputs are single."""
        return self.policy == "delete" and self.direction in {"input", "internal"}

    def config(self) -> dict[str, str]:
        """Kafka topic settings of this entry."""
        settings = {"cleanup.policy": self.policy, "compression.type": self.compression}
        if self.retention_ms is not None:
            settings["retention.ms"] = str(self.retention_ms)
        if self.min_compaction_lag_ms is not None:
            settings["min.compaction.lag.ms"] = str(self.min_compaction_lag_ms)
        if self.max_message_bytes is not None:
            settings["max.message.bytes"] = str(self.max_message_bytes)
        return settings


TRADES = Topic("risk.trades.v1", "account", "delete", records.Trade, retention_ms=7 * DAY_MS, purpose="fills")
TRANSFERS = Topic(
    "risk.transfers.v1",
    "account",
    "delete",
    records.Transfer,
    retention_ms=30 * DAY_MS,
    purpose="deposits and withdrawals per asset",
)
ACCOUNTS = Topic(
    "risk.accounts.v1",
    "account",
    "compact",
    records.AccountConfig,
    min_compaction_lag_ms=30 * DAY_MS,
    purpose="margin model, parameter set, group of each account",
)
INSTRUMENTS = Topic(
    "market.instruments.v1",
    "instrument",
    "compact",
    records.Instrument,
    partitions=1,
    min_compaction_lag_ms=30 * DAY_MS,
    purpose="listed contracts",
)
TICKS = Topic(
    "market.ticks.v1",
    "instrument",
    "delete",
    records.Tick,
    partitions=1,
    retention_ms=7 * DAY_MS,
    purpose="prices (trade, mark, index, quote), funding rates and heartbeats",
)
VOLATILITY = Topic(
    "market.volatility.v1",
    "underlying",
    "delete",
    records.VolatilityUpdate,
    partitions=1,
    retention_ms=7 * DAY_MS,
    purpose="volatility by instrument, expiry smile or SVI slice",
)
PARAMETERS = Topic(
    "risk.parameters.v1",
    "name",
    "compact",
    records.ParameterSet,
    partitions=1,
    min_compaction_lag_ms=30 * DAY_MS,
    purpose="margin and status parameters by set name",
)
MARGIN_CALLS = Topic(
    "risk.margin-calls.v1",
    "account",
    "delete",
    records.AccountEvent,
    retention_ms=30 * DAY_MS,
    direction="output",
    purpose="warning, margin_call, recovered, resolved",
)
LIQUIDATIONS = Topic(
    "risk.liquidations.v1",
    "account",
    "delete",
    records.AccountEvent,
    retention_ms=30 * DAY_MS,
    direction="output",
    purpose="liquidation, bankrupt, data_hold",
)
ACCOUNT_STATES = Topic(
    "risk.account-states.v1",
    "account",
    "compact",
    records.AccountState,
    direction="output",
    purpose="latest status and requirement of each account",
)
REGIMES = Topic(
    "risk.regimes.v1",
    "underlying set",
    "delete",
    records.RegimeRecord,
    partitions=1,
    retention_ms=30 * DAY_MS,
    direction="output",
    purpose="correlation regimes, steps of price ranges",
)
RISK_ARRAYS = Topic(
    "risk.risk-arrays.v1",
    "parameter set/instrument",
    "compact",
    records.RiskArray,
    partitions=1,
    direction="output",
    purpose="published risk arrays, so that anyone can recompute a requirement",
)
ADVICE = Topic(
    "risk.advice.v1",
    "account",
    "delete",
    records.Advice,
    retention_ms=30 * DAY_MS,
    direction="output",
    purpose="what could be done about a margin call or liquidation",
)
INTENTS = Topic(
    "risk.intents.v1",
    "account",
    "delete",
    records.Intent,
    retention_ms=30 * DAY_MS,
    direction="output",
    purpose="margin that an account in liquidation needs, for anyone to offer",
)
ANSWERS = Topic(
    "risk.answers.v1",
    "account",
    "delete",
    records.Answer,
    retention_ms=30 * DAY_MS,
    direction="beside",
    purpose="baskets that solvers offer for intents",
)
AWARDS = Topic(
    "risk.awards.v1",
    "account",
    "delete",
    records.Award,
    retention_ms=30 * DAY_MS,
    direction="output",
    purpose="what was taken of the answers to an intent, and why not the others",
)
WORKERS = Topic(
    "risk.workers.v1",
    "partition",
    "compact",
    records.WorkerEndpoint,
    partitions=1,
    direction="internal",
    purpose="where the owner of each partition answers questions",
)
MARKET_SNAPSHOTS = Topic(
    "risk.market-snapshots.v1",
    "snapshot part",
    "compact",
    records.MarketSnapshotPart,
    partitions=1,
    direction="internal",
    purpose="market state with its offsets",
)
SEQUENCED = Topic(
    "risk.sequenced.v1",
    "none",
    "delete",
    records.SequencedRecord,
    retention_ms=7 * DAY_MS,
    direction="internal",
    purpose="strict order: the merged sequence",
)
DEAD_LETTERS = Topic(
    "risk.dead-letters.v1",
    "source key",
    "delete",
    records.DeadLetter,
    partitions=1,
    retention_ms=30 * DAY_MS,
    max_message_bytes=MAX_DEAD_LETTER_BYTES,
    direction="output",
    purpose="refused records: original bytes, with position and reason in headers",
)
# Not in the table below: workers and bots start without it. `liqmon alerts run` makes it, and its messages are JSON of
# their own (`monitor.alerts.notes`).
ALERT_NOTES = Topic(
    "risk.alert-notes.v1",
    "note",
    "compact",
    records.Record,
    partitions=1,
    min_compaction_lag_ms=3_600_000,
    direction="internal",
    purpose="alerts: who was told what, and who answers for it",
)

ALL: tuple[Topic, ...] = (
    TRADES,
    TRANSFERS,
    ACCOUNTS,
    INSTRUMENTS,
    TICKS,
    VOLATILITY,
    PARAMETERS,
    MARGIN_CALLS,
    LIQUIDATIONS,
    ACCOUNT_STATES,
    REGIMES,
    RISK_ARRAYS,
    ADVICE,
    INTENTS,
    ANSWERS,
    AWARDS,
    WORKERS,
    MARKET_SNAPSHOTS,
    SEQUENCED,
    DEAD_LETTERS,
)

ACCOUNT_TOPICS: tuple[Topic, ...] = (TRADES, TRANSFERS, ACCOUNTS)
MARKET_TOPICS: tuple[Topic, ...] = (PARAMETERS, INSTRUMENTS, VOLATILITY, TICKS)

AUCTION_TOPICS: tuple[Topic, ...] = (INTENTS, ANSWERS, AWARDS)  # workers have nothing to do with them

# Rank of a topic in the merge: at equal event times the lower rank is applied first (definitions before use).
SOURCE_RANK: dict[str, int] = {
    topic.name: rank
    for rank, topic in enumerate((PARAMETERS, INSTRUMENTS, VOLATILITY, TICKS, ACCOUNTS, TRANSFERS, TRADES))
}


def full_name(topic: Topic, prefix: str = "") -> str:
    """Name of a topic on the broker: an optional deployment prefix, then the table's name."""
    return f"{prefix}{topic.name}"
