"""What a run says of its cross-validation: as JSON, and as the pictures and tables of its report.

How far folds lie apart stands beside their mean, and is called that: it is no error of the mean (`learning.folds`).
"""

from collections.abc import Iterator, Sequence

from potluck.core.plan import Plan
from potluck.learning.data.target import Goal
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.folds import Folds
from potluck.learning.statistics.forms import AnyForm, Curve, Curves, Dot, Dots, Frame
from potluck.learning.training.trained import Trained
from potluck.tasks.curves import calibration, points, roc
from potluck.tasks.here import Json, Outcome
from potluck.tasks.shown import Told
from potluck.tasks.trained import MEASURES, scores

TITLES = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "r2": "r2",
    "rmse": "RMSE",
    "loss": "loss",
    "perplexity": "perplexity",
}
MEAN, SPREAD, TOGETHER = "mean of folds", "spread of folds", "rows of all folds"
NOTE = (
    "each fold's rows are judged by a model that was trained on the other folds. The spread is the standard deviation "
    "of folds: no error of the mean, since their models share most rows"
)


def document(found: Folds, goal: Goal) -> Json:
    """Each fold's metrics, their mean and spread and over how many folds, and those of all folds' rows, with their
    curves."""
    together = scores(found.whole, goal)
    if found.curves is not None:
        together |= points(found.curves)
    return {
        "each": [scores(one, goal) for one in found.each],
        "mean": dict(found.mean),
        "spread": dict(found.spread),
        "known": dict(found.known),
        "together": together,
    }


def told(outcome: Outcome, plan: Plan) -> Sequence[Told]:
    """What the report shows of it; nothing where there was none."""
    if not isinstance(outcome, Trained) or outcome.folds is None:
        return ()
    asks = f"Cross-validation: models trained without each of {len(outcome.folds.each)} folds"
    return (Told("folds", asks, tuple(_forms(outcome.folds, outcome.model.target))),)


def _forms(found: Folds, goal: Goal) -> Iterator[AnyForm]:
    names = [name for name in MEASURES[goal.side] if any(getattr(one, name) is not None for one in found.each)]
    yield _table(found, names)
    for name in names[:1]:
        dots = [_dot(f"fold {number}", one, name) for number, one in enumerate(found.each, 1)]
        dots.append(_dot(TOGETHER, found.whole, name))
        yield Dots(title=f"{TITLES[name]} by fold, of rows like these", dots=tuple(dots), x=TITLES[name])
    if found.curves is not None:
        chance, right = (Curve(name=name, x=(0.0, 1.0), y=(0.0, 1.0)) for name in ("chance", "right"))
        curve = roc(TOGETHER, found.curves)
        yield Curves(title="ROC", x="false positive rate", y="true positive rate", curves=(curve, chance))
        curve = calibration(TOGETHER, found.curves)
        yield Curves(title="calibration", x="score", y="observed", curves=(curve, right))


def _table(found: Folds, names: Sequence[str]) -> Frame:
    rows: list[tuple[str | float | None, ...]] = [
        (f"fold {number}", one.rows, *(getattr(one, name) for name in names))
        for number, one in enumerate(found.each, 1)
    ]
    rows.append((MEAN, None, *(found.mean.get(name) for name in names)))
    rows.append((SPREAD, None, *(found.spread.get(name) for name in names)))
    rows.append((TOGETHER, found.whole.rows, *(getattr(found.whole, name) for name in names)))
    note = NOTE
    if any(found.known[name] < len(found.each) for name in names):
        known = ", ".join(f"{TITLES[name]} {found.known[name]}" for name in names)
        note += f". Not every fold has each metric: mean and spread are of so many folds as have it ({known})"
    return Frame(head=("fold", "rows", *(TITLES[name] for name in names)), rows=tuple(rows), note=note)


def _dot(title: str, one: Metrics, name: str) -> Dot:
    low, high = one.population.get(name, (None, None))
    return Dot(name=title, value=getattr(one, name), low=low, high=high)
