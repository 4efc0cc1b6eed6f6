"""`potluck explain`: who could see what."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from potluck.api.explain import explain
from potluck.api.plan import Plan
from potluck.cli.door import settings, spoken, voice


@click.command("explain")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "--collude", default="", metavar="A,B", help="What these parties see together (server, broker, any by name)."
)
@settings
@spoken
def command(plan: Path, collude: str, settings: tuple[str, ...]) -> None:
    """Who could see what of PLAN, in what form, unless what breaks."""
    say = voice()
    names = [name.strip() for name in collude.split(",") if name.strip()]
    found = explain(Plan.read(plan, settings), names)
    rows = found.rows()

    table = Table("party", "of", "form", "breaks if", "note", title="Who could see what", title_justify="left")
    for row in rows:
        table.add_row(row["party"], row["of"], row["form"], row["breaks_if"], row["note"])
    say.data({"views": rows, "collude": list(found.collude)}, lambda out: out.print(table))
