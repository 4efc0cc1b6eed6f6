"""`potluck site run`: the process that answers requests."""

import contextlib
import signal
import threading
from functools import partial
from pathlib import Path

import click

from potluck.api.network.running.health import Looking
from potluck.api.network.running.health import health as site_health
from potluck.api.network.running.pulse import Pulse
from potluck.api.network.site import attend
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.words.dated import lasting
from potluck.members.home import SiteHome


@click.command("run")
@click.argument("folder", type=PATH)
@click.option("--health", type=click.IntRange(0, 65535), metavar="PORT",
              help="Answer /healthz and /metrics on this port of loopback; 0: any.")  # fmt: skip
@click.option("--record", type=PATH, help="Keep every parcel's body as it is read here, in this folder.")
@lasting
@spoken
def command(folder: Path, health: int | None, record: Path | None) -> None:
    """Run the site in FOLDER until it is stopped: it answers requests as its policy and its owner say."""
    speaker = voice()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: stop.set())
    with contextlib.ExitStack() as stack:
        pulse = Pulse(SiteHome.at(folder))
        if health is not None:
            from potluck.console.health import watched

            port = stack.enter_context(watched(Looking(partial(site_health, pulse)), health))
            speaker.say(f"health: http://localhost:{port}/healthz and /metrics")
        attend(folder, stop.is_set, speaker.say, record, pulse)
    speaker.lines({"site": str(folder.absolute()), "stopped": True}, ["stopped"])
