"""Newton's method on exact sums: each round adds up every row's gradient and Gram matrix at the present weights.

Rows are not laid out: a row's part of the Gram matrix would be as long as the matrix (`training.gram`).
Undamped from zero, with one safeguard: where the gradient's norm rises, the next sum is taken half-way back. The
Newton direction always lowers that norm for a short enough step, so halving ends. Exactly `rounds` sums. Without
noise only; what the exact sums reveal is said in the views. Reference: Boyd and Vandenberghe, "Convex
Optimization", sections 9.5 and 10.2 (the norm of the residual as merit).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from potluck.core.asks import Answer, Block
from potluck.core.errors import DataError
from potluck.core.fixed import finest
from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.stages import Encoded, Floats, Grid, L, Unlaid
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import encoding, inputs
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.data.units import most_units
from potluck.learning.models.fitted import Fitted, Sums, training
from potluck.learning.models.layers import design
from potluck.learning.models.linear import by_class, l2, largest, link, margins, penalty, residual, room
from potluck.learning.models.started import first
from potluck.learning.training.gram import Gram
from potluck.learning.training.method import (
    TALLY,
    ServerSteps,
    TrainingMethod,
    averages,
    counts,
    cut_off,
    few,
    judge,
    tally,
    within,
)
from potluck.learning.training.row_sums import bounded_rows, encoded, exact, weighted

GRAM = "gram"
COARSEST = 2.0**-30
"""Coarser steps of the grid would move coefficients by 1e-6 of their size and more."""
SETTLED = 1e-8
"""A step this small, relative to the weights, counts as converged."""
GROWING, LASTING = 0.5, 4
"""Without a ridge: if the last LASTING steps each exceed GROWING times the previous one, the fit diverges. Where a line
separates the classes, every step adds about as much as the last."""
BLURRED = 1e-4
"""Warn if rounding may move a coefficient by more than this share of the largest."""
FLOAT = 2.0**-52
"""float64's relative rounding error."""
SHARE, NAMED = 0.1, 6
"""Coefficients with so much of the largest component of a direction are named as its culprits, at most so many."""


