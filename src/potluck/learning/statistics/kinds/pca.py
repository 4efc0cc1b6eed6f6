"""Principal components of several numbers, each scaled from its declared range to [-1, 1].

They are the eigenvectors of the covariances (divided by rows) of the scaled numbers, so declared ranges weigh: a column
that fills its range has a larger part in the first ones. Components whose shares are alike may be turned in their plane
by the last digit of a sum. With noise it is refused: noise turns components and moves what they explain to one side, by
more than an interval around what was found could tell (docs/concepts/statistics.md). Reference:
Jolliffe 2002, "Principal Component Analysis", chapter 1.
"""

from collections.abc import Iterator

import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics import gram, opens
from potluck.learning.statistics.forms import AnyForm, Cell, Frame
from potluck.learning.statistics.kind import StatisticKind, without_noise
from potluck.learning.statistics.reading import by_part
from potluck.learning.statistics.result import OF, Result, each
from potluck.learning.statistics.sums import Part


class Components(Result, frozen=True, kw_only=True, omit_defaults=True):
    """components [k][columns]: of length 1, from the one that explains most on, the largest loading of each positive.
    explained [k]: shares of the variance. None where rows do not differ. by: of each declared value."""

    components: tuple[tuple[float, ...], ...] | None
    explained: tuple[float, ...] | None
    by: "dict[str, Components] | None" = None

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """A line a component: what it explains, and its loadings."""
        rows: list[tuple[Cell, ...]] = []
        for name, mine in each(self, self.by):
            found = zip(mine.explained or (), mine.components or (), strict=True)
            rows += [(name, f"component {place}", share, *axis) for place, (share, axis) in enumerate(found, 1)]
        return (Frame(head=(OF, "component", "explained", *one.columns), rows=tuple(rows)),)


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Different numbers, no more components than these, and no noise."""
    yield from gram.of_several(plan, one, at)
    if one.k is not None and one.k > len(one.columns):
        yield f"{at}.k: {len(one.columns)} columns have no {one.k} components. hint: k = {len(one.columns)} or less"
    yield from without_noise(
        plan, one, at, "it turns components and moves what they explain to one side", "correlations"
    )


def components(sums: Floats, k: int, blur: float) -> tuple[Floats, Floats] | None:
    """The first k components [k, p] and what they explain [k], of a `gram.square`; None where rows do not differ."""
    if sums[0, 0] < 2:
        return None
    found, axes = np.linalg.eigh(gram.covariances(sums, blur).spread)
    found = np.maximum(found[::-1], 0.0)
    if found.sum() <= 0:
        return None
    axes = axes[:, ::-1].T
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    return (axes * np.sign(largest)[:, None])[:k], (found / found.sum())[:k]


def read(plan: Plan, one: Statistic, cell: Part) -> Components:
    """Of one cell."""
    found = components(gram.square(cell.values), one.k or len(one.columns), cell.blur)
    if found is None:
        return Components(components=None, explained=None)
    axes, shares = found
    return Components(components=tuple(map(tuple, axes.tolist())), explained=tuple(shares.tolist()))


PCA = StatisticKind(
    tells=(
        "how many rows there are, sums of the columns and of their products by pairs; of few rows, their "
        "columns can be worked out"
    ),
    title="Principal components",
    keys=frozenset({"columns", "k"}),
    check=check,
    cells=gram.cells,
    read=by_part(read),
    width=gram.width,
    norm=gram.norm,
    alone=False,
    products=True,
    opens=opens.gram,
    half=None,
)
