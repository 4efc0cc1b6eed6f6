"""Clusters of rows by their nearest center: Lloyd's algorithm, each round one sum.

Numbers are brought to [-1, 1] by their declared ranges, which so weigh the columns. The first round adds (1, z, z^2) of
all rows, whose mean and spread say where centers begin: at points that fill the space evenly, moved by the public seed.
Each round a row adds (1, z, z^2) to the cell of its nearest center, of equal ones the first, and centers move to their
rows' means. A center without rows takes half of the cluster that is spread most. It ends when none moves.

It does NOT find the best clusters there are: another seed may end elsewhere. Reference: Lloyd 1982, "Least Squares
Quantization in PCM", IEEE Transactions on Information Theory 28; the start is Roberts' R sequence.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from potluck.core.plan import Plan, Statistic, repeated, required
from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.learning.data.declared import find, there
from potluck.learning.data.encode import scale
from potluck.learning.data.units import batches
from potluck.learning.statistics import gram
from potluck.learning.statistics.course import Added, Columns, Layout, Lead, none_of_this_plan
from potluck.learning.statistics.forms import AnyForm, Cell, Frame, refusal
from potluck.learning.statistics.kind import StatisticKind, wanted, without_noise
from potluck.learning.statistics.opens import Table, squares
from potluck.learning.statistics.result import Result
from potluck.learning.statistics.sums import Part

ROUNDS, CLUSTERS, MOST = 50, 3, 1000
STILL = 1e-9
"""A move this small is rounding."""
WIDE = 1.5
"""So many standard deviations from the mean the first centers reach."""
APART = 1e-3
"""So many standard deviations from its mean two centers begin that divide a cluster: each gets some of its rows."""


class Clusters(Result, frozen=True, kw_only=True, omit_defaults=True):
    """columns: in the order of centers' numbers. centers [k], in the data's units, the largest cluster first, without
    those that no row is near; sizes: rows; spread [k]: the standard deviation of each column in a cluster. within: the
    summed squares of rows' distances to their centers, on [-1, 1]. settled: no center moved in the last round; move:
    how far one did. unsure: columns whose spread in a cluster has few sure digits. refused: why there are none."""

    columns: tuple[str, ...]
    centers: tuple[tuple[float, ...], ...] | None
    sizes: tuple[int, ...] = ()
    spread: tuple[tuple[float, ...], ...] = ()
    within: float | None = None
    n: int
    rounds: int
    settled: bool
    move: float
    unsure: tuple[str, ...] = ()
    refused: str | None = None

    def warnings(self, one: Statistic) -> Iterator[str]:
        """Where it did not end, where rows are at few places, and spreads that are not sure."""
        if self.centers is None:
            return
        if not self.settled:
            what = f"after {self.rounds} rounds centers still move, the last time by {self.move:.2g} of half a range"
            yield f"{one.name}: {what}. hint: more rounds, or another seed"
        found, asked = len(self.centers), required(one.k)
        if found < asked:
            yield f"{one.name}: there are {found} clusters with rows, where {asked} were asked for. hint: a smaller k"
        yield from (gram.narrow(one, name, "a cluster") for name in self.unsure)

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """A line a cluster."""
        if self.centers is None:
            return refusal(self.refused)
        head = ("cluster", "rows", *(f"{name}{what}" for name in self.columns for what in ("", " sd")))
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (f"{place}", size, *(number for pair in zip(center, spread, strict=True) for number in pair))
            for place, (size, center, spread) in enumerate(zip(self.sizes, self.centers, self.spread, strict=True), 1)
        )
        return (Frame(head=head, rows=rows),)


@dataclass(frozen=True, slots=True)
class KMeans:
    """See `course.Course`. Its state is all centers, one after the other."""

    plan: Plan
    one: Statistic

    def start(self) -> Floats:
        """All at zero: the first round is of all rows together."""
        return np.zeros(self._k * self._p)

    def layout(self, step: int, state: Floats) -> Layout:
        """A cell of (1, z, z^2) a center."""
        if not np.abs(state).max() <= 1:
            raise none_of_this_plan()
        return Layout(self._k * self._width, norm=math.sqrt(self._width))

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """One row each, at its nearest center."""
        centers = state.reshape(self._k, self._p)
        for some in batches(np.flatnonzero(there(self.plan, self.one.columns, columns)), self._k * self._p):
            z = np.column_stack([scale(columns[name][some], *self._range(name)) for name in self.one.columns])
            # Row by row: no product of matrices, whose last bit may depend on where in a batch a row stands.
            far = ((z[:, None, :] - centers) ** 2).sum(axis=2)
            yield Added(np.column_stack([np.ones(len(z)), z, z**2]), far.argmin(axis=1) * self._width)

    def lead(self) -> Lead:
        """Lloyd's algorithm."""
        counts, means, variances, _ = self._cells((yield self.start()))
        if not counts.sum():
            return self._refused(0, 1, "no row counts. hint: each site's owner is told what became of its rows")
        if counts.sum() < self._k:
            return self._refused(int(counts.sum()), 1, "there are fewer rows than clusters. hint: a smaller k")
        centers, most = self._first(means[0], np.sqrt(variances[0])), required(self.one.rounds)
        for number in range(2, most + 1):
            found = self._cells((yield centers.ravel()))
            moved = _moved(*found[:3])
            move = float(np.abs(moved - centers).max())
            if move <= STILL or number == most:
                return self._result(*found, number, move)
            centers = moved
        raise AssertionError("check leaves at least two rounds")

    @property
    def _k(self) -> int:
        return required(self.one.k)

    @property
    def _p(self) -> int:
        return len(self.one.columns)

    @property
    def _width(self) -> int:
        return 1 + 2 * self._p

    def _range(self, name: str) -> tuple[float, float]:
        return required(find(self.plan, name)).bounds

    def _cells(self, part: Part) -> tuple[Floats, Floats, Floats, Floats]:
        """Rows [k], means, variances and how far off these may be [k, p], 0 where there are no rows."""
        cells = part.values.reshape(self._k, self._width)
        counts = np.round(cells[:, 0])
        totals, squares = np.split(cells[:, 1:], 2, axis=1)
        found = gram.variances(counts[:, None], totals, squares, part.blur)
        means, variances, lost = map(np.nan_to_num, found)
        return counts, np.clip(means, -1, 1), variances, lost

    def _first(self, mean: Floats, deviation: Floats) -> Floats:
        """[k, p] within WIDE deviations of the mean: multiples of powers of the root of x^(p + 1) = x + 1, modulo 1,
        all moved alike."""
        root = 2.0
        for _ in range(64):
            root = (1 + root) ** (1 / (self._p + 1))
        start = generator(self.one.seed, "kmeans").random(self._p)
        places = (start + np.outer(np.arange(1, self._k + 1), root ** -np.arange(1.0, self._p + 1))) % 1
        return np.asarray(np.clip(mean + WIDE * deviation * (2 * places - 1), -1, 1), dtype=np.float64)

    def _refused(self, n: int, rounds: int, why: str) -> Clusters:
        settled, move = False, 0.0
        return Clusters(
            columns=self.one.columns, centers=None, n=n, rounds=rounds, settled=settled, move=move, refused=why
        )

    def _result(
        self, counts: Floats, means: Floats, squares: Floats, lost: Floats, rounds: int, move: float
    ) -> Clusters:
        order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
        unsure = np.flatnonzero((~gram.is_sure(squares, lost)).any(axis=0))
        low, high = np.array([self._range(name) for name in self.one.columns]).T
        half = (high - low) / 2
        return Clusters(
            columns=self.one.columns,
            centers=tuple(map(tuple, (low + (means[order] + 1) * half).tolist())),
            sizes=tuple(counts[order].astype(int).tolist()),
            spread=tuple(map(tuple, (np.sqrt(squares[order]) * half).tolist())),
            within=float((counts[:, None] * squares).sum()),
            n=int(counts.sum()),
            rounds=rounds,
            settled=move <= STILL,
            move=move,
            unsure=tuple(self.one.columns[place] for place in unsure),
        )


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Numbers, each once."""
    for name in one.columns:
        yield from wanted(plan, f"{at}.columns", name, measured=True)
    if not one.columns or repeated(one.columns):
        yield f'{at}.columns: needs columns of numbers, each once. hint: columns = ["age", "chol"]'
    if one.by is not None:
        yield f"{at}.by: rows have one set of clusters. hint: one statistic a group with data.where"
    if not 1 < required(one.k) <= MOST:
        yield f"{at}.k: {one.k} clusters. hint: 2 to {MOST}"
    if required(one.rounds) < 2:
        yield f"{at}.rounds: the first one finds where to begin. hint: leave it out"
    yield from without_noise(plan, one, at, "nobody has shown how good its centers are", "histograms")


def pauses(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Small clusters."""
    what = "of each round all centers and their rows are opened, and a center with one row is that row"
    yield f"{at}.k: {what}. hint: a smaller k"


