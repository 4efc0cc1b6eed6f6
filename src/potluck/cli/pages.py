"""Pages of a home in a browser, until they are stopped: what `site web` and `server web` have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from potluck.cli.door import Voice

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from potluck.console.origin import Origin

Build = Callable[["Origin", str], "ASGIApp"]
"""The program, of where a browser finds it and of the token of the address that is printed, "" where none is."""


def shown(speaker: Voice, folder: Path, port: int, origin: str | None, build: Build, *, opened: bool) -> None:
    """Serve them. opened: also open this machine's browser. Raises UsageError: the port is taken, no such origin, or
    nobody could sign in."""
    from potluck.api.network.persons import persons
    from potluck.console.opening import closed, opening
    from potluck.console.origin import Origin
    from potluck.console.serve import listening, serve
    from potluck.console.whereabouts import remember, remembered
    from potluck.members.tokens import fresh

    token = "" if origin or persons(folder) else fresh()
    with listening(port) as (taken, sockets):
        place = Origin.behind(origin) if origin else Origin.here(taken)
        app = build(place, token)
        closed(folder)
        moved = remembered(folder) != place
        remember(folder, place)
        address = f"{place.text}/enter?token={token}" if token else place.text
        speaker.lines({"address": address, "port": taken}, [address])
        words = "it is good for one use, within ten minutes" if token else "each person signs in as themselves"
        speaker.say(f"open this address in a browser: {words}")
        if moved and any(one["invited"] for one in persons(folder)):
            speaker.say(f"an invitation that was printed before begins with {place.text} now: put that in")
        if opened and not opening(folder, address):
            speaker.say("no browser was found here: open the address yourself")
        try:
            serve(app, sockets, proxied=place.secure, loud=speaker.verbose)
        finally:
            closed(folder)
