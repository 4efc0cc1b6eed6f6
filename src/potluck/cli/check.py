"""`potluck check`: can this plan run, and what will it cost?"""

from pathlib import Path

import click
from rich.text import Text

from potluck.api.local.check import check
from potluck.cli.door import PATH, settings, spoken, voice
from potluck.cli.terminal import Terminal


@click.command("check")
@click.argument("plan", type=PATH)
@settings
@spoken
def command(plan: Path, settings: tuple[str, ...]) -> int:
    """Can PLAN run, and what will it cost: epsilon by owner, bytes, rounds; warnings. Exit 2 where it cannot."""
    say = voice()
    verdict = check(plan, settings=settings)

    def text(out: Terminal) -> None:
        for error in verdict.errors:
            out.print(Text("error:", "red"), error, soft_wrap=True)
        if verdict.ok:
            out.say(f"{plan.name} {verdict.can}: {verdict.summary()}")
            out.lines(verdict.words())
        if verdict.ok and say.verbose:
            out.lines(f"  {key} = {value}" for key, value in verdict.flat())

    say.data(verdict.document(), text)
    say.warn([*verdict.warnings, *verdict.row_warnings()])
    say.notes(verdict.row_notes())
    return 0 if verdict.ok else 2
