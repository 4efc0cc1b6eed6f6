"""`potluck site preview`: what would leave."""

import getpass
from pathlib import Path

import click

from potluck.api.network.preview import Leaving, preview
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.learning.data.tally_words import lines

TEXT = 8
"""Values of a block that are printed as text; --json has them all."""


@click.command("preview")
@click.argument("folder", type=PATH)
@click.argument("hash")
@spoken
def command(folder: Path, hash: str) -> None:
    """What would leave FOLDER's site, on this screen only: the first sum of a plan, computed and not sent."""
    found = preview(folder, hash, getpass.getuser())
    voice().data(found.document(), lambda out: _preview(out, found))


def _preview(out: Terminal, found: Leaving) -> None:
    seen = f", {found.tally.validation} to look at meanwhile" if found.tally.validation else ""
    rows = f"{found.rows} rows to learn from{seen}, {found.held_out} held out"
    out.say(f"{found.asked.plan.name}: {rows}. Nothing was sent.")
    out.say(f"the whole run: {found.asked.cost}")
    if found.persons is not None:
        out.say(str(found.persons))
    out.say(f"the first sum; {found.noise}; the server would see it {found.form}:")
    for name, values in found.values.items():
        said = found.names.get(name, [""] * len(values))
        some = ", ".join(f"{one} {value:.6g}".lstrip() for one, value in zip(said[:TEXT], values[:TEXT], strict=False))
        more = f", and {len(values) - TEXT} more (--json has all)" if len(values) > TEXT else ""
        out.say(f"  {name}: {some}{more}")
    out.lines([*lines(found.tally), *found.near])
    out.say("letters: " + ", ".join(f"{step} {size:,} bytes" for step, size in found.letters))
    out.say(found.later)
