"""Boosted trees over columns at different owners: what the engine's program `boosted_trees` is given, and what its
results say.

Each owner cuts its own features at quantiles of its own rows and gives, in secret, the cuts and one bit a row and cut.
So of all cuts only those open that some node takes, to the readers of the model: each is about a quantile of a column.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from potluck.core.errors import DataError
from potluck.core.fitting import Array, Give, Recipe, Take
from potluck.core.plan import Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.columns import Columns, by_owner, encoding, least, target_owner
from potluck.learning.data.encode import Encoding
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.fit_metrics import gives, metrics
from potluck.learning.models.boosted.forest import MOST, Forest, Tree, fault
from potluck.learning.models.fitted import training
from potluck.learning.models.linear import l2
from potluck.learning.models.model import Model
from potluck.learning.training.fit import Fitting
from potluck.learning.training.grow import Growth, bits, cuts, grow
from potluck.learning.training.trained import Trained

PROGRAM = "boosted_trees"
ROWS = 1 << 17
"""Rows that the engine's program trains on, at most."""
BITS = 1 << 26
"""Bits of rows and cuts that it takes, at most."""
STEPS = 1 << 18
REACH = 1 << 26
"""What real products in the engine must stay below."""
TWO = 2


@dataclass(frozen=True, slots=True)
class Boosting:
    """The learner of a plan's trees."""

    plan: Plan

    def recipe(self, train: int, test: int) -> Recipe:
        """The program for so many rows, from public numbers alone."""
        owners, rows, how = self.plan.federation.sites, train + test, growth(self.plan)
        counts = [sum(cut_counts(self.plan, encoding(self.plan, owner))) for owner in owners]
        target = owners.index(target_owner(self.plan))
        takes: list[Take] = []
        for owner, count in enumerate(counts):
            takes += [Take(owner, "bit", (count, rows)), Take(owner, "fixed", (count,))] if count else []
            takes.append(Take(owner, "bit", (rows,)))
        takes.append(Take(target, "bit" if how.sides else "fixed", (rows,)))
        nodes = (1 << how.depth) - 1
        opened = (
            Give("integer", (len(owners) + 1,)),
            Give("integer", (how.rounds, nodes)),
            Give("fixed", (how.rounds, nodes)),
            Give("fixed", (how.rounds, nodes + 1)),
            Give("fixed", (1,)),
            Give("integer", (2,)),
            *gives(goal_of(self.plan), test),
        )
        numbers: dict[str, object] = {
            "train": train, "test": test, "cuts": counts, "target": target, "depth": how.depth, "rounds": how.rounds,
            "rate": round(how.rate * STEPS), "ridge": round(how.ridge * STEPS), "sides": int(how.sides),
            "least": least(self.plan),
        }  # fmt: skip
        return Recipe(PROGRAM, numbers, tuple(takes), opened)

    def shared(self, owner: str, columns: Columns) -> list[Array]:
        """An owner's arguments: its rows as bits of its cuts, the cuts, which rows it keeps; the target, if its own."""
        counts = cut_counts(self.plan, encoding(self.plan, owner))
        found: list[Array] = []
        if counts:
            known = columns.features[: columns.train][columns.keep[: columns.train]]
            at = [cuts(known[:, place], count) for place, count in enumerate(counts)]
            found = [bits(columns.features, at), np.concatenate(at)]
        found.append(columns.keep)
        if columns.target is not None:
            found.append(columns.target > 0 if growth(self.plan).sides else columns.target)
        return found

    def outcome(self, opened: Sequence[Array], train: int, test: int) -> Trained:
        """The model and its metrics. Raises DataError: one class, or results that no trees give."""
        splits, values, leaves, first, counted = opened[:5]
        goal, how = goal_of(self.plan), encoding(self.plan)
        rows, positive = (int(one) for one in counted)
        if goal.side == "binary" and positive in (0, rows):
            raise DataError(f"the target {goal.column!r} has one class on the training side", hint="see data.target")
        names = cut_names(self.plan)
        if not ((splits >= 0) & (splits < len(names))).all():
            raise DataError("the results are no trees", hint="run it again; a compute party may not follow the rules")
        grown = tuple(
            Tree(features=tuple(names[int(one)] for one in asked), cuts=tuple(at.tolist()), leaves=tuple(says.tolist()))
            for asked, at, says in zip(splits, values.astype(np.float64), leaves.astype(np.float64), strict=True)
        )
        forest = Forest(first=float(first[0]), trees=grown)
        wrong = fault(forest, how)
        if wrong:
            raise DataError(f"the results are no trees: {wrong}", hint="run it again")
        found, more = metrics(goal, opened[5:])
        return Trained(of_forest(self.plan, forest), found, more)


