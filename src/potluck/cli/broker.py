"""`potluck broker`: the real nats-server with a federation's configuration."""

from dataclasses import asdict
from pathlib import Path

import click

from potluck.api.network.broker import Served, serve
from potluck.cli.door import PATH, spoken, voice


@click.command("broker")
@click.argument("folder", type=PATH)
@click.option("--renew", is_flag=True, help="Give it a new certificate first, under the names of the old one.")
@spoken
def command(folder: Path, renew: bool) -> None:
    """Serve the broker of the federation in FOLDER, in the foreground, until it is ended."""
    say = voice()

    def ready(served: Served) -> None:
        it = f"nats-server {served.version} ({served.binary})"
        say.say(f"{it} serves {served.address}; its log: {served.folder}/nats.log")

    served = serve(folder, renew, ready)
    say.lines({"broker": asdict(served)}, [f"the broker at {served.address} has ended"])
