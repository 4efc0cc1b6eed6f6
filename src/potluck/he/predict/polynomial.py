"""Activations as polynomials on [-1, 1]: the best of their degree in the largest error, found by linear programming.

Ciphertexts are only added and multiplied, so relu and tanh are replaced by Chebyshev series. The error of a fit is
part of every stated bound. It does NOT hold outside the interval: whoever uses a fit must know that its argument stays
inside (`circuit` does, by interval arithmetic).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev

from potluck.core.stages import Floats

LEVELS = {5: 3, 13: 4, 27: 5, 59: 6}
"""Levels that the engine takes to evaluate a Chebyshev series, by its degree."""
GOOD = 2.0**-12
"""A fit that is better than this needs no higher degree."""
_GRID = 24
_SLACK = 1.02


@dataclass(frozen=True, slots=True)
class Fit:
    """A Chebyshev series on [-1, 1] and the largest error there. An interval, not a value of anybody, is its input."""

    series: tuple[float, ...]
    error: float

    @property
    def degree(self) -> int:
        """Its degree."""
        return len(self.series) - 1

    @property
    def levels(self) -> int:
        """What it takes to evaluate it."""
        return LEVELS[self.degree]

    @property
    def steepness(self) -> float:
        """A bound of its derivative on [-1, 1], hence of how it amplifies noise: |T_k'| <= k^2 there."""
        return float(sum(abs(c) * k * k for k, c in enumerate(self.series)))

    def __call__(self, t: Floats) -> Floats:
        """Its value at t, in the clear."""
        return np.asarray(chebyshev.chebval(t, self.series), np.float64)


@cache
def relu(degree: int) -> Fit:
    """max(t, 0) on [-1, 1]. Of any width: max(r t, 0) = r max(t, 0)."""
    half = _best(np.abs, degree, even=True)
    series = [c / 2 for c in half.series]
    series[1] += 0.5
    return Fit(tuple(series), half.error / 2)


@cache
def tanh(radius: float, degree: int) -> Fit:
    """tanh(radius t) on [-1, 1]."""
    return _best(lambda t: np.tanh(radius * t), degree, even=False)


def good_tanh(radius: float, most: int) -> Fit:
    """The fit of tanh(radius t) of the lowest degree up to `most` that is good, or else the best."""
    for degree in sorted(LEVELS):
        fit = tanh(radius, degree)
        if fit.error <= GOOD or degree == most:
            return fit
    raise ValueError(f"there is no series of degree {most}")


def _best(wanted: Callable[[Floats], Floats], degree: int, *, even: bool) -> Fit:
    """Minimise e with |series(t) - wanted(t)| <= e on a grid; the error is then measured on a finer one.

    An even or odd function needs half the terms and half the interval.
    """
    from scipy.optimize import linprog  # a plan without such a fit need not load it

    if degree not in LEVELS:
        raise ValueError(f"there is no series of degree {degree}")
    terms = np.arange(0 if even else 1, degree + 1, 2)
    grid = np.sin(np.linspace(0, np.pi / 2, _GRID * degree))
    basis, right = chebyshev.chebvander(grid, degree)[:, terms], wanted(grid)
    ones = np.ones((len(grid), 1))
    above, below = np.hstack([basis, -ones]), np.hstack([-basis, -ones])
    goal = np.zeros(len(terms) + 1)
    goal[-1] = 1
    bounds = [(None, None)] * len(terms) + [(0, None)]
    found = linprog(goal, A_ub=np.vstack([above, below]), b_ub=np.concatenate([right, -right]), bounds=bounds)
    if found.x is None:
        raise ValueError(f"no series of degree {degree} was found")
    series = np.zeros(degree + 1)
    series[terms] = found.x[:-1]
    fine = np.sin(np.linspace(0, np.pi / 2, 50 * _GRID * degree))
    error = np.abs(chebyshev.chebval(fine, series) - wanted(fine)).max()
    return Fit(tuple(float(c) for c in series), float(error * _SLACK) + 1e-12)
