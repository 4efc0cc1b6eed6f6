"""k-fold cross-validation: the same training once more for each fold, without its rows, which then judge the model.

Training rows are dealt to folds by the places that part them from test rows (`data.split`), so a row's fold depends on
the row alone, or on its person. After the run's model, of all training rows, one model a fold follows; its metrics on
the fold's rows are a sum like that of held-out rows. They say how well this way to train does on rows of the same sites
that the model did not see: of the run's own model, which has more rows, they say rather too little.

How far folds lie apart is no error of their mean: their models share most rows, and no estimate of that error from one
cross-validation is right for all data. Reference: Bengio and Grandvalet 2004, "No unbiased estimator of the variance of
K-fold cross-validation", JMLR 5.

A fold that has no rows, or without which nothing can be trained, ends no run: by then the run's model is opened, and
stands. The fold has no metrics, a warning says why, and mean and spread are of the other folds.
What several models on fewer rows open is more than one: two sums at the same model, with a fold and without, differ by
the sum of the fold's rows alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from potluck.core.asks import Answer
from potluck.core.errors import DataError
from potluck.core.plan import Plan, required
from potluck.core.prose import agree, listed
from potluck.core.rounds import Abort
from potluck.core.tables.evaluation import Evaluate
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.evaluation import cells, evaluate
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.evaluation.finished.cells import binned
from potluck.learning.evaluation.finished.judgement import Judgement
from potluck.learning.evaluation.finished.two_sides import of_counts
from potluck.learning.models.model import Model
from potluck.learning.training import drawn
from potluck.learning.training.local import personal
from potluck.learning.training.method import counts, enough

MEASURES = ("auc", "accuracy", "r2", "rmse", "loss", "perplexity")
PARTS = 20
"""Of [0, 1], in which scores are counted for curves."""
FEWEST = 10
"""Rows of all sites in a fold, below which `check` warns: one row is then a tenth of what the fold's metrics say."""
LEAST = 2
"""Folds, below which there is no mean of them and no spread."""
LACKS = {"auc": "of one side", "r2": "of one value"}
"""By metric that a fold with rows may lack, what its rows are then."""
HINT = "lower evaluate.folds, or read the metrics of all folds' rows together"


@dataclass(frozen=True, slots=True)
class Folds:
    """What came of a cross-validation. each: by fold, of its own rows, with no metric where it could not be judged;
    known: by metric, how many folds have it; mean, spread: by metric, over these, and their standard deviation, None of
    fewer than LEAST; whole: of the rows of all folds that were judged, each scored by the model that did not see it;
    curves: of two sides, what their scores say together, counted in PARTS of [0, 1]."""

    each: tuple[Metrics, ...]
    whole: Metrics
    curves: Judgement | None

    @property
    def known(self) -> Mapping[str, int]:
        """By metric that a fold has."""
        return {name: len(values) for name, values in self._values()}

    @property
    def mean(self) -> Mapping[str, float | None]:
        """By metric that a fold has."""
        return {name: float(np.mean(some)) if len(some) >= LEAST else None for name, some in self._values()}

    @property
    def spread(self) -> Mapping[str, float | None]:
        """By metric that a fold has, with one degree of freedom less than folds."""
        return {name: float(np.std(some, ddof=1)) if len(some) >= LEAST else None for name, some in self._values()}

    def _values(self) -> Iterator[tuple[str, list[float]]]:
        for name in MEASURES:
            if values := [value for one in self.each if (value := getattr(one, name)) is not None]:
                yield name, values


def of_fold(plan: Plan) -> Plan:
    """The plan by which the model of one fold is trained: of the expected rows the others. A batch stays as large."""
    spec, folds = plan.training, plan.trainings - 1
    if spec is None or spec.expected_rows is None:
        return plan
    expected = max(1, round(spec.expected_rows * (folds - 1) / folds))
    batch = None if spec.batch is None else min(spec.batch, expected)
    return msgspec.structs.replace(plan, training=msgspec.structs.replace(spec, expected_rows=expected, batch=batch))


