"""`potluck budget`: what each owner has spent, and what a plan would spend."""

from pathlib import Path

import click
from rich.table import Table

from potluck.api.network.budget import HEADS, budget, settle
from potluck.cli.door import LEDGER, PATH, settings, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.core.errors import UsageError


@click.command("budget")
@click.argument("plan", required=False, type=PATH)
@LEDGER
@click.option("--what-if", "what_if", type=PATH, metavar="PLAN", help="Reckon with this plan; nothing is charged.")
@click.option("--settle", "settling", is_flag=True, help="After a crash: keep what was charged as spent, and go on.")
@settings
@spoken
def command(
    plan: Path | None, ledger: Path | None, what_if: Path | None, settling: bool, settings: tuple[str, ...]
) -> None:
    """What each owner has spent and has left; with PLAN, what it would spend.

    --what-if: the same of another plan, with the owners and ledgers of PLAN, or its own.
    """
    if settling and what_if:
        raise UsageError("--settle writes, and --what-if does not", hint="first the one, then the other")
    say = voice()
    settled = settle(plan, ledger) if settling else []
    found = budget(plan, ledger=ledger, settings=settings, what_if=what_if)

    def text(out: Terminal) -> None:
        table = Table(*HEADS, title=found.title, title_justify="left")
        for row in found.table:
            table.add_row(*row)
        out.print(table)
        out.lines(found.scored)

    say.warn(found.cut_off)
    for name in settled:
        say.say(f"settled: {name}: what was charged stays spent")
    say.data(found.document(), text)
