"""`potluck site backup`: the home as one file."""

from pathlib import Path

import click

from potluck.api.machine import backup as api
from potluck.cli.door import PATH, spoken
from potluck.cli.words.copies import OUTPUT, made


@click.command("backup")
@click.argument("folder", type=PATH)
@OUTPUT
@spoken
def command(folder: Path, output: Path) -> None:
    """Copy FOLDER's home to a file, while its site works or not: keys, policy, ledger, requests, all but rows."""
    made(api.site_backup(folder, output), "it holds this site's keys, and is not encrypted: potluck docs backup")
