"""The cells that an evaluation of finished models opens without noise, as an owner's policy judges them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from potluck.core.plan import Plan
from potluck.learning.data.table import Table
from potluck.learning.data.target import SIDES, goal_of
from potluck.learning.data.units import Index
from potluck.learning.evaluation.finished import cells
from potluck.learning.models.finished.finished import here


@dataclass(frozen=True, slots=True)
class Opened:
    """One table of one model. of: whose rows they are; places: which they are, for words; cells [k, m]: the places of
    each row, of which there are as many as outputs."""

    of: str
    places: Sequence[str]
    cells: Index = field(repr=False)


def tables(plan: Plan, rows: Table, index: Index) -> Iterator[Opened]:
    """All that open, of the rows in `index`. Raises PlanError: the models are not here."""
    goal, models = goal_of(plan), here(plan)
    for number, model in enumerate(models, 1):
        of = f"rows that judge model {number}" if len(models) > 1 else "rows that judge the model"
        for part in cells.parts(goal):
            shape = cells.shape(plan, part)
            if part in (cells.SCORES, cells.CLASSES):
                yield Opened(of, _labels(plan, part, shape), cells.places(plan, part, model, rows, index))
            else:
                named = [f" in {one}" for one in _names(plan, part, shape)]
                yield Opened(of, named, cells.placed(plan, part, model, rows, index)[:, None])


def _names(plan: Plan, part: str, shape: tuple[int, ...]) -> Sequence[str]:
    """Of what a number's sums are told apart by."""
    groups = [f"group {one!r}" if one else "all" for one in cells.groups(plan)]
    return groups if part == cells.SUMS else [f"bin {place}" for place in range(1, shape[0] + 1)]


def _labels(plan: Plan, part: str, shape: tuple[int, ...]) -> Sequence[str]:
    goal, groups = goal_of(plan), [f"group {one!r}, " if one else "" for one in cells.groups(plan)]
    if part == cells.CLASSES:
        names = [(group, "", f"of class {is_!r}, said {said!r}") for group in groups
                 for is_ in goal.classes for said in goal.classes]  # fmt: skip
    else:
        outputs = [f"{one!r}, " for one in goal.scores] if shape[0] > 1 else [""]
        sides = [(output, group, side) for output in outputs for group in groups for side in SIDES]
        names = [(output, group, f"{side}, score in bin {bin_}") for output, group, side in sides
                 for bin_ in range(1, shape[-1] + 1)]  # fmt: skip
    return [f" that are {''.join(one)}" for one in names]
