"""Newton's method on exact sums: each round adds up every row's gradient and Gram matrix at the present weights.

Undamped from zero, with one safeguard: where the gradient's norm rises, the next sum is taken half-way back. The
Newton direction always lowers that norm for a short enough step, so halving ends. Exactly `rounds` sums. Without
noise only; what the exact sums reveal is said in the views. Reference: Boyd and Vandenberghe, "Convex
Optimization", sections 9.5 and 10.2 (the norm of the residual as merit).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from potluck.core.asks import Answer, Block
from potluck.core.errors import DataError
from potluck.core.plan import Plan
from potluck.core.stages import Floats, Update
from potluck.fl.linear import curvature, design, kind, l2, penalty, residuals
from potluck.fl.method import Course, Fitted, few, judge, most_units, tallied, tally, training, within
from potluck.fl.table import Table
from potluck.fl.target import Goal
from potluck.fl.units import Index, updates

SETTLED = 1e-8
"""A step this small, relative to the weights, counts as converged."""


@dataclass(frozen=True, slots=True)
class Newton:
    """See `fl.method.Method`. features: p."""

    plan: Plan
    aim: Goal
    features: int

    def initial(self) -> Floats:
        """All zeros: no party can steer where the first sums are taken."""
        return np.zeros(self.features + 1)

    def blocks(self) -> tuple[Block, ...]:
        """gradient [p + 1], the Gram matrix's upper triangle, and the rows of each side."""
        length, units = self.features + 1, most_units(self.plan)
        steep, curved = (1.0, 0.25) if kind(self.plan) == "logistic" else (training(self.plan).range, 1.0)
        return (
            _block("gradient", length, steep, units),
            _block("gram", length * (length + 1) // 2, curved, units),
            tally(self.plan, self.aim),
        )

    def contribute(self, weights: Floats, step: int, rows: Table) -> Iterator[Update]:
        """One unit a row: its gradient, its Gram matrix, its side."""
        which = kind(self.plan)
        upper = np.triu_indices(self.features + 1)

        def each(index: Index) -> Floats:
            x, y = design(rows.features[index]), rows.target[index]
            steep = residuals(which, weights, x, y)[:, None] * x
            curved = curvature(which, weights, x)[:, None] * x[:, upper[0]] * x[:, upper[1]]
            return np.hstack([steep, curved, tallied(self.aim, y)])

        size = sum(block.size for block in self.blocks())
        yield from updates(self.plan, np.flatnonzero(~rows.test), rows.person, size, each)

    def course(self) -> Course:
        """Newton steps; half-way back where the gradient's norm rose."""
        best = point = self.initial()
        merit, settled, accepted = np.inf, False, True
        warnings: tuple[str, ...] = ()
        for number in range(training(self.plan).rounds):
            answer = yield point
            if number == 0:
                warnings = few(judge(self.plan, self.aim, answer), self.features + 1)
            slope = answer.part("gradient").values + penalty(l2(self.plan), point)
            norm = float(np.linalg.norm(slope))
            accepted = settled or norm <= merit
            if not accepted:
                point = (best + point) / 2
                continue
            best, merit = point, norm
            step = self._step(answer, slope)
            point = best - step
            settled = float(np.linalg.norm(step)) <= SETTLED * max(1.0, float(np.linalg.norm(best)))
            within(self.plan, point)
        if not settled and kind(self.plan) != "linear":  # a quadratic's one step is exact
            warnings = (*warnings, "newton has not converged: raise training.rounds or model.l2")
        return Fitted(point if accepted else best, warnings)

    def _step(self, answer: Answer, slope: Floats) -> Floats:
        """The Newton step. Raises DataError: the matrix is singular."""
        from scipy.linalg import solve

        length, strength = self.features + 1, l2(self.plan)
        gram = np.zeros((length, length))
        gram[np.triu_indices(length)] = answer.part("gram").values
        gram = gram + np.triu(gram, 1).T
        gram[np.arange(1, length), np.arange(1, length)] += strength
        lowest, highest = np.linalg.eigvalsh(gram)[[0, -1]]
        # Each row was cut off by at most a step of the grid: below that a singular matrix can look regular.
        step = next(part.step for part in answer.grid.parts if part.name == "gram")
        blur = (answer.part("rows").values.sum() * step if strength == 0 else 0.0) + 1e-14 * length * highest
        if lowest <= blur:
            hint = "set model.l2 above 0" if strength == 0 else "raise model.l2"
            raise DataError(
                "the Gram matrix is singular: columns determine one another, or the fit diverges", hint=hint
            )
        return np.asarray(solve(gram, slope, assume_a="pos"), dtype=np.float64)


def _block(name: str, size: int, high: float, units: int) -> Block:
    return Block(name, size, high, high * float(np.sqrt(size)), units)
