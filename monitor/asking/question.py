"""A question about a view, as it is handed to the process that answers it (`monitor.asking.serve`)."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from monitor.answers.book_apart import Part
from monitor.answers.shock import Shock
from monitor.answers.what_if import Hypothesis
from monitor.asking.about import About
from schemas.records import ParameterSet

READY = b'{"ready":true}\n'  # the first line of that process
Kind = Literal["explain", "distance", "what-if", "plan", "advice"]
Standing = Literal["warning", "margin_call", "liquidation", "bankrupt"]


class Question(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="account", tag_field="of"):
    """One question; `view` is written down (`monitor.answers.view.encode`). Each kind reads its own options."""

    kind: Kind
    view: msgspec.Raw
    shapley: bool = False
    target: Literal["warning", "margin_call", "liquidation"] = "liquidation"
    hypothesis: Hypothesis = Hypothesis()
    hedges: bool = False
    about: About | None = None


class BookQuestion(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="book", tag_field="of"):
    """A question about all accounts of a worker, by parts: who breaches under a shock, or under other `parameters`."""

    parts: tuple[Part, ...]
    shock: Shock = Shock()
    parameters: ParameterSet | None = None
    at_least: Standing = "warning"
