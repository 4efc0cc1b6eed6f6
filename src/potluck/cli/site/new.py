"""`potluck site new`: a home, with its keys."""

from pathlib import Path

import click

from potluck.api.network import members as api
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.words.telling import given, telling
from potluck.members.about import NOTHING


@click.command("new")
@click.argument("folder", type=PATH)
@click.option("--name", help="The site's name in plans (default: the folder's).")
@click.option("--compute", is_flag=True, help="Of a party that computes for the sites, and has no rows.")
@click.option("--rotate", is_flag=True, help="New keys for the site whose home FOLDER is.")
@click.option("--card", "describe", is_flag=True, help="A new card of the same keys, which says something else.")
@telling
@spoken
def command(folder: Path, name: str | None, compute: bool, rotate: bool, describe: bool) -> None:
    """Make FOLDER: keys, a card for the coordinator, a policy that denies all."""
    about = given()
    if (rotate or describe) and (name is not None or compute):
        raise click.UsageError("--rotate and --card keep name and role")
    if describe and (rotate or about == (None, None, None)):
        raise click.UsageError("--card goes with --organisation, --country or --contact, and without --rotate")
    if describe:
        home = api.site_describe(folder, about)
    elif rotate:
        home = api.site_rotate(folder, about)
    else:
        home = api.site_new(folder, name, compute=compute, about=NOTHING.but(*about))
    said = home.about.words()
    first = f"{home.name}: fingerprint {home.fingerprint}"
    voice().lines(home.document(), [first, *([f"says: {said}"] if said else []), f"card: {home.card}"])