@dataclass(frozen=True, slots=True)
class Newton:
    """See `training.method.Method`. features: p. Of K classes every two have a Gram matrix [p + 1, p + 1]."""

    plan: Plan
    goal: Goal
    features: int

    @property
    def length(self) -> int:
        """d = K (p + 1), of K classes; else p + 1."""
        return self.goal.outputs * (self.features + 1)

    def initial(self) -> Floats:
        """All zeros, so that no party can steer where the first sums are taken; or as an earlier run ended."""
        return first(self.plan, lambda: np.zeros(self.length))

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """gradient [d], the upper triangle of each Gram matrix, of a linear model the squared errors and what their
        grid cuts off, and the rows of each side."""
        units, by = most_units(self.plan), link(self.plan)
        gram = _block(GRAM, _triangles(self.goal.outputs, self.features), by.steepest, units)
        widest = largest(by, weights) ** 2
        squares = (_block("squares", 1, widest, units), _block("rest", 1, 1.0, units)) if by.squares else ()
        steep = _block("gradient", self.length, room(by, weights), units)
        return (steep, gram, *squares, tally(self.plan, self.goal))

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Unlaid]:
        """One unit a row: its gradient, its Gram matrix, its squared error, its side."""
        yield _Rows(self, weights, rows)

    def course(self) -> ServerSteps:
        """Newton steps; half-way back where the gradient's norm rose. Raises DataError: there is no one fit."""
        best = point = self.initial()
        merit, settled, accepted = np.inf, False, True
        warnings: tuple[str, ...] = ()
        lengths: list[float] = []  # of full steps since the last that was halved
        for number in range(training(self.plan).rounds):
            answer = yield point
            if answer is None:
                return Fitted(point, warnings)
            if number == 0:
                warnings = few(judge(self.plan, self.goal, answer), self.length)
            slope = answer.part("gradient").values + penalty(l2(self.plan), point, self.goal.outputs)
            norm = float(np.linalg.norm(slope))
            accepted = settled or norm <= merit
            if not accepted:
                point = (best + point) / 2
                lengths.clear()
                continue
            best, merit, last = point, norm, answer
            step, lowest = self._step(answer, slope, first=number == 0)
            lengths.append(float(np.linalg.norm(step)))
            point = best - step
            settled = lengths[-1] <= SETTLED * max(1.0, float(np.linalg.norm(best)))
            within(self.plan, point)
        weights = point if accepted else best
        settled = settled or link(self.plan).squares  # a quadratic's one step is exact
        ending = _blurred(last, lowest, weights)
        if not settled:
            self._growing(lengths, step)
            ending = ("newton has not converged: raise training.rounds or model.l2", *ending)
        curvature = self._curvature(last, best, weights, lowest)
        return Fitted(weights, warnings, settled, curvature, ending=ending)

    def _curvature(self, answer: Answer, best: Floats, weights: Floats, lowest: float) -> Sums | None:
        """What the sums at `best` say of the final model, which lies near: at convergence nearly there. Of several
        classes nothing is told by it."""
        if self.goal.outputs > 1:
            return None
        counts, squares, error = answer.part(TALLY).values, None, None
        if link(self.plan).squares:
            squares, error = self._squares(answer, best, weights, lowest)
        events = round(float(counts[1])) if self.goal.side == "binary" else None
        rows = round(float(counts.sum()))
        return Sums(
            gram=tuple(map(tuple, self._gram(answer).tolist())),
            gram_error=cut_off(answer, GRAM),
            rows=rows,
            events=events,
            squares=squares,
            squares_error=error,
        )

    def _squares(self, answer: Answer, best: Floats, weights: Floats, lowest: float) -> tuple[float, float]:
        """The sum of squared errors at the final model, a quadratic's from its sums at `best`, and how far that may be
        off those of the exact fit: what the grid cut off, what float64 rounds in every row, and what the final model's
        gradient may still be, which the grid cut off too."""
        moved, grain, rows = weights - best, self.grain(best), float(answer.part(TALLY).values.sum())
        held = float(answer.part("squares").values[0]) + grain * float(answer.part("rest").values[0])
        slope, gram = answer.part("gradient").values, self._gram(answer)
        squares = held + float(2 * moved @ slope + moved @ gram @ moved)
        far, lost, bent = float(np.abs(moved).sum()), cut_off(answer, "gradient"), cut_off(answer, GRAM)
        cut = grain * cut_off(answer, "rest") + 2 * far * lost + far**2 * bent
        one = FLOAT * (len(weights) + 2) * (1 + float(np.abs(weights).sum()))
        rounded = 2 * one * float(np.sqrt(rows * max(squares, 0.0))) + rows * one**2
        return squares, cut + rounded + len(weights) * (lost + bent * far) ** 2 / lowest

    def grain(self, weights: Floats) -> float:
        """The step of the squared errors' grid."""
        return float(2.0 ** finest(most_units(self.plan) * largest(link(self.plan), weights) ** 2, 64))

    def _gram(self, answer: Answer) -> Floats:
        """[d, d], without the penalty: of classes the Hessian, less than 0 between two of them."""
        length, outputs = self.features + 1, self.goal.outputs
        found = np.zeros((outputs, length, outputs, length))
        pairs = np.column_stack(np.triu_indices(outputs)).tolist()
        for (k, j), values in zip(pairs, answer.part(GRAM).values.reshape(len(pairs), -1), strict=True):
            gram = np.zeros((length, length))
            gram[np.triu_indices(length)] = values
            gram = gram + np.triu(gram, 1).T
            found[k, :, j] = found[j, :, k] = gram if k == j else -gram
        return found.reshape(self.length, self.length)

    def _apart(self, gram: Floats, slope: Floats) -> tuple[Floats, Floats]:
        """Of several classes a step moves no weight of all of them alike, which would move no probability: the matrix,
        singular there, is made regular without a word on any other direction."""
        outputs = self.goal.outputs
        if outputs == 1:
            return gram, slope
        apart = np.kron(np.eye(outputs) - 1 / outputs, np.eye(self.features + 1))
        alike = np.eye(self.length) - apart
        return apart @ gram @ apart + float(gram.diagonal().max()) * alike, apart @ slope

    def _step(self, answer: Answer, slope: Floats, *, first: bool) -> tuple[Floats, float]:
        """The Newton step, and the smallest eigenvalue. Raises DataError: the matrix is singular."""
        from scipy.linalg import solve

        length, strength, gram = self.length, l2(self.plan), self._gram(answer)
        gram[np.diag_indices(length)] += penalty(strength, np.ones(length), self.goal.outputs)
        gram, slope = self._apart(gram, slope)
        values, directions = np.linalg.eigh(gram)
        # Each row was moved by at most a step of the grid: below that a singular matrix can look regular.
        blur = (cut_off(answer, GRAM) * length if strength == 0 else 0.0) + 1e-14 * length * values[-1]
        if values[0] <= blur:
            raise self._singular(directions[:, 0], first)
        return np.asarray(solve(gram, slope, assume_a="pos"), dtype=np.float64), float(values[0])

    def _singular(self, direction: Floats, first: bool) -> DataError:
        """At zero weights all rows weigh alike, so columns determine one another; later, margins have grown until rows
        weigh nothing."""
        if l2(self.plan) > 0:
            return DataError("the Gram matrix is singular: numbers beside the ridge are lost", hint="raise model.l2")
        if not first:
            return self._separated(direction)
        names = self._culprits(direction)
        what = f"{names[0]} is 0" if len(names) == 1 else f"{_listed(names)} determine one another"
        return DataError(f"the Gram matrix is singular: {what} in the training rows", hint=self._remedy(names))

    def _remedy(self, names: Sequence[str]) -> str:
        """What makes the matrix regular: a reference level for each category of which all values are there, as R and
        the formulas of statsmodels take the first one without a word; else one column less."""
        wanted = []
        for one in encoding(self.plan).fields:
            levels = [f"{one.name}={value}" for value in one.values]
            if not COLUMNS.of(one.kind).spread and not one.reference and levels and set(levels) & set(names):
                wanted.append(f'data.columns.{one.name}.reference = "{one.values[0]}"')
        if wanted:
            return f"set model.l2 above 0, or {'a reference' if len(wanted) == 1 else 'references'}: {_listed(wanted)}"
        return "set model.l2 above 0, or leave one of these columns out"

    def _growing(self, lengths: Sequence[float], step: Floats) -> None:
        """Raises DataError: there is no ridge, and the steps do not get shorter."""
        last = lengths[-LASTING:]
        if l2(self.plan) > 0 or len(last) < LASTING:
            return
        if all(after > GROWING * before for before, after in pairwise(last)):
            raise self._separated(step)

    def _separated(self, direction: Floats) -> DataError:
        names = _listed(self._culprits(direction))
        what = f"newton does not settle: the coefficients of {names} grow with every round, as where they separate the"
        hint = "set model.l2 above 0, or leave a column out; where there is a fit, more training.rounds reach it"
        return DataError(f"{what} classes and no fit exists without a ridge", hint=hint)

    def _culprits(self, direction: Floats) -> list[str]:
        """The names of the coefficients that a direction moves."""
        names, sizes = ("intercept", *encoding(self.plan).names), np.abs(direction).reshape(self.goal.outputs, -1)
        return [name for name, size in zip(names, sizes.max(axis=0), strict=True) if size > SHARE * sizes.max()]


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the training rows of a site add at these weights. See `core.stages.Unlaid`."""

    method: Newton
    weights: Floats = field(repr=False)
    rows: Table = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """Gradient, squares and counts are those of rows that are laid out, bit for bit; of the Gram matrix see
        `training.gram`. Raises Abort(RANGE): a row is beyond its range."""
        by, grain = link(self.method.plan), self.method.grain(self.weights)
        high = dict(zip((part.name for part in grid.parts), exact(limit).high, strict=True))
        parts = {part.name: part for part in grid.parts}
        totals = {part.name: np.zeros(part.size, dtype=np.int64) for part in grid.parts}
        goal, each = self.method.goal, by_class(self.weights, self.method.goal.outputs)
        length = each.shape[-1]
        grams = [Gram(length, high[GRAM], parts[GRAM].step) for _ in zip(*np.triu_indices(goal.outputs), strict=True)]
        for x, y in bounded_rows(self.rows):
            at, ready = margins(each, x), design(x)
            off = residual(by.mean(at), y)
            for gram, curved in zip(grams, by.curved(at).reshape(len(x), -1).T, strict=True):
                gram.add(ready, curved)
            totals["gradient"] += weighted(x, off, parts["gradient"], high["gradient"])
            totals[TALLY] += counts(goal, y)
            if by.squares:
                for name, column in zip(("squares", "rest"), _split(off**2, grain), strict=True):
                    totals[name] += weighted(x[:, :0], column, parts[name], high[name])
        totals[GRAM] = np.concatenate([gram.steps()[np.triu_indices(length)] for gram in grams])
        return encoded(totals, grid, limit)


def _split(squares: Floats, grain: float) -> tuple[Floats, Floats]:
    """[n] -> whole steps of the grid, and what it would cut off, in steps: a good fit's errors are so far below what a
    row might add that all of them, or all but a few, would be lost."""
    steps = np.floor(squares / grain)
    return steps * grain, squares / grain - steps


def _blurred(answer: Answer, lowest: float, weights: Floats) -> tuple[str, ...]:
    """A warning where what the gradient may have lost could move a coefficient by more than BLURRED of the largest."""
    moved = cut_off(answer, "gradient") * float(np.sqrt(len(weights))) / lowest
    if moved <= BLURRED * max(1.0, float(np.abs(weights).max())):
        return ()
    return (
        f"the rounding of the sums may move coefficients by {moved:.1g}: a column's values fill a tiny part of its "
        "declared range, or columns nearly determine one another. Declare narrower ranges, or a lower data.max_rows",
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _triangles(outputs: int, features: int) -> int:
    """How many numbers the Gram matrices are."""
    return outputs * (outputs + 1) // 2 * ((features + 1) * (features + 2) // 2)


def _block(name: str, size: int, high: float, units: int) -> Block:
    return Block(name, size, high, high * float(np.sqrt(size)), units, coarsest=COARSEST)


def _opened(plan: Plan, counts: str) -> str:
    return (
        "each round the summed gradient and Gram matrix of all training rows, exactly (of a linear model the "
        "squared errors too), and the training rows of each class; the last of them stay beside the model: with "
        "few rows a coefficient they can be inverted, and without noise a row that is known to be missing shows by "
        "its difference"
    )


def _noised(plan: Plan) -> Iterator[str]:
    yield 'training.method: newton with noise gives poor models. hint: use "gradient"'


def _without_ridge(plan: Plan) -> Iterator[str]:
    if plan.model is None or plan.model.l2 > 0:
        return
    whole = [name for name, one in inputs(plan).items() if not COLUMNS.of(one.kind).spread and one.reference is None]
    if whole:
        what = f"with 0 there is no one fit where every row has a declared value of {', '.join(whole)}"
        yield f"model.l2: {what}: the values determine one another. hint: a reference for each, or a value above 0"


NEWTON = TrainingMethod(
    start=Newton,
    rounds=12,
    on_shares=8,  # where nearly all plans have settled
    settled=25,
    rate=1.0,
    opened=_opened,
    gist=lambda plan: f"{averages(plan)}, and how columns go together",
    linear=True,
    noised=_noised,
    pauses=_without_ridge,
    values=lambda plan, features: _triangles(goal_of(plan).outputs, features),
)
