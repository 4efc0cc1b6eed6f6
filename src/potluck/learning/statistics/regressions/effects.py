"""The average effect of a treatment, by weights (ipw), by models of the outcome (gformula), or both (aipw).

First the models are fitted, side by side (`glm`): of the treatment for `ipw` and `aipw`, of the outcome among the
treated and among the others for `gformula` and `aipw`. One more sum then has, of each row, the products of all
estimating functions u with each other, and how they change with the models' coefficients. With e the propensity, m the
outcome's model and y the outcome, an arm's mean solves sum (a - b mean) = 0, where

    ipw: a = y / e, b = 1 / e of its rows    gformula: a = m, b = 1    aipw: a = m + (y - m) / e of its rows, b = 1.

Errors are those of all equations together, so that they reckon with models that were fitted (the sandwich of
M-estimation: Stefanski and Boos 2002, "The Calculus of M-Estimation", The American Statistician 56). Equal to
statsmodels' TreatmentEffect. It does NOT know whether features hold all that treatment and outcome have in common.
"""

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan, Statistic, required
from potluck.core.registry import Registry, table
from potluck.core.stages import Floats
from potluck.learning.data.declared import find, measured
from potluck.learning.data.units import batches
from potluck.learning.statistics.course import Added, Columns, Layout, Lead, none_of_this_plan
from potluck.learning.statistics.events import events
from potluck.learning.statistics.gram import products, square
from potluck.learning.statistics.regressions.climb import Ended
from potluck.learning.statistics.regressions.coefficients import are_sure, told
from potluck.learning.statistics.regressions.effect_result import Effect, Overlap
from potluck.learning.statistics.regressions.glm import Glm, Opened
from potluck.learning.statistics.regressions.regression import Regression
from potluck.learning.statistics.sums import Part

CLIP, BINS = 0.02, 20
"""Propensities are kept so far from 0 and 1, where a plan does not say; and bins of them."""
Mask = NDArray[np.bool_]
GIVEN, ARMS = "treatment", ("treated", "untreated")
FLAGS = 4
"""Numbers of the state that say which sums are asked: of the three models, and the last."""


@dataclass(frozen=True, slots=True)
class Method:
    """Which models an effect rests on."""

    weighs: bool
    models: bool


METHODS: Registry[Method] = table("statistics.method")
METHODS.register("ipw", Method(weighs=True, models=False))
METHODS.register("aipw", Method(weighs=True, models=True))
METHODS.register("gformula", Method(weighs=False, models=True))


