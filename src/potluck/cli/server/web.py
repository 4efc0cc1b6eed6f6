"""`potluck server web`: the coordinator's pages, in a browser, and the runs that are started there."""

import getpass
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from potluck.cli.door import PATH, spoken, voice
from potluck.cli.pages import shown
from potluck.cli.words.dated import lasting


@click.command("web")
@click.argument("folder", type=PATH)
@click.option("--port", type=click.IntRange(0, 65535), default=8712, show_default=True, help="On loopback; 0: any.")
@click.option("--origin", metavar="URL", help="https://..., as this machine's own proxy shows the pages to others.")
@click.option("--person", metavar="NAME", help="Who starts runs here (default: the user who is logged in).")
@click.option("--at-once", type=click.IntRange(1, 64), default=2, show_default=True, metavar="RUNS",
              help="How many runs are in rounds at a time; others wait for their turn.")  # fmt: skip
@click.option("--health", type=click.IntRange(0, 65535), metavar="PORT",
              help="Answer /healthz and /metrics on this port of loopback; 0: any.")  # fmt: skip
@click.option("--open", "opened", is_flag=True, help="Open them in this machine's browser.")
@lasting
@spoken
def command(
    folder: Path, port: int, origin: str | None, person: str | None, at_once: int, health: int | None, opened: bool
) -> None:
    """Pages of the coordinator in FOLDER: sites, plans, runs as they go; served on this machine until it is stopped."""
    from potluck.api.network import office
    from potluck.api.network.running.coordinator import coordinating
    from potluck.api.network.running.health import Looking
    from potluck.console.health import watched
    from potluck.console.server.drafts import drafts
    from potluck.console.server.program import program

    speaker, name = voice(), person or getpass.getuser()
    with (
        office.opened(folder, at_once=at_once, say=speaker.event) as at_work,
        drafts(folder) as kept,
        ExitStack() as stack,
    ):
        if health is not None:
            taken = stack.enter_context(watched(Looking(partial(coordinating, at_work, time.time())), health))
            speaker.say(f"health: http://localhost:{taken}/healthz and /metrics")
        shown(
            speaker,
            folder,
            port,
            origin,
            lambda place, token: program(folder, at_work, kept, place, name, token),
            opened=opened,
        )
    speaker.say("stopped: runs that have not ended go on at the next start")
