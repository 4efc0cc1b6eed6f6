"""`potluck server run`: one run across machines, from its proposals to its report."""

from pathlib import Path

import click

from potluck.api.network.server import serve
from potluck.api.plan.plan import Plan
from potluck.cli.door import OUTPUT, PATH, settings, spoken, voice
from potluck.cli.text import finished
from potluck.cli.words.dated import lasting
from potluck.cli.words.progress import progress


@click.command("run")
@click.argument("folder", type=PATH)
@click.argument("plan", type=PATH)
@OUTPUT
@click.option("--wait", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS",
              help="How long to wait for sites and their owners' approval.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Give up an unfinished run of this plan and start a new one.")
@click.option("--record", type=PATH, help="Keep every parcel's body as it is read here, in this folder.")
@settings
@lasting
@spoken
def command(
    folder: Path,
    plan: Path,
    out: Path | None,
    wait: float,
    fresh: bool,
    record: Path | None,
    settings: tuple[str, ...],
) -> int:
    """Run PLAN with the sites of the federation whose coordinator's home is FOLDER.

    Started again after it was stopped or killed, it goes on after the rounds that are finished.
    """
    say = voice()
    read = Plan.read(plan, settings)
    with progress(say, read) as bar:
        done = serve(folder, read, out=out, wait=wait, fresh=fresh, record=record, progress=bar, say=say.event)
    return finished(say, done)
