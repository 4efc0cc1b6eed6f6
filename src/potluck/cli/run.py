"""`potluck run`: do it, all parties in this process."""

from __future__ import annotations

from pathlib import Path

import click

from potluck.api.plan import Plan
from potluck.api.run import run
from potluck.cli.door import settings, spoken, voice
from potluck.cli.progress import progress
from potluck.cli.text import show_run


@click.command("run")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run (default: runs/NAME-UTC).")
@click.option("--ledger", type=click.Path(path_type=Path), help="Folder of the ledgers (default: beside the plan).")
@click.option("--record", is_flag=True, help="Keep every parcel's body, as its receiver reads it (for the attacks).")
@click.option("--compare", is_flag=True, help="Also alone, pooled and exact results. Not private: all rows are here.")
@settings
@spoken
def command(
    plan: Path, out: Path | None, ledger: Path | None, record: bool, compare: bool, settings: tuple[str, ...]
) -> None:
    """Run PLAN with all parties in this process."""
    say = voice()
    read = Plan.read(plan, settings)
    with progress(say, read) as bar:
        done = run(read, out=out, ledger=ledger, record=record, compare=compare, progress=bar)
    say.warn(list(done.warnings))
    say.data(done.document, lambda console: show_run(console, done))
