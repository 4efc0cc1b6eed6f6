"""`potluck broker`: the real nats-server with a federation's configuration."""

import time
from dataclasses import asdict
from pathlib import Path

import click

from potluck.api.network import nodes
from potluck.api.network.broker import Served, serve
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.words.dated import lasting
from potluck.core.errors import UsageError


@click.command("broker")
@click.argument("folder", type=PATH)
@click.option("--renew", is_flag=True, help="Give it a new certificate first, under the names of the old one.")
@click.option("--node", type=click.IntRange(1, 3), help="Which of the broker's three nodes.")
@click.option("--export", type=PATH, help="Write the node into this new folder, for another machine, and end.")
@click.option("--federation", type=PATH, help="Give an exported node this newer federation file, and end.")
@lasting
@spoken
def command(folder: Path, renew: bool, node: int | None, export: Path | None, federation: Path | None) -> None:
    """Serve the broker of the federation in FOLDER, in the foreground, until it is ended."""
    say = voice()
    if federation is not None:
        if renew or node or export:
            raise UsageError("--federation stands alone", hint="it is for the folder of a node that was exported")
        found = nodes.follow(folder, federation, time.time())
        then = "which read it at once" if found.running else "when it is started"
        line = f"node {found.node} at {found.address} goes by version {found.file}, {then}"
        return say.lines({"node": asdict(found)}, [line])
    if export is not None:
        found = nodes.export(folder, node or 0, export, time.time(), renew)
        line = f"node {found.node} for {found.address} is in {found.folder}: take it there, private as a key"
        return say.lines({"node": asdict(found)}, [line])

    def ready(served: Served) -> None:
        it = f"nats-server {served.version} ({served.binary})"
        say.say(f"{it} serves {served.address}; its log: {served.folder}/nats.log")

    served = serve(folder, renew, ready, node or 0, say.say)
    say.lines({"broker": asdict(served)}, [f"the broker at {served.address} has ended"])
    return None
