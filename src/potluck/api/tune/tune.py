"""`potluck.tune`: settings chosen by validation rows, each combination a run of its own in this process."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from potluck.api.local.ledgers import folder_of, ledger_file
from potluck.api.local.progress import in_words
from potluck.api.local.run import run
from potluck.api.network.composed import composed
from potluck.api.plan.plan import Plan, opened
from potluck.api.results.folder import run_folder
from potluck.api.results.outcome import Run
from potluck.api.tune import written
from potluck.api.tune.candidates import Candidate, candidates, judged, metric_of
from potluck.api.tune.cost import Cost, affordable, cost
from potluck.api.tune.grid import Grid
from potluck.api.tune.resumed import before, entered, place
from potluck.api.tune.tuned import FILE, Result, Tuned, best_of
from potluck.api.tune.tuned import judged as minded
from potluck.core import private, prose
from potluck.core.errors import DataError, UsageError
from potluck.core.rounds import Abort, Cause
from potluck.core.visible import json_text
from potluck.drivers.sums import Progress
from potluck.tasks.here import Json
from potluck.tasks.shapes.shape import Case
from potluck.tasks.shapes.shapes import risks
from potluck.tasks.sources import Sources


@dataclass(frozen=True)
class Tuning:
    """A tuning that can begin: nothing has run, and nothing is charged. plan: as its author wrote it; folder: of an
    earlier one that goes on; done: by number, candidates that it had judged."""

    plan: Plan
    candidates: Sequence[Candidate]
    cost: Cost
    folder: Path | None = None
    done: Mapping[int, Run] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """Of all candidates, each once."""
        found = dict[str, list[int]]()
        for one in self.candidates:
            for line in one.verdict.warnings:
                found.setdefault(line, []).append(one.number)
        first, *others = self.candidates
        rows = {site: one.trained for site, one in first.verdict.data.items()}
        together = risks(Case(first.plan.spec, rows, beside=tuple(one.plan.spec for one in others)))
        return [*told(found, len(self.candidates)), *(line for line in together if line not in found)]

    def document(self) -> dict[str, object]:
        """The JSON of what it would do."""
        return {
            "plan": {"name": self.plan.spec.name, "hash": self.plan.hash},
            "metric": self.cost.metric,
            "cost": self.cost.document(),
        }


def told(lines: Mapping[str, Sequence[int]], every: int) -> list[str]:
    """Lines that candidates of these numbers have, each once. every: how many candidates there are."""
    return [
        line
        if len(numbers) == every
        else f"{prose.agree(len(numbers), 'candidate', 'candidates')} "
        f"{prose.listed([str(one) for one in numbers])}: {line}"
        for line, numbers in lines.items()
    ]


def tuning(
    plan: Plan | str | Path,
    grid: Grid,
    data: Sources | None = None,
    *,
    metric: str | None = None,
    ledger: str | Path | None = None,
    cap: float | None = None,
    resume: str | Path | None = None,
) -> Tuning:
    """What `tune` would do, and what it would cost; nothing runs. Arguments and errors as there."""
    plan = opened(plan)
    every = candidates(judged(plan), grid, data)
    folder = Path(resume).absolute() if resume is not None else None
    done = before(folder, every) if folder is not None else {}
    found = cost(plan, every, done, metric_of(every, metric), Path(ledger) if ledger else None)
    affordable(found, cap)
    return Tuning(plan, every, found, folder, done)


def tune(  # noqa: PLR0913  # each is a flag of the verb
    plan: Plan | str | Path,
    grid: Grid,
    data: Sources | None = None,
    *,
    metric: str | None = None,
    out: str | Path | None = None,
    ledger: str | Path | None = None,
    cap: float | None = None,
    resume: str | Path | None = None,
    beforehand: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
) -> Tuned:
    """Train each combination of a grid, and choose by validation rows; test rows are in nothing.

    With noise each candidate is a release that is charged in every owner's ledger: `beforehand` is told what
    all come to, and `cap` bounds it.

    Args:
        plan: a plan to train, or the path of one.
        grid: by key of the plan (`"model.l2"`), the values to try.
        data: by site a frame, an array or a path, as `potluck.run` takes them; without it the plan's files.
        metric: that chooses; by default `auc`, of classes `accuracy`, of a number `rmse`, of texts `loss`.
        out: the folder to make; by default `runs/NAME-tuned-UTC`.
        ledger: the folder of the owners' ledgers; by default beside the plan.
        cap: the most epsilon that an owner's ledger may come to with all of it, composed.
        resume: the folder of one that ended early, in the place of `out`: what was judged there is not trained again,
            and charged no second time.
        beforehand: is told, line by line and before anything runs, what all of it will cost: `print`.
        progress: is told of each sum as it begins. Without it a notebook shows a line that says which candidate it is.
        quiet: a notebook shows no such line.

    Returns:
        The candidates with their metrics, and the best plan.

    Raises:
        UsageError: the grid holds what no grid takes, nothing to choose from, or too much.
        PlanError: a combination is no plan that runs, or no metric judges it; the message says which.
        DataError: rows do not fit the plan.
        Refused: an owner's ledger would come to more than `cap`, or was cut off.
        Abort: a run ended early. What was run before stays in the folder, since it is charged.

    Examples:
        >>> import numpy as np
        >>> import pandas as pd
        >>> import potluck
        >>> number = {"kind": "number", "low": 0, "high": 1}
        >>> split = {"test": 0.2, "validation": 0.2}
        >>> plan = potluck.Plan(
        ...     name="shops", purpose="Sales", task="train", federation={"sites": ["north", "south"]},
        ...     data={"columns": {"x": number, "y": number}, "target": {"column": "y"}, "split": split, "max_rows": 99},
        ...     model={"kind": "linear"}, training={"method": "newton"},
        ...     protect={"with": "clear"}, privacy={"noise": "none"},
        ... )
        >>> x = np.linspace(0, 1, 50)
        >>> frames = {name: pd.DataFrame({"x": x, "y": x}) for name in ("north", "south")}
        >>> tuned = potluck.tune(plan, {"model.l2": [0.001, 1000.0]}, frames)
        >>> dict(tuned.settings)
        {'model.l2': 0.001}
        >>> potluck.run(tuned.best, frames).metrics["federated"]["rmse"] < 0.001
        True
    """
    meant = tuning(plan, grid, data, metric=metric, ledger=ledger, cap=cap, resume=resume)
    if beforehand is not None:
        for line in meant.cost.lines():
            beforehand(line)
    return carried_out(meant, data, out=out, ledger=ledger, progress=progress, quiet=quiet)


def no_word(one: Result) -> None:
    """Nothing is said of a candidate that was judged."""


def carried_out(
    meant: Tuning,
    data: Sources | None,
    *,
    out: str | Path | None = None,
    ledger: str | Path | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    seen: Callable[[Result], None] = no_word,
) -> Tuned:
    """The tuning, done. seen: called with each candidate once it was judged. Raises as `tune`; where a candidate was
    judged before, its folder stays."""
    held, every = folder_of(meant.plan, Path(ledger) if ledger else None), meant.candidates
    results = list[Result]()
    with (
        _folder(meant, out, results) as folder,
        in_words("tune", None, quiet=quiet or progress is not None) as say,
    ):
        try:
            for one in every:
                path = place(folder, one, every)
                say(f"candidate {one.number} of {len(every)}: {one.words}")
                again = meant.done.get(one.number)
                do = partial(run, one.plan, data, out=path, ledger=held, progress=progress, quiet=True)
                results.append(_result(meant, one, do) if again is None else Result(one, again, meant.cost.metric))
                seen(results[-1])
        finally:
            found = _document(meant, results, folder, held)
            private.write(folder / FILE, json_text(found))
    return Tuned(folder, found)


def _folder(meant: Tuning, out: str | Path | None, results: Sequence[Result]) -> AbstractContextManager[Path]:
    """Where it is done: a new folder, which stays once a candidate was judged, or that of the one that goes on."""
    if meant.folder is not None:
        if out is not None:
            raise UsageError("--out makes a folder, and --resume goes on in one", hint="leave one of them out")
        every = meant.candidates
        rest = [place(meant.folder, one, every) for one in every if one.number not in meant.done]
        return entered(meant.folder, rest)
    name, where = f"{meant.plan.spec.name}-tuned", Path(out) if out else None
    return run_folder(name, where, datetime.now(UTC), lambda: any(one.run for one in results))


def _result(meant: Tuning, one: Candidate, do: Callable[[], Run]) -> Result:
    """One candidate, run. What cannot be trained is no reason to end the others: it is worse than all of them. Of
    aborts that is one of range, as a rate that is too large brings it about. Raises as `run`."""
    try:
        return Result(one, do(), meant.cost.metric)
    except DataError as error:
        return Result(one, None, meant.cost.metric, error.what)
    except Abort as error:
        if error.cause is not Cause.RANGE:
            raise
        return Result(one, None, meant.cost.metric, error.detail or error.cause.value)


def _document(meant: Tuning, results: Sequence[Result], folder: Path, held: Path) -> Json:
    """The JSON, with the best plan written beside it where all candidates were tried."""
    whole = len(results) == len(meant.candidates)
    best = best_of(results) if whole else None
    return {
        **meant.document(),
        "folder": str(folder),
        "best": written.best(meant.plan, best, meant.cost, held, folder) if best is not None else None,
        "candidates": [one.document(best) for one in results],
        "composed": {name: composed(ledger_file(held, name)).now for name in meant.cost.owners} or None,
        "notes": minded(results, best)
        if whole
        else [f"{len(results)} of {len(meant.candidates)} candidates were tried"],
        "warnings": [*meant.warnings, *_run_warnings(results)],
    }


def _run_warnings(results: Sequence[Result]) -> list[str]:
    """What runs warned of that `check` did not, each once."""
    found = dict[str, list[int]]()
    for one in results:
        for line in one.run.warnings if one.run else ():
            if line not in one.candidate.verdict.warnings:
                found.setdefault(line, []).append(one.candidate.number)
    failed = [f"candidate {one.candidate.number} could not be trained: {one.failed}" for one in results if one.failed]
    return [*told(found, len(results)), *failed]
