"""The pure engine: `step(state, records) -> events`. No Kafka, no clock, no randomness."""

from monitor.engine.outbox import collect, confirm, confirm_pending, pending, urgent
from monitor.engine.state import Account, Marker, Rejected, Sourced, State, decode_account, decode_marker
from monitor.engine.step import close_shard, evaluate_account, gate_open, new_state, open_shard, rewind, step

__all__ = [
    "Account",
    "Marker",
    "Rejected",
    "Sourced",
    "State",
    "close_shard",
    "collect",
    "confirm",
    "confirm_pending",
    "decode_account",
    "decode_marker",
    "evaluate_account",
    "gate_open",
    "new_state",
    "open_shard",
    "pending",
    "rewind",
    "step",
    "urgent",
]
