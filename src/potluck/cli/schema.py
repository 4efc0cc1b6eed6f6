"""`potluck schema`: what a plan or a policy may hold, for editors and programs."""

import json
from typing import Literal

import click

from potluck.api.plan.schema import schema
from potluck.cli.door import spoken, voice


@click.command("schema")
@click.argument("of", type=click.Choice(["plan", "policy"]), metavar="plan|policy")
@spoken
def command(of: Literal["plan", "policy"]) -> None:
    """The JSON Schema of a plan or a policy, made of what the program itself checks."""
    found = schema(of)
    voice().lines(found, json.dumps(found, indent=1).split("\n"))
