"""What would leave a site, shown to its owner alone: the first sum of a plan, computed on the real rows, and not sent.

The protocol is rehearsed in this process with the other sites' part made of zeros, so that the letters have their real
number and sizes. Nothing is charged, since nothing leaves. Noise is drawn afresh: the real one will be another.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from potluck.api.network.asked import Asked
from potluck.api.network.doctor.fits import fitting, whole_plan
from potluck.api.network.inbox import note_rows, one_request
from potluck.core.asks import Ask, Task
from potluck.core.errors import PlanError, UsageError
from potluck.core.fixed import decode
from potluck.core.party import SERVER, Party, site
from potluck.core.plan import Plan as Spec
from potluck.core.plan import digest
from potluck.core.prose import agree
from potluck.core.rounds import Half, RoundId
from potluck.core.stages import Floats, Guarded
from potluck.dp.mechanism import mechanism
from potluck.drivers.memory import Memory, new_run
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.tally import Tally, rests_on
from potluck.learning.data.tally_words import whole
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation import evaluate
from potluck.learning.loops import build
from potluck.learning.models.kinds import kind_of
from potluck.learning.views import later
from potluck.members.home import SiteHome
from potluck.mpc.share.compute import stand_in
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import State
from potluck.owner.selections import Selected, Selections
from potluck.tasks import catalog
from potluck.tasks.sums.disclosure import judged
from potluck.tasks.sums.halves import contribution, terms
from potluck.tasks.sums.protections import across, rehearsed

NAMED = frozenset({"gradient", "delta"})
"""Blocks with a number for each weight."""


@dataclass(frozen=True)
class Persons:
    """Whom noise for persons hides: how many different names a column holds, and the most rows of one of them."""

    column: str
    distinct: int
    most_rows: int

    def __str__(self) -> str:
        largest = f"{self.most_rows} {agree(self.most_rows, 'row', 'rows')}"
        some = f"{self.distinct} different ones, the largest with {largest}"
        return f"a person is whatever column {self.column!r} says: {some}"


@dataclass(frozen=True)
class Leaving:
    """What would leave in the first sum. values: by block, in real units, with whatever noise the site adds inside.

    letters: (step, bytes) of what this site would send, in order; form: how the server would see the values. tally:
    what became of the values of this site's rows. near: where the plan would tell few of them apart. names: of a block
    that has a number for each feature, which each is of.
    """

    asked: Asked
    rows: int
    held_out: int
    values: dict[str, list[float]]
    noise: str
    form: str
    letters: tuple[tuple[str, int], ...]
    later: str
    tally: Tally
    persons: Persons | None = None
    near: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """The JSON. For the owner's own screen: it shows values of this site."""
        return {
            "hash": f"sha256:{self.asked.request.hash}",
            "plan": self.asked.plan.name,
            "rows": self.rows,
            "held_out": self.held_out,
            "values": self.values,
            "names": {name: list(said) for name, said in self.names.items()},
            "noise": self.noise,
            "form": self.form,
            "letters": [{"step": step, "bytes": size} for step, size in self.letters],
            "later": self.later,
            "cost": self.asked.cost,
            "persons": None if self.persons is None else asdict(self.persons),
            "data": self.tally.document(),
            "near": list(self.near),
        }


def preview(folder: Path, which: str, person: str = "", run: str = "") -> Leaving:
    """What the plan whose hash begins with `which` would take from the site in `folder`. person: who looks, for the
    access log; run: one of the plan's, else its newest.

    Raises UsageError, DataError, Refused: no such request, or the rows do not fit. Reveals: to the owner, its own sums.
    What the rows do not have as the plan declares it also goes into the access log, where the inbox finds it.
    """
    home = SiteHome.at(folder)
    asked = one_request(folder, which, run)
    plan, rules = asked.plan, read_policy(home.policy)
    if asked.computes:
        hint = "potluck site inbox says what it sees of the sites'"
        raise UsageError("a compute party has no rows, and nothing of its own leaves", where=plan.name, hint=hint)
    if not plan.traits.sums:
        hint = "potluck site inbox says who sees what; nothing leaves but what it names"
        raise UsageError(f"{plan.traits.title} has no sum to show", where=plan.name, hint=hint)
    plan = whole_plan(plan, home)
    found = fitting(plan, home, rules)
    rows = found.table
    task: Task[Table, object] = build(plan)
    ask = next(task.lead())
    privacy = mechanism(plan, ask)
    memory = Memory((*plan.sites, *plan.compute), digest(plan))
    mine = contribution(task, ask, rows, privacy, memory.seat(home.me))
    values = decode(mine.words, privacy.grid)
    named = {name: values[where] for name, where in privacy.grid.slices().items()}
    update = f"{home.name}'s update"
    near = _near(home, asked, judged(found.source, plan, rows, found.known, rules, home))
    note_rows(home, asked.request, plan.name, (*whole(rows.tally), *near), person)
    return Leaving(
        asked,
        rows.tally.counted if plan.traits.counts else rests_on(plan, rows.tally),
        rows.tally.held,
        {name: [float(value) for value in block] for name, block in named.items()},
        _noise(plan),
        next((one.form.value for one in catalog.views(plan) if one.party == SERVER and one.of == update), ""),
        _letters(plan, ask, memory, home.name, mine),
        _later(plan),
        rows.tally,
        _persons(plan, rows),
        near,
        _names(plan, named),
    )


