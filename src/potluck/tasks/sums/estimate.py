"""What a run of sums would cost: not estimated but rehearsed, one round of the plan's protection on zero vectors."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from potluck.core.asks import Ask, Kind
from potluck.core.errors import PlanError
from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan, digest
from potluck.core.rounds import Abort, Half, RoundId
from potluck.core.stages import Guarded
from potluck.dp.mechanism import mechanism, noise_of
from potluck.drivers.memory import Memory, new_run
from potluck.drivers.once import played
from potluck.learning import folds
from potluck.learning.data.tally import Tally
from potluck.learning.data.target import goal_of
from potluck.learning.forecast import Forecast
from potluck.learning.graph.bases import FOLDER
from potluck.learning.loops import TrainTask, build
from potluck.learning.models.finished.finished import lacking
from potluck.learning.models.fitted import training
from potluck.learning.models.graphs import lacks_base
from potluck.learning.models.room import room
from potluck.learning.statistics.statistics import StatisticsTask
from potluck.learning.training import rates
from potluck.learning.training.method import counts, enough
from potluck.net.pieces import LARGEST
from potluck.tasks.demands import demand_of
from potluck.tasks.here import Estimate
from potluck.tasks.sources import Sources, Written, none_read, not_here, tables, tallies
from potluck.tasks.sums import clips
from potluck.tasks.sums.forecast import forecast_of, words
from potluck.tasks.sums.halves import terms
from potluck.tasks.sums.protections import rehearsed
from potluck.tasks.sums.signal import Outlook, outlook
from potluck.tasks.sums.usefulness.curve import ByCurve
from potluck.tasks.sums.usefulness.statistics import OfStatistics, of_statistics
from potluck.tasks.sums.usefulness.useful import Useful, useful
from potluck.tasks.sums.usefulness.verdict import POOR, Unknown
from potluck.tasks.sums.votes import cast, count


def estimate(plan: Written, given: Sources | None) -> Estimate:
    """Of training or statistics. given: the sites' rows; without them the plan's files. Raises PotluckError, as `run`
    would."""
    demand_of(plan)
    spec, more, data = _with_rows(plan, given)
    task = build(spec)
    ask = task.usual if isinstance(task, TrainTask) else next(task.lead())
    grid = _grid(spec, ask)
    ahead = forecast_of(spec, data.values())
    size, seconds, largest = _rehearsal(spec, ask)
    shorter = [_rehearsal(spec, one)[0] for one in task.cycle[:-1]] if isinstance(task, TrainTask) else []
    look = _rehearsal(spec, task.ask(Kind.VALIDATE, 0, ask.state))[0] if spec.looks else None
    later, _, widest = _rehearsal(spec, task.later) if isinstance(task, StatisticsTask) and task.later else (None, 0, 0)
    need = room(spec)
    said, useless = words(spec, ahead, data.values()) if ahead else ("", [])
    pace = rates.advice(spec) if spec.traits.trains else None
    noise = outlook(spec, ask) if spec.traits.trains and spec.noisy else None
    use = _useful(spec, noise, ahead, data.values())
    tried = isinstance(use, Useful) and use.now.kept >= POOR
    if pace and isinstance(use, Useful):
        pace = replace(pace, rate=use.rate or training(spec).rate, tried=True)
    return Estimate(
        warnings=[
            *more,
            *_baseless(spec),
            *useless,
            *_heavy(max(largest, widest)),
            *(noise.warnings() if noise else ()),
            *(use.warnings() if use else ()),
            *clips.warnings(spec, noise),
            *(rates.warnings(spec, pace) if pace and not tried else ()),
        ],
        bytes_up=size,
        bytes_look=look,
        bytes_later=later,
        bytes_sums=training(spec).rounds * spec.trainings * (size + sum(shorter)) if shorter else None,
        seconds=seconds,
        grid=grid,
        forecast=ahead.document() if ahead else None,
        outlook=said,
        data=data,
        rate=pace.document() if pace else None,
        pace=pace.words(training(spec).rate) if pace else "",
        signal=noise.document() if noise else None,
        noise=noise.words() if noise else "",
        room=need.document() if need else None,
        needs=need.words() if need else "",
        useful=use.document() if use else None,
        advice=use.advice() if use else (),
        usefulness=use.words() if use else (),
    )


def _useful(
    spec: Plan, noise: Outlook | None, ahead: Forecast | None, here: Collection[Tally]
) -> Useful | ByCurve | Unknown | OfStatistics | None:
    """How useful results with noise will be."""
    if spec.traits.trains and spec.noisy:
        return useful(spec, noise)
    return of_statistics(spec, ahead, lambda other: forecast_of(other, here)) if spec.traits.counts and ahead else None


def _with_rows(plan: Written, given: Sources | None) -> tuple[Plan, list[str], dict[str, Tally]]:
    """The plan with its column patterns resolved, what to mind, and what became of the values by site, once its rows
    are read as `run` reads them.

    Files that are not here are a warning: across machines every owner has its own. Raises DataError as `run` would,
    which learns from exact sums whether there is something to tell apart.
    """
    missing = not_here(plan, given)
    if given is not None or (plan.spec.data.files and not missing):
        spec, found = tables(plan, given)
        if spec.traits.trains and not spec.noisy:
            goal = goal_of(spec)
            enough(
                spec, goal, sum((counts(goal, one.target[one.train]) for one in found.values()), np.zeros(goal.cells))
            )
        return spec, list(folds.foreseen(spec, found.values())), tallies(found)
    if any("*" in name for name in plan.spec.data.columns):
        raise PlanError("data.columns: a pattern needs the files' headers", hint="name files that can be read here")
    return plan.spec, [*none_read(missing), *folds.foreseen(plan.spec, ())], {}


def _grid(spec: Plan, ask: Ask) -> dict[str, object]:
    bound = mechanism(spec, ask)
    parts: dict[str, object] = {
        part.name: {"size": part.size, "step": part.step, "high": part.high} for part in bound.grid.parts
    }
    found: dict[str, object] = {"bits": bound.grid.bits, "length": bound.grid.length, "parts": parts}
    inside = noise_of(bound)
    if inside is None:
        return found
    drawn = inside.sampling and {"drawn": {"chance": inside.sampling.chance, "noise": inside.sampling.ratio}}
    return found | {"sigma": list(inside.real(inside.sigma))} | (drawn or {})


def _baseless(spec: Plan) -> list[str]:
    """Frozen weights that are not here are a warning: across machines each site holds them."""
    base = lacks_base(spec) or lacking(spec)
    hint = f"put the file into {FOLDER}/ beside the plan for `run` and `up`; across machines each site holds it"
    return [f"model.base: {base} is not here. hint: {hint}"] if base else []


def _heavy(largest: int) -> list[str]:
    """A letter that no mailbox takes is a warning: in one process the plan runs all the same."""
    if largest <= LARGEST:
        return []
    what = f"a letter of this plan has {largest:,} bytes, and across machines at most {LARGEST:,} pass"
    return [f"protect.with: {what}. hint: a smaller model, fewer sites, or another protection"]


def _after(first: Half[object], then: Half[object]) -> Half[object]:
    yield from first
    return (yield from then)


def _rehearsal(spec: Plan, ask: Ask) -> tuple[int, float, int]:
    """Bytes that one site uploads, seconds of one round and bytes of its largest letter, on zero vectors.

    Raises PlanError: a round ended in an abort.
    """
    protection = rehearsed(spec)
    memory, run = Memory((*spec.sites, *spec.compute), digest(spec)), new_run()
    seat, seconds = memory.seat, 0.0
    # Where others compute, their engines start in the first round of a run: the second is what a round takes.
    for number in (1, 2) if protection.helpers() else (1,):
        agreed = terms(spec, RoundId(run, number), ask, mechanism(spec, ask))
        nothing = Guarded(np.zeros(agreed.length, agreed.dtype))
        halves: dict[Party, Half[object]] = {SERVER: protection.open(agreed, seat(SERVER))}
        halves |= {site: protection.give(agreed, seat(site), nothing) for site in spec.sites}
        if ask.votes:
            halves[SERVER] = _after(count(agreed, seat(SERVER)), halves[SERVER])
            halves |= {site: _after(cast(agreed, seat(site), False), halves[site]) for site in spec.sites}
        halves |= {one: protection.assist(agreed, seat(one)) for one in protection.helpers()}
        try:
            seconds = played(ask, agreed.round, halves, memory)[1].rounds[0].seconds
        except Abort as abort:
            raise PlanError(f"a rehearsal on zero vectors ended in: {abort}") from None
    largest = max(move.size for move in memory.transcript.moves)
    return memory.transcript.traffic(1).up // len(spec.sites), round(seconds, 4), largest
