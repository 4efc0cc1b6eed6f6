"""`potluck site web`: the owner's pages, in a browser."""

import getpass
from pathlib import Path

import click

from potluck.cli.door import PATH, spoken, voice


@click.command("web")
@click.argument("folder", type=PATH)
@click.option("--port", type=click.IntRange(0, 65535), default=8711, show_default=True, help="On loopback; 0: any.")
@click.option("--origin", metavar="URL", help="https://..., as this machine's own proxy shows the pages to others.")
@click.option("--person", metavar="NAME", help="Who decides here (default: the user who is logged in).")
@click.option("--open", "opened", is_flag=True, help="Open them in this machine's browser.")
@spoken
def command(folder: Path, port: int, origin: str | None, person: str | None, opened: bool) -> None:
    """FOLDER's pages: what waits, in plain words, and the decision; served on this machine until it is stopped."""
    from potluck.api.network.persons import persons
    from potluck.console.opening import closed, opening
    from potluck.console.origin import Origin
    from potluck.console.serve import listening, serve
    from potluck.console.site.program import program
    from potluck.console.whereabouts import remember
    from potluck.members.tokens import fresh

    speaker = voice()
    token = "" if origin or persons(folder) else fresh()
    with listening(port) as (taken, sockets):
        place = Origin.behind(origin) if origin else Origin.here(taken)
        app = program(folder, place, person or getpass.getuser(), token)
        closed(folder)
        remember(folder, place)
        address = f"{place.text}/enter?token={token}" if token else place.text
        speaker.lines({"address": address, "port": taken}, [address])
        words = "it is good for one use, within ten minutes" if token else "each person signs in as themselves"
        speaker.say(f"open this address in a browser: {words}")
        if opened and not opening(folder, address):
            speaker.say("no browser was found here: open the address yourself")
        try:
            serve(app, sockets, proxied=place.secure, loud=speaker.verbose)
        finally:
            closed(folder)
    speaker.say("stopped")
