"""`potluck server restore`: a coordinator's home from its copy."""

from pathlib import Path

import click

from potluck.api.machine import backup as api
from potluck.cli.door import PATH, spoken
from potluck.cli.words.copies import put_back


@click.command("restore")
@click.argument("file", type=PATH)
@click.argument("folder", type=PATH)
@click.option("--newest", type=PATH, metavar="FILE", help="A member's federation.toml, where no broker shows it.")
@spoken
def command(file: Path, folder: Path, newest: Path | None) -> None:
    """Put the copy FILE (- is a pipe) of a coordinator's home back into the new folder FOLDER."""
    made, caught = api.server_restore(file, folder, newest)
    words = ["the home that it was copied from must stay ended: potluck docs without-single-failure"]
    if caught.after > caught.before:
        words.append(f"federation file: version {caught.after}, where the copy had version {caught.before}")
    if caught.unseen:
        words.append(f"the broker cannot say whether a newer federation file is out ({caught.unseen}): else --newest")
    put_back(made, caught.document(), *words)
