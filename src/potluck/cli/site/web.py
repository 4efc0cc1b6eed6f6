"""`potluck site web`: the owner's pages, in a browser."""

import getpass
from pathlib import Path

import click

from potluck.cli.door import PATH, spoken, voice
from potluck.cli.pages import shown


@click.command("web")
@click.argument("folder", type=PATH)
@click.option("--port", type=click.IntRange(0, 65535), default=8711, show_default=True, help="On loopback; 0: any.")
@click.option("--origin", metavar="URL", help="https://..., as this machine's own proxy shows the pages to others.")
@click.option("--person", metavar="NAME", help="Who decides here (default: the user who is logged in).")
@click.option("--open", "opened", is_flag=True, help="Open them in this machine's browser.")
@spoken
def command(folder: Path, port: int, origin: str | None, person: str | None, opened: bool) -> None:
    """FOLDER's pages: what waits, in plain words, and the decision; served on this machine until it is stopped."""
    from potluck.console.site.program import program

    speaker, name = voice(), person or getpass.getuser()
    shown(speaker, folder, port, origin, lambda place, token: program(folder, place, name, token), opened=opened)
    speaker.say("stopped")
