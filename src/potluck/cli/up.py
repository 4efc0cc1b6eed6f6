"""`potluck up`: do it, with real processes on this machine."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from potluck.api.network.status import Live
from potluck.api.network.up import up
from potluck.api.plan.plan import Plan
from potluck.cli.door import rehearsing, settings, spoken, voice
from potluck.cli.text import show_run


@click.command("up")
@click.argument("plan", type=click.Path(path_type=Path))
@rehearsing
@settings
@spoken
def command(
    plan: Path, out: Path | None, ledger: Path | None, record: bool, compare: bool, settings: tuple[str, ...]
) -> None:
    """Run PLAN with processes of their own on this machine: broker, server, every owner, who computes."""
    say = voice()
    read = Plan.read(plan, settings)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    hidden = say.quiet or not say.words.is_terminal
    with Progress(*columns, console=say.words, transient=True, disable=hidden) as bars:
        bar = bars.add_task("starting", total=None)

        def watch(now: Live) -> None:
            here = sum(one.verdict == "granted" for one in now.sites)
            text = f"{now.now or now.state}, {here} sites, {(now.bytes_up + now.bytes_down) / 1e6:.2f} MB"
            bars.update(bar, description=text, total=now.sums, completed=now.opened)

        def tell(event: str, text: str) -> None:
            say.say(f"{event}: {text}")

        done = up(read, out=out, ledger=ledger, record=record, compare=compare, watch=watch, say=tell)
    say.warn([*done.warnings, *done.told()])
    say.notes(done.noted())
    say.data(done.document, lambda console: show_run(console, done))
