"""`potluck site doctor`: is all well with a site, and what to do where it is not."""

import getpass
from pathlib import Path

import click

from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal

STYLES = {"good": "green", "look": "yellow", "bad": "bold red", "unknown": "dim"}


@click.command("doctor")
@click.argument("folder", type=PATH)
@spoken
def command(folder: Path) -> int:
    """Look at FOLDER's home, policy, rows, engines, federation file, broker, clock, disk and ledger."""
    return examined(folder)


def examined(folder: Path) -> int:
    """Print what was found; gives the exit code."""
    from potluck.api.network.doctor import bad, examine

    found = examine(folder, person=getpass.getuser())

    def text(out: Terminal) -> None:
        for one in found:
            out.say(f"{one.state:<8}{one.topic}: {one.what}", STYLES[one.state])
            if one.hint and one.state != "good":
                out.say(f"        hint: {one.hint}")

    well = not bad(found)
    voice().data({"well": well, "findings": [one.document() for one in found]}, text)
    return 0 if well else 3
