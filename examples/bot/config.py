"""Settings of the bot: a TOML file, over it variables `LIQBOT_...`, over both flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from monitor.errors import UsageError

PREFIX: Final = "LIQBOT_"
SECRETS: Final = frozenset({"webhook_url", "venue_token"})
"""Settings that only variables give: files are copied and committed."""


class BotSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bot does; the broker is that of BROKER_URL and the LIQMON_* variables where it is not named here."""

    broker: str | None = None
    prefix: str | None = None
    # Behind the topics' prefix, as the rights of bots want it; bots of one group share the accounts.
    group: str = "bot-example"
    # Events and states have to be signed with one of these keys; None asks for no signature.
    keys_file: str | None = None
    dry_run: bool = True
    # Endpoints of the workers, asked for plans; without an answer of any the largest position is closed.
    plan_urls: tuple[str, ...] = ()
    venue_url: str = "http://127.0.0.1:8090"
    venue_token: str | None = None
    # Where intents are written before orders go out.
    journal: str = "liquidation-bot.jsonl"
    max_attempts: Annotated[int, Meta(ge=1)] = 5
    """Actions for one account in one episode."""
    max_notional_usd: Annotated[float, Meta(gt=0.0)] = 5_000_000.0
    """Of all orders of a round."""
    max_close_fraction: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    """Of a position that one action may close."""
    round_s: Annotated[float, Meta(ge=0.05)] = 1.0
    # The order of accounts in a round follows from it; None draws one, so that bots do not race for the same account.
    seed: int | None = None
    # `replay` takes events of any age for valid: for a market that is played, not lived.
    clock: Literal["wall", "replay"] = "wall"
    # No round within it, and the bot is not ready.
    idle_s: Annotated[float, Meta(ge=1.0)] = 15.0
    health_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    webhook_url: str | None = None
    """Told once when the bot ends by a failure."""


def load(
    file: Path | None, flags: Mapping[str, object] | None = None, environ: Mapping[str, str] = os.environ
) -> BotSettings:
    """Return the settings; raises UsageError that names what is wrong, and never the value of a secret."""
    merged: dict[str, object] = {}
    if file is not None:
        try:
            merged = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"settings file {file} cannot be read ({error})", "check --config") from error
        if told := SECRETS & merged.keys():
            name = min(told)
            raise UsageError(f"{file} has {name}, a secret", f"set {PREFIX}{name.upper()} instead")
    for variable, value in environ.items():
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and value:
            merged[name] = value.split(",") if name == "plan_urls" else value
    merged |= {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return msgspec.convert(merged, BotSettings, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong setting: {error}", "see examples/liquidation_bot.toml") from None
