"""The one sum by which finished models are judged, as drivers see it. See `core.asks.Task`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from potluck.core.asks import Answer, Ask, Kind, Lead
from potluck.core.errors import DataError
from potluck.core.party import Draw
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, Cause
from potluck.core.slices import Bytes
from potluck.core.stages import Contribution, Floats
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.evaluation.finished import cells
from potluck.learning.evaluation.finished.judgement import Judgement, Measure, alone, less
from potluck.learning.evaluation.finished.numbers import of_sums
from potluck.learning.evaluation.finished.several import of_classes, of_labels
from potluck.learning.evaluation.finished.two_sides import of_counts

COMPARED = ("auc", "accuracy", "brier", "r2", "rmse", "mae")
"""Of models side by side."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run says of finished models, in the plan's order. goal: what they predict; differences: of each model
    after the first, what it has more than that one."""

    goal: Goal
    models: tuple[Judgement, ...]
    warnings: tuple[str, ...] = ()
    differences: tuple[Mapping[str, Measure], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class EvaluateTask:
    """One sum over all rows, or over those that a column of the split holds out."""

    plan: Plan

    def lead(self) -> Lead[Judged]:
        """The server's side. Raises DataError: without noise, no row."""
        return judged(self.plan, (yield self._asked()))

    def ask(self, kind: Kind, step: int, state: Bytes) -> Ask:
        """The site's own view of the sum. Raises Abort(TERMS): no such sum in this plan."""
        if kind is not Kind.EVALUATE or step != 0 or len(state):
            raise Abort(Cause.TERMS, detail=f"the plan has no sum {kind.value} {step}, or not at this state")
        return self._asked()

    def contribute(self, ask: Ask, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """What this site's rows add. Raises PlanError: the models are not here."""
        return cells.contribute(self.plan, rows)

    def _asked(self) -> Ask:
        return Ask(Kind.EVALUATE, 0, cells.blocks(self.plan), b"")


def judged(plan: Plan, answer: Answer) -> Judged:
    """What an opened sum says. Raises DataError: without noise, no row."""
    goal, groups = goal_of(plan), cells.groups(plan)

    def part(kind: str, number: int) -> Floats:
        return answer.part(cells.name(kind, number)).values.reshape(cells.shape(plan, kind))

    def std(kind: str, number: int) -> float:
        return float(answer.part(cells.name(kind, number)).std.max())

    def model(number: int) -> Judgement:
        if goal.side == "number":
            spreads = std(cells.SUMS, number), std(cells.BINNED, number)
            return of_sums(part(cells.SUMS, number), part(cells.BINNED, number), spreads, groups, goal)
        counts, spread = part(cells.SCORES, number), std(cells.SCORES, number)
        if goal.side == "classes":
            both = spread, std(cells.CLASSES, number)
            return of_classes(counts, part(cells.CLASSES, number), both, groups, goal.classes)
        if goal.side == "labels":
            return of_labels(counts, spread, groups, goal.names)
        return of_counts(counts[0], spread, groups)

    found = [model(number) for number in range(1, len(required(plan.model).digests) + 1)]
    if not plan.noisy and not found[0].measures["rows"].value:
        raise DataError("there is no row to judge a model on", hint="see the split column, and data.where")
    if plan.noisy and plan.privacy.unit != "row":
        found = [alone(one) for one in found]
    first, *others = found
    return Judged(goal, tuple(found), _mind(found), tuple(_more(one, first) for one in others))


def _more(one: Judgement, first: Judgement) -> dict[str, Measure]:
    names = [name for name in COMPARED if name in one.measures]
    return {name: less(one.measures[name], first.measures[name]) for name in names}


def _mind(models: list[Judgement]) -> tuple[str, ...]:
    """What to mind: scores in few bins, and rows of one side alone."""
    found = []
    for number, one in enumerate(models, 1):
        of = f" of model {number}" if len(models) > 1 else ""
        if one.ties:
            what = f"by ranks the AUC may be {one.ties / 2:.2f} higher or lower, which its interval allows for"
            found.append(f"scores{of} fill few bins: {what}; more evaluate.bins tell them apart")
        area = one.measures.get("auc")
        if area is not None and area.value is None and area.noise is None:
            found.append(f"the rows are of one class only: there is no AUC{of}")
    return tuple(found)
