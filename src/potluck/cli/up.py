"""`potluck up`: do it, with real processes on this machine."""

from pathlib import Path

import click

from potluck.api.network.status import Live
from potluck.api.network.up import up
from potluck.api.plan.plan import Plan
from potluck.cli.door import PATH, rehearsing, settings, spoken, voice
from potluck.cli.text import finished
from potluck.cli.words.progress import bars_of


@click.command("up")
@click.argument("plan", type=PATH)
@rehearsing
@settings
@spoken
def command(
    plan: Path,
    out: Path | None,
    ledger: Path | None,
    record: bool,
    compare: bool,
    predictions: bool,
    settings: tuple[str, ...],
) -> int:
    """Run PLAN with processes of their own on this machine: broker, server, every owner, who computes."""
    say = voice()
    read = Plan.read(plan, settings)
    with bars_of(say) as bars:
        bar = bars.add_task("starting", total=None)

        def watch(now: Live) -> None:
            here = sum(one.verdict == "granted" for one in now.sites)
            text = f"{now.now or now.state}, {here} sites, {(now.bytes_up + now.bytes_down) / 1e6:.2f} MB"
            bars.update(bar, description=text, total=now.sums, completed=now.opened)

        done = up(
            read,
            out=out,
            ledger=ledger,
            record=record,
            compare=compare,
            predictions=predictions,
            watch=watch,
            say=say.event,
        )
    return finished(say, done)
