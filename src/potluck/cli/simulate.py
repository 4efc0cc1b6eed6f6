"""`potluck simulate`: a plan over many made-up clients on this machine; nothing is sealed, and it says so."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from potluck.api.local.simulate import simulate
from potluck.api.plan.plan import Plan
from potluck.api.results.simulated import STAMP, Simulation
from potluck.cli.door import PATH, added, settings, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.cli.words.progress import progress
from potluck.core import prose

F = TypeVar("F", bound=Callable[..., object])
NAMES = ("loss", "auc", "accuracy", "r2", "rmse", "perplexity", "epsilon")


def _flags(command: F) -> F:
    return added(
        command,
        click.option("--sites", type=int, help="Clients that there are (default: as many as the split finds)."),
        click.option("--cohort", type=int, help="Clients that take part in a round (default: all)."),
        click.option(
            "--split", default="even", help="even, shards:2, dirichlet:0.1, natural:COLUMN, or sites (default: even)."
        ),
        click.option("--seed", type=int, default=0, help="Public seed of split, cohorts and noise (default: 0)."),
        click.option("--noise-cohort", type=int, help="Noise of a round with so many clients, scaled to the cohort."),
        click.option("--every", type=int, default=1, help="Rounds between looks at held-out rows (default: 1)."),
        click.option("--processes", type=int, help="Processes that train (default: one a core)."),
        click.option("--memory", help="What rows and training may take in all, such as 4G (default: no bound)."),
        click.option("--gpu", is_flag=True, help="Train a graph on this machine's graphics card."),
        click.option("--out", type=PATH, help="Folder to make (default: runs/NAME-simulated-UTC)."),
    )


@click.command("simulate")
@click.argument("plan", type=PATH)
@_flags
@settings
@spoken
def command(plan: Path, settings: tuple[str, ...], **flags: object) -> None:
    """Simulate PLAN over many made-up clients: the same rounds, nothing sealed. Not a run, and not private."""
    say = voice()
    read = Plan.read(plan, settings)
    if say.json:
        say.say(STAMP)
    with progress(say, read) as bar:
        done = simulate(read, progress=bar, **flags)  # type: ignore[arg-type]  # as click has checked them
    say.warn([str(line) for line in list_of(done.document["warnings"])])
    say.data(done.document, lambda out: _shown(out, done))


def list_of(found: object) -> list[object]:
    """A list of a document."""
    return list(found) if isinstance(found, list) else []


def _shown(out: Terminal, done: Simulation) -> None:
    document = done.document
    out.say(STAMP, "bold")
    rounds = [one for one in list_of(document["rounds"]) if isinstance(one, dict)]
    out.say(
        f"{document['sites']:,} clients, {document['cohort']:,} in a round, split {document['split']}, "
        f"seed {document['seed']}, {prose.count(len(rounds), 'round')}, taken {document['way']}"
    )
    last = rounds[-1] if rounds else {}
    told = [f"{name} {prose.number(float(last[name]))}" for name in NAMES if last.get(name) is not None]
    out.say(f"after the last round, simulated: {', '.join(told) or 'no row is held out'}")
    out.say(f"{document['clients_per_second']:,.0f} clients a second")
    out.lines([f"rounds: {document['csv']}", f"report: {document['report']}", f"simulation: {document['simulation']}"])
