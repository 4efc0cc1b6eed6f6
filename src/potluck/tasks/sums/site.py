"""A party's participation in sums: a site's rows, or a compute party's engine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from potluck.core.asks import Ask, Kind, Lead, Task
from potluck.core.errors import unwritable
from potluck.core.party import Draw, Role
from potluck.core.plan import Plan, digest
from potluck.core.rounds import Credentials, Half, RoundId
from potluck.core.slices import Bytes
from potluck.core.stages import Contribution, Floats
from potluck.core.steps import recorded
from potluck.learning import voting
from potluck.learning.data.table import Table
from potluck.learning.data.tally_words import for_owner
from potluck.learning.loops import build
from potluck.learning.models.graphs import on_card
from potluck.learning.models.model import Model, model
from potluck.learning.statistics.course import CourseRows
from potluck.learning.training.local import keeps
from potluck.learning.training.slots import ready
from potluck.learning.training.trained import own_of
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.mpc.engine import Engine
from potluck.mpc.share import protection as share
from potluck.owner.kept import KeptInFiles
from potluck.owner.policy import Policy
from potluck.owner.source import open_source
from potluck.tasks import own, predictions, released
from potluck.tasks.participation import HalfOf, Participation, computing, demanded, kept_of
from potluck.tasks.sums.costs import calibrate
from potluck.tasks.sums.disclosure import judged, known_by
from potluck.tasks.sums.halves import RoundContext, aid, join
from potluck.tasks.sums.protections import across
from potluck.tasks.sums.rows import rows_of
from potluck.tasks.tie import by_order, key_of, of_table


def part(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """As its policy allows it. Raises PotluckError: the rows; Denied: the policy says no."""
    if home.me.role is Role.COMPUTE:
        calibrate(plan)  # first: where it cannot be, no engine is started
        return computing(plan, rules, home, lambda engine: _computes(plan, home, engine))
    return _gives(plan, rules, home)


def _gives(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    demand = demanded(plan, rules, home)
    protection = across(plan, demand)  # first: where it cannot be had, no row is read
    plan = on_card(plan, rules.models.gpu)
    task: Task[Table, object] = build(plan)
    calibrate(plan)
    ready(plan)
    source = open_source(rules.source, home.folder, plan.data, home.name)
    known = known_by(source, plan, rules)
    rows = rows_of(source, plan, home.name, known)
    told = for_owner(plan, rows.tally, home.name)
    selected = judged(source, plan, rows, known, rules, home)
    tie = of_table(rows, key_of(home.ties), by_order(plan))

    if not plan.noisy and plan.traits.counts and rules.allow.min_cell is not None:
        task = _Judged(task, rules.allow.min_cell)
    scored, released_too = rules.keep.predictions and plan.traits.trains, released.kept(plan)

    @cache
    def of_run(run: str) -> Table:
        return replace(rows, kept=last(run) if keeps(plan) else rows.kept, losses={}, votes={})

    def last(run: str) -> KeptInFiles:
        return kept_of(home).of(run, digest(plan))

    def half(round_: RoundId, seat: Credentials) -> Half[None]:
        keep = last(round_.run).keep_model
        note = keep if scored else released.where_there_is_room(keep)
        noted = _Noted(task, note) if scored or released_too else task
        joined = join(RoundContext(plan, noted, protection, round_), of_run(round_.run), seat)
        return recorded(tie.record(round_.run), round_, joined, later=True)

    def over(run: str) -> tuple[str, ...]:
        """The site's own model goes into its home, else that of all sites, and what it says of its rows."""
        table, place = of_run(run), Path(own.FOLDER, file_name(run))
        found, lines = own_of(plan, table), tuple[str, ...]()
        try:
            if found is not None:
                own.write(found, home.folder / place)
                lines = own.for_owner(found, str(place / own.MODEL))
            common = _common(plan, last(run).model()) if found is None and (scored or released_too) else None
            if common is not None and released_too:
                released.write(common, table, home.folder / place)
                lines = (f"the model of all sites: {place / released.MODEL}",)
            if scored:
                best = found.model if found is not None else common
                lines += predictions.left(best, table, home.folder, place)
        except OSError as error:
            raise unwritable(error, home.folder / place, "make room, and stop and start the site") from None
        return (*lines, *voting.for_owner(plan, table))

    return Participation(plan, half, over=over, tie=tie, told=told, selected=selected)


@dataclass(frozen=True)
class _Around:
    """A task, of which a site does something about what its rows add."""

    task: Task[Table, object]

    def lead(self) -> Lead[object]:
        """The server's side."""
        return self.task.lead()

    def ask(self, kind: Kind, step: int, state: Bytes) -> Ask:
        """See `Task`."""
        return self.task.ask(kind, step, state)


@dataclass(frozen=True)
class _Noted(_Around):
    """Of the run's model, when its rows are evaluated, a note: the site hears of it nowhere else."""

    note: Callable[[Floats], None] = field(repr=False)

    def contribute(self, ask: Ask, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """See `Task`. Raises UsageError: the note cannot be written."""
        if ask.kind is Kind.EVALUATE and not ask.fold:
            self.note(np.frombuffer(ask.state, dtype="<f8"))
        return self.task.contribute(ask, rows, draw)


@dataclass(frozen=True)
class _Judged(_Around):
    """Exact statistics, whose rounds add up nothing of fewer rows than allow.min_cell. few: that many."""

    few: int

    def contribute(self, ask: Ask, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """See `Task`."""
        for one in self.task.contribute(ask, rows, draw):
            yield replace(one, few=self.few) if isinstance(one, CourseRows) else one


def _common(plan: Plan, weights: Floats | None) -> Model | None:
    """The model of all sites, where the run came to it and it is whole."""
    return None if weights is None else model(plan, weights)


def _computes(plan: Plan, home: SiteHome, engine: Engine) -> HalfOf:
    task, protection = build(plan), share.build(plan)
    protection.engines[home.me] = engine
    return lambda round_, me: aid(RoundContext(plan, task, protection, round_), me)
