"""`potluck.run`: a plan carried out with all parties in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from potluck.api.local import fit, intersect, predict
from potluck.api.local.compare import compared
from potluck.api.local.demands import demand_of, stamp_of
from potluck.api.local.ledgers import charging, folder_of, open_ledgers
from potluck.api.local.tables import Sources, tables, tallies
from potluck.api.plan.plan import Plan, opened
from potluck.api.results.document import MEMBERS, PREDICTIONS, document, evidence
from potluck.api.results.facts import Facts, budget_of
from potluck.api.results.folder import run_folder
from potluck.api.results.model import MODEL
from potluck.api.results.outcome import Run
from potluck.core import private
from potluck.core.asks import Ask, Task
from potluck.core.plan import digest
from potluck.core.visible import json_text
from potluck.learning.data.table import Table
from potluck.learning.data.tally import Tally
from potluck.learning.models.basis import FILE as SUMMARY
from potluck.learning.models.scoring import Predicted, text_of
from potluck.learning.tasks import Counted, build
from potluck.learning.training.trained import Trained
from potluck.members.files import PRIVATE, create
from potluck.parties import catalog
from potluck.parties.drivers.intersection import Intersected
from potluck.parties.drivers.intersection import text_of as keys_of
from potluck.parties.drivers.memory import Memory, new_run
from potluck.parties.drivers.sums import Sums, drive
from potluck.parties.drivers.transcript import Transcript
from potluck.parties.runners.together import Together
from potluck.report import details
from potluck.report.page import render

Progress = Callable[[Ask], None]
CarryOut = Callable[[list[str], Path, Transcript, bool, datetime], Facts]
"""Warnings, the folder of ledgers, the transcript, whether to compare, and when."""


def quietly(ask: Ask) -> None:
    """No progress."""


def run(
    plan: Plan | str | Path,
    data: Sources | None = None,
    *,
    out: str | Path | None = None,
    ledger: str | Path | None = None,
    record: bool = False,
    compare: bool = False,
    progress: Progress = quietly,
) -> Run:
    """Carry out `plan` (or the one in a file) with all parties in this process.

    data: a frame, array or path a site; without it the plan's files. out: the folder to make. ledger: the folder of
    the owners' ledgers. record: keep every parcel's body. compare: also what no owner could do alone (not private).
    Raises PlanError, DataError, UsageError (exit 2), Refused (3), Abort (4); then nothing of the run is left but
    what the ledgers charged.
    """
    plan = opened(plan)
    warnings = plan.require()
    now = datetime.now(UTC)
    if plan.spec.task in ("predict", "intersect", "fit"):
        holding = folder_of(plan, Path(ledger) if ledger else None)
        ask, carry_out, counts = _one_round(plan, data)
        with run_folder(plan.spec.name, Path(out) if out else None, now) as folder:
            transcript = Transcript(folder / "parcels" if record else None)
            progress(ask)
            facts = carry_out(warnings, holding, transcript, compare, now)
            write(folder, facts)
            transcript.write(folder / "transcript.jsonl")
        if isinstance(facts.outcome, Predicted):  # the client read its rows once the model's card was there
            counts = {predict.spec_of(plan.spec).client: facts.outcome.tally}
        return replace(Run.read(folder), data=counts)
    demand = demand_of(plan)
    spec, rows = tables(plan, data)
    name = new_run()
    holding = folder_of(plan, Path(ledger) if ledger else None)
    with run_folder(spec.name, Path(out) if out else None, now) as folder, open_ledgers(spec, holding) as held:
        transcript = Transcript(folder / "parcels" if record else None)
        memory = Memory((*spec.sites, *spec.compute), digest(spec), ledgers=held, transcript=transcript)
        task: Task[Table, Trained | Counted] = build(spec)
        together = Together(spec, task, catalog.row(spec).build(spec, demand), rows, memory, name)
        sums = Sums(spec, together, progress=progress)
        with charging(held, spec, name, now):
            outcome = drive(task, sums)
        comparison = compared(spec, rows, outcome) if compare and isinstance(outcome, Trained) else None
        every = [*warnings, *outcome.warnings]
        transcript.write(folder / "transcript.jsonl")
        spent = dict.fromkeys(spec.federation.sites, None) | {s.name: one.spent_by(name) for s, one in held.items()}
        budgets = tuple(budget_of(site.name, one, spec, name) for site, one in held.items())
        shown = {s.name: (t.rows - int(t.test.sum()), int(t.test.sum())) for s, t in rows.items()} if comparison else {}
        facts = Facts(plan, spec, name, now, outcome, sums.log, spent, every, budgets, shown, comparison)
        write(folder, replace(facts, stamp=stamp_of(spec, demand)))
    return replace(Run.read(folder), data=tallies(rows))


def _one_round(plan: Plan, data: Sources | None) -> tuple[Ask, CarryOut, Mapping[str, Tally]]:
    """What a task that is one round is called, how it is carried out, and what became of the values that it reads.

    Raises as `prepared` of its room.
    """
    if plan.spec.task == "predict":
        return predict.ASK, partial(predict.carried_out, predict.prepared(plan, data)), {}
    if plan.spec.task == "intersect":
        return intersect.ASK, partial(intersect.carried_out, intersect.prepared(plan, data)), {}
    room = fit.prepared(plan, data)
    return fit.ASK, partial(fit.carried_out, room), room.tallies


def write(folder: Path, facts: Facts) -> None:
    """The run's files; run.json, which makes it a run, after what it names, and then the report that reads it."""
    if isinstance(facts.outcome, Trained):
        facts.outcome.model.write(folder / MODEL)
        if facts.outcome.basis is not None:
            private.write(folder / SUMMARY, facts.outcome.basis.dump())
    if isinstance(facts.outcome, Predicted):
        create(folder / PREDICTIONS, text_of(facts.outcome).encode(), PRIVATE)
    if isinstance(facts.outcome, Intersected) and facts.outcome.members is not None:
        create(folder / MEMBERS, keys_of(facts.outcome).encode(), PRIVATE)
    private.write(folder / "plan.toml", facts.plan.text())
    private.write(folder / details.FILE, details.dump(evidence(facts)))
    private.write(folder / "run.json", json_text(document(facts, folder)))
    private.write(folder / "report.html", render(folder))