def _names(plan: Spec, blocks: Mapping[str, Floats]) -> dict[str, tuple[str, ...]]:
    """Whose each number is, of a model that is linear in its features: a gradient, or a change of weights."""
    if plan.training is None or plan.model is None or plan.data.target is None or kind_of(plan).link is None:
        return {}
    goal, each = goal_of(plan), ("intercept", *encoding(plan).names)
    said = tuple(f"{label}: {one}" for label in goal.scores for one in each) if goal.outputs > 1 else each
    return {name: said for name in blocks if name in NAMED and len(blocks[name]) == len(said)}


def _near(home: SiteHome, asked: Asked, selected: Selected | None) -> tuple[str, ...]:
    """Where the plan would tell a few rows apart. Whoever approves of a request that waits knows it from here on."""
    if selected is None:
        return ()
    selections, request = Selections(home.selections), asked.request
    near = selections.near(request.run, request.hash, selected)
    if near and request.state is State.PENDING:
        selections.note(request.run, near)
    return near


def _letters(plan: Spec, ask: Ask, memory: Memory, me: str, mine: Guarded) -> tuple[tuple[str, int], ...]:
    """What this site would send, rehearsed with zeros in the others' place; who computes needs no engine for it."""
    protection = across(plan) if plan.compute else rehearsed(plan)
    round_ = RoundId(new_run(), 1)
    agreed = terms(plan, round_, ask, mechanism(plan, ask))
    nothing = Guarded(np.zeros(agreed.length, agreed.dtype))
    gives = {one: mine if one == site(me) else nothing for one in plan.sites}
    free = {one: Guarded(guarded.words) for one, guarded in gives.items()}  # no charge: nothing leaves
    halves: dict[Party, Half[object]] = {
        one: protection.give(agreed, memory.seat(one), guarded) for one, guarded in free.items()
    }
    if plan.compute:
        halves |= {one: stand_in(agreed, memory.seat(one)) for one in plan.compute}
    else:
        halves |= {SERVER: protection.open(agreed, memory.seat(SERVER))}
    desks = memory.round(round_, halves)
    if desks[site(me)].abort:
        raise PlanError(f"a rehearsal ended in: {desks[site(me)].abort}", where=plan.name)
    return tuple((move.label.step, move.size) for move in memory.transcript.moves if move.sender == site(me))


def _noise(plan: Spec) -> str:
    """What is inside; on whose noise the rest counts is in `Asked.cost`."""
    return {
        "none": "no noise: these are exact sums over this site's rows",
        "site": "this site's noise is inside",
        "shared": "this site's share of the noise is inside",
        "reveal": "no noise yet",
    }[plan.privacy.noise]


def _persons(plan: Spec, rows: Table) -> Persons | None:
    if not plan.noisy or plan.privacy.unit != "person" or plan.data.person is None or rows.person is None:
        return None
    each = np.bincount(rows.person)
    return Persons(plan.data.person, len(each), int(each.max()))


def _later(plan: Spec) -> str:
    if plan.training is None:
        each = (
            f"of {which} up to {plan.sums - 1} sums follow, each at the {state} that the sums before it gave"
            for which, _, state in later(plan)
        )
        return "this is the only sum" if plan.sums == 1 else "; ".join(each)
    then = f", and {plan.looks} of scores and losses on validation rows" if plan.looks else ""
    then += f", then one of scores on {evaluate.judging(plan)}" if evaluate.allowed(plan) and plan.data.split else ""
    then += f", and one of scores for each of {plan.trainings - 1} folds" if plan.trainings > 1 else ""
    return (
        f"{plan.sums} such sums follow one another, each on the model that the sums before it gave{then}; "
        "their values depend on models that are not known yet"
    )
