"""A question about a view, as it is handed to the process that answers it (`monitor.asking.serve`)."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from monitor.answers.what_if import Hypothesis
from monitor.asking.about import About

READY = b'{"ready":true}\n'  # the first line of that process
Kind = Literal["explain", "distance", "what-if", "plan", "advice"]


class Question(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question; `view` is written down (`monitor.answers.view.encode`). Each kind reads its own options."""

    kind: Kind
    view: msgspec.Raw
    shapley: bool = False
    target: Literal["warning", "margin_call", "liquidation"] = "liquidation"
    hypothesis: Hypothesis = Hypothesis()
    hedges: bool = False
    about: About | None = None
