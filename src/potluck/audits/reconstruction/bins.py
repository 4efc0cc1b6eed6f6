"""Rows that are alone in a bin, from the first round of boosting: exact sums by bin say how many rows are in each.

All rows begin with a margin of 0, so each has the same second derivative, which the plan's target says: the sum of a
bin over it counts the bin's rows. Where that is one, the sum of first derivatives is that row's own, and so says its
target; the bin says between which cuts its number lies, or its value. Below the first cuts the sums are by node as
well: of a row that is alone in a node, they say the bin of every column. Later rounds begin at margins that differ by
row, and are not looked at: they add to this. It is arithmetic and no guess.
References: Cheng et al. 2021, arXiv 1901.08755, section 4.3 (what sums by bin tell); Chen, Guestrin, XGBoost, KDD 2016,
section 2.2 (the derivatives).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from potluck.audits.attack import Found, Sort, Truth, Until, Verdict, named
from potluck.audits.seen import Known, Seen
from potluck.core.plan import Plan
from potluck.core.rounds import Abort
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.models.boosted.growing import growing
from potluck.learning.models.boosted.layout import Layout, layout
from potluck.learning.training.boosting.histogram import FIRST, SECOND, WEIGHT
from potluck.learning.training.boosting.losses import derivatives
from potluck.learning.training.methods import method_of

EXACT = 1e-5
"""Of a row: a count or a target is read off sums that are cut off far below that."""


class Alone(NamedTuple):
    """A row that is alone, by the cells in which it lies, and its target. whole: these are all of its cells."""

    cells: frozenset[int]
    target: float
    whole: bool


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Rows of some sites that are alone in the sums over these. how: of their cells."""

    of: frozenset[str]
    how: Layout = field(repr=False)
    alone: Sequence[Alone] = field(repr=False)

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where a row is there as it was read. score: the share of rows that it tells of; baseline: none is
        told of without sums."""
        places = {one.cells for one in self.alone}
        what = f"in {len(places)} places sums of the first round are over one row of {named(self.of)}"
        if not self.of <= truth.keys():
            return Verdict(None, f"{what}, whose target they say; these rows are not here to compare")
        tables = [truth[name] for name in sorted(self.of)]
        features, target = (np.concatenate([getattr(one, name)[one.train] for one in tables])
                            for name in ("features", "target"))  # fmt: skip
        lies = np.zeros((len(target), self.how.cells), np.bool_)
        lies[self.how.places(features)] = True
        read, whole = set[int](), set[int]()
        for one in self.alone:
            here = np.flatnonzero(_there(lies, one))
            right = here[np.abs(target[here] - one.target) < EXACT].tolist()
            if one.whole:
                whole |= set(right[:1])
            elif len(here) == 1:
                read |= set(right)
        every = read | whole
        found = f"the target of {len(every)} of {len(target)} rows was read off, with the bin of a column for each"
        if whole:
            found += f", and of {len(whole)} of them the bins of all columns"
        return Verdict(bool(every), f"{what}; {found}", len(every) / max(1, len(target)), 0.0)


def _there(lies: NDArray[np.bool_], one: Alone) -> NDArray[np.bool_]:
    cells = np.zeros(lies.shape[1], np.bool_)
    cells[list(one.cells)] = True
    return np.asarray((lies == cells).all(axis=1) if one.whole else lies[:, cells].all(axis=1))


@dataclass(frozen=True, slots=True)
class Bins:
    """See the module."""

    name: str = "bins"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "Cheng et al. 2021, arXiv 1901.08755, section 4.3: sums of derivatives by bin, in closed form"

    def fits(self, seen: Seen) -> str | None:
        """It needs an exact sum of a first round of boosting, whose rows count alike."""
        plan = seen.plan
        if plan.training is None or not method_of(plan).boosts:
            return "nothing is boosted"
        if plan.noisy:
            return "sums of boosting have noise, of which no count of one row can be read"
        if plan.training.class_weights:
            return "rows weigh by their class"
        return None if any(_first(plan, one) for one in seen.training()) else "no sum of the first round was read"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Rows that are alone, of each set of sites whose sums are known."""
        found: dict[frozenset[str], list[Alone]] = {}
        for one in seen.training():
            if _first(seen.plan, one):
                found.setdefault(one.of, []).extend(_alone(seen.plan, one))
        return [Read(of, layout(seen.plan), alone) for of, alone in found.items() if alone]


def _first(plan: Plan, one: Known) -> bool:
    """Whether all margins were 0."""
    if one.part(FIRST) is None:
        return False
    if one.part(WEIGHT) is not None:
        return True
    try:
        return one.part(SECOND) is not None and growing(plan).standing(one.weights)[0] == 0
    except Abort:
        return False


def _alone(plan: Plan, one: Known) -> Iterator[Alone]:
    goal, cells = goal_of(plan), layout(plan).cells
    slopes, counts = _sums(plan, goal, one)
    rows = counts.reshape(-1, cells)
    for output, some in enumerate(slopes.reshape(goal.outputs, -1, cells)):
        each = rows[output * len(some) : (output + 1) * len(some)] if len(rows) > len(some) else rows
        for slope, count in zip(some, each, strict=True):
            single = np.abs(count - 1) < EXACT
            if single[0]:
                target = _target(plan, goal, output, slope[0])
                if target is not None:
                    yield Alone(frozenset(np.flatnonzero(single).tolist()), target, whole=True)
            elif len(some) == 1:  # below the first cuts, rows of other nodes may lie in the cell as well
                for cell in np.flatnonzero(single).tolist():
                    target = _target(plan, goal, output, slope[cell])
                    if target is not None:
                        yield Alone(frozenset([cell]), target, whole=False)


def _sums(plan: Plan, goal: Goal, one: Known) -> tuple[Floats, Floats]:
    """(summed first derivatives, how many rows) in each cell of each node of each output; or of all outputs alike."""
    slopes, weights, curved = (one.part(name) for name in (FIRST, WEIGHT, SECOND))
    assert slopes is not None
    if weights is not None:
        return slopes, weights
    assert curved is not None
    _, each = derivatives(plan, goal, np.zeros((1, goal.outputs)), np.zeros(1))
    return slopes, curved / each[0, 0]


def _target(plan: Plan, goal: Goal, output: int, slope: float) -> float | None:
    """Of a row whose first derivative that is, at a margin of 0; None: it is of another class than this output's."""
    at_zero = np.zeros((1, goal.outputs))
    if goal.side == "number":
        return -float(slope)
    for target in (float(output),) if goal.side == "classes" else (0.0, 1.0):
        if abs(derivatives(plan, goal, at_zero, np.array([target]))[0][0, output] - slope) < EXACT:
            return target
    return None


BINS = Bins()
