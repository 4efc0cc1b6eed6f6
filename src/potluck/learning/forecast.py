"""What noise will leave open of a plan's results, before anything is spent: half the width of each 95 % interval.

The intervals are those of the results themselves, taken at the sums that made-up rows would give: half of the held-out
rows positive, or one in ten, scores of two normals whose area is .8; three of four classified right among several
classes; an r2 of .5. Numbers are normal, and three standard deviations to either side fill their declared range (in a
statistic: even over it); values of a category are even. So a forecast depends on the plan alone, and says nothing about
a model's quality. All but accuracy are known several times worse where values fill a small part of their declared
ranges: scores then lie in few bins, and targets differ less than the noise.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from potluck.core.asks import Block
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import encoding
from potluck.learning.data.split import held_out
from potluck.learning.data.target import TWO_SIDED, goal_of
from potluck.learning.evaluation import metric_intervals, two_sided
from potluck.learning.evaluation.intervals import Noised, half
from potluck.learning.evaluation.metric_intervals import Within
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.parts import parted
from potluck.learning.statistics.reading import Reach

AREA, RIGHT, R2 = 0.8, 0.75, 0.5
RARE = 0.1
"""The share of positive rows at which an AUC is forecast beside one half: usual where people are ill or die."""
FILLED = 1 / 3
"""The standard deviation of a number whose declared range is [-1, 1]: three of them to either side fill it. Even over
the range it is 1 / sqrt(3)."""
USABLE = {"auc": 0.1, "accuracy": 0.1, "r2": 0.2}
"""Known to no better than this, a metric is of no use: its interval then spans two fifths of the way from a model that
knows nothing to a perfect one."""
HARDLY = 2.0
"""Times as wide, where few rows are positive: an AUC of .7 could then be a guess's."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """rows: about how many the result is of; None: the plan does not say.

    noise: by name, half the interval of the value on these rows, from the noise alone; rare: that of an AUC where RARE
    of them are positive; population: that of rows like them. None: no bound, or it depends on rows that are not known.
    reach: of what has no such interval.
    """

    rows: float | None
    noise: Mapping[str, float | None]
    population: Mapping[str, float | None]
    reach: Mapping[str, Reach] = field(default_factory=dict)
    rare: Mapping[str, float | None] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        wider = {f"{name}_population": half for name, half in self.population.items()}
        wider |= {f"{name}_one_in_ten": half for name, half in self.rare.items()}
        reach = {f"{name}_reach" if name in self.noise else name: one.document() for name, one in self.reach.items()}
        return {"rows": None if self.rows is None else round(self.rows), **self.noise, **wider, **reach}

    def useless(self) -> tuple[str, ...]:
        """The metrics that the noise leaves too uncertain to be of use."""
        return tuple(name for name in USABLE if name in self.noise and not _usable(name, self.noise[name]))

    def useless_if_rare(self) -> tuple[str, ...]:
        """Those that are of use with as many positive rows as others, and with few hardly say the side of a guess."""
        return tuple(name for name, half in self.rare.items()
                     if _usable(name, self.noise[name]) and not _usable(name, half, HARDLY))  # fmt: skip


def _usable(name: str, half: float | None, times: float = 1.0) -> bool:
    return half is not None and half <= times * USABLE[name]


def metrics(plan: Plan, blocks: tuple[Block, ...], std: float, held: float | None = None) -> Forecast | None:
    """Of the evaluation with these blocks and noise `std` in each of its cells; None where rows are not known, or none
    are held out.

    held: about how many held-out rows count; None: as many as the plan expects, as if no person had more rows than
    count. Sites count with their shares, so their sums hold as many as there are sites. Of several labels it is of each
    one's metrics: their means are known better.
    """
    shares = plan.privacy.unit == "site"
    rows = float(len(plan.federation.sites)) if shares else held_out(plan) if held is None else held
    if not rows or not blocks:
        return None
    cells = blocks[0].size // len(goal_of(plan).names)
    found = _within(plan, cells, rows, std)
    rare = {"auc": half(_area(plan, cells, rows, std, RARE).noise)} if "auc" in found else {}
    noise = {name: half(one.noise) for name, one in found.items() if one.noise}
    counted = plan.privacy.unit == "row"
    population = {name: half(one.population) for name, one in found.items()} if counted else {}
    return Forecast(rows, noise, population, rare=rare)


def _within(plan: Plan, cells: int, rows: float, std: float) -> dict[str, Within]:
    goal = goal_of(plan)
    if goal.side == "number":
        square = FILLED**2
        known = (
            Noised(rows, std),
            Noised((1 - R2) * square * rows, 4 * std),
            Noised(0.0, std),
            Noised(square * rows, std),
        )
        return metric_intervals.regression(*known, most=4.0, width=(goal.high - goal.low) / 2)
    right, each = RIGHT, std * math.sqrt(cells / 2)
    found = {}
    if goal.side in TWO_SIDED:
        found["auc"] = _area(plan, cells, rows, std, 0.5)
        right = NormalDist().cdf(_apart() / 2)
    return found | {"accuracy": metric_intervals.share(Noised(right * rows, each), Noised((1 - right) * rows, each))}


def _area(plan: Plan, cells: int, rows: float, std: float, share: float) -> Within:
    """share: of positive rows."""
    negative, positive = _scores(cells // 2, _spread(plan))
    return two_sided.of_area(rows * (1 - share) * negative, rows * share * positive, std)


def _apart() -> float:
    """How far apart two normals of width 1 lie whose area is AREA."""
    return math.sqrt(2) * NormalDist().inv_cdf(AREA)


def _spread(plan: Plan) -> float:
    """The standard deviation of scores beside that of rows even over the declared columns, where all columns weigh
    alike: numbers are narrower than even, categories are not."""
    even = [3 * FILLED**2 if COLUMNS.of(one.kind).spread else 1.0 for one in encoding(plan).fields]
    return math.sqrt(sum(even) / len(even))


def _scores(bins: int, spread: float) -> tuple[Floats, Floats]:
    """Shares of either class in each bin. The edges are as `evaluation.bins` lays them: they part evenly what is
    wider than the scores, whose standard deviation is `spread` beside it."""
    apart = _apart()
    wide = NormalDist(apart / 2, math.hypot(1.0, apart / 2) / spread)
    edges = sorted([wide.mean, *(wide.inv_cdf(i / (bins - 1)) for i in range(1, bins - 1))])
    below = np.array([[NormalDist(at).cdf(x) for x in edges] for at in (0.0, apart)])
    negative, positive = np.diff(below, axis=1, prepend=0.0, append=1.0)
    return negative, positive


def statistics(plan: Plan, stds: Mapping[str, float], rows: float | None, each: Mapping[str, float]) -> Forecast:
    """Of each statistic, over all groups; stds: the noise in each of its cells. Of several numbers, of one of them; of
    one that finds values also how many rows one needs.

    rows: how many count, where they are at hand; each: by statistic, how many of them have a value in it. A mean or
    variance has no forecast without.
    """
    noise, reach = {}, {}
    for one in parted(plan):
        kind, given = kind_of(one), (plan, one, stds[one.name], each.get(one.name))
        if kind.half:
            noise[one.name] = kind.half(*given)
        if kind.needed:
            noise[f"{one.name}_needed"] = kind.needed(plan, one, stds[one.name])
        if kind.reach:
            reach[one.name] = kind.reach(*given)
    return Forecast(rows, noise, {}, reach)
