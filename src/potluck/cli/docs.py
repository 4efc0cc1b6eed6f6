"""`potluck docs`: the pages, in a browser, and the files of the examples."""

import webbrowser
from pathlib import Path

import click

from potluck.api.machine.pages import copied, page
from potluck.cli.door import PATH, spoken, voice


@click.command("docs")
@click.argument("name", default="README.md", metavar="[PAGE]")
@click.option("--open", "opened", is_flag=True, help="Open it in this machine's browser.")
@click.option(
    "-o", "--output", type=PATH, help="Copy to here: a file or folder such as examples; without PAGE, the whole site."
)
@spoken
def command(name: str, opened: bool, output: Path | None) -> None:
    """Where PAGE of the docs is on this machine: the front page, or such as quickstart, policy, examples/systemd."""
    found = copied(name, output) if output else page(name)
    if opened and not webbrowser.open(found.path.as_uri()):
        voice().say("no browser was found here: open this address yourself")
    voice().lines(found.document(), [str(found.path) if output else found.path.as_uri()])
