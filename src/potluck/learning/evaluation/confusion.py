"""Which side or class held-out rows are of, and which one the model says: a table read off cells that are counted.

Two sides part at a probability of .5, which is an edge of the bins; of classes the likeliest is said. Of classes whose
pairs are not counted the table says how many of each are wrong and right. With noise each
count is a sum of noised cells, so it may be negative or have decimals, and the table costs nothing beside them.
It does NOT say which row is where.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.evaluation.intervals import Noised

MOST = 45
"""Classes of which every pair is counted: as many cells as two sides have bins, at most."""
RIGHT = ("wrong", "right")
"""What is said of a class's rows where pairs are not counted."""
Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """counts [k, k]: rows by what they are (down) and what the model says (across), whole without noise; [k, 2] without
    `pairs`: rows by what they are, and how many of them are wrong and right.

    low, high, as counts: 95 % intervals of these rows, from the noise alone; empty without noise.
    """

    counts: Rows
    low: Rows = ()
    high: Rows = ()
    pairs: bool = True

    @property
    def largest(self) -> tuple[int, float] | None:
        """The class of most rows and its share of all: whoever says it of every row is right as often. None: noise
        leaves none."""
        each = [sum(row) for row in self.counts]
        most, rows = max(each), sum(each)
        return (each.index(most), most / rows) if 0 < most <= rows else None

    def document(self, names: Sequence[str]) -> Mapping[str, object]:
        """As `run.json` has it. names [k]: of the classes."""
        told: dict[str, object] = {"labels": list(names), "counts": self.counts}
        told |= {} if self.pairs else {"said": list(RIGHT)}
        told |= {"low": self.low, "high": self.high} if self.low else {}
        return told | ({"largest": {"label": names[self.largest[0]], "share": self.largest[1]}} if self.largest else {})


def paired(plan: Plan, classes: int) -> bool:
    """Whether rows are counted by pairs of classes, what they are and what the model says, or else by whether it is
    right: with noise more cells are more noise in the accuracy, and two classes have as many of either."""
    return classes == 2 or (not plan.noisy and classes <= MOST)


def of_cells(counts: Floats, std: float, cells: Floats | None = None, *, pairs: bool = True) -> Confusion:
    """Of counts [k, k], or [k, 2] without `pairs`, with noise `std` in each cell. cells, as counts: how many each count
    is a sum of; None: one."""
    if not std:
        return Confusion(tuple(tuple(round(one) for one in row) for row in counts.tolist()), pairs=pairs)
    spread = np.full(counts.shape, std) if cells is None else std * np.sqrt(cells)
    noised = zip(counts.tolist(), spread.tolist(), strict=True)
    ends = [[Noised(*one).interval() for one in zip(*row, strict=True)] for row in noised]
    low, high = (tuple(tuple(one[end] for one in row) for row in ends) for end in (0, 1))
    return Confusion(tuple(tuple(row) for row in counts.tolist()), low, high, pairs)


def of_bins(negative: Floats, positive: Floats, middle: int, std: float) -> Confusion:
    """Of two sides' rows by bins of scores [bins] with noise `std` in each; `middle`: the first bin at or above .5."""
    counts = np.array([[float(one[:middle].sum()), float(one[middle:].sum())] for one in (negative, positive)])
    return of_cells(counts, std, np.array([[middle, len(negative) - middle]] * 2, dtype=np.float64))


def of_rows(target: Floats, said: NDArray[np.int64], classes: int) -> Confusion:
    """Of rows at hand: target and what the model says [n], as numbers of sides or classes."""
    place = target.astype(np.int64) * classes + said
    counts = np.bincount(place, minlength=classes * classes).reshape(classes, classes)
    return of_cells(counts.astype(np.float64), 0.0)