@dataclass(frozen=True, slots=True)
class Judged:
    """One fold. answer: what its rows added to metrics; None: nothing was trained, and `why` says what was wrong."""

    metrics: Metrics
    answer: Answer | None = None
    why: str = ""


def judged(plan: Plan, found: Model, answer: Answer) -> Judged:
    """A fold's model on the fold's rows."""
    return Judged(_metrics(plan, found, answer), answer)


def failed(error: DataError | Abort) -> Judged:
    """Nothing could be trained on the other folds."""
    return Judged(Metrics(None), why=error.what if isinstance(error, DataError) else error.detail or error.cause.value)


def joined(plan: Plan, found: Model, each: Sequence[Judged]) -> tuple[Folds, tuple[str, ...]]:
    """(of all folds, what to mind). found: any of the models, for its target."""
    answers, own = [one.answer for one in each if one.answer is not None], tuple(one.metrics for one in each)
    folds = Folds(own, Metrics(0), None)
    if answers:
        values = np.sum([one.release.values for one in answers], axis=0)
        every = replace(answers[0], release=replace(answers[0].release, values=values))
        folds = Folds(own, _metrics(plan, found, every), _curves(found.target, every))
    return folds, tuple(_minded(each, folds))


def _metrics(plan: Plan, found: Model, answer: Answer) -> Metrics:
    """Of the rows of one fold, or of all."""
    try:
        return evaluate.metrics(plan, found, answer)[0]
    except DataError:
        return Metrics(0)


def _minded(each: Sequence[Judged], folds: Folds) -> Iterator[str]:
    if none := [number for number, one in enumerate(folds.each, 1) if one.rows == 0]:
        what = f"{_named(none)} {agree(len(none), 'has', 'have')} no rows at any site"
        yield f"{what}: {_without(len(none))}. hint: {HINT}"
    for why, numbers in _by_why((number, one.why) for number, one in enumerate(each, 1) if one.answer is None):
        yield f"without {_named(numbers)} nothing is trained ({why}): {_without(len(numbers))}. hint: {HINT}"
    for name, alike in LACKS.items():
        lack = [number for number, one in enumerate(folds.each, 1) if one.rows and getattr(one, name) is None]
        if lack and (name in folds.known or getattr(folds.whole, name) is not None):
            over = folds.known.get(name, 0)
            of = f"mean and spread of {name} are of {over} folds" if over >= LEAST else f"there is no mean of {name}"
            yield f"the rows of {_named(lack)} are {alike}: {of}. hint: {HINT}"


def _without(many: int) -> str:
    return f"{agree(many, 'it has', 'they have')} no metrics, and the run's model stands"


def _named(numbers: Sequence[int]) -> str:
    return f"{agree(len(numbers), 'fold', 'folds')} {listed([str(one) for one in numbers])}"


def _by_why(each: Iterable[tuple[int, str]]) -> list[tuple[str, list[int]]]:
    found: dict[str, list[int]] = {}
    for number, why in each:
        found.setdefault(why, []).append(number)
    return list(found.items())


def _curves(goal: Goal, every: Answer) -> Judgement | None:
    """Of all folds' rows, where there is one target of two sides."""
    if goal.side != "binary":
        return None
    counts = every.part("cells").values.reshape(2, cells.BINS)
    found, place = np.zeros((1, 2, PARTS)), binned(cells.middles(), PARTS)
    for side, some in enumerate(counts):
        found[0, side] = np.bincount(place, some, PARTS)
    return of_counts(found, 0.0, ("",))


