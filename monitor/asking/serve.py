"""A process that answers questions about views, one a line; beside a worker it keeps them off the worker's loop.

python -m monitor.asking.serve

A line in is JSON of `Question`; a line out is JSON of the answer, or `{"error": ...}` for what has none. The first line
out says that it is ready: what it needs is loaded. It ends when its input does.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from monitor.answers.book_apart import breaches_apart, merged, preview_apart
from monitor.answers.distance import distance
from monitor.answers.explain import explain
from monitor.answers.plan import CannotPlan, Policy, plan
from monitor.answers.plan.engine import situation_of
from monitor.answers.shock import RefusedShock
from monitor.answers.view import decode
from monitor.answers.what_if import RefusedQuestion, what_if
from monitor.asking.advise import advise
from monitor.asking.question import READY, BookQuestion, Question
from schemas.codec import encode
from schemas.records import Record

if TYPE_CHECKING:
    from monitor.answers.book_wide import Breaches
    from monitor.answers.view import View

_read = msgspec.json.Decoder(Question | BookQuestion).decode
_write = msgspec.json.Encoder().encode


def answer(question: Question | BookQuestion) -> object:
    """Return the answer; raises RefusedQuestion, RefusedShock or CannotPlan where there is none."""
    if isinstance(question, BookQuestion):
        return _of_book(question)
    view: View = decode(bytes(question.view))
    if question.kind == "explain":
        return explain(view, shapley=question.shapley)
    if question.kind == "distance":
        return distance(view, question.target)
    if question.kind == "plan":
        return plan(situation_of(view.account, view.market()), Policy(hedges=question.hedges))
    if question.kind == "advice":
        if question.about is None:
            raise RefusedQuestion("advice is about an event")
        return advise(view, question.about)
    return what_if(view, question.hypothesis, shapley=question.shapley)


def _of_book(question: BookQuestion) -> Breaches:
    chosen, at_least = question.parameters, question.at_least
    return merged([
        breaches_apart(part, question.shock, at_least=at_least) if chosen is None
        else preview_apart(part, chosen, at_least=at_least)
        for part in question.parts
    ])  # fmt: skip


def line_of(line: bytes) -> bytes:
    """Return the line that answers one."""
    try:
        found = answer(_read(line))
        return encode(found) if isinstance(found, Record) else _write(found)
    except (RefusedQuestion, RefusedShock, CannotPlan, msgspec.MsgspecError, ValueError) as error:
        return _write({"error": str(error)})


def main(lines: BinaryIO, out: BinaryIO) -> None:
    """Answer until the input ends."""
    out.write(READY)
    out.flush()
    for line in lines:
        out.write(line_of(line) + b"\n")
        out.flush()


if __name__ == "__main__":
    os.nice(5)  # the worker beside it comes first
    main(sys.stdin.buffer, sys.stdout.buffer)
