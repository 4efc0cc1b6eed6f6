"""`potluck site join`: the federation file, verified and pinned."""

import getpass
import time
from pathlib import Path

import click

from potluck.api.network import members as api
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.federation import lines
from potluck.cli.terminal import Terminal


@click.command("join")
@click.argument("folder", type=PATH)
@click.argument("file", type=PATH, required=False)
@click.option("--offered", is_flag=True, help="Instead of FILE: the one that came through the broker.")
@click.option("--coordinator", default="", metavar="FINGERPRINT", help="Refuse another coordinator than this.")
@spoken
def command(folder: Path, file: Path | None, coordinator: str, offered: bool) -> None:
    """Verify the federation FILE and pin it in FOLDER; a newer version must follow the one that is pinned.

    You agree to all of its members: compare their fingerprints first. Where two persons decide, new members wait for
    the second one.
    """
    if (file is None) is not offered:
        raise click.UsageError("name a FILE, or --offered for the one that came through the broker")
    joined = api.site_join(folder, file, time.time(), coordinator, getpass.getuser())
    speaker = voice()
    if joined.first and not coordinator:
        speaker.say("compare these fingerprints with the coordinator's, by voice: who made the file chose them")
    if joined.new_coordinator:
        speaker.say("the coordinator has new keys, handed over to by the old ones")
    if joined.settled:
        speaker.say(f"two files of one version had been signed: this later one settles it; kept: {joined.settled}")

    from potluck.api.network.membership.agreed import site_members  # which reads the policy and what waits

    known = site_members(folder, time.time())
    for name, mark in known.new.items():
        first = f", beside {known.first[name]}" if name in known.first else ""
        speaker.say(f"new, and not agreed to yet: {name} {mark}: another person has to agree{first}")
    if known.new:
        how = f"`potluck site join {folder} --offered` under another login"
        if known.invited:
            how = f"at the pages, as those who were invited (`potluck site web {folder}`)"
        speaker.say(f"they do so {how}, once they compared the fingerprints; until then runs with these members wait")

    def text(out: Terminal) -> None:
        out.say(f"{joined.name}: fingerprint {joined.fingerprint}, joined")
        lines(out, joined.federation)

    speaker.data(joined.document() | {"new": dict(known.new), "first_of_two": dict(known.first)}, text)
