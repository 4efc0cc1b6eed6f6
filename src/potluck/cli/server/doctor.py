"""`potluck server doctor`: is all well with a coordinator's home, and with its broker."""

from pathlib import Path

import click

from potluck.cli.door import PATH, spoken
from potluck.cli.site.doctor import examined


@click.command("doctor")
@click.argument("folder", type=PATH)
@spoken
def command(folder: Path) -> int:
    """Look at the coordinator's home FOLDER: files, clock, disk, federation file, broker; change nothing."""
    return examined(folder)
