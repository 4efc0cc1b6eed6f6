"""`potluck site status`: does the site answer, what goes on, what waits, what is left."""

from pathlib import Path

import click

from potluck.cli.door import PATH, spoken, voice


@click.command("status")
@click.argument("folder", type=PATH)
@spoken
def command(folder: Path) -> int:
    """FOLDER's process, broker, federation file, runs, requests, last round and budget."""
    from potluck.api.network.running.status import status

    found = status(folder)
    voice().lines(found.document(), found.lines)
    return 0 if found.well else 3
