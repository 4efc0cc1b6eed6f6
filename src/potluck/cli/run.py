"""`potluck run`: do it, all parties in this process."""

from pathlib import Path

import click

from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.cli.door import PATH, rehearsing, settings, spoken, voice
from potluck.cli.text import finished
from potluck.cli.words.progress import progress


@click.command("run")
@click.argument("plan", type=PATH)
@rehearsing
@settings
@spoken
def command(
    plan: Path,
    out: Path | None,
    ledger: Path | None,
    record: bool,
    compare: bool,
    predictions: bool,
    settings: tuple[str, ...],
) -> int:
    """Run PLAN with all parties in this process."""
    say = voice()
    read = Plan.read(plan, settings)
    with progress(say, read) as bar:
        done = run(read, out=out, ledger=ledger, record=record, compare=compare, predictions=predictions, progress=bar)
    return finished(say, done)
