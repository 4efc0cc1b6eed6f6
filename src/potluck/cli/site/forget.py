"""`potluck site forget`: an unfinished run's numbers go."""

from pathlib import Path

import click

from potluck.api.network import holdings
from potluck.cli.door import PATH, spoken, voice


@click.command("forget")
@click.argument("folder", type=PATH)
@click.argument("run")
@spoken
def command(folder: Path, run: str) -> None:
    """Remove what FOLDER keeps for the next round of RUN, which then cannot go on here."""
    done = holdings.forget(folder, run)
    voice().lines({"run": done.run, "plan": done.plan, "bytes": done.bytes}, [f"run {done.run}: {done.rounds} is gone"])