def _moved(counts: Floats, means: Floats, variances: Floats) -> Floats:
    """[k, p] each at its rows' mean. One without rows goes with the cluster that is spread most to both sides of its
    mean, along the column where it is; where all are divided, to the mean of one."""
    found, left = means.copy(), np.where(counts[:, None] > 0, counts[:, None] * variances, -1.0)
    for empty in np.flatnonzero(counts == 0):
        cluster, column = np.unravel_index(left.argmax(), left.shape)
        found[empty] = means[cluster]
        if left[cluster, column] > 0:
            middle = float(means[cluster, column])
            apart = min(APART * math.sqrt(variances[cluster, column]), 1 - abs(middle))
            found[[cluster, empty], column] = middle - apart, middle + apart
        left[cluster] = 0
    return found


def opens(plan: Plan, one: Statistic) -> Iterator[Table]:
    """Squares of all rows, and as many numbers as centers have; rows by center are known in each round alone."""
    (table,) = squares(plan, one)
    yield replace(table, parameters=required(one.k) * len(one.columns))


KMEANS = StatisticKind(
    tells=(
        "in each round, how many rows each cluster has, their sums and sums of squares; of a row alone in its "
        "cluster, or that alone changes its cluster between two rounds, all its columns"
    ),
    title="Clusters (k-means)",
    keys=frozenset({"columns", "k", "rounds", "seed"}),
    usual={"k": CLUSTERS},
    check=check,
    opens=opens,
    half=None,
    course=KMeans,
    rounds=lambda plan, one: ROUNDS,
    follows=("clusters", "rows, numbers and squares by the nearest center", "centers"),
    pauses=pauses,
)
