"""`potluck site restore`: a home from its copy."""

from pathlib import Path

import click

from potluck.api.machine import backup as api
from potluck.cli.door import PATH, spoken
from potluck.cli.words.copies import put_back


@click.command("restore")
@click.argument("file", type=PATH)
@click.argument("folder", type=PATH)
@spoken
def command(file: Path, folder: Path) -> None:
    """Put the copy FILE (- is a pipe) of a site's home back into the new folder FOLDER."""
    made = api.site_restore(file, folder)
    behind = f"where this site took part in rounds after {made.made}, it will refuse requests: its ledger is behind"
    beside = "rows are not in it; never run it beside the home that it was copied from: potluck docs backup"
    put_back(made, {}, beside, behind)
