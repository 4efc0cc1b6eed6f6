"""`potluck site run`: the process that answers requests."""

import signal
import threading
from pathlib import Path

import click

from potluck.api.network.site import attend
from potluck.cli.door import PATH, spoken, voice


@click.command("run")
@click.argument("folder", type=PATH)
@click.option("--record", type=PATH, help="Keep every parcel's body as it is read here, in this folder.")
@spoken
def command(folder: Path, record: Path | None) -> None:
    """Run the site in FOLDER until it is stopped: it answers requests as its policy and its owner say."""
    speaker = voice()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: stop.set())
    attend(folder, stop.is_set, speaker.say, record)
    speaker.lines({"site": str(folder.absolute()), "stopped": True}, ["stopped"])
