"""`potluck explain`: who could see what."""

from pathlib import Path

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from potluck.api.local.explain import Explanation, explain
from potluck.api.plan.plan import Plan
from potluck.cli.door import PATH, settings, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.core.views import Never
from potluck.report.matrix import Claim, Note


@click.command("explain")
@click.argument("plan", type=PATH)
@click.option(
    "--collude", default="", metavar="A,B", help="What these parties see together (server, broker, any by name)."
)
@click.option("--all", "every", is_flag=True, help="A line for every party and thing, also where sites are alike.")
@settings
@spoken
def command(plan: Path, collude: str, every: bool, settings: tuple[str, ...]) -> None:
    """Who could see what of PLAN, in what form, unless what breaks."""
    say = voice()
    names = [name.strip() for name in collude.split(",") if name.strip()]
    found = explain(Plan.read(plan, settings), names)
    document = {"views": found.rows(), "collude": list(found.collude), "rows": list(found.about)}
    document |= {"statistics": list(found.opens)} if found.opens else {}

    def text(out: Terminal) -> None:
        if found.about:
            out.say("Which rows", "bold")
            out.lines(found.about)
            out.print()
        if found.opens:
            out.say("What opens", "bold")
            out.lines(found.opens)
            out.print()
        (_whole if every or found.collude else _short)(found, out)

    say.data(document, text)


def _whole(found: Explanation, out: Terminal) -> None:
    """A row for every claim, party by party; what else there is to say stands beside it, as wide as is left."""
    out.print(Text("Who could see what", "bold"))
    parties: dict[str, list[dict[str, str]]] = {}
    for row in found.rows():
        parties.setdefault(row["party"], []).append(row)
    for party, rows in parties.items():
        table = Table.grid(padding=(0, 2))
        table.add_column(max_width=24)
        table.add_column(no_wrap=True)
        table.add_column()
        for row in rows:
            table.add_row(row["of"], row["form"], _beside(row))
        out.print()
        out.say(party, "bold")
        out.print(Padding(table, (0, 0, 0, 2)))


def _beside(row: dict[str, str]) -> str:
    """What would break a claim, and what else to know."""
    unless = "" if row["breaks_if"] in ("", str(Never())) else row["breaks_if"]
    return _note(Note(unless, "", row["note"]))


def _short(found: Explanation, out: Terminal) -> None:
    """By things, of all sites at once where they are alike; then the footnotes."""
    short = found.short()
    out.print(Text("Who could see what", "bold"), "(a number is a note below)")
    for thing, cells in short.rows:
        alike: dict[str, list[str]] = {}
        for role, claims in zip(short.head, cells, strict=True):
            if claims:
                pairs = sum(claim.times for claim in claims)
                alike.setdefault(", ".join(_claim(claim, pairs) for claim in claims), []).append(role)
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=20, max_width=44)
        for said, roles in alike.items():
            table.add_row(", ".join(roles), said)
        out.print()
        out.say(thing, "bold")
        out.print(Padding(table, (0, 0, 0, 2)))
    notes = Table.grid(padding=(0, 1))
    notes.add_column(justify="right")
    for number, note in enumerate(short.notes, 1):
        notes.add_row(str(number), _note(note))
    out.print()
    out.say("Notes", "bold")
    out.print(notes)
    out.print()
    out.say("A line for every party: --all. What some see together: --collude A,B.")


def _claim(claim: Claim, pairs: int) -> str:
    """pairs: of how many the cell speaks, where not of all alike."""
    times = f" ({claim.times} of {pairs})" if claim.times else ""
    return f"{claim.form.value}{times}" + "".join(f" [{number}]" for number in claim.notes)


def _note(note: Note) -> str:
    unless = f"unless {note.breaks_if}" if note.breaks_if else ""
    return "; ".join(part for part in (unless, note.note) if part) + (f" ({note.source})" if note.source else "")
