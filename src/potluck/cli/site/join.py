"""`potluck site join`: the federation file, verified and pinned."""

import time
from pathlib import Path

import click

from potluck.api.network import members as api
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.federation import lines
from potluck.cli.terminal import Terminal


@click.command("join")
@click.argument("folder", type=PATH)
@click.argument("file", type=PATH)
@click.option("--coordinator", default="", metavar="FINGERPRINT", help="Refuse another coordinator than this.")
@spoken
def command(folder: Path, file: Path, coordinator: str) -> None:
    """Verify the federation FILE and pin it in FOLDER; a newer version must follow the one that is pinned."""
    joined = api.site_join(folder, file, time.time(), coordinator)
    speaker = voice()
    if joined.first and not coordinator:
        speaker.say("compare these fingerprints with the coordinator's, by voice: who made the file chose them")
    if joined.new_coordinator:
        speaker.say("the coordinator has new keys, handed over to by the old ones")

    def text(out: Terminal) -> None:
        out.say(f"{joined.name}: fingerprint {joined.fingerprint}, joined")
        lines(out, joined.federation)

    speaker.data(joined.document(), text)
