"""Cox's proportional hazards with Breslow's ties: each round sums risks by the bin in which rows exit.

With r = exp(x b) a row adds r (1, x, upper xx^T) in its (stratum, exit) cell, and once, in the first round, 1 and x if
it exits with the event. Those at risk in a bin exit in it or later, so suffix sums are the sums over risk sets. No row
counts before it enters: there is no left truncation. r is at most exp of the largest x b that the declared ranges
allow, and that is what it is measured in.

It does NOT hide who exits alone in a cell: without noise that row's risk, and so its columns, stand in the opened sum.
Reference: Breslow 1974, "Covariance Analysis of Censored Survival Data", Biometrics 30; equal to statsmodels' PHReg.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Column, Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find, there
from potluck.learning.data.units import batches
from potluck.learning.statistics.course import Added, Columns, Layout, Lead, none_of_this_plan
from potluck.learning.statistics.events import events
from potluck.learning.statistics.gram import products, square
from potluck.learning.statistics.regressions.climb import Ended, Sums, climb
from potluck.learning.statistics.regressions.coefficients import Coefficients, Hazard, told, whole
from potluck.learning.statistics.regressions.design import Design, columns_of, design
from potluck.learning.statistics.result import EVERYBODY
from potluck.learning.statistics.sums import Part

REACH = 50.0
"""The largest |x b| at which sums are asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Exits:
    """Once: events [strata, bins], and the sum of x [p] over rows with it; at_risk [strata, bins]."""

    events: Floats = field(repr=False)
    moved: Floats = field(repr=False)
    at_risk: Floats = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cox:
    """See `course.Course`. Its state is b [p], of columns on [-1, 1]."""

    plan: Plan
    one: Statistic

    @property
    def design(self) -> Design:
        return design(self.plan, self.one.features, constant=False)

    @property
    def used(self) -> tuple[str, ...]:
        """The columns in which a row needs a value."""
        one = self.one
        beside = (one.strata,) if one.strata else ()
        return (required(one.time), required(one.event), *columns_of(one.features), *beside)

    def start(self) -> Floats:
        """Zeros."""
        return np.zeros(self._size)

    def layout(self, step: int, state: Floats) -> Layout:
        """Cells, and in the first round events."""
        if not self.reaches(state):
            raise none_of_this_plan()
        size = self._cells * self._width + (self._cells + self._size) * (step == 0)
        return Layout(size, norm=math.sqrt(self._width + 1 + self._size))

    def reaches(self, weights: Floats) -> bool:
        """Whether sums are asked there: not where single rows would be all of a sum."""
        low, high = self.design.reach(weights)
        return bool(np.isfinite(weights).all()) and max(-low, high) <= REACH

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """One row each; and in the first round what it adds once."""
        most = self.design.reach(state)[1]
        happens = events(self._column(self.one.event), self.one.events)
        for some in batches(np.flatnonzero(there(self.plan, self.used, columns)), self._width):
            mine = {name: columns[name][some] for name in self.used}
            x, cell = self.design.rows(mine, slice(None)), self._cell(mine)
            risks = np.exp(np.minimum(x @ state - most, 0.0))
            yield Added(np.column_stack([risks, x * risks[:, None], products(x) * risks[:, None]]), cell * self._width)
            if step == 0:
                ends = np.isin(mine[self.one.event or ""], happens)
                first = self._cells * self._width
                yield Added(np.ones((int(ends.sum()), 1)), first + cell[ends])
                yield Added(x[ends], first + self._cells)

    def lead(self) -> Lead:
        """Newton's method, then the result."""
        names = self.design.names
        up = climb(self.start(), self.one.rounds or 1, names, self.reaches)
        point, exits, seen = next(up), None, list[tuple[Sums, Floats]]()
        while True:
            part: Part = yield point
            exits = exits or self._exits(part)
            cells = part.values[: self._cells * self._width].reshape(*self._shape, self._width)
            seen.append(self._sums(point, cells, exits, part.step))
            try:
                point = up.send(seen[-1][0])
            except StopIteration as stop:
                ended: Ended = stop.value
                risks = next(risks for sums, risks in seen if sums is ended.sums)
                return self._result(ended, exits, risks)

    @property
    def _size(self) -> int:
        return len(self.design.terms)

    @property
    def _width(self) -> int:
        return 1 + self._size + self._size * (self._size + 1) // 2

    @property
    def _shape(self) -> tuple[int, int]:
        strata = len(self._column(self.one.strata).values) if self.one.strata else 1
        return strata, required(self.one.bins)

    @property
    def _cells(self) -> int:
        return math.prod(self._shape)

    @property
    def _edges(self) -> Floats:
        return np.linspace(*self._column(self.one.time).bounds, required(self.one.bins) + 1)

    def _cell(self, mine: Mapping[str, Floats]) -> NDArray[np.int64]:
        """[n]: [a, b), the last one closed; times beyond the declared range lie in the first or the last."""
        bins = np.searchsorted(self._edges[1:-1], mine[self.one.time or ""], side="right")
        stratum = mine[self.one.strata].astype(np.int64) if self.one.strata else 0
        return np.asarray(stratum * required(self.one.bins) + bins, dtype=np.int64)

    def _column(self, name: str | None) -> Column:
        return required(find(self.plan, required(name)))

    def _exits(self, part: Part) -> Exits:
        """Of the first round, at which every risk is 1."""
        first = self._cells * self._width
        counts = part.values[:first].reshape(*self._shape, self._width)[:, :, 0]
        ends = np.round(part.values[first : first + self._cells]).reshape(self._shape)
        return Exits(ends, part.values[first + self._cells :], np.round(_from_here_on(counts)))

    def _sums(self, state: Floats, cells: Floats, exits: Exits, step: float) -> tuple[Sums, Floats]:
        """Of the partial likelihood; and S0 [strata, bins]."""
        most = math.exp(self.design.reach(state)[1])
        sets = _from_here_on(cells)
        some = exits.events > 0
        d, (s0, s1, s2) = exits.events[some], np.split(sets[some], [1, 1 + self._size], axis=1)
        s0 = s0[:, 0]
        means, seconds = s1 / s0[:, None], s2 / s0[:, None]
        value = float(exits.moved @ state - d @ (np.log(s0) + math.log(most)))
        curvature = square(d @ (seconds - products(means)))
        blur = float((4 * d * exits.at_risk[some] * step / s0).sum())
        return Sums(value, exits.moved - d @ means, curvature, blur, blur), sets[:, :, 0] * most

    def _result(self, ended: Ended, exits: Exits, risks: Floats) -> Coefficients:
        rows = float(exits.at_risk[:, 0].sum())
        none = Coefficients(
            coefficients=None,
            n=whole(rows),
            events=whole(float(exits.events.sum())),
            rounds=ended.rounds,
            step=ended.step,
        )
        why = ended.why
        if not exits.events.any():
            why = "no row that counts has the event. hint: statistics.events, and the selection"
        if why:
            return msgspec.structs.replace(none, refused=why)
        turn, names = self.design.turn, self.design.names
        spread = turn @ np.linalg.inv(ended.sums.curvature) @ turn.T
        return msgspec.structs.replace(
            none,
            coefficients=told(names, turn @ ended.weights, spread, ratios=True),
            loglik=ended.value,
            baseline=self._baseline(ended.weights, exits, risks),
        )

    def _baseline(self, weights: Floats, exits: Exits, risks: Floats) -> dict[str, Hazard]:
        """By stratum; a risk where every column is 0 in its own units differs by a factor."""
        strata = self._column(self.one.strata).values if self.one.strata else (EVERYBODY,)
        with np.errstate(all="ignore"):
            steps = np.where(exits.events > 0, exits.events / risks, 0.0) * np.exp(-self.design.shift(weights))
        found = {}
        for place, name in enumerate(strata):
            hazard = [float(one) if math.isfinite(one) else None for one in np.cumsum(steps[place])]
            at_risk, ends = (tuple(map(int, one[place])) for one in (exits.at_risk, exits.events))
            found[name] = Hazard(
                times=tuple(self._edges[:-1].tolist()), cumulative=tuple(hazard), at_risk=at_risk, events=ends
            )
        return found


def _from_here_on(cells: Floats) -> Floats:
    """Suffix sums over bins, of [strata, bins, ...]."""
    return np.asarray(np.flip(np.cumsum(np.flip(cells, axis=1), axis=1), axis=1), dtype=np.float64)
