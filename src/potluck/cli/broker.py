"""`potluck broker`: the real nats-server with a federation's configuration."""

from __future__ import annotations

from pathlib import Path

import click

from potluck.api.network.broker import Served, serve
from potluck.cli.door import spoken, voice
from potluck.cli.terminal import Terminal


@click.command("broker")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--renew", is_flag=True, help="Give it a new certificate first, under the names of the old one.")
@spoken
def command(folder: Path, renew: bool) -> None:
    """Serve the broker of the federation in FOLDER, in the foreground, until it is ended."""
    say = voice()

    def ready(served: Served) -> None:
        say.say(
            f"nats-server {served.version} ({served.binary}) serves {served.address}; its log: {served.folder}/nats.log"
        )

    served = serve(folder, renew, ready)

    def text(out: Terminal) -> None:
        out.say(f"the broker at {served.address} has ended")

    say.data({"broker": served.document()}, text)
