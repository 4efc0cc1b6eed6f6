"""`potluck audit`: would the mechanism that sites run keep what a plan promises?"""

import math
from pathlib import Path

import click
from rich.text import Text

from potluck.api.plan.plan import Plan
from potluck.api.proof.audit import audit
from potluck.audits.promises.promise import Bound, Finding
from potluck.cli.door import PATH, settings, spoken, voice
from potluck.cli.interrupted import resumable
from potluck.cli.terminal import Terminal
from potluck.dp.odds import odds

WORDS = {True: Text("held", "green"), False: Text("BROKEN", "red"), None: Text("says nothing", "yellow")}


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
        for one in found.all:
            out.print(WORDS[one.held], f"{one.name}: {_odds(one)}{one.words}", soft_wrap=True)
        if found.kept:
            out.say(f"kept in {found.kept}; `potluck report {run}` shows it")

    say.warn(found.warnings())
    say.data(found.document(), text)
    return 4 if found.held is False else 0


def _odds(one: Finding) -> str:
    """A bound of epsilon as people understand it best: how often a guess is right, of 100."""
    if not isinstance(one, Bound) or one.held is None:
        return ""
    claimed, proved = math.ceil(odds(one.claimed)), math.floor(odds(max(0.0, one.lower_bound)))
    said = f"of 100 guesses who was there at most {claimed} can be right, the plan says"
    return f"{said}, and it was proved that this limit is {proved} or higher; "
