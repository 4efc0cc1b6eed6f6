"""`potluck columns`: the columns of a plan from a data dictionary that there is already."""

from pathlib import Path

import click

from potluck.api.dictionary.columns import columns_from
from potluck.api.plan import new_file
from potluck.cli.door import PATH, spoken, voice
from potluck.core.prose import agree


@click.command("columns")
@click.argument("file", type=PATH)
@click.option("--table", metavar="NAME", help="Which table, where FILE describes several.")
@click.option("-o", "--output", type=PATH, help="Write the TOML into this new file.")
@spoken
def command(file: Path, table: str | None, output: Path | None) -> None:
    """The [data.columns] of a plan from FILE: Frictionless, pandera, Croissant (JSON, YAML) or OMOP (CSV)."""
    say = voice()
    found = columns_from(file, table)
    if output:
        new_file.create(found.toml(), output)
    ready, asked = len(found.columns), len(found.confirm)
    say.say(f"{found.format}: {agree(ready, '1 column', f'{ready} columns')} declared, {asked} to confirm")
    document = {**found.document(), "file": str(output.absolute()) if output else None}
    say.data(document, lambda out: None if output else click.echo(found.toml(), nl=False))
