"""`potluck site new`: a home, with its keys."""

from pathlib import Path

import click

from potluck.api.network import members as api
from potluck.cli.door import PATH, spoken, voice


@click.command("new")
@click.argument("folder", type=PATH)
@click.option("--name", help="The site's name in plans (default: the folder's).")
@click.option("--compute", is_flag=True, help="Of a party that computes for the sites, and has no rows.")
@click.option("--rotate", is_flag=True, help="New keys for the site whose home FOLDER is.")
@spoken
def command(folder: Path, name: str | None, compute: bool, rotate: bool) -> None:
    """Make FOLDER: keys, a card for the coordinator, a policy that denies all."""
    if rotate and (name is not None or compute):
        raise click.UsageError("--rotate keeps name and role")
    home = api.site_rotate(folder) if rotate else api.site_new(folder, name, compute=compute)
    voice().lines(home.document(), [f"{home.name}: fingerprint {home.fingerprint}", f"card: {home.card}"])
