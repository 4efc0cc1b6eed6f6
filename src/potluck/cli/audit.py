"""`potluck audit`: would the mechanism that sites run keep what a plan promises?"""

from pathlib import Path

import click
from rich.text import Text

from potluck.api.plan.plan import Plan
from potluck.api.proof.audit import WORDS, audit
from potluck.cli.door import PATH, settings, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.cli.words.interrupted import resumable

COLOURS = {True: "green", False: "red", None: "yellow"}


@click.command("audit")
@click.argument("plan", type=PATH)
@click.option("--data", type=PATH, help="An owner's own rows, in place of made-up ones: the result is for that owner.")
@click.option("--run", type=PATH, help="The folder of a run of PLAN, whose report is to show the result.")
@click.option("--minutes", type=float, default=5.0, help="What all audits take, about (default: 5).")
@click.option("--seed", type=int, default=0, help="Public seed of rows, noise and coins (default: 0).")
@click.option("--resume", type=PATH, help="A file that keeps what is finished: the same call again goes on after it.")
@settings
@spoken
def command(
    plan: Path,
    settings: tuple[str, ...],
    data: Path | None,
    run: Path | None,
    resume: Path | None,
    minutes: float,
    seed: int,
) -> int:
    """Would the mechanism that sites run keep what PLAN promises? Exit 4 where an audit found that it does not."""
    say = voice()
    read = Plan.read(plan, settings)
    with resumable(say, resume):
        found = audit(
            read,
            data,
            run=run,
            minutes=minutes,
            seed=seed,
            resume=resume,
            progress=lambda words: say.event("audit", words),
        )

    def text(out: Terminal) -> None:
        for held, line in found.lines():
            out.print(Text(WORDS[held], COLOURS[held]), line, soft_wrap=True)
        if found.kept:
            out.say(f"kept in {found.kept}; `potluck report {run}` shows it")

    say.warn(found.warnings())
    say.data(found.document(), text)
    return 4 if found.held is False else 0
