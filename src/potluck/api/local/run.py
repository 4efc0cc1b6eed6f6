"""`potluck.run`: a plan carried out with all parties in this process."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from potluck.api.local.ledgers import charging, folder_of, open_ledgers
from potluck.api.local.progress import progress as shown
from potluck.api.plan.plan import Plan, opened
from potluck.api.results.document import document, evidence
from potluck.api.results.facts import Facts, budget_of
from potluck.api.results.folder import run_folder
from potluck.api.results.outcome import Run
from potluck.core import private
from potluck.core.errors import UsageError
from potluck.core.plan import digest
from potluck.core.visible import json_text
from potluck.drivers.memory import Memory, new_run
from potluck.drivers.sums import Progress
from potluck.drivers.transcript import Transcript
from potluck.report import details
from potluck.report.page import render
from potluck.tasks.catalog import task_of
from potluck.tasks.demands import demand_of, stamp_of
from potluck.tasks.here import Begun
from potluck.tasks.sources import Sources


def run(  # noqa: PLR0913  # each is a flag of the verb
    plan: Plan | str | Path,
    data: Sources | None = None,
    *,
    out: str | Path | None = None,
    ledger: str | Path | None = None,
    record: bool = False,
    compare: bool = False,
    predictions: bool = False,
    progress: Progress | None = None,
    quiet: bool = False,
) -> Run:
    """Carry out a plan with all parties in this process: every letter is made, sealed and read as across machines.

    Args:
        plan: a plan, or the TOML file of one.
        data: by site a pandas or polars frame, an array or a path; without it the files that the plan names.
        out: the folder to make; without it one in `runs/`. It is never overwritten.
        ledger: the folder of the owners' ledgers, into which a run with noise writes what it cost; without it `ledger`
            beside the plan.
        record: keep every letter's body, for attacks.
        compare: also what no owner could do alone, such as a model of all rows in one place. That is not private.
        predictions: also what the model says of each owner's rows, in `sites/NAME`, as `keep.predictions` of a policy
            does.
        progress: is told of each sum as it begins. Without it a notebook shows a line that says how far it is.
        quiet: a notebook shows no such line.

    Returns:
        The finished run: its model or results, metrics, cost, report and pictures.

    Raises:
        PlanError: the plan is wrong, or promises what does not hold.
        DataError: rows do not fit the plan.
        UsageError: the folder cannot be made, or the like.
        Refused: a ledger is beyond its cap, or was cut off.
        Abort: the protocol ended early. Nothing is left of a run that failed but what the ledgers charged.

    Examples:
        >>> import pandas as pd
        >>> import potluck
        >>> plan = potluck.Plan(
        ...     name="people", purpose="How old people are", task="statistics",
        ...     federation={"sites": ["north", "south"]}, protect={"with": "clear"}, privacy={"noise": "none"},
        ...     data={"columns": {"age": {"kind": "number", "low": 0, "high": 120}}, "max_rows": 100},
        ...     statistics=[{"name": "age", "kind": "mean", "column": "age"}],
        ... )
        >>> frames = {"north": pd.DataFrame({"age": [30, 50]}), "south": pd.DataFrame({"age": [70]})}
        >>> run = potluck.run(plan, frames)
        >>> run.results["age"]["value"]
        50.0
    """
    plan = opened(plan)
    now = datetime.now(UTC)
    warnings = plan.require(now)
    scored(plan, predictions)
    demand, task = demand_of(plan), task_of(plan.spec)
    here, name = task.here(plan, data), new_run()
    spec = here.spec
    holding = folder_of(plan, Path(ledger) if ledger else None)
    noisy = spec.noisy
    with (
        shown(spec, progress, quiet=quiet) as told,
        run_folder(spec.name, Path(out) if out else None, now) as folder,
        open_ledgers(task.keeps(spec), holding) as held,
    ):
        transcript = Transcript(folder / "parcels" if record else None)
        memory = Memory((*spec.sites, *spec.compute), digest(spec), ledgers=held, transcript=transcript)
        charged = partial(charging, held if noisy else {}, spec, name, now)
        outcome, log = here.play(Begun(name, memory, holding, demand, charged, told, predictions))
        beside = here.beside(outcome) if compare else None
        spent: dict[str, float | None] = dict.fromkeys(spec.federation.sites)
        if noisy:
            spent |= {site.name: one.spent_by(name) for site, one in held.items()}
        budgets = tuple(budget_of(site.name, one, spec, name) for site, one in held.items() if noisy)
        warned = [*warnings, *here.warnings(), *outcome.warnings]
        stamp = stamp_of(spec, demand)
        transcript.write(folder / "transcript.jsonl")
        transcript.close()
        write(folder, Facts(plan, spec, now, outcome, log, spent, warned, budgets, beside, stamp=stamp))
    return replace(Run.read(folder), data=here.tallies(outcome))


def scored(plan: Plan, predictions: bool) -> None:
    """Raises UsageError: predictions of a plan that trains nothing."""
    if predictions and not plan.spec.traits.trains:
        hint = "leave out --predictions; potluck score gives those of a model that one holds"
        raise UsageError(f"{plan.spec.traits.title} leaves no predictions of owners' rows", where=plan.where, hint=hint)


def write(folder: Path, facts: Facts) -> None:
    """The run's files; run.json, which makes it a run, after what it names, and then the report that reads it."""
    task_of(facts.spec).leave(facts.outcome, folder)
    private.write(folder / "plan.toml", facts.plan.text())
    private.write(folder / details.FILE, details.dump(evidence(facts)))
    private.write(folder / "run.json", json_text(document(facts, folder)))
    private.write(folder / "report.html", render(folder))
