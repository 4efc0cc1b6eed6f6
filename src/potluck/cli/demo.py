"""`potluck demo`: four hospitals, on real data."""

from pathlib import Path

import click

from potluck.api.local.demo import demo
from potluck.cli.door import PATH, settings, spoken, voice
from potluck.cli.text import finished, show_demo
from potluck.cli.words.progress import progress


@click.command("demo")
@click.option("--out", type=PATH, help="Folder of the run (default: runs/heart-disease-UTC).")
@click.option("--ledger", type=PATH, help="Folder of the ledgers (default: in the run's folder).")
@settings
@spoken
def command(out: Path | None, ledger: Path | None, settings: tuple[str, ...]) -> int:
    """Four hospitals learn together: each alone, federated, federated with noise, pooled; and the report."""
    say = voice()
    done = demo(out=out, ledger=ledger, settings=settings, progress=lambda plan: progress(say, plan))
    return finished(say, done, show_demo)
