"""`potluck server backup`: the coordinator's home as one file."""

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
    """Copy the coordinator's home in FOLDER to a file, while a run goes on or not: keys, runs, the broker's files."""
    made(
        api.server_backup(folder, output),
        "it holds the coordinator's keys, and is not encrypted: potluck docs without-single-failure",
    )
