"""Regression with noise: few sums, errors that reckon with the noise, and no answer where it drowns the curvature.

Gaussian: one sum, of the upper triangle of (1, x, y)(1, x, y)^T on [-1, 1], whose L2 norm is at most
sqrt(d (d + 1) / 2) for d numbers. Binomial: as many Newton steps from zero as the plan has rounds, of slope and
curvature, each in units of its own sensitivity. The covariance of the last step solves H b = c with noise in both: with
noise s_c and s_H in their numbers and a step m it is

    H^-1 [phi H + s_c^2 I + s_H^2 (|m|^2 I + m m^T - diag m^2)] H^-1.

Where the least eigenvalue of H is below `GATE` s_H sqrt(d), the fit is refused: there the inverse is noise. With that
rule 95 % intervals held .93 to .96 of the time in the rows' population, from n = 500 to 20,000; without the noise term
.09 to .84. It is NOT known for weights, offsets, robust errors and other families: those are refused.

Few steps from zero end far from the top where outcomes are rare or effects strong: there intervals held not once. So a
fit is refused too where what is left to go may be more than `LEFT` standard errors of a coefficient.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.units import batches
from potluck.learning.statistics.course import Added, Columns, Layout, Lead, none_of_this_plan
from potluck.learning.statistics.gram import products, square
from potluck.learning.statistics.regressions.coefficients import Coefficients, told
from potluck.learning.statistics.regressions.regression import Regression
from potluck.learning.statistics.sums import Part

ONCE, STEPS = 3.0, 2.0
"""How far above its noise the curvature must be: where one sum is all there is, and at each of several steps."""
LEFT = 0.3
"""Standard errors that a last step may still be off: this takes 95 % intervals to no less than 94 %."""
DROWNED = "the noise drowns the curvature of these columns. hint: more rows, fewer features, or a larger epsilon"
UNSETTLED = "the fit has not settled, as with rare outcomes or strong effects. hint: more rounds (6 are mostly enough)"


@dataclass(frozen=True, slots=True)
class OneSum:
    """A gaussian regression. See `course.Course`. Its state is nothing that matters: there is one round."""

    of: Regression

    def start(self) -> Floats:
        """Nothing."""
        return np.zeros(0)

    def layout(self, step: int, state: Floats) -> Layout:
        """The upper triangle of (1, x, y)(1, x, y)^T."""
        size = len(self.of.design.names) + 1
        return Layout(size * (size + 1) // 2, norm=math.sqrt(size * (size + 1) / 2))

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """One row each."""
        for some in batches(self.of.counts(columns), self.layout(step, state).size):
            batch = self.of.batch(columns, some)
            yield Added(products(np.column_stack([batch.x, batch.y])))

    def lead(self) -> Lead:
        """Least squares, once."""
        part: Part = yield self.start()
        size, std = len(self.of.design.names), float(part.std[0])
        whole = square(part.values)
        gram, slope, squares = whole[:size, :size], whole[:size, size], float(whole[size, size])
        rows = float(gram[0, 0])
        none = _none(rows, 1)
        if drowned(gram, std, ONCE) or rows <= size:
            return _refused(none)
        weights = np.asarray(np.linalg.solve(gram, slope), dtype=np.float64)
        left = max(squares - 2 * float(weights @ slope) + float(weights @ gram @ weights), 0.0)
        phi = left / (rows - size)
        units = self.of.half**2
        return _found(self.of, none, weights, covariance(gram, phi, std, std, weights), phi * units)


@dataclass(frozen=True, slots=True)
class NewtonSteps:
    """A binomial regression. See `course.Course`. Its state is b [d]."""

    of: Regression

    def start(self) -> Floats:
        """Zeros."""
        return np.zeros(len(self.of.design.names))

    def layout(self, step: int, state: Floats) -> Layout:
        """Slope and curvature, each with a row's norm at most 1."""
        if not self.of.reaches(state):
            raise none_of_this_plan()
        size = len(state)
        return Layout(size + size * (size + 1) // 2, norm=math.sqrt(2))

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """One row each."""
        family, (off, bent) = self.of.family, self.sensitivity
        for some in batches(self.of.counts(columns), self.layout(step, state).size):
            batch = self.of.batch(columns, some)
            mu = family.mean(batch.x @ state)
            slope = batch.x * (batch.y - mu)[:, None]
            curved = products(batch.x) * family.variance(mu)[:, None]
            yield Added(np.column_stack([slope / off, curved / bent]))

    def lead(self) -> Lead:
        """Steps from zero; the fit ends where the noise drowns one."""
        size, point, (off, bent) = len(self.start()), self.start(), self.sensitivity
        none, before = _none(math.nan, 0), None
        for number in range(1, (self.of.one.rounds or 1) + 1):
            part: Part = yield point
            std = float(part.std[0])
            slope, curved = part.values[:size] * off, square(part.values[size:] * bent)
            rows = float(curved[0, 0]) / float(self.of.family.variance(np.full(1, 0.5))[0]) if number == 1 else none.n
            none = _none(rows, number)
            if drowned(curved, std * bent, STEPS):
                return _refused(none)
            move = np.asarray(np.linalg.solve(curved, slope), dtype=np.float64)
            point = point + move
            if not self.of.reaches(point):
                return _refused(none)
            far = math.inf if before is None else left(*before, curved, move)
            before = curved, move
        spread = covariance(curved, 1.0, std * off, std * bent, move)
        if not (far <= LEFT * np.sqrt(np.diag(spread))).all():
            return msgspec.structs.replace(none, refused=UNSETTLED)
        return _found(self.of, none, point, spread, 1.0)

    @property
    def sensitivity(self) -> tuple[float, float]:
        """The largest norm of a row's slope, and of its curvature."""
        size = len(self.of.design.names)
        return math.sqrt(size), math.sqrt(size * (size + 1) / 2) / 4


def drowned(curved: Floats, std: float, gate: float) -> bool:
    """Whether the least eigenvalue is too near to the noise in the numbers."""
    return bool(np.linalg.eigvalsh(curved)[0] < gate * std * math.sqrt(len(curved)))


def covariance(curved: Floats, phi: float, off: float, bent: float, move: Floats) -> Floats:
    """[d, d] as the module's words have it."""
    bread = np.linalg.inv(curved)
    both = float(move @ move) * np.eye(len(move)) + np.outer(move, move) - np.diag(move**2)
    meat = phi * curved + off**2 * np.eye(len(move)) + bent**2 * both
    return np.asarray(bread @ meat @ bread, dtype=np.float64)


def left(bent: Floats, past: Floats, curved: Floats, move: Floats) -> Floats:
    """[d] how far from the top a step still ends: half of what the curvature changes along it, which is taken from how
    it changed along the step before. bent, past: curvature and step before it."""
    lengths = [float(one @ curved @ one) for one in (move, past)]
    change = (curved - bent) @ move * math.sqrt(lengths[0] / lengths[1])
    return np.asarray(np.abs(np.linalg.solve(curved, change)) / 2, dtype=np.float64)


def _none(rows: float, rounds: int) -> Coefficients:
    return Coefficients(
        coefficients=None, n=rows, loglik=None, deviance=None, dispersion=None, rounds=rounds, step=None
    )


def _refused(none: Coefficients) -> Coefficients:
    return msgspec.structs.replace(none, refused=DROWNED)


def _found(of: Regression, none: Coefficients, weights: Floats, spread: Floats, dispersion: float) -> Coefficients:
    turn = of.turn
    found = told(of.design.names, of.told(weights), turn @ spread @ turn.T, ratios=of.family.ratios)
    return msgspec.structs.replace(none, coefficients=found, dispersion=dispersion)
