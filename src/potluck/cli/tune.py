"""`potluck tune`: settings chosen by validation rows, all parties in this process."""

from contextlib import ExitStack
from pathlib import Path

import click
from rich.table import Table

from potluck.api.local.progress import most
from potluck.api.plan.plan import Plan
from potluck.api.tune.candidates import LOWER
from potluck.api.tune.grid import grid_of
from potluck.api.tune.tune import Tuning, carried_out, tuning
from potluck.api.tune.tuned import BEST, Result, Tuned, best_of, told_apart
from potluck.cli.door import LEDGER, PATH, settings, spoken, voice
from potluck.cli.progress import bars_of
from potluck.cli.terminal import Terminal
from potluck.core.asks import Ask


@click.command("tune")
@click.argument("plan", type=PATH)
@click.option("--grid", "grid", multiple=True, required=True, metavar="KEY=[...]", help="Values to try (repeatable).")
@click.option("--metric", help="What chooses (default: auc, accuracy of classes, rmse of a number, loss of texts).")
@click.option("--cap", type=float, metavar="EPSILON", help="Refuse where an owner's ledger would come to more.")
@click.option("--check", "only", is_flag=True, help="Only say what it would cost; nothing runs.")
@click.option("--out", type=PATH, help="Folder to make (default: runs/NAME-tuned-UTC).")
@LEDGER
@settings
@spoken
def command(
    plan: Path,
    grid: tuple[str, ...],
    metric: str | None,
    cap: float | None,
    only: bool,
    out: Path | None,
    ledger: Path | None,
    settings: tuple[str, ...],
) -> int:
    """Choose settings of PLAN by validation rows: each combination of the grids is trained, judged and charged."""
    say = voice()
    meant = tuning(Plan.read(plan, settings), grid_of(grid), metric=metric, ledger=ledger, cap=cap)
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
            say.event(f"candidate {one.candidate.number} of {len(meant.candidates)}", _judged(one))

        done = carried_out(meant, None, out=out, ledger=ledger, progress=begin, seen=seen)
    say.data(done.document, lambda shown: _shown(shown, meant, results, done))
    say.warn([line for line in done.warnings if line not in meant.warnings])
    return 0 if done.document["best"] is not None else 4


def _judged(one: Result) -> str:
    return f"{one.candidate.words}: {one.failed or f'{one.metric} {_value(one)}'}"


def _value(one: Result) -> str:
    if one.value is None:
        return "noise leaves none"
    return f"{one.value:.4g}{' (a guess: noise leaves none)' if one.guessed else ''}"


def _shown(out: Terminal, meant: Tuning, results: list[Result], done: Tuned) -> None:
    best, noisy, metric = best_of(results), meant.cost.noisy, meant.cost.metric
    order = "lower is better" if metric in LOWER else "higher is better"
    keys = list(meant.candidates[0].settings)
    heads = ["", *keys, metric, *(["these rows (noise), 95 %"] if noisy else []), "rows like these, 95 %"]
    table = Table(*heads, title=f"{metric} on validation rows ({order})", title_justify="left")
    for one in results:
        mark = "best" if one is best else "like best" if told_apart(one, best) is False else ""
        middle = [_between(one.ends)] if noisy else []
        chosen = [str(one.candidate.settings[key]) for key in keys]
        table.add_row(
            f"{one.candidate.number} {mark}".strip(), *chosen, one.failed or _value(one), *middle, _between(one.like)
        )
    out.print(table)
    if best is not None:
        out.say(f"best: {best.candidate.words}")
    out.lines(done.notes)
    out.say(f"candidates: {done.folder}")
    if best is not None:
        out.say(f"next: potluck run {done.folder / BEST}")


def _between(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
