"""`potluck attack`: what a coalition could do with what it saw of a run."""

from pathlib import Path

import click

from potluck.api.proof.attack import MINUTES, attack
from potluck.api.proof.attack import made_up as rows_of_no_one
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.words.interrupted import resumable


@click.command("attack")
@click.argument("run", type=PATH)
@click.option("--as", "who", default="server", metavar="PARTY[,PARTY]", help="Who colludes (default: server).")
@click.option("--minutes", default=MINUTES, show_default=True, help="For all attacks together, at most.")
@click.option("--seed", default=0, show_default=True, help="Of what attacks draw.")
@click.option("--data", type=PATH, help="The folder in which the plan's files lie, to compare with the true rows.")
@click.option("--record", type=PATH, help="The folder of letters (default: RUN/parcels).")
@click.option("--before", type=PATH, help="The folder of an earlier run of the plan, recorded too.")
@click.option("--resume", type=PATH, help="A file that keeps what has ended: the same call again goes on after it.")
@click.option("--made-up", is_flag=True, help="Show on made-up rows, for the report, what protections hide.")
@spoken
def command(  # noqa: PLR0913  # each is a flag
    run: Path, who: str, minutes: float, seed: int, data: Path | None, record: Path | None, before: Path | None,
    resume: Path | None, made_up: bool,
) -> None:  # fmt: skip
    """Attack the run in folder RUN, made with --record, with what these parties read. Exit 0 whatever succeeded."""
    say = voice()

    def trying(name: str) -> None:
        say.say(f"trying {name}")

    if made_up:
        minutes /= 2
    with resumable(say, resume):
        found = attack(
            run, who, minutes=minutes, seed=seed, data=data, record=record, before=before, resume=resume,
            progress=trying,
        )  # fmt: skip
    if made_up:
        trying("made-up rows, under one protection after another")
        if rows_of_no_one(run, minutes=minutes, seed=seed, data=data) is None:
            say.warn(["nothing is shown on made-up rows: none can be made, or none is found in time even in the clear"])
    say.warn(found.warnings())
    last = [f"kept in {found.kept}; `potluck report {run}` shows it"] if found.kept else []
    say.lines(found.document, [*found.lines(), *last])
