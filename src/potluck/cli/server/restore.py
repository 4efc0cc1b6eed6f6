"""`potluck server restore`: a coordinator's home from its copy."""

from pathlib import Path

import click

from potluck.api.machine import backup as api
from potluck.cli.door import PATH, spoken, voice


@click.command("restore")
@click.argument("file", type=PATH)
@click.argument("folder", type=PATH)
@spoken
def command(file: Path, folder: Path) -> None:
    """Put the copy FILE (- is a pipe) of a coordinator's home back into the new folder FOLDER."""
    made = api.server_restore(file, folder)
    speaker = voice()
    speaker.say("the home that it was copied from must stay ended: potluck docs without-single-failure")
    speaker.lines(made.document(), [f"{made.copied.name}: {len(made.copied.files)} files of {made.made}, in {folder}"])
