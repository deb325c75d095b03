"""`python -m tests.equality`: long proofs, with their progress and a table; exit code 1 at the first difference."""

from __future__ import annotations

import sys
import time

import click

from tests.equality.proof import Outcome, Plan, Unequal, prove

TELL_EVERY_S = 10.0
HEAD = "  seed  records  refused  events  from nothing  matrices  handed      s"


def line(outcome: Outcome, seconds: float) -> str:
    """Return one line of the table; `from nothing` counts accounts that were computed anew and compared."""
    return (
        f"{outcome.seed:6d} {outcome.records:8d} {outcome.refused:8d} {sum(outcome.events.values()):7d} "
        f"{outcome.compared:13d} {outcome.versions:9d} {outcome.handovers:7d} {seconds:6.0f}"
    )


def described(outcome: Outcome) -> str:
    """Return events by kind, the digest of them all, and what the certificates did."""
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(outcome.events.items()))
    work = "none told" if outcome.work is None else ", ".join(f"{name} {n}" for name, n in outcome.work.items())
    return f"       {kinds}; digest {outcome.digest}\n       certificates: {work}"


@click.command()
@click.option("--records", default=100_000, show_default=True, help="Records of each seed.")
@click.option("--seeds", default="1", show_default=True, help="Numbers with commas between.")
@click.option(
    "--every", default=100, show_default=True, help="Records between two comparisons with nothing, on average."
)
@click.option("--only", default="", help="Scenes to play, with commas between; all if none is named.")
def main(records: int, seeds: str, every: int, only: str) -> None:
    """Prove that certificates change no event and no stored value."""
    lines: list[str] = []
    for seed in (int(one) for one in seeds.split(",")):
        start_s = told_s = time.monotonic()

        def tell(outcome: Outcome, start_s: float = start_s) -> None:
            nonlocal told_s
            if time.monotonic() - told_s > TELL_EVERY_S:
                told_s = time.monotonic()
                click.echo(line(outcome, told_s - start_s), err=True)

        # Even seeds have estimates, and so matrices, ranges and regimes, much earlier and more often.
        # Two of three sweep the book after a few accounts have left their certificates.
        few = (None, 2, 8)[seed % 3]
        scenes = tuple(filter(None, only.split(",")))
        plan = Plan(records=records, every=every, only=scenes, quick=seed % 2 == 0, few=few)
        try:
            outcome = prove(seed, plan, tell)
        except Unequal as difference:
            click.echo(f"DIFFERENT: {difference}")
            sys.exit(1)
        lines += [line(outcome, time.monotonic() - start_s), described(outcome)]
    click.echo("\n".join([HEAD, *lines, "equal: events, stored values, figures and conditions"]))


if __name__ == "__main__":
    main()
