"""A run in a folder: `run.json` says what it is, `paths.npz` holds its arrays. The same run is the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.errors import UsageError
from monitor.judgement.configurations import Configuration
from monitor.judgement.paths import MarketPath, Paths, Requirement, arrays

LAYOUT = 1
HEAD, ARRAYS = "run.json", "paths.npz"


class _Head(msgspec.Struct, frozen=True):
    layout: int
    digest: str
    accounts: tuple[str, ...]
    kinds: tuple[str, ...]
    coins: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    about: dict[str, object]


def save(folder: Path, paths: Paths) -> None:
    """Write a run; raises UsageError where the folder cannot be written."""
    head = _Head(
        LAYOUT, paths.digest(), paths.accounts, paths.kinds, paths.market.coins,
        tuple(one.configuration for one in paths.requirements), paths.about,
    )  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(folder / ARRAYS, **arrays(paths))  # type: ignore[arg-type]
        (folder / HEAD).write_bytes(msgspec.json.format(msgspec.json.encode(head, order="sorted"), indent=1))
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror})", "give another --out") from error


def load(folder: Path) -> Paths:
    """Read a run; raises UsageError for what is none, or is not what its digest says."""
    try:
        head = msgspec.json.decode((folder / HEAD).read_bytes(), type=_Head)
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
        if head.layout != LAYOUT:
            raise ValueError(f"layout {head.layout}, this build reads {LAYOUT}")
        paths = _paths(head, found)
        if paths.digest() != head.digest:
            raise ValueError("the arrays are not those of the digest")
    except (OSError, ValueError, KeyError, msgspec.MsgspecError) as error:
        raise UsageError(f"{folder} holds no run ({error})", "make one with liqmon judge --out") from error
    return paths


def _paths(head: _Head, found: dict[str, NDArray[Any]]) -> Paths:
    names = ("index_usd", "fast", "slow", "absorption", "regime")
    market = MarketPath(head.coins, **{name: found[f"market.{name}"] for name in names})
    requirements = tuple(
        Requirement(one, found[f"{number}.im_usd"], found[f"{number}.mm_usd"])
        for number, one in enumerate(head.configurations)
    )
    columns = ("times_us", "equity_usd", "flow_usd", "gross_usd", "held")
    return Paths(
        accounts=head.accounts, kinds=head.kinds, market=market, requirements=requirements, about=head.about,
        **{name: found[name] for name in columns},
    )  # fmt: skip
