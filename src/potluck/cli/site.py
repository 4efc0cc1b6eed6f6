"""`potluck site`: the owner's part. Enrolment here: `new`, `join`; the rest in `cli.owner`."""

import time
from importlib import import_module
from pathlib import Path

import click

from potluck.api.network import members as api
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.federation import lines
from potluck.cli.terminal import Terminal


class Owner(click.Group):
    """Loads the file of the other verbs, and with it most of the program, where one of them is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, those of the other file too."""
        return sorted({*super().list_commands(ctx), *self._others()})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """One verb."""
        return super().get_command(ctx, name) or self._others().get(name)

    @staticmethod
    def _others() -> dict[str, click.Command]:
        found: tuple[click.Command, ...] = import_module("potluck.cli.owner").COMMANDS
        return {str(one.name): one for one in found}


@click.group("site", cls=Owner)
def command() -> None:
    """The owner's part: keys, policy, the federation joined, requests and approvals, the ledger."""


@command.command("new")
@click.argument("folder", type=PATH)
@click.option("--name", help="The site's name in plans (default: the folder's).")
@click.option("--compute", is_flag=True, help="Of a party that computes for the sites, and has no rows.")
@click.option("--rotate", is_flag=True, help="New keys for the site whose home FOLDER is.")
@spoken
def new(folder: Path, name: str | None, compute: bool, rotate: bool) -> None:
    """Make FOLDER: keys, a card for the coordinator, a policy that denies all."""
    if rotate and (name is not None or compute):
        raise click.UsageError("--rotate keeps name and role")
    home = api.site_rotate(folder) if rotate else api.site_new(folder, name, compute=compute)
    voice().lines(home.document(), [f"{home.name}: fingerprint {home.fingerprint}", f"card: {home.card}"])


@command.command("join")
@click.argument("folder", type=PATH)
@click.argument("file", type=PATH)
@click.option("--coordinator", default="", metavar="FINGERPRINT", help="Refuse another coordinator than this.")
@spoken
def join(folder: Path, file: Path, coordinator: str) -> None:
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
