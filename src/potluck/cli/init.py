"""`potluck init`: a first plan, drafted from files that there are already."""

import json
from pathlib import Path

import click

from potluck.api.draft.begin import from_files
from potluck.api.draft.page import SCHEMA, page, summary
from potluck.api.plan import new_file
from potluck.api.plan.schema import schema
from potluck.cli.door import PATH, spoken, voice


@click.command("init")
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@click.option("--target", metavar="COLUMN", help="What is to be predicted; without it the plan makes a table.")
@click.option("--person", metavar="COLUMN", help="The column that says whose row it is.")
@click.option("--dictionary", type=PATH, metavar="FILE", help="A data dictionary: ranges and values are taken from it.")
@click.option("-o", "--output", type=PATH, help="Write the plan into this new file, its schema beside it.")
@spoken
def command(
    files: tuple[Path, ...], target: str | None, person: str | None, dictionary: Path | None, output: Path | None
) -> None:
    """A first plan from FILE..., one a site: commented, with kinds, ranges and spellings to confirm."""
    say = voice()
    found = from_files(files, target, person, dictionary, output.absolute().parent if output else Path.cwd())
    text = page(found)
    if output:
        new_file.create(text, output)
        beside = output.absolute().parent / SCHEMA
        if not beside.exists():  # an editor reads it; one that is there may be of another version, and is its owner's
            new_file.create(json.dumps(schema("plan"), indent=1) + "\n", beside)
            say.say(f"{SCHEMA} beside it is for editors, which then complete keys and say what they mean")
    for line in summary(found):
        say.say(line)
    say.say("its ranges and values come from these files: confirm them before anybody else sees the plan")
    document = {"file": str(output.absolute()) if output else None, "plan": text, **found.document()}
    say.data(document, lambda out: None if output else click.echo(text, nl=False))
