"""k-fold cross-validation: the same training once more for each fold, without its rows, which then judge the model.

Training rows are dealt to folds by the places that part them from test rows (`data.split`), so a row's fold depends on
the row alone, or on its person. After the run's model, of all training rows, one model a fold follows; its metrics on
the fold's rows are a sum like that of held-out rows. They say how well this way to train does on rows of the same sites
that the model did not see: of the run's own model, which has more rows, they say rather too little.

How far folds lie apart is no error of their mean: their models share most rows, and no estimate of that error from one
cross-validation is right for all data. Reference: Bengio and Grandvalet 2004, "No unbiased estimator of the variance of
K-fold cross-validation", JMLR 5.
What several models on fewer rows open is more than one: two sums at the same model, with a fold and without, differ by
the sum of the fold's rows alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from potluck.core.asks import Answer
from potluck.core.errors import DataError
from potluck.core.plan import Plan, required
from potluck.core.tables.evaluation import Evaluate
from potluck.learning.data.target import Goal
from potluck.learning.evaluation import cells, evaluate
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.evaluation.finished.cells import binned
from potluck.learning.evaluation.finished.judgement import Judgement
from potluck.learning.evaluation.finished.two_sides import of_counts
from potluck.learning.models.model import Model
from potluck.learning.training import drawn
from potluck.learning.training.local import personal

MEASURES = ("auc", "accuracy", "r2", "rmse", "loss", "perplexity")
PARTS = 20
"""Of [0, 1], in which scores are counted for curves."""


@dataclass(frozen=True, slots=True)
class Folds:
    """What came of a cross-validation. each: by fold, of its own rows; mean, spread: by metric, over folds, and their
    standard deviation, without a metric that a fold lacks; whole: of the rows of all folds, each scored by the model
    that did not see it; curves: of two sides, what their scores say together, counted in PARTS of [0, 1]."""

    each: tuple[Metrics, ...]
    whole: Metrics
    curves: Judgement | None

    @property
    def mean(self) -> Mapping[str, float]:
        """By metric."""
        return {name: float(np.mean(values)) for name, values in self._known()}

    @property
    def spread(self) -> Mapping[str, float]:
        """By metric, with one degree of freedom less than folds."""
        return {name: float(np.std(values, ddof=1)) for name, values in self._known()}

    def _known(self) -> Iterator[tuple[str, list[float]]]:
        for name in MEASURES:
            values = [value for one in self.each if (value := getattr(one, name)) is not None]
            if len(values) == len(self.each):
                yield name, values


def of_fold(plan: Plan) -> Plan:
    """The plan by which the model of one fold is trained: of the expected rows the others. A batch stays as large."""
    spec, folds = plan.training, plan.trainings - 1
    if spec is None or spec.expected_rows is None:
        return plan
    expected = max(1, round(spec.expected_rows * (folds - 1) / folds))
    batch = None if spec.batch is None else min(spec.batch, expected)
    return msgspec.structs.replace(plan, training=msgspec.structs.replace(spec, expected_rows=expected, batch=batch))


def judged(plan: Plan, found: Model, answer: Answer, fold: int) -> Metrics:
    """Of one fold's model, on its rows. Raises DataError: it has none."""
    try:
        return evaluate.metrics(plan, found, answer)[0]
    except DataError:
        raise DataError(f"fold {fold} has no rows at any site", hint="lower evaluate.folds") from None


def without(fold: int, error: DataError) -> DataError:
    """Why nothing can be trained on the other folds."""
    return DataError(f"without fold {fold}: {error.what}", hint="lower evaluate.folds")


def joined(
    plan: Plan, found: Model, each: Sequence[Metrics], answers: Sequence[Answer]
) -> tuple[Folds, tuple[str, ...]]:
    """(of all folds, what to mind). found: any of the models, for its target."""
    release = answers[0].release
    values = np.sum([one.release.values for one in answers], axis=0)
    every = replace(answers[0], release=replace(release, values=values))
    whole, _ = evaluate.metrics(plan, found, every)
    folds = Folds(tuple(each), whole, _curves(found.target, every))
    lacks = [str(number) for number, one in enumerate(each, 1) if one.auc is None and whole.auc is not None]
    if not lacks:
        return folds, ()
    what = f"the rows of fold {', '.join(lacks)} are of one side: without an AUC of each fold there is no mean of them"
    return folds, (f"{what}. hint: fewer folds, or the AUC of all folds' rows together",)


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
        yield "evaluate.folds: is missing: nothing else of the table is for training. hint: folds = 5, or no table"
        return
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
