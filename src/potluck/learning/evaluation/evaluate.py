"""Evaluation is a sum too: each held-out row adds a 1 to one cell of (side, score bin), and a curve is read off.

AUC comes from the summed histograms of scores, a tie within a bin counting half; .5 is a bin's edge, so accuracy is
exact. Each of several labels adds to a histogram of its own (`evaluation.two_sided`). With noise bins are few, and laid
out for the public model (`evaluation.bins`); every metric then has an interval (`evaluation.metric_intervals`).
Several classes add (class, class that the model says), or with noise (class, right or wrong); regression adds bounded
sums for r2 and rmse. With noise the sums are noised and charged like any other: a row is either trained on or held out.
With unit = "person" or "site" they are left out unless the plan sets aside `privacy.evaluation`: a person then counts
with the first `rows_per_person` held-out rows (default 1), and a site with its cells' shares, every site weighing 1.
Metrics say nothing about rows that differ from the sites' own. `exact` is for a process that holds all rows anyway.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.core.asks import Answer, Block
from potluck.core.errors import DataError
from potluck.core.plan import Plan
from potluck.core.stages import Contribution, Floats, Update
from potluck.learning.data.mixed import Inputs, MixedRows
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.data.units import Index, counted, most_rows, most_units, total, updates
from potluck.learning.evaluation import bins, cells, confusion, metric_intervals, steady, tokens, two_sided
from potluck.learning.evaluation.confusion import Confusion
from potluck.learning.evaluation.intervals import Interval, Noised
from potluck.learning.evaluation.metric_intervals import Within
from potluck.learning.evaluation.ranking import wilson
from potluck.learning.evaluation.summed import Summed
from potluck.learning.evaluation.tokens import Said
from potluck.learning.evaluation.two_sided import TwoSided
from potluck.learning.models.fitted import training
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.linear import room
from potluck.learning.models.model import Model


@dataclass(frozen=True, slots=True)
class Metrics:
    """What held-out rows say of a model. None: not this kind of target, or the noise leaves it undefined.

    rows: how many held-out rows (None with noise for persons or sites);
    auc and accuracy, or r2 and rmse (in the target's own units), or of next tokens loss, perplexity and accuracy;
    intervals: by metric name, "rows" included, 95 % bounds of the value on these rows, from the noise alone: empty
    without noise; an end may be infinite;
    population: by metric name, 95 % bounds of the value on rows like these, noise included, where they are known;
    beyond: by metric name, of AUC and accuracy, the end of 0 to 1 beyond which noise brought the value: it is None
    then, and its intervals are the whole range;
    confusion: of sides or classes, where the sums say it;
    labels: of several labels, each one's own: auc and accuracy are then the means of theirs.
    """

    rows: float | None
    auc: float | None = None
    accuracy: float | None = None
    r2: float | None = None
    rmse: float | None = None
    loss: float | None = None
    perplexity: float | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    population: Mapping[str, Interval] = field(default_factory=dict)
    beyond: Mapping[str, float] = field(default_factory=dict)
    confusion: Confusion | None = None
    labels: "Mapping[str, Metrics]" = field(default_factory=dict)


def rounds(plan: Plan) -> int:
    """How many rounds a plan takes, at most, with those that judge what it trained."""
    return plan.steps + plan.looks + (plan.trainings if plan.traits.trains and allowed(plan) else 0)


def allowed(plan: Plan) -> bool:
    """Whether the plan releases metrics of what it trains: without a split or folds no row is held out, and a model
    some of whose weights stay at the sites is none by itself."""
    privacy = plan.privacy
    if plan.traits.brings:
        return False
    if plan.model is not None and plan.model.local:
        return False
    held = plan.data.split is not None or plan.trainings > 1
    return held and (not plan.noisy or privacy.unit == "row" or privacy.evaluation is not None)


def judging(plan: Plan) -> str:
    """Which rows judge what a plan trains, in words."""
    return "validation rows" if plan.validated else "held-out rows"


def blocks(plan: Plan, weights: Floats) -> tuple[Block, ...]:
    """The blocks of the evaluation sum of the model with these weights; none where the plan releases no metrics.

    Their names and sizes are the same at any weights.
    """
    if not allowed(plan):
        return ()
    goal, units, most = goal_of(plan), most_units(plan), most_rows(plan)
    shares = plan.noisy and plan.privacy.unit == "site"
    if not goal.apart:
        return tokens.blocks(plan, goal)
    if goal.side == "number":
        if plan.noisy:
            return (Block("sums", 4, float(most), 2.0 * most, units),)
        reach = _reach(plan, weights) ** 2
        return (
            Block("rows", 1, 1.0, 1.0, units, parts=1),
            Block("errors", 1, reach, reach, units),
            Block("targets", 2, 1.0, math.sqrt(2), units),
        )
    size, norm = cells.size(plan, goal), cells.norm(plan, goal)
    single = norm == 1 and not shares
    return (Block("cells", size, float(most), norm, units, parts=0 if shares else 1, single=single),)


def _reach(plan: Plan, weights: Floats) -> float:
    """The largest error of a number that a held-out row may have: of a model without a bound each is checked."""
    by = kind_of(plan).link
    return room(by, weights) if by else training(plan).range


def contribute(plan: Plan, model: Model, rows: Table) -> Iterator[Contribution]:
    """What the held-out rows of a site add, by unit."""
    if not model.target.apart:
        yield from tokens.contribute(model, rows, np.flatnonzero(rows.test))
    elif model.target.side != "number":
        yield from cells.contribute(plan, model, rows)
    else:
        yield from numbers(plan, model, rows, np.flatnonzero(rows.test))


def numbers(plan: Plan, model: Model, rows: Table, index: Index) -> Iterator[Contribution]:
    """What rows add whose target is a number, by unit: those in `index`."""
    size = sum(block.size for block in blocks(plan, model.weights))

    def each(some: Index) -> Floats:
        return _numbers(plan, model, rows.inputs[some], rows.target[some])

    if plan.noisy and plan.privacy.unit == "site":
        yield Update((total(index, size, each) / max(len(index), 1))[None, :])
        return
    if not plan.noisy:
        yield Summed(index, size, each)
        return
    yield from updates(plan, counted(plan, rows.person, index), rows.person, size, each)


def _numbers(plan: Plan, model: Model, rows: Inputs, target: Floats) -> Floats:
    """rows k, target [k] -> [k, 4]: 1, the squared error, target, and its square."""
    # Whatever the announced model, every row has an error: a failure would tell of a row.
    guess = np.nan_to_num(steady.margins(plan, model, rows))[:, 0]
    off = (np.clip(guess, -1, 1) - target) / 2 if plan.noisy else guess - target
    return np.column_stack([np.ones(len(target)), off**2, target, target**2])


def metrics(plan: Plan, model: Model, answer: Answer) -> tuple[Metrics, tuple[str, ...]]:
    """(metrics, warnings) of the opened sum. Raises DataError: without noise, an empty test split."""
    goal = model.target
    if not goal.apart:
        said = tokens.of_answer(answer)
        _not_empty(plan, said.rows if said else 0)
        return _of_tokens(said), ()
    if goal.side == "number":
        found = _regression(plan, goal, answer)
        return found, worse(found)
    part = answer.part("cells")
    by_cell, std = part.values, float(part.std.max())
    each = len(goal.names)
    rows = float(by_cell.sum()) / each
    _not_empty(plan, rows)
    count = Noised(rows, std * math.sqrt(len(by_cell)) / each)
    if goal.side == "classes":
        table = by_cell.reshape(goal.cells, -1)
        pairs = confusion.paired(plan, goal.cells)
        right = table.diagonal() if pairs else table[:, 1]
        told = confusion.of_cells(table, std, pairs=pairs)
        hits = float(right.sum())
        off = two_sided.beyond({"accuracy": hits / rows if rows > 0 else None})
        found = Metrics(None, accuracy=two_sided.share(hits, rows), beyond=off, confusion=told)
        return _with(plan, found, count, {"accuracy": two_sided.hits(right, rows, std)}), ()
    sides = by_cell.reshape(each, 2, -1)
    bounds = cells.edges(plan, model)
    middles = [cells.BINS // 2] * each if bounds is None else [bins.positive_from(one) for one in bounds]
    known = [two_sided.of_bins(*one, std) for one in zip(sides, middles, strict=True)]
    named = dict(zip(goal.names, known, strict=True))
    return _of_sides(named, lambda found, within: _with(plan, found, count, within)), two_sided.mind(named)


def worse(found: Metrics) -> tuple[str, ...]:
    """A warning where a model of a number is surely worse than one that says the mean of all."""
    highest = (
        found.intervals.get("r2", (found.r2, found.r2))[1] if found.r2 is not None or "r2" in found.intervals else 0
    )
    if highest is None or highest >= 0:
        return ()
    return ("the model is worse than the mean of the target, which has an r2 of 0: training may have diverged, or not "
            "have arrived. potluck check says which rate and rounds suit it",)  # fmt: skip


def _of_sides(each: Mapping[str, TwoSided], told: Callable[[Metrics, Mapping[str, Within]], Metrics]) -> Metrics:
    """The metrics of one column of two sides, or of several labels with each one's own. told: with what is known of
    the rows, and with intervals."""
    found = {
        name: told(
            Metrics(None, auc=one.auc, accuracy=one.accuracy, beyond=one.beyond, confusion=one.confusion), one.within
        )
        for name, one in each.items()
    }
    if len(found) == 1:
        return next(iter(found.values()))
    whole = two_sided.mean(list(each.values()))
    return told(Metrics(None, auc=whole.auc, accuracy=whole.accuracy, labels=found), whole.within)


def _with(plan: Plan, found: Metrics, rows: Noised, within: Mapping[str, Within]) -> Metrics:
    """The metrics with what is known of the rows and with their intervals.

    `rows` and the confusion are shown where the sums count rows: of persons they count the first rows only, of sites
    shares. Then rows are no sample either, and nothing is said of a population.
    """
    counted = not plan.noisy or plan.privacy.unit == "row"
    intervals = {name: one.noise for name, one in within.items() if one.noise}
    if counted and plan.noisy:
        intervals["rows"] = rows.interval()
    shown = (rows.value if plan.noisy else round(rows.value)) if counted else None
    population = {name: one.population for name, one in within.items()} if counted else {}
    told = found.confusion if counted else None
    return replace(found, rows=shown, intervals=intervals, population=population, confusion=told)


def _of_tokens(said: Said | None) -> Metrics:
    """Of next tokens."""
    if said is None:
        return Metrics(0)
    return Metrics(said.rows, accuracy=said.accuracy, loss=said.loss, perplexity=said.perplexity)


def _not_empty(plan: Plan, rows: float) -> None:
    if not plan.noisy and rows == 0:
        if plan.validated:
            raise DataError("there are no validation rows", hint="raise data.split.validation")
        raise DataError("the test split is empty", hint="raise data.split.test, or see the split column")


def _regression(plan: Plan, goal: Goal, answer: Answer) -> Metrics:
    if plan.noisy:
        part = answer.part("sums")
        rows, quarter, mean, square = (Noised(v, float(part.std.max())) for v in part.values.tolist())
        errors, most = Noised(4 * quarter.value, 4 * quarter.std), 4.0
    else:
        counts = *answer.part("rows").values, *answer.part("errors").values, *answer.part("targets").values
        rows, errors, mean, square = (Noised(float(value), 0.0) for value in counts)
        most = math.inf
        _not_empty(plan, rows.value)
    width = (goal.high - goal.low) / 2
    found = Metrics(None)
    if rows.value > 0 and errors.value >= 0:
        spread = square.value - mean.value**2 / rows.value
        rmse = math.sqrt(errors.value / rows.value) * width
        found = Metrics(None, r2=1 - errors.value / spread if spread > 0 else None, rmse=rmse)
    within = metric_intervals.regression(rows, errors, mean, square, most, width)
    return _with(plan, found, rows, within)


def exact(model: Model, tables: Sequence[Table]) -> Metrics:
    """Exact metrics on the held-out rows of `tables`, with 95 % intervals. NOT private: needs all rows at hand.

    The intervals are of a population: DeLong's of the AUC by ranks, Wilson's of accuracy. Nothing but `rows` where no
    row is held out.
    """
    if not model.target.apart:
        return _of_tokens(tokens.of_rows(model, tables))
    held = [table.inputs[table.test] for table in tables]
    target = np.concatenate([table.target[table.test] for table in tables])
    if not len(target):
        return Metrics(0)
    plain = [one for one in held if not isinstance(one, MixedRows)]
    margins = model.margins(np.vstack(plain)) if plain else np.vstack([model.margins(one) for one in held])
    count = len(target)
    if model.target.side == "number":
        error, spread = float(((margins[:, 0] - target) ** 2).sum()), float(((target - target.mean()) ** 2).sum())
        rmse = math.sqrt(error / count) * (model.target.high - model.target.low) / 2
        return Metrics(count, r2=1 - error / spread if spread > 0 else None, rmse=rmse)
    if model.target.side == "classes":
        guess = margins.argmax(axis=1)
        right, told = int((guess == target).sum()), confusion.of_rows(target, guess, model.target.cells)
        return Metrics(count, accuracy=right / count, population={"accuracy": wilson(right, count)}, confusion=told)
    columns = zip(margins.T, target.reshape(margins.shape).T, strict=True)
    each = dict(zip(model.target.names, (two_sided.of_rows(*one) for one in columns), strict=True))

    def counted(found: Metrics, within: Mapping[str, Within]) -> Metrics:
        return replace(found, rows=count, population={name: one.population for name, one in within.items()})

    return _of_sides(each, counted)