def faults(plan: Plan) -> Iterator[str]:
    """What folds do not go with. Lines as `check` makes them."""
    spec = plan.evaluate
    if spec is None:
        return
    for key in ("bins", "by"):
        if getattr(spec, key) != getattr(Evaluate(), key):
            what = 'is of finished models that are judged (task = "evaluate")'
            yield f"evaluate.{key}: {what}. hint: leave it out"
    if spec.folds is None:
        if not plan.validated:
            yield "evaluate.folds: is missing: nothing else of the table is for training. hint: folds = 5, or no table"
        return
    if plan.validated:
        yield "evaluate.rows: folds judge by rows that train. hint: leave out evaluate.rows or the folds"
    if plan.noisy:
        what = f"{spec.folds} more models over the same rows would share the run's epsilon, and each be far worse"
        hint = "leave the table out with noise: metrics on test rows are charged, and cost the training nothing"
        yield f"evaluate.folds: {what}. hint: {hint}"
    if required(plan.training).vote is not None:
        yield "training.vote: what sites say of a fold's model ends nothing. hint: leave out training.vote or the folds"
    if plan.training is not None and plan.model is not None and personal(plan):
        what = "no fold judges what stays at a site"
        yield f"evaluate.folds: {what}. hint: leave it out where sites have models or weights of their own"


def pauses(plan: Plan) -> Iterator[str]:
    """What of it runs, but should give pause."""
    if plan.trainings > 1 and plan.training is not None and not plan.noisy:
        known = set(drawn.pauses(plan))
        yield from (line for line in drawn.pauses(of_fold(plan)) if line not in known)
    if plan.trainings > 1 and plan.begun:
        what = "models of folds go on from the earlier model too, which may have been trained on their rows"
        yield f"evaluate.folds: {what}: metrics of folds are then too good. hint: begin without model.first"


def foreseen(plan: Plan, tables: Iterable[Table]) -> Iterator[str]:
    """What `check` warns of: folds of few rows, and those without which nothing can be trained. tables: all sites'
    rows, where they are here; without them rows are the plan's `training.expected_rows`."""
    number = plan.trainings - 1
    if not number:
        return
    goal, sites = goal_of(plan), list(tables)
    if not sites:
        expected = plan.training.expected_rows if plan.training else None
        if expected is not None and expected < FEWEST * number:
            yield _scant(f"about {expected / number:.3g} of training.expected_rows are in each fold")
        return
    held = np.array(
        [sum(counts(goal, one.target[one.folds == fold]) for one in sites) for fold in range(1, number + 1)]
    )
    rows = held.sum(axis=1)
    if few := [fold for fold, some in enumerate(rows, 1) if some < FEWEST]:
        which = f"of {number} folds {listed([str(one) for one in few])} {agree(len(few), 'has', 'have')}"
        which = f"each of {number} folds has" if len(few) == number else which
        yield _scant(f"{which} fewer than {FEWEST} rows of all sites")
    for why, numbers in _by_why(_untrained(plan, goal, held)):
        yield f"evaluate.folds: without {_named(numbers)} nothing is trained ({why}). hint: {HINT}"


def _scant(what: str) -> str:
    why = f"metrics of fewer than {FEWEST} rows say little, and a fold without rows has none"
    return f"evaluate.folds: {what}: {why}. hint: {HINT}"


def _untrained(
    plan: Plan, goal: Goal, held: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]"
) -> Iterator[tuple[int, str]]:
    for fold, some in enumerate(held, 1):
        try:
            enough(plan, goal, held.sum(axis=0) - some)
        except DataError as error:
            yield fold, error.what


def opened(plan: Plan) -> str:
    """What of a run's sums opens because of folds; empty without."""
    folds = plan.trainings - 1
    if not folds:
        return ""
    return (
        f"; then all of that once more for each of {folds} folds of the training rows, without its rows, and as of "
        "held-out rows those of the fold: what two models open differs by the fold's rows alone"
    )


def learnt(plan: Plan) -> str:
    """What an owner is told of them, within a sentence; empty without."""
    folds = plan.trainings - 1
    if not folds:
        return ""
    return (
        f"; then another such model for each of {folds} folds of the training rows, without its rows, and that model's "
        "metrics on them"
    )


def fewest(dealt: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> int:
    """Of rows that are dealt to folds [n], how many the smallest fold has that has any. 0: none are dealt."""
    counts = np.bincount(dealt)[1:] if len(dealt) else np.zeros(0, np.int64)
    return int(counts[counts > 0].min()) if counts.any() else 0
