"""The trades of a recorded day against generated accounts, straight through the engine, read on another core."""

from __future__ import annotations

from pathlib import Path

from monitor.engine import new_state
from monitor.replay import offline
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.ahead import pays
from monitor.replay.arrival import Merged
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource, open_sources
from schemas.topics import TICKS

PARAMETERS = AccountParameters(seed=7, accounts=10_000, fills_per_hour=0.0)  # the day's ticks are what is measured


def measure(folder: Path) -> dict[str, float | bool]:
    """Return seconds and records of a replay of the trades in a folder, with certificates and without."""
    generated = generate_accounts(Merged(open_sources((folder,))), PARAMETERS)
    figures: dict[str, float | bool] = {}
    said = []
    for certificates, key in ((True, "replay_s"), (False, "replay_without_certificates_s")):
        accounts = ListSource("generated accounts", generated.records, ACCOUNTS_FILE_TOPICS)
        stream = Merged([*open_sources((folder,)), accounts])
        summary = offline.run(stream, state=new_state(certificates=certificates), ahead=pays(stream))
        figures[key] = summary.seconds
        figures["replay_ticks"] = float(summary.records[TICKS.name])
        said.append((summary.events, summary.ranges, summary.regimes, summary.status_share))
    figures["replay_events_equal"] = said[0] == said[1]
    return figures
