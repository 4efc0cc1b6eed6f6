"""`potluck site models`: what runs left in a home."""

from pathlib import Path

import click

from potluck.api.network.holdings import holdings
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal


@click.command("models")
@click.argument("folder", type=PATH)
@spoken
def command(folder: Path) -> None:
    """What runs left in FOLDER for its owner alone: models, predictions, papers, and what is kept of open runs."""
    found = holdings(folder)

    def text(out: Terminal) -> None:
        if not found:
            out.say("runs left nothing here")
        for one in found:
            out.say(f"{one.when}  {one.plan or '?'}  run {one.run}")
            out.lines([f"  your own model: {one.model} ({one.digest or 'of no known digest'})"] if one.model else [])
            out.lines([f"  the model of all sites: {one.released}"] if one.released else [])
            out.lines([f"  predictions of your rows: {one.predictions}"] if one.predictions else [])
            out.lines([f"  papers: {one.papers}"] if one.papers else [])
            kept = f"  not over: {one.bytes or 0:,} bytes for its next round in {one.rounds}"
            out.lines([f"{kept}; if it never ends: potluck site forget"] if one.rounds else [])

    voice().data({"models": [one.document() for one in found]}, text)
