"""Linear and logistic regression over columns at different owners: what the engine's program `regression` is given,
and what its results say. The objective is that of `models.linear`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potluck.core.errors import DataError
from potluck.core.fitting import Array, Give, Noise, Recipe, Take
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats
from potluck.learning.data.columns import Columns, by_owner, encoding, least, shuffled, target_owner
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.fit_metrics import gives, metrics
from potluck.learning.models.fitted import training
from potluck.learning.models.layers import design
from potluck.learning.models.linear import curvature, l2, link, penalty, residuals
from potluck.learning.models.model import Model, word
from potluck.learning.training import fit_linear_check
from potluck.learning.training.fit import Fitting
from potluck.learning.training.method import few
from potluck.learning.training.trained import Trained

PROGRAM = "regression"
UNMEASURED = "there are no metrics: with noise nothing of held-out rows is opened in this version"
STEPS = 50
"""Of the plain fit, only to compare."""


def batch(plan: Plan) -> int | None:
    """Rows of one step; None: all of them."""
    spec = training(plan)
    return spec.batch if spec.method == "gradient" else None


@dataclass(frozen=True, slots=True)
class Regression:
    """The learner of a plan's linear or logistic model.

    share: with noise, sigma of each compute party's, in steps of 2^-18; then held-out rows are not shared, and nothing
    but the noised coefficients is opened.
    """

    plan: Plan
    share: float | None = None

    def recipe(self, train: int, test: int) -> Recipe:
        """The program for so many rows, from public numbers alone."""
        test = 0 if self.share else test
        owners, rows, logistic = self.plan.federation.sites, train + test, goal_of(self.plan).side == "binary"
        counts = [len(encoding(self.plan, owner).names) for owner in owners]
        target, spec = owners.index(target_owner(self.plan)), training(self.plan)
        takes: list[Take] = []
        for owner, count in enumerate(counts):
            takes += [Take(owner, "fixed", (rows, count))] if count else []
            takes.append(Take(owner, "integer", (rows,)))
        takes.append(Take(target, "integer" if logistic else "fixed", (rows,)))
        opened = (Give("integer", (len(owners) + 1,)), Give("fixed", (sum(counts) + 1,)), Give("integer", (4,)))
        numbers: dict[str, object] = {
            "kind": word(self.plan), "method": spec.method, "rounds": spec.rounds, "l2": l2(self.plan),
            "rate": spec.rate, "train": train, "test": test, "features": counts, "target": target,
            "batch": batch(self.plan) or train, "divisor": batch(self.plan) or train, "clip": 0.0, "noises": 0,
            "least": least(self.plan),
        }  # fmt: skip
        noise = None
        if self.share:
            shape = (spec.rounds, sum(counts) + 1)
            numbers |= {"divisor": spec.expected_rows, "clip": self.plan.privacy.clip, "noises": len(self.plan.compute)}
            numbers["least"] = 0  # whether a row is kept is what noise hides: one bit about it would be outside of it
            noise = Noise(shape, self.share)
        return Recipe(PROGRAM, numbers, tuple(takes), (*opened, *gives(goal_of(self.plan), test)), noise)

    def shared(self, owner: str, columns: Columns) -> list[Array]:
        """An owner's arguments: its features, which rows it keeps, and the target where it is its own.

        Where steps take batches, the training rows come in the public order of the plan's seed.
        """
        if batch(self.plan):
            columns = shuffled(columns, training(self.plan).seed)
        if self.share:
            columns = columns.trained()
        found: list[Array] = [columns.features] if columns.features.shape[1] else []
        found.append(columns.keep.astype(np.int64))
        if columns.target is not None:
            found.append(columns.target.astype(np.int64) if goal_of(self.plan).side == "binary" else columns.target)
        return found

    def outcome(self, opened: Sequence[Array], train: int, test: int) -> Trained:
        """The model and its metrics. Raises DataError: one class; Abort(RANGE): a coefficient beyond."""
        weights, said = opened[0].astype(np.float64), [int(one) for one in opened[1]]
        settled, at_limit, rows, positive = said
        goal = goal_of(self.plan)
        noisy = self.share is not None
        if goal.side == "binary" and positive in (0, rows) and not noisy:
            raise DataError(f"the target {goal.column!r} has one class on the training side", hint="see data.target")
        if at_limit:
            hint = "a lower training.rate, or more model.l2"
            raise Abort(Cause.RANGE, detail=f"a coefficient grew beyond what the computation carries. hint: {hint}")
        warnings = (UNMEASURED,) if noisy else few(rows, len(weights))
        if not settled:
            warnings = (*warnings, "newton has not converged: raise training.rounds or model.l2")
        found, more = (None, ()) if noisy else metrics(goal, opened[2:])
        how = encoding(self.plan)
        named = dict(zip(by_owner(self.plan), weights[1:].tolist(), strict=True))
        ordered = np.array([float(weights[0]), *(named[name] for name in how.names)])
        model = Model(word(self.plan), how, goal, ordered)
        return Trained(model, found, (*warnings, *more))


def solved(plan: Plan, features: Floats, target: Floats) -> Model:
    """The same objective's optimum over features [n, p] in the plan's order and target [n], in plain: Newton's method,
    half-way back where the gradient's norm rises. Raises DataError: a singular matrix."""
    rows, strength, by = design(features), l2(plan), link(plan)
    best = point = np.zeros(rows.shape[1])
    merit = np.inf
    for _ in range(STEPS):
        slope = rows.T @ residuals(by, point, features, target) + penalty(strength, point)
        if np.linalg.norm(slope) > merit:
            point = (best + point) / 2
            continue
        best, merit = point, float(np.linalg.norm(slope))
        gram = rows.T @ (curvature(by, best, features)[:, None] * rows)
        gram[np.arange(1, len(gram)), np.arange(1, len(gram))] += strength
        try:
            point = best - np.linalg.solve(gram, slope)
        except np.linalg.LinAlgError:
            raise DataError("the pooled fit is singular", hint="set model.l2 above 0") from None
    return Model(word(plan), encoding(plan), goal_of(plan), best)


def reads(plan: Plan) -> frozenset[str]:
    """A batch, where steps take one, and the seed of its order."""
    if training(plan).method != "gradient":
        return frozenset()
    return frozenset({"batch", "seed"} if batch(plan) else {"batch"})


REGRESSION = Fitting(
    learner=Regression,
    plain=solved,
    check=fit_linear_check.check,
    noised=fit_linear_check.noised,
    unfit=fit_linear_check.unfit,
    reads=reads,
)
