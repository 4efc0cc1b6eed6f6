"""`potluck budget`: what each owner has spent, and what a plan would spend."""

from pathlib import Path

import click
from rich.table import Table

from potluck.api.network.budget import budget, settle
from potluck.cli.door import LEDGER, PATH, settings, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.core.errors import UsageError
from potluck.dp.account import NEIGHBOURS
from potluck.owner.policy import DELTA
from potluck.owner.scored import words


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
    owners = budget(plan, ledger, settings, what_if)

    def text(out: Terminal) -> None:
        at = next((row.together.delta for row in owners.values()), DELTA)
        title = f"epsilon of all runs: composed at delta {at:g}, and added up ({NEIGHBOURS})"
        heads = ("owner", "composed", "with plan", "added up", "plan adds", "left", "delta, added up", "unit")
        table = Table(*heads, title=title, title_justify="left")
        for name, row in owners.items():
            both = row.together
            figures = (both.now, both.then, row.spent, row.would_spend, row.left, row.delta)
            shown = ("-" if value is None else f"{value:.4g}" for value in figures)
            table.add_row(name, *shown, ", ".join(row.units) or "-")
        out.print(table)
        out.lines(f"{name} scored {line}" for name, row in owners.items() for line in words(row.scored))

    say.warn(
        [f"{name}: a run was cut off; nothing is charged before `--settle`" for name, o in owners.items() if o.cut_off]
    )
    for name in settled:
        say.say(f"settled: {name}: what was charged stays spent")
    say.data({"owners": {name: row.document() for name, row in owners.items()}}, text)
