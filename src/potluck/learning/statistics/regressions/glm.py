"""A generalized linear model without noise: each round sums every row's slope and curvature at the present b.

A row adds, each brought to [-1, 1] by what b and the declared ranges allow: 1, y, its log-likelihood, what that leaves
out, w x (y - mu), w V x x^T, and for robust errors (w (y - mu))^2 x x^T. For errors by cluster each cluster adds 1 and
the product of its summed slope with itself: a cluster lies at one site. Standard errors are of the information at the
last b but one step, which differs by less than `climb.SETTLED`. Equal to statsmodels' GLM.

It does NOT tell clusters of two sites apart: one that lies at both counts twice. What the exact sums reveal is said in
the views.
"""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np
from msgspec import UNSET

from potluck.core.stages import Floats
from potluck.learning.data.units import batches
from potluck.learning.statistics.course import Added, Columns, Layout, Lead, none_of_this_plan
from potluck.learning.statistics.gram import products, square
from potluck.learning.statistics.limbs import finer, joined, limbs
from potluck.learning.statistics.regressions.climb import Ended, Sums, climb
from potluck.learning.statistics.regressions.coefficients import Coefficients, are_sure, told, whole
from potluck.learning.statistics.regressions.families import Bounds
from potluck.learning.statistics.regressions.regression import Regression
from potluck.learning.statistics.sums import Part

COUNTS = 5
"""Numbers before the slope: rows, y, fit, and its two constants."""
FEWEST = 2
"""Clusters: of one nothing is known."""
LIMBS = 3
"""What a cluster adds is divided by the most rows that it may have, and so needs a finer grid than rows do."""
NEAR = 1e5
"""The squares that a fit leaves must be so many times what the grid cut off."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """The sums at one b, in the fit's units. step: of the grid; clusters: how many; meat [d, d]: of robust errors."""

    rows: float
    step: float
    y: float
    sums: Sums
    constants: tuple[float, float]
    clusters: float
    meat: Floats = field(repr=False)


