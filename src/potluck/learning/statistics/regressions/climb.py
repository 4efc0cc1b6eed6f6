"""Newton's method up a concave function that is known by sums: its value, slope and curvature at each point.

Where the value fell the next sum is taken half-way back. It ends as soon as a step is so small that the next one could
not be told from rounding. What stops it before is said in words: columns that determine one another, or coefficients
that grow without end. Reference: Boyd and Vandenberghe, "Convex Optimization", sections 9.5 and 9.3 (damping).
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from potluck.core.stages import Floats

SETTLED = 1e-9
"""A step this small, beside the largest coefficient or 1, ends the climb."""
ENOUGH = 1e-6
"""After the last round a step up to this one will do: the next error is of the order of its square."""
REGULAR = 1e-12
"""A curvature whose smallest eigenvalue is below so much of the largest counts as singular."""
GROWING, LASTING = 0.5, 4
"""Coefficients grow where each of the last steps exceeds so much of the one before, which is how a line that separates
outcomes shows."""
SHARE, NAMED = 0.1, 6
"""Coefficients with so much of the largest part of a direction are its culprits; at most so many are named."""
HALVES = 60


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What was opened at a point [d]. lost, blur: how far off the entries of slope and curvature may be by the grid."""

    value: float
    slope: Floats = field(repr=False)
    curvature: Floats = field(repr=False)
    lost: float
    blur: float


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """Where it ended. point: the last one that sums are known of; move: the step from there, which is taken too;
    rounds: that it took; why: what is wrong, empty if nothing is."""

    point: Floats
    move: Floats
    sums: Sums
    rounds: int
    why: str = ""

    @property
    def weights(self) -> Floats:
        """[d] at the top."""
        return np.asarray(self.point + self.move, dtype=np.float64)

    @property
    def value(self) -> float:
        """There, of a quadratic exactly."""
        return float(self.sums.value + self.sums.slope @ self.move / 2)

    @property
    def step(self) -> float:
        """The size of the last step: what is left to go is of the order of its square."""
        return float(np.abs(self.move).max(initial=0.0))


def climb(
    start: Floats, rounds: int, names: Sequence[str], fits: Callable[[Floats], bool], *, quadratic: bool = False
) -> Generator[Floats, Sums, Ended]:
    """Yields points, is resumed with the sums there. fits: whether sums can be taken at a point; quadratic: the first
    step is exact."""
    best, point, lengths = None, start, list[float]()
    for number in range(1, rounds + 1):
        sums = yield point
        if best is not None and not sums.value >= best.sums.value - SETTLED * max(1.0, abs(best.sums.value)):
            point, lengths = (best.point + point) / 2, []
            continue
        move, why = _step(sums, names, first=best is None)
        best = Ended(point, move, sums, number, why)
        lengths.append(best.step)
        if why or quadratic or best.step <= SETTLED * max(1.0, float(np.abs(point).max(initial=0.0))):
            return best
        point = _within(point, move, fits)
    assert best is not None
    if best.step <= ENOUGH * max(1.0, float(np.abs(best.point).max(initial=0.0))):
        return best
    return Ended(best.point, best.move, best.sums, rounds, _unsettled(best, lengths, names))


def _spectrum(sums: Sums) -> tuple[Floats, Floats, bool]:
    """Eigenvalues, directions, and whether the curvature is regular beside what the grid cut off."""
    values, directions = np.linalg.eigh(sums.curvature)
    blur = sums.blur * len(values) + REGULAR * max(float(values[-1]), 0.0)
    return values, directions, bool(values[0] > blur)


def _culprits(direction: Floats, names: Sequence[str]) -> str:
    """The coefficients that a direction moves, as a list in words."""
    sizes = np.abs(direction)
    found = [name for name, size in zip(names, sizes, strict=True) if size > SHARE * sizes.max()]
    more = len(found) - NAMED
    return ", ".join(found[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _step(sums: Sums, names: Sequence[str], *, first: bool) -> tuple[Floats, str]:
    """The Newton step; or none, and why."""
    none = np.zeros(len(sums.slope))
    if not (np.isfinite(sums.curvature).all() and np.isfinite(sums.slope).all()):
        return none, "the sums are not finite"
    values, directions, regular = _spectrum(sums)
    unsure = sums.lost * math.sqrt(len(none)) / float(values[0]) if regular else math.inf
    if unsure <= ENOUGH:
        return np.asarray(directions @ (directions.T @ sums.slope / values), dtype=np.float64), ""
    found = _culprits(directions[:, 0], names)
    if regular and first:
        return none, f"the rounding of the sums may move {found} by {unsure:.1g}. hint: declare narrower ranges"
    if first:
        what = f"{found} is the same in all rows" if "," not in found else f"{found} determine one another"
        return none, f"the fit is singular: {what}. hint: leave one out, or widen the selection"
    return none, _grows(found)


def _within(point: Floats, move: Floats, fits: Callable[[Floats], bool]) -> Floats:
    """As far along a move as sums can be taken."""
    for _ in range(HALVES):
        if fits(point + move):
            break
        move = move / 2
    return np.asarray(point + move, dtype=np.float64)


def _unsettled(best: Ended, lengths: Sequence[float], names: Sequence[str]) -> str:
    last = lengths[-LASTING:]
    if len(last) == LASTING and all(after > GROWING * before for before, after in pairwise(last)):
        return _grows(_culprits(best.move, names))
    return f"the fit has not converged: its last step is {best.step:.2g}. hint: more rounds"


def _grows(found: str) -> str:
    what = f"the coefficients of {found} grow with every round, as where they separate the outcomes"
    return f"no fit exists: {what}. hint: leave a column out, or join rare values"
