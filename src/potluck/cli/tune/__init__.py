"""`potluck tune`: settings chosen by validation rows, all parties in this process."""

from contextlib import ExitStack
from pathlib import Path

import click

from potluck.api.local.progress import most
from potluck.api.plan.plan import Plan
from potluck.api.tune.grid import grid_of
from potluck.api.tune.tune import carried_out, tuning
from potluck.api.tune.tuned import Result
from potluck.cli.door import LEDGER, PATH, settings, spoken, voice
from potluck.cli.tune.shown import judged, show
from potluck.cli.words.progress import bars_of
from potluck.core.asks import Ask


@click.command("tune")
@click.argument("plan", type=PATH)
@click.option("--grid", "grid", multiple=True, required=True, metavar="KEY=[...]", help="Values to try (repeatable).")
@click.option("--metric", help="What chooses (default: auc, accuracy of classes, rmse of a number, loss of texts).")
@click.option("--cap", type=float, metavar="EPSILON", help="Refuse where an owner's ledger would come to more.")
@click.option("--check", "only", is_flag=True, help="Only say what it would cost; nothing runs.")
@click.option("--out", type=PATH, help="Folder to make (default: runs/NAME-tuned-UTC).")
@click.option("--resume", type=PATH, metavar="DIR", help="Go on in this folder with what was not judged yet.")
@LEDGER
@settings
@spoken
def command(  # noqa: PLR0913  # each is a flag
    plan: Path,
    grid: tuple[str, ...],
    metric: str | None,
    cap: float | None,
    only: bool,
    out: Path | None,
    resume: Path | None,
    ledger: Path | None,
    settings: tuple[str, ...],
) -> int:
    """Choose settings of PLAN by validation rows: each combination of the grids is trained, judged and charged."""
    say = voice()
    meant = tuning(Plan.read(plan, settings), grid_of(grid), metric=metric, ledger=ledger, cap=cap, resume=resume)
    if only:
        say.lines(meant.document(), meant.cost.lines())
        say.warn(meant.warnings)
        return 0
    for line in meant.cost.lines():
        say.say(line)
    say.warn([*meant.warnings, *meant.candidates[0].verdict.row_warnings()])
    results = list[Result]()
    with ExitStack() as stack:
        bars = stack.enter_context(bars_of(say))
        bar = bars.add_task("starting", total=sum(most(one.plan.spec) for one in meant.candidates))

        def begin(ask: Ask) -> None:
            at = min(len(results) + 1, len(meant.candidates))
            bars.update(bar, description=f"candidate {at}: {ask.kind.value} {ask.step + 1}", advance=1)

        def seen(one: Result) -> None:
            results.append(one)
            say.event(f"candidate {one.candidate.number} of {len(meant.candidates)}", judged(one))

        done = carried_out(meant, None, out=out, ledger=ledger, progress=begin, seen=seen)
    say.data(done.document, lambda shown: show(shown, meant, results, done))
    say.warn([line for line in done.warnings if line not in meant.warnings])
    return 0 if done.document["best"] is not None else 4