@dataclass(frozen=True, slots=True)
class Glm:
    """See `course.Course`. Its state is b [d]."""

    of: Regression

    def start(self) -> Floats:
        """Zeros: no party can steer where the first sums are taken."""
        return np.zeros(self._size)

    def layout(self, step: int, state: Floats) -> Layout:
        """Counts, slope, curvature, and what errors need beside."""
        if not self.of.reaches(state):
            raise none_of_this_plan()
        whole = COUNTS + self._size + self._square
        size = whole + {"model": 0, "hc0": self._square, "cluster": 1 + self._square * LIMBS}[self.of.one.errors]
        return Layout(size, norm=math.sqrt(size))

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """One row each, then one cluster each."""
        bounds, index = self._bounds(state), self.of.counts(columns)
        slopes = []
        for some in batches(index, self.layout(step, state).size):
            batch = self.of.batch(columns, some)
            eta = np.asarray(batch.x @ state + batch.offset, dtype=np.float64)
            mu = self.of.family.mean(eta)
            slope = batch.x * (batch.weights * (batch.y - mu) / bounds.off)[:, None]
            curved = products(batch.x) * (batch.weights * self.of.family.variance(mu) / bounds.variance)[:, None]
            fit = batch.weights * self.of.family.fit(batch.y, eta, mu) / bounds.fit
            constants = batch.weights * self.of.family.constants(batch.y) / self._largest
            counts = [np.ones(len(some)), batch.y / self._most_y, fit, *constants]
            robust = [products(slope)] if self.of.one.errors == "hc0" else []
            yield Added(np.clip(np.column_stack([*counts, slope, curved, *robust]), -1.0, 1.0))
            slopes.append(slope)
        if self.of.one.errors == "cluster" and len(index):
            yield self._clusters(np.vstack(slopes), columns[self.of.one.cluster or ""][index])

    def lead(self) -> Lead:
        """Newton's method, then the result."""
        ended, opened = yield from self.fit()
        return self._result(ended, opened)

    def fit(self) -> Generator[Floats, Part, tuple[Ended, Opened]]:
        """Newton's method: where it ended, and the sums there."""
        family, point, rounds = self.of.family, self.start(), self.of.one.rounds or 1
        if family.first is not None:
            opened, rounds = self._opened(point, (yield point)), rounds - 1
            point[0] = family.first(float(opened.sums.slope[0]), float(opened.sums.curvature[0, 0]) or 1.0)
        once = family.scaled and self.of.one.errors == "model"
        up = climb(point, rounds, self.of.design.names, self.of.reaches, quadratic=once)
        point, seen = next(up), list[Opened]()
        while True:
            seen.append(self._opened(point, (yield point)))
            try:
                point = up.send(seen[-1].sums)
            except StopIteration as stop:
                ended: Ended = stop.value
                return ended, next(one for one in seen if one.sums is ended.sums)

    @property
    def _size(self) -> int:
        return len(self.of.design.names)

    @property
    def _square(self) -> int:
        return self._size * (self._size + 1) // 2

    @property
    def _most_y(self) -> float:
        return max(map(abs, self.of.y)) or 1.0

    @property
    def _largest(self) -> float:
        return self.of.family.largest(self.of.y[1])

    def _bounds(self, state: Floats) -> Bounds:
        return self.of.family.bounds(self.of.y, self.of.eta(state))

    def _clusters(self, slopes: Floats, who: Floats) -> Added:
        """Slopes are summed as whole numbers, so that the order of rows is nothing; a cluster of k rows adds at most
        k^2 / max_rows, which is at most k."""
        fine = 2.0 ** min(48, 62 - len(who).bit_length())
        _, place = np.unique(who, return_inverse=True)
        sums = np.zeros((int(place.max()) + 1, self._size), dtype=np.int64)
        np.add.at(sums, place, np.trunc(np.clip(slopes, -1.0, 1.0) * fine).astype(np.int64))
        meat = limbs(products(sums / fine) / self.of.plan.data.max_rows, LIMBS).reshape(len(sums), -1)
        first = COUNTS + self._size + self._square
        return Added(np.column_stack([np.ones(len(sums)), meat]), first, np.bincount(place))

    def _opened(self, state: Floats, part: Part) -> Opened:
        bounds, heaviest, size, squares = self._bounds(state), self.of.heaviest, self._size, self._square
        rows, y, fit, *constants = part.values[:COUNTS].tolist()
        slope, curved, rest = np.split(part.values[COUNTS:], [size, size + squares])
        scale = heaviest * bounds.variance
        sums = Sums(
            fit * heaviest * bounds.fit,
            slope * heaviest * bounds.off,
            square(curved) * scale,
            rows * part.step * heaviest * bounds.off,
            rows * part.step * scale,
        )
        first, second = (one * heaviest * self._largest for one in constants)
        clusters, meat = 0.0, np.zeros((size, size))
        if self.of.one.errors == "cluster":
            clusters, rest = float(rest[0]), joined(rest[1:].reshape(-1, LIMBS)) * self.of.plan.data.max_rows
        if len(rest):
            meat = square(rest) * (heaviest * bounds.off) ** 2
        return Opened(rows, part.step, y * self._most_y, sums, (first, second), clusters, meat)

    def _result(self, ended: Ended, opened: Opened) -> Coefficients:
        family, units = self.of.family, self.of.half**2
        rounds = ended.rounds + (family.first is not None)
        events = UNSET if family.scaled else whole(opened.y, opened.rows * opened.step * self._most_y)
        step = None if family.scaled and self.of.one.errors == "model" else ended.step  # whose one step is exact
        none = Coefficients(coefficients=None, n=whole(opened.rows), events=events, rounds=rounds, step=step)
        why = self._few(opened) or ended.why or self._close(ended, opened) or self._blurred(ended, opened)
        if why:
            return msgspec.structs.replace(none, refused=why)
        free = opened.rows - self._size
        dispersion = -2 * ended.value / free if family.scaled else 1.0
        covariance = self._covariance(ended, opened, dispersion, free)
        turn, names = self.of.turn, self.of.design.names
        return msgspec.structs.replace(
            none,
            coefficients=told(names, self.of.told(ended.weights), turn @ covariance @ turn.T, ratios=family.ratios),
            loglik=self._loglik(ended.value, opened),
            deviance=2 * (opened.constants[1] - ended.value) * units,
            dispersion=dispersion * units,
        )

    def _few(self, opened: Opened) -> str:
        """Why there are too few rows; empty where there are not."""
        if not opened.rows:
            return "no row counts. hint: each site's owner is told what became of its rows"
        if not self.of.family.scaled and not opened.y:
            return "every outcome is 0. hint: statistics.events, and the selection"
        if opened.rows <= self._size:
            return "there are no more rows than coefficients. hint: fewer features"
        if self.of.one.errors == "cluster" and opened.clusters < FEWEST:
            return "errors by cluster need several clusters. hint: another column"
        return ""

    def _close(self, ended: Ended, opened: Opened) -> str:
        """Why nothing is known of a linear fit's errors; empty where something is."""
        lost = opened.rows * opened.step * self._bounds(ended.point).fit * self.of.heaviest
        if self.of.family.scaled and -2 * ended.value <= NEAR * lost:
            return "the fit is closer to the rows than the sums are exact. hint: declare narrower ranges"
        return ""

    def _blurred(self, ended: Ended, opened: Opened) -> str:
        """Why robust errors are not known; empty where they are, or where others are asked for."""
        of = self.of.one.errors
        cut = {
            "model": 0.0,
            "hc0": opened.rows,
            "cluster": opened.clusters * self.of.plan.data.max_rows / finer(LIMBS),
        }[of]
        most = self.of.heaviest * self._bounds(ended.point).off
        bread = np.asarray(np.linalg.inv(ended.sums.curvature), dtype=np.float64)
        lost = np.full(self._size, math.sqrt(cut * opened.step) * most)
        if are_sure(np.diag(bread @ opened.meat @ bread), bread, lost):
            return ""
        return f"errors by {of} are not sure in sums of so many rows. hint: lower data.max_rows, or narrower ranges"

    def _covariance(self, ended: Ended, opened: Opened, dispersion: float, free: float) -> Floats:
        bread = np.linalg.inv(ended.sums.curvature)
        if self.of.one.errors == "model":
            return np.asarray(dispersion * bread, dtype=np.float64)
        found = bread @ opened.meat @ bread
        if self.of.one.errors == "cluster":
            k = opened.clusters
            found = found * (k / (k - 1) * (opened.rows - 1) / free)
        return np.asarray(found, dtype=np.float64)

    def _loglik(self, value: float, opened: Opened) -> float | None:
        if not self.of.family.scaled:
            return value - opened.constants[0]
        if self.of.one.weights:
            return None  # it would need the sum of the logarithms of weights
        variance = -2 * value / opened.rows * self.of.half**2
        return -opened.rows / 2 * (math.log(2 * math.pi * variance) + 1)
