"""What `potluck tune` prints: a line a candidate, and a table at the end."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from potluck.api.tune.candidates import LOWER
from potluck.api.tune.tune import Tuning
from potluck.api.tune.tuned import BEST, Result, Tuned, best_of, told_apart
from potluck.cli.terminal import Terminal


def judged(one: Result) -> str:
    """A candidate as soon as it was judged."""
    return f"{one.candidate.words}: {one.failed or f'{one.metric} {_value(one)}'}"


def _value(one: Result) -> str:
    if one.value is None:
        return "too noisy to say"
    return f"{one.value:.4g}{' (a guess: noise leaves none)' if one.guessed else ''}"


def show(out: Terminal, meant: Tuning, results: list[Result], done: Tuned) -> None:
    """All candidates, what may be said of the choice, and what to do next."""
    best, noisy, metric = best_of(results), meant.cost.noisy, meant.cost.metric
    order = "lower is better" if metric in LOWER else "higher is better"
    keys = list(meant.candidates[0].settings)
    heads = ["", *keys, metric, *(["95 %, noise alone"] if noisy else []), "95 %, rows like these"]
    title = f"{metric} on validation rows ({order})"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")  # a digit that is cut off makes another number
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
