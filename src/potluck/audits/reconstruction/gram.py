"""Rows from an exact Gram matrix, which newton opens each round: sums over rows of c x_j x_k, with x_0 = 1.

At zero weights c is the same public number for every row (1/4 of a logistic model; of one of classes there is such a
matrix for every two, and the first will do). Then, however many rows there are,

- where one row alone has a value j of a category, x_j is 1 of that row and 0 of all others, so that row j of the matrix
  is c times the row itself;
- of one row, row 0 is it; and two rows are their mean, and their mean less what is left of the matrix, whose one
  direction is their difference.

Exact sums over many rows are thus no protection of a row with a rare value, whoever protects the sums until they open.
Reference: the closed form. That one cell of a table of counts, where it is 1, gives a person away is long known of
published tables: Dwork, Smith, Steinke, Ullman 2017, "Exposed! A Survey of Attacks on Private Data".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.audits.attack import Found, Scene, Sort, Until
from potluck.audits.control import bare, lines_of, made_of, scene_of
from potluck.audits.reconstruction.slopes import began, marked, rows_a_site
from potluck.audits.rows import Rows, features
from potluck.audits.seen import Known, Seen
from potluck.core.errors import PotluckError
from potluck.core.plan import Column, Plan
from potluck.core.rounds import Abort
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.linear import at_zero
from potluck.learning.training.newton import GRAM

NEAR = 1e-4
"""What the grid cuts off of a count of rows."""


@dataclass(frozen=True, slots=True)
class GramRows:
    """See the module."""

    name: str = "gram"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "closed form; Dwork et al. 2017, Exposed! A Survey of Attacks on Private Data"

    def fits(self, seen: Seen) -> str | None:
        """It needs an exact Gram matrix at zero weights."""
        return None if list(_first(seen)) else "no exact Gram matrix at zero weights was read"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Rows of each set of sites of which the first sum is known."""
        found: list[Found] = []
        for one in _first(seen):
            rows = list(_rows(_matrix(one, seen.plan), np.flatnonzero(marked(seen.plan)) + 1))
            if rows:
                why = "a value that one row alone has, or so few rows, in an exact Gram matrix"
                found.append(Rows(one.of, np.unique(np.array(rows), axis=0), why, features, sure=True))
        return found

    def control(self, seen: Seen, until: Until) -> Iterable[Scene]:
        """A run without protection, of as many rows a site, one of which has a value of its own."""
        spec = bare(seen.plan)
        try:
            lines = lines_of(spec, made_of(spec, rows_a_site(seen)), until.rng)
            for name in [name for name, one in spec.data.columns.items() if _worded(spec, name, one)][:1]:
                *others, own = spec.data.columns[name].values
                for some in lines.values():
                    for place, line in enumerate(some):
                        line[name] = others[place % len(others)] if place else own
            return [scene_of(spec, lines, until.before)]
        except (Abort, PotluckError):
            return []


def _worded(spec: Plan, name: str, column: Column) -> bool:
    """Whether a feature is a category of two declared values or more."""
    target = spec.data.target
    return not column.ignored and len(column.values) > 1 and (target is None or name not in target.names)


def _first(seen: Seen) -> Iterator[Known]:
    return (one for one in seen.training() if one.part(GRAM) is not None and began(one, seen.plan))


def _matrix(one: Known, plan: Plan) -> Floats:
    """[p + 1, p + 1] sums over rows of x_j x_k, the 1 first."""
    link, values = kind_of(plan).link, one.part(GRAM)
    assert link is not None
    assert values is not None
    outputs = goal_of(plan).outputs
    length = len(encoding(plan).names) + 1
    found, triangle = np.zeros((length, length)), np.triu_indices(length)
    found[triangle] = values[: len(triangle[0])] / at_zero(link, outputs)
    return found + np.triu(found, 1).T


def _rows(matrix: Floats, marks: NDArray[np.int64]) -> Iterator[Floats]:
    """Rows [p] that the matrix holds."""
    rows, mean = round(matrix[0, 0]), matrix[0, 1:] / max(matrix[0, 0], 1.0)
    if rows == 1:
        yield mean
    elif rows == 2:
        sizes, ways = np.linalg.eigh(matrix[1:, 1:] - 2 * np.outer(mean, mean))
        half = np.sqrt(max(float(sizes[-1]), 0.0) / 2) * ways[:, -1]
        yield from (mean - half, mean + half)
    else:
        for place in marks:
            if abs(matrix[place, place] - 1) < NEAR and abs(matrix[0, place] - 1) < NEAR:
                yield matrix[place, 1:]


GRAM_ROWS = GramRows()
