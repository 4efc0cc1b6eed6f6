"""`potluck site web`: the owner's pages, in a browser."""

import getpass
from pathlib import Path

import click

from potluck.cli.door import PATH, spoken, voice


@click.command("web")
@click.argument("folder", type=PATH)
@click.option("--port", type=click.IntRange(0, 65535), default=8711, show_default=True, help="On loopback; 0: any.")
@click.option("--person", metavar="NAME", help="Who decides here (default: the user who is logged in).")
@spoken
def command(folder: Path, port: int, person: str | None) -> None:
    """FOLDER's pages: what waits, in plain words, and the decision; served on this machine until it is stopped."""
    from potluck.console.origin import Origin
    from potluck.console.serve import listening, serve
    from potluck.console.site.program import program
    from potluck.members.tokens import fresh

    speaker, token = voice(), fresh()
    with listening(port) as (taken, sockets):
        origin = Origin.here(taken)
        app = program(folder, origin, person or getpass.getuser(), token)
        speaker.lines({"address": f"{origin.text}/enter?token={token}"}, [f"{origin.text}/enter?token={token}"])
        speaker.say("open this address in a browser on this machine: it is good for one use, within ten minutes")
        serve(app, sockets, loud=speaker.verbose)
    speaker.say("stopped")