@dataclass(frozen=True, slots=True)
class Treatment:
    """See `course.Course`. Its state is FLAGS numbers, 1 where a sum is asked, then the coefficients of all models."""

    plan: Plan
    one: Statistic

    def start(self) -> Floats:
        """All models at zero."""
        flags = [float(name in self.models) for name in (GIVEN, *ARMS)]
        return np.concatenate([flags, np.zeros(1 + 3 * self._size)])

    def layout(self, step: int, state: Floats) -> Layout:
        """The sums of the models that go on, or the last."""
        if not set(state[:FLAGS].tolist()) <= {0.0, 1.0} or not state[:FLAGS].any():
            raise none_of_this_plan()
        size = sum(model.layout(step, weights).size for model, weights in self._going(state))
        if state[FLAGS - 1]:
            for model, weights in zip(self.models.values(), self._weights(state).values(), strict=True):
                model.layout(step, weights)
            size += self._last_size
        return Layout(size, norm=math.sqrt(size))

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """One row each."""
        at = 0
        for model, weights in self._going(state):
            for one in model.add(step, weights, columns):
                yield Added(one.values, at + one.at, one.rows)
            at += model.layout(step, weights).size
        if state[FLAGS - 1]:
            yield from self._last(at, self._weights(state), columns)

    def lead(self) -> Lead:
        """All models, then the effect."""
        fits: dict[str, Generator[Floats, Part, tuple[Ended, Opened]]] = {
            name: model.fit() for name, model in self.models.items()
        }
        weights = {name: next(fit) for name, fit in fits.items()}
        ended: dict[str, tuple[Ended, Opened]] = {}
        rounds = 0
        while fits:
            part: Part = yield self._state(weights, tuple(fits), last=False)
            rounds, at = rounds + 1, 0
            sizes = {name: self.models[name].layout(0, weights[name]).size for name in self.models if name in fits}
            for name, size in sizes.items():
                mine = Part(part.values[at : at + size], part.std[at : at + size], part.step)
                at += size
                try:
                    weights[name] = fits[name].send(mine)
                except StopIteration as stop:
                    ended[name] = stop.value
                    weights[name] = ended[name][0].weights
                    del fits[name]
        for name, (end, opened) in ended.items():
            why = end.why if opened.rows else "no row counts"
            if why:
                return Effect(ate=None, rounds=rounds, refused=f"the model of {name}: {why}")
            if not self.models[name].of.reaches(weights[name]):
                return Effect(ate=None, rounds=rounds, refused=f"the model of {name} does not settle")
        few = min(self._arms({name: opened for name, (_, opened) in ended.items()}))
        if few <= self._size:
            what = f"an arm has {few} rows, and a model {self._size} coefficients: it could be nothing but those rows"
            return Effect(ate=None, rounds=rounds, refused=f"{what}. hint: fewer features")
        part = yield self._state(weights, (), last=True)
        return self._result(part, weights, {name: opened for name, (_, opened) in ended.items()}, rounds + 1)

    @property
    def method(self) -> Method:
        return METHODS.of(self.one.method)

    @property
    def models(self) -> dict[str, Glm]:
        """In the order of the state: those that the method rests on."""
        one, found = self.one, {}
        rounds = max(1, (one.rounds or 1) - 1)
        usual = Statistic(name=one.name, kind=one.kind, features=one.features, rounds=rounds)
        also = (required(one.treatment), required(one.outcome))
        if self.method.weighs:
            asked = msgspec.structs.replace(usual, family="binomial", target=one.treatment, events=self._treated)
            found[GIVEN] = Glm(Regression(self.plan, asked, also=also))
        if self.method.models:
            linear = measured(required(find(self.plan, also[1])))
            family = "gaussian" if linear else "binomial"
            asked = msgspec.structs.replace(usual, family=family, target=one.outcome, events=one.events)
            for arm, places in zip(ARMS, self._places, strict=True):
                found[arm] = Glm(Regression(self.plan, asked, (also[0], places), also))
        return found

    @property
    def _outcome(self) -> Regression:
        """What y is: as the outcome's models have it."""
        linear = measured(required(find(self.plan, required(self.one.outcome))))
        asked = msgspec.structs.replace(
            self.one, target=self.one.outcome, family="gaussian" if linear else "binomial", rounds=1
        )
        return Regression(self.plan, asked, also=(required(self.one.treatment),))

    @property
    def _treated(self) -> tuple[str, ...]:
        return self.one.treated or ("1",)

    @property
    def _places(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of the treatment's values: those that are, and the others."""
        column = required(find(self.plan, required(self.one.treatment)))
        given = tuple(events(column, self._treated))
        return given, tuple(place for place in range(len(column.values)) if place not in given)

    @property
    def _size(self) -> int:
        return len(self._outcome.design.names)

    @property
    def _length(self) -> int:
        """Of u: 1, the models' estimating functions, and of each arm a and b."""
        return 1 + len(self.models) * self._size + 4

    @property
    def _slopes(self) -> int:
        """How many vectors say how an arm's a and b change with coefficients."""
        return 2 * self.method.weighs + self.method.models

    @property
    def most(self) -> int:
        """The numbers of its largest sum: of all models together, or of the last."""
        return max(self.layout(0, self.start()).size, self._last_size)

    @property
    def _last_size(self) -> int:
        square = self._length * (self._length + 1) // 2
        return square + 2 * self._slopes * self._size + (2 * BINS + 1) * self.method.weighs

    def _going(self, state: Floats) -> list[tuple[Glm, Floats]]:
        weights = self._weights(state)
        flags = dict(zip((GIVEN, *ARMS), state[: FLAGS - 1], strict=True))
        if any(flags[name] and name not in self.models for name in flags):
            raise none_of_this_plan()
        return [(model, weights[name]) for name, model in self.models.items() if flags[name]]

    def _weights(self, state: Floats) -> dict[str, Floats]:
        every = dict(zip((GIVEN, *ARMS), np.split(state[FLAGS:], 3), strict=True))
        return {name: every[name] for name in self.models}

    def _state(self, weights: Mapping[str, Floats], going: Sequence[str], *, last: bool) -> Floats:
        every = [weights.get(name, np.zeros(self._size)) for name in (GIVEN, *ARMS)]
        flags = [float(name in going) for name in (GIVEN, *ARMS)]
        return np.concatenate([flags, [float(last)], *every])

    def _scales(self, weights: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """The largest of each number of u, and of each vector of slopes, whatever the row."""
        most = 1 / required(self.one.clip)
        u, slopes = [np.ones(1)], list[float]()
        ends = list[tuple[float, float]]()
        if self.method.weighs:
            u.append(np.ones(self._size))
        for arm in ARMS:
            mean = 0.0
            if self.method.models:
                of = self.models[arm].of
                u.append(np.full(self._size, of.family.bounds(of.y, of.eta(weights[arm])).off))
                mean = max(map(abs, of.eta(weights[arm]))) if of.family.scaled else 1.0
            far = 1 + mean
            both = self.method.weighs and self.method.models
            ends.append(
                (
                    mean + most * far if both else most if self.method.weighs else mean,
                    most if not self.method.models else 1.0,
                )
            )
            slopes += [most * far, most] * self.method.weighs + [1 + most * both] * self.method.models
        return np.concatenate([*u, np.ravel(ends)]), np.repeat(slopes, self._size)

    def _last(self, at: int, weights: Mapping[str, Floats], columns: Columns) -> Iterator[Added]:
        """The last sum, from number `at` on."""
        of, (largest, steepest) = self._outcome, self._scales(weights)
        size = self._length * (self._length + 1) // 2 + 2 * self._slopes * self._size
        for some in batches(of.counts(columns), size):
            batch, given = of.batch(columns, some), np.isin(columns[self.one.treatment or ""][some], self._places[0])
            u, slopes, propensity = self._functions(batch.x, batch.y, given, weights)
            u = np.clip(u / largest, -1, 1)
            yield Added(np.column_stack([products(u), np.clip(slopes / steepest, -1, 1)]), at)
            if propensity is not None:
                places = np.minimum((propensity * BINS).astype(np.int64), BINS - 1) + BINS * ~given
                yield Added(np.ones((len(some), 1)), at + size + places)
                low = required(self.one.clip)
                beyond = int(((propensity < low) | (propensity > 1 - low)).sum())
                yield Added(np.ones((beyond, 1)), at + size + 2 * BINS)

    def _functions(
        self, x: Floats, y: Floats, given: Mask, weights: Mapping[str, Floats]
    ) -> tuple[Floats, Floats, Floats | None]:
        """u [n, l], slopes [n, 2 s d] and propensities [n] of some rows."""
        low, ones, propensity = required(self.one.clip), np.ones((len(y), 1)), None
        u, means, slopes = [ones], list[Floats](), list[Floats]()
        if self.method.weighs:
            propensity = self.models[GIVEN].of.family.mean(x @ weights[GIVEN])
            u.append(x * (given - propensity)[:, None])
        for arm, mine in zip(ARMS, (given, ~given), strict=True):
            mean, bend = np.zeros(len(y)), np.zeros(len(y))
            if self.method.models:
                family = self.models[arm].of.family
                mean = family.mean(x @ weights[arm])
                bend = family.variance(mean)
                u.append(x * (mine * (y - mean))[:, None])
            if propensity is None:
                means += [mean[:, None], ones]
                slopes.append(x * bend[:, None])
                continue
            side = propensity if arm == ARMS[0] else 1 - propensity
            inside = (side > low) & (side < 1 - low)
            weight = mine / np.clip(side, low, 1 - low)
            turn = np.where(inside, -weight * (1 - side), 0.0) * (1 if arm == ARMS[0] else -1)
            both = self.method.models
            means += [(mean + weight * (y - mean))[:, None], ones if both else weight[:, None]]
            slopes += [x * (turn * (y - mean))[:, None], x * (turn * (not both))[:, None]]
            if both:
                slopes.append(x * ((1 - weight) * bend)[:, None])
        return np.hstack([*u, *means]), np.hstack(slopes), propensity

    def _arms(self, opened: Mapping[str, Opened]) -> tuple[int, int]:
        """The rows of both."""
        if self.method.weighs:
            return round(opened[GIVEN].y), round(opened[GIVEN].rows - opened[GIVEN].y)
        treated, untreated = (round(opened[arm].rows) for arm in ARMS)
        return treated, untreated

    def _result(self, part: Part, weights: Mapping[str, Floats], opened: Mapping[str, Opened], rounds: int) -> Effect:
        values, length, size, count = part.values, self._length, self._size, len(self.models)
        upper = length * (length + 1) // 2
        largest, steepest = self._scales(weights)
        meat = square(values[:upper]) * np.outer(largest, largest)
        slopes = (values[upper : upper + len(steepest)] * steepest).reshape(2, self._slopes, size)
        totals, fitted = meat[0], 1 + count * size
        n = round(totals[0])
        none = Effect(ate=None, n=n, n_treated=self._arms(opened)[0], rounds=rounds)
        ends = totals[fitted:].reshape(2, 2)
        if not (ends[:, 1] > 0).all():
            return msgspec.structs.replace(none, refused="an arm has no rows. hint: statistics.treated")
        means = ends[:, 0] / ends[:, 1]
        change = np.zeros((count * size + 2, length))
        change[:-2, 1:fitted] = np.eye(count * size)
        bread = np.zeros((count * size + 2, count * size + 2))
        for place, name in enumerate(self.models):
            here = slice(place * size, (place + 1) * size)
            bread[here, here] = opened[name].sums.curvature
        for arm, (mean, (_, total)) in enumerate(zip(means, ends, strict=True)):
            row = count * size + arm
            change[row, fitted + 2 * arm : fitted + 2 * arm + 2] = 1.0, -mean
            bread[row, row] = total
            mine = list(slopes[arm])
            if self.method.weighs:
                bread[row, :size] = -(mine[0] - mean * mine[1])
            if self.method.models:
                first = (arm + self.method.weighs) * size
                bread[row, first : first + size] = -mine[-1]
        both = np.array([[1.0, -1.0], [1.0, 0.0], [0.0, 1.0]])
        turned = both @ np.linalg.solve(bread, change)[-2:]
        spread = turned @ meat @ turned.T
        # What the grid cuts off the slopes is nothing beside what it cuts off these products.
        if not are_sure(np.diag(spread), turned, math.sqrt(n * part.step) * largest):
            what = "the outcomes of an arm differ by so little of what is declared that its errors are not sure"
            why = f"{what}. hint: more rows in it, or narrower ranges"
            return msgspec.structs.replace(none, refused=why)
        units, middle = self._outcome.half, self._outcome.middle
        found = told(("ate", *ARMS), both @ means * units + [0, middle, middle], spread * units**2, ratios=False)
        return msgspec.structs.replace(none, **found, overlap=self._overlap(values[upper + len(steepest) :]))

    def _overlap(self, counts: Floats) -> Overlap | None:
        if not self.method.weighs:
            return None
        whole = tuple(map(round, counts.tolist()))
        edges = tuple((np.arange(BINS + 1) / BINS).tolist())
        return Overlap(edges=edges, treated=whole[:BINS], untreated=whole[BINS:-1], clipped=whole[-1])
