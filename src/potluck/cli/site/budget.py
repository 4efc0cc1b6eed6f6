"""`potluck site budget`: what was spent, and what a plan would leave."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from potluck.api.network.ledger import evidence, spending
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.core.errors import UsageError
from potluck.dp.account import NEIGHBOURS
from potluck.owner.scored import words

if TYPE_CHECKING:
    from potluck.api.network.what_if import WhatIf


@click.command("budget")
@click.argument("folder", type=PATH)
@click.option("--export", type=PATH, metavar="FILE", help="Write the whole chain, with its signed head, as evidence.")
@click.option("--what-if", "plan", type=PATH, metavar="PLAN", help="What a plan would leave; nothing is written.")
@spoken
def command(folder: Path, export: Path | None, plan: Path | None) -> None:
    """What was spent at FOLDER's site, from its verified ledger."""
    if plan is not None:
        if export is not None:
            raise UsageError("--export writes, and --what-if does not", hint="first the one, then the other")
        from potluck.api.network.what_if import what_if  # which reads the plan, with most of the program

        ahead = what_if(folder, plan)
        voice().lines(ahead.document(), _ahead(ahead))
        return
    found = spending(folder)
    if export is not None:
        evidence(folder, export)

    def text(out: Terminal) -> None:
        left = "no cap" if found.left is None else f"{found.left:.6g} left this year"
        together = f"{found.composed:.6g} in all, {found.composed_year:.6g} in the last year"
        out.say(f"composed at delta {found.delta:g}: epsilon {together}, {left}")
        out.say(f"added up run by run: epsilon {found.spent:.6g} in all, {found.year:.6g} in the last year")
        table = Table("run", "plan", "epsilon", "delta", "unit", "releases", "state")
        for one in found.runs:
            row = (
                one.run[:12],
                one.plan,
                f"{one.epsilon:.6g}" if one.unit else "none: exact",
                str(one.delta or "-"),
                one.unit or "-",
                str(one.releases) if one.unit else "-",
            )
            table.add_row(*row, one.state)
        out.print(table)
        out.lines(f"scored {line}" for line in words(found.scored))
        out.say(f"ledger: {found.entries} entries, head {found.head}")

    voice().data(found.document() | {"export": str(export.absolute()) if export else None}, text)


def _ahead(found: "WhatIf") -> Iterator[str]:
    """What a plan would leave, in words."""
    if found.would_spend is None or found.would_compose is None:
        yield f"{found.plan} has no noise: it spends no epsilon, and what it opens is exact"
    else:
        unit = f"unit {found.unit}, {NEIGHBOURS}"
        yield f"{found.plan} would spend at most epsilon {found.would_spend:.6g} at delta {found.delta:g} ({unit})"
        both = f"{found.composed:.6g} as it stands, {found.would_compose:.6g} with all of it"
        yield f"the last year, composed at delta {found.composed_delta:g}: epsilon {both}"
    if found.left is None or found.would_leave is None:
        yield "left: no cap"
    else:
        yield f"left this year: {found.left:.6g} as it stands, {found.would_leave:.6g} with all of it"
    for line in found.refused:
        yield f"the budget would refuse it: {line}"