def growth(plan: Plan) -> Growth:
    """How the plan's trees are grown; rate and ridge as the engine has them."""
    spec = training(plan)
    rate, ridge = (round(one * STEPS) / STEPS for one in (spec.rate, l2(plan)))
    return Growth(required(plan.model).depth, spec.rounds, rate, ridge, goal_of(plan).side == "binary")


def cut_counts(plan: Plan, how: Encoding) -> list[int]:
    """How many cuts each feature has, from the plan alone: a number bins - 1, a feature of 0 and 1 one."""
    bins, numbers = required(plan.model).bins, {one.name for one in how.fields if COLUMNS.of(one.kind).spread}
    return [bins - 1 if name in numbers else 1 for name in how.names]


def cut_names(plan: Plan) -> list[str]:
    """Whose cut each one of the program's is: the feature's name, owner after owner."""
    counts = [one for owner in plan.federation.sites for one in cut_counts(plan, encoding(plan, owner))]
    return [name for name, count in zip(by_owner(plan), counts, strict=True) for _ in range(count)]


def of_forest(plan: Plan, forest: Forest) -> Model:
    """The model of a plan, with these trees."""
    return Model("trees", encoding(plan), goal_of(plan), np.zeros(0), forest=forest)


def grown(plan: Plan, features: Floats, target: Floats) -> Model:
    """The same trees from plain rows, for comparison: features [n, p] in the plan's order, target [n]."""
    how = encoding(plan)
    at = [cuts(features[:, place], count) for place, count in enumerate(cut_counts(plan, how))]
    names = [name for name, some in zip(how.names, at, strict=True) for _ in some]
    forest = grow(bits(features, at), np.concatenate(at), names, target, growth(plan))
    return of_forest(plan, forest)


def check(plan: Plan) -> Iterator[str]:
    """What of a plan's trees cannot be: `key: what. hint: what to do`."""
    model, spec = required(plan.model), training(plan)
    if spec.method != "boosting":
        yield f'training.method: trees are not grown by {spec.method}. hint: method = "boosting"'
    if goal_of(plan).side == "classes":
        yield 'data.target: trees over columns tell two sides apart, or a number. hint: positive, or task = "train"'
    bounds = {
        "model.l2": (model.l2, 1 / 64 <= model.l2 <= ROWS, f"1/64 to {ROWS}: leaves are divided by it and more"),
        "training.rounds": (spec.rounds, 1 <= spec.rounds <= MOST, f"1 to {MOST} trees"),
        "training.rate": (spec.rate, 2**-10 <= spec.rate <= 1, "2^-10 to 1, e.g. 0.3"),
    }
    if len(plan.compute) == TWO:
        what = "trees are grown by three compute parties: between two a bit would be no bit, and take 64 times the room"
        yield f"protect.compute: {what}. hint: name a third, or fit a logistic or linear model"
    yield from (f"{at}: {value:g} does not fit. hint: {hint}" for at, (value, fits, hint) in bounds.items() if not fits)


def unfit(plan: Plan, train: int, test: int) -> str:
    """What is wrong with the trees for so many rows to train on and held out, with a hint; empty: nothing."""
    how, wide = growth(plan), len(cut_names(plan))
    if train > ROWS:
        return (
            f"data: {train} rows to train on, and trees take {ROWS}. hint: hold more rows out, or fit a logistic model"
        )
    if (train + test) * max(wide, 2 << how.depth) > BITS:
        most = BITS // (train + test)
        return f"model.bins: {wide} cuts of {train + test} rows are too many. hint: fewer bins or columns, {most} cuts"
    least = max(train * max(how.rounds * how.rate, 1.0) / REACH, train * train / (REACH * 2.0**11))
    if how.ridge <= least:
        return f"model.l2: {how.ridge:g} is too small for {train} rows in fixed point. hint: above {least:.3g}"
    return ""


def noised(plan: Plan) -> Iterator[str]:
    """Noise: there is none for trees."""
    yield 'model.kind: trees are grown without noise in this version. hint: kind = "logistic", or noise = "none"'


TREES = Fitting(
    learner=lambda plan, share: Boosting(plan),
    plain=grown,
    check=check,
    noised=noised,
    unfit=unfit,
    tells="a cut is about a quantile of its column, and a leaf may hold one row alone",
)
