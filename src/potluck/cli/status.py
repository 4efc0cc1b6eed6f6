"""`potluck status`: what a federation's server is doing, and what it did."""

from pathlib import Path

import click
from rich.table import Table

from potluck.api.network.status import Live, status
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal


@click.command("status")
@click.argument("folder", type=PATH)
@spoken
def command(folder: Path) -> None:
    """What the server of the federation in FOLDER is doing: rounds, sites, bytes, drop-outs, epsilon spent."""
    found = status(folder)

    def text(out: Terminal) -> None:
        running = "its server runs" if found.running else "no server runs"
        out.say(f"{found.federation}, {found.file}: {running}")
        for one in found.runs:
            _show(out, one)

    voice().data(found.document(), text)


def _show(out: Terminal, run: Live) -> None:
    now = f", now {run.now}" if run.now else ""
    redone = f", {run.tries} tries came to nothing" if run.tries else ""
    head = f"{run.plan} ({run.run[:12]}): {run.state}, {run.opened} of {run.sums} sums{now}{redone}"
    again = f"; times the server was started again: {run.resumed}" if run.resumed else ""
    size = f"{run.bytes_up:,} bytes up, {run.bytes_down:,} down{again}"
    out.say(f"{head}; {size}")
    if run.why:
        out.say(run.why)
    table = Table("site", "state", "heard", "drop-outs", "epsilon")
    for role, parties in (("", run.sites), (" (compute)", run.computes)):
        for one in parties:
            heard = "-" if one.seen is None else f"{one.seen:.0f} s ago"
            spent = "-" if one.spent is None else f"{one.spent:.4g}"
            dropped = "-" if role else str(one.dropped)
            table.add_row(f"{one.name}{role}", " ".join([one.verdict, *one.codes]), heard, dropped, spent)
    out.print(table)
    out.lines(run.strays)
