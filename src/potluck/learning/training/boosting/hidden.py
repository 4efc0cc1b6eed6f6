"""Additive models under noise: all columns are boosted at once, a noised sum a round, over a few leaves of each column.

The first sum counts rows by cell. In each later one a row adds its residual, mean less target, to one leaf of every
column (`leaves`), and each leaf moves by

    4/3 rate G / (K (c n + 5/2 sigma + l2)),

G being its noised sum, n its noised rows, sigma the noise of G, K how many columns there are and c a bound of the
loss's curvature (`losses.CURVED`). The next sum is taken .6 of this move further on. sigma keeps leaves of few rows
where noise would lead them astray. Without it and l2, 1 / (K c n) is a step that goes down whatever columns have to do
with one another (`additive`), and up to 4/3 of it such moves settle wherever the loss is a parabola, with any part of
a move added (Nesterov's iteration at a curvature h is stable below h = 2 (1 + m) / (1 + 2 m) > 4/3). All sums cost
alike: counts need little beside sigma, and a larger share for them brought nothing.

**What one row moves.** A row has at most one leaf in each of K columns, with the same residual r [outputs] in each: an
L2 norm of sqrt(K) |r|. Of two sides |r| = |p - y| <= 1. Of several classes r = p - e_y, and with q = 1 - p_y the
other p_j are not negative and come to q, so that |r|^2 = q^2 + sum of p_j^2 <= 2 q^2 <= 2. Of a number r is cut off at
1, half the declared range: farther rows pull no more. In the first sum a row adds a 1 to one cell of each column:
sqrt(K). Whatever a server announces, these bounds hold, and units are clipped to them all the same (`dp.mechanism`). A
person's rows are added up and clipped to as many rows' bound as `privacy.rows_per_person` says, or to one's.

Rows, rounds and bounds follow from the plan, so that no clip is asked for. It does NOT hide a site, whose histograms
have no bound but its rows. References: Nori, Caruana, Bu, Shen, Kulkarni 2021, "Accuracy, Interpretability, and
Differential Privacy via Explainable Boosting", ICML (one column a step, random cuts); those of `additive`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from potluck.core.asks import Block
from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.stages import Floats, Update
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal
from potluck.learning.data.units import Index, most_rows, most_units, updates
from potluck.learning.models.boosted.additive import Announced, announced, announced_for, zeros
from potluck.learning.models.boosted.curves import margins
from potluck.learning.models.boosted.layout import layout
from potluck.learning.models.boosted.told import importances
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.linear import l2
from potluck.learning.training.boosting.histogram import FIRST, WEIGHT
from potluck.learning.training.boosting.leaves import Leaves, each_cell, leaves
from potluck.learning.training.boosting.losses import CURVED, derivatives
from potluck.learning.training.method import ServerSteps

LONGEST = {"binary": 1.0, "classes": math.sqrt(2.0), "number": 1.0}
"""L2 norms of a row's residual, at most: see above."""
LONG, ONWARD = 4 / 3, 0.6
"""Of a safe step, and how much of a move is added to it."""
DAMPED = 2.5
"""Standard deviations of noise by which a leaf's steps are shortened."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """See `training.method.Method`. features: p."""

    plan: Plan
    goal: Goal
    features: int

    def initial(self) -> Floats:
        """No curve: all margins are 0."""
        return zeros(self.plan).vector

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """First how many rows lie in each cell; then the summed residuals [outputs, leaves] at these curves."""
        step = announced(self.plan, weights).rounds
        how, outputs = self._leaves(step), self.goal.outputs if step else 1
        each = LONGEST[self.goal.side] if step else 1.0
        most = most_rows(self.plan) * each * math.sqrt(how.columns)
        return (Block(FIRST if step else WEIGHT, outputs * how.size, most, most, most_units(self.plan)),)

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Update]:
        """One unit a row or a person. Raises Abort(TERMS): the curves are of another round than this sum's."""
        now, how, cells = announced_for(self.plan, weights, step), self._leaves(step), layout(self.plan)

        def each(index: Index) -> Floats:
            x, y = rows.features[index], rows.target[index]
            bits = how.bits(x)
            if not step:
                return bits
            off, _ = derivatives(self.plan, self.goal, margins(now.weights, cells, x), y)
            if self.goal.side == "number":
                off = np.clip(off, -LONGEST["number"], LONGEST["number"])
            return np.asarray((off[:, :, None] * bits[:, None, :]).reshape(len(x), -1))

        size = sum(block.size for block in self.blocks(weights))
        yield from updates(self.plan, np.flatnonzero(rows.train), rows.person, size, each)

    def course(self) -> ServerSteps:
        """Counts, then a step a sum."""
        spec, before = training(self.plan), zeros(self.plan).weights
        far, curved = LONG * spec.rate / each_cell(self.plan).columns, CURVED[self.goal.side]
        counted, there = np.zeros(before.shape[1]), before

        def counts(vector: Floats) -> Mapping[str, float]:
            weights, rows = announced(self.plan, vector).weights, np.maximum(counted, 0.0)
            return importances(encoding(self.plan), layout(self.plan), weights, rows)

        for number in range(spec.rounds):
            at = there + ONWARD * (there - before)
            now = Announced(number, at).vector
            answer = yield now
            if answer is None:
                return Fitted(now, importances=counts)
            if number == 0:
                counted[1:] = answer.part(WEIGHT).values
                continue
            how, opened = self._leaves(number), answer.part(FIRST)
            rows, noise = np.maximum(how.summed(counted), 0.0), float(opened.std[0])
            slope, whole = opened.values.reshape(len(at), -1), curved * rows + DAMPED * noise + l2(self.plan)
            steps = np.divide(slope, whole, out=np.zeros_like(slope), where=whole > 0)
            before, there = there, at - how.moved(far * steps)
        return Fitted(Announced(spec.rounds, there).vector, importances=counts)

    def _leaves(self, step: int) -> Leaves:
        return leaves(self.plan, step) if step else each_cell(self.plan)


def faults(plan: Plan) -> Iterator[str]:
    """What of a plan with noise does not fit."""
    if plan.privacy.unit == "site":
        what = "a site's histograms have no bound but its rows, and no noise hides all of them"
        yield f'privacy.unit: {what}. hint: "row" or "person"; or method = "average", which clips what a site changes'
    if training(plan).rounds < 2:
        yield "training.rounds: the first round counts rows, and no other is left. hint: at least 2, e.g. 40"
