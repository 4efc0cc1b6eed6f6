"""`potluck.simulate`: a plan's rounds over many made-up clients, in this process and those that it forks."""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from potluck.api.local.progress import progress as shown
from potluck.api.plan.plan import Plan, opened
from potluck.api.results.folder import run_folder
from potluck.api.results.simulated import Simulation, write
from potluck.core.errors import UsageError
from potluck.core.plan import Plan as Spec
from potluck.core.seeded import generator
from potluck.drivers.sums import Progress
from potluck.learning.data.target import goal_of
from potluck.learning.graph.steps import torch
from potluck.learning.models.graphs import Equipped, follow
from potluck.learning.training.drawn import band
from potluck.learning.training.local import keeps
from potluck.learning.training.method import by_unit
from potluck.learning.training.methods import method_of
from potluck.simulation import scale
from potluck.simulation.memory import bounded, bytes_of, shared
from potluck.simulation.pooled import pooled, values_of
from potluck.simulation.rounds import peopled
from potluck.simulation.rounds import simulate as rounds_of
from potluck.simulation.splits import NATURAL, Rows, clients_of
from potluck.simulation.wanted import Wanted
from potluck.simulation.ways import Cohorts
from potluck.tasks.sources import Sources, sources, tables


def simulate(  # noqa: PLR0913  # each is a flag of the verb
    plan: Plan | str | Path,
    data: Sources | None = None,
    *,
    sites: int | None = None,
    cohort: int | None = None,
    split: str = "even",
    seed: int = 0,
    noise_cohort: int | None = None,
    every: int = 1,
    processes: int | None = None,
    memory: str | int | None = None,
    gpu: bool = False,
    out: str | Path | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
) -> Simulation:
    """Simulate a plan over many clients on one machine, of which a cohort takes part in each round.

    Nothing is sealed, noise comes from a public seed, and what comes of it is marked as simulated.

    Args:
        plan: a plan that trains, or the TOML file of one.
        data: rows, as of `run`.
        sites: how many clients there are.
        cohort: how many of them take part in a round; without it all.
        split: how rows are dealt to clients: `"even"`, `"shards:2"`, `"dirichlet:0.1"`, `"natural:COLUMN"`, or
            `"sites"`, which are the plan's own.
        seed: of draws, public.
        noise_cohort: of how many clients a real round would be, whose noise is scaled to the cohort.
        every: rounds from one look at held-out rows to the next.
        processes: that train; without it one a core.
        memory: what rows and training may take in all, in bytes or as `"4G"`.
        gpu: train a graph on the machine's graphics card.
        out: the folder to make.
        progress: is told of each sum as it begins. Without it a notebook shows a line that says how far it is.
        quiet: a notebook shows no such line.

    Returns:
        The finished simulation: its folder, its model and its JSON.

    Raises:
        PlanError: the plan is wrong.
        DataError: rows do not fit the plan.
        GraphError: its graph is missing or broken.
        UsageError: this plan is not simulated, or not so.
        Abort: a sum ended early. Nothing is left of a simulation that failed.

    Examples:
        >>> from importlib.resources import files
        >>> import potluck
        >>> plan = potluck.Plan.read(files("potluck") / "demo" / "heart.toml").set("training.rounds", 2)
        >>> made = potluck.simulate(plan, sites=20, cohort=5, processes=1)
        >>> made.document["sites"], len(made.document["rounds"])
        (20, 2)
    """
    plan = opened(plan)
    warnings = plan.require()
    cap = bytes_of(memory) if isinstance(memory, str) else memory
    wanted = Wanted(
        sites=sites, cohort=cohort, split=split, seed=seed, noise_cohort=noise_cohort, every=every,
        processes=processes or _processes(plan.spec, gpu), memory=cap, card=gpu,
    )  # fmt: skip
    _possible(plan.spec, wanted)
    now = datetime.now(UTC)
    with run_folder(f"{plan.spec.name}-simulated", Path(out) if out else None, now) as folder:
        cohorts = _cohorts(plan, data, wanted).ready()
        warnings = [*warnings, *scale.warnings(cohorts, wanted)]
        each = shared(cap, cohorts.pooled.bytes, wanted.processes, cohorts.room())
        with bounded(cap), shown(cohorts.plan, progress, quiet=quiet) as told:
            found = rounds_of(cohorts, wanted, told, each)
        return write(folder, plan, found, now, [*warnings, *found.trained.warnings])


def _processes(spec: Spec, gpu: bool) -> int:
    """One a core; one where clients keep something, which its process then holds, or where a card trains."""
    return 1 if gpu or keeps(spec) else len(os.sched_getaffinity(0))


def _possible(spec: Spec, wanted: Wanted) -> None:
    """Raises UsageError: this plan is not simulated, or not so."""

    def refused(what: str, hint: str) -> UsageError:
        return UsageError(what, where="simulate", hint=hint)

    if not spec.traits.trains or spec.training is None:
        raise refused(f'a plan with task = "{spec.task}" trains nothing over rounds', 'task = "train"')
    if spec.training.aggregation != "mean":
        what = f'training.aggregation = "{spec.training.aggregation}" is no sum'
        raise refused(what, '--set training.aggregation="mean"')
    if band(spec) is not None:
        what = "sums over cohorts cannot be solved for what groups gave: each holds the rounds before it"
        raise UsageError(what, where="training.band", hint="leave it out here; training.batch is simulated")
    if spec.training.vote is not None:
        raise UsageError("nobody lies here who could be voted down", where="training.vote", hint="leave it out here")
    if wanted.card and not isinstance(spec, Equipped):
        raise refused("a graphics card trains graphs alone", "potluck graph make; or leave out --gpu")
    if wanted.card and not torch().cuda.is_available():
        hint = "torch as built for the card, and its driver; or leave out --gpu"
        raise UsageError("torch finds no graphics card here", where="--gpu", hint=hint)
    if method_of(spec).by_site and by_unit(spec) and wanted.noise_cohort is not None:
        raise refused("noise is inside each site's own steps, whatever the cohort", "leave out --noise-cohort")
    if keeps(spec):
        if wanted.cohort is not None and wanted.cohort != wanted.sites:
            what = "sites keep something from round to round, so that all take part in each"
            raise refused(what, "leave out --cohort")
        if wanted.processes > 1:
            raise refused("what sites keep between rounds is held by one process", "leave out --processes")


def _cohorts(plan: Plan, data: Sources | None, wanted: Wanted) -> Cohorts:
    """The plan's clients, with their rows. Raises PlanError, DataError, UsageError."""
    follow(plan.spec)
    spec, found = tables(plan, data)
    rows, goal = pooled(found), goal_of(spec)
    word, _, column = wanted.split.partition(":")
    whose = rows.sites
    if word == NATURAL and column:
        whose = values_of(column, spec, sources(plan, data), found)
    del found
    split = Rows(goal, rows.train.target, whose)
    clients = clients_of(split, wanted.sites, wanted.split, generator(wanted.seed, "simulation", "split"))
    wanted.noise_of(wanted.cohort_of(len(clients)))
    spec = peopled(spec, len(clients))
    if wanted.card:
        spec = msgspec.structs.replace(spec, card=True)
    return Cohorts(spec, rows, clients)
