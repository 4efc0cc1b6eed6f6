"""What a run says of finished models: as JSON, and as the pictures and tables of its report."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from potluck.core.plan import Plan, required
from potluck.learning.data.target import SIDES, Goal
from potluck.learning.evaluation.finished.judgement import Judgement, Measure
from potluck.learning.evaluation.finished.task import Judged
from potluck.learning.evaluation.intervals import Interval
from potluck.learning.models.finished.finished import files_of, models_of
from potluck.learning.statistics.forms import AnyForm, Cell, Curve, Curves, Dot, Dots, Frame
from potluck.tasks.curves import as_json, calibration, measures, points, roc
from potluck.tasks.here import Beside, Json, Outcome
from potluck.tasks.shown import Told

TITLES = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "brier": "Brier score",
    "calibration_intercept": "calibration intercept",
    "calibration_slope": "calibration slope",
    "prevalence": "share of positives",
    "rows": "rows",
    "r2": "r2",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "selection_rate": "selection rate",
    "tpr": "true positive rate",
    "fpr": "false positive rate",
}
NOISE, POPULATION = ("these rows, from", "to"), ("rows like these, from", "up to")
ROWS = "rows"
"""They have a scale of their own."""
LOW = -0.1
"""A net benefit below it is of no interest: to call nobody positive has 0."""
OF_ROWS = "of the value on rows like these"
NOTE = f"95 % intervals: of the value on these very rows, from the noise alone, and {OF_ROWS}, noise included"


def document(outcome: Outcome, plan: Plan, folder: Path, beside: Beside) -> Json:
    """Of one model its metrics; of several those of the first, and all of them side by side."""
    assert isinstance(outcome, Judged)
    models, files = models_of(plan), files_of(plan)
    each: list[Json] = []
    for number, found in enumerate(outcome.models):
        about: Json = {"file": files[number] if number < len(files) else None, "kind": models[number].kind}
        each.append(about | {"digest": required(plan.model).digests[number], "metrics": judgement(found, outcome.goal)})
    differences = [{"model": number, "less": 0} | measures(one) for number, one in enumerate(outcome.differences, 1)]
    federated = judgement(outcome.models[0], outcome.goal)
    return {"model": None, "metrics": {"federated": federated}, "models": each, "differences": differences}


def judgement(found: Judgement, goal: Goal) -> Json:
    """All that is said of one model."""
    said = measures(found.measures)
    if found.confusion is not None:
        said["confusion"] = found.confusion.document(goal.classes or SIDES)
    said |= points(found)
    if found.thresholds:
        said["decision_curve"] = [
            {"threshold": one.at} | measures({"net_benefit": one.net_benefit, "treat_all": one.treat_all})
            for one in found.thresholds
        ]
    said["groups"] = {name: measures(one) for name, one in found.groups.items()}
    said["gaps"] = measures(found.gaps)
    if found.each:
        key = "classes" if goal.classes else "labels"
        said[key] = {name: judgement(one, _side(goal, name)) for name, one in found.each.items()}
    return said


def _side(goal: Goal, name: str) -> Goal:
    """One of several labels, or a class beside the rest, as a target of its own."""
    return Goal(column=name, side="binary", positive=goal.positive or (name,))


def told(outcome: Outcome, plan: Plan) -> Sequence[Told]:
    """What the report shows: numbers, curves with bands, a table by group; of several models on one scale."""
    assert isinstance(outcome, Judged)
    paths = [Path(file) for file in files_of(plan)]
    names = [one.stem for one in paths]
    names = names if len(set(names)) == len(names) else [f"{one.parent.name}/{one.stem}" for one in paths]
    if len(set(names)) < len(outcome.models):
        names = [f"model {place}" for place, _ in enumerate(outcome.models, 1)]
    each = dict(zip(names, outcome.models, strict=True))
    several = outcome.models[0].each
    found = [Told("models" if len(names) > 1 else names[0], _asks(plan, ""), tuple(_forms(each)))]
    for output in several:
        parts = {name: model.each[output] for name, model in each.items()}
        found.append(Told(output, _asks(plan, output), tuple(_forms(parts))))
    return found


def _asks(plan: Plan, output: str) -> str:
    by = required(plan.evaluate).by
    return f"Evaluation{f' of {output}' if output else ''}{f' by {by}' if by else ''}"


def _forms(models: Mapping[str, Judgement]) -> Iterator[AnyForm]:
    first = next(iter(models.values()))
    yield _table(models)
    for name in ("auc", "r2"):
        if name in first.measures:
            dots = tuple(_dot(model, one.measures[name]) for model, one in models.items())
            yield Dots(
                title=f"{TITLES[name]}, of rows like these",
                dots=dots,
                x=TITLES[name],
                level=0.5 if name == "auc" else 0.0,
            )
    if first.thresholds:
        chance = Curve(name="chance", x=(0.0, 1.0), y=(0.0, 1.0))
        curves = (*(roc(model, one) for model, one in models.items()), chance)
        yield Curves(title="ROC", x="false positive rate", y="true positive rate", curves=curves)
    if any(one.calibration for one in models.values()):
        ends = (first.calibration[0].low, first.calibration[-1].high)
        curves = (*(calibration(model, one) for model, one in models.items()), Curve(name="right", x=ends, y=ends))
        yield Curves(title="calibration", x="score", y="observed", curves=curves)
    if first.thresholds:
        curves = (*(_benefit(model, one) for model, one in models.items()), _every(first))
        yield Curves(title="decision curve", x="threshold", y="net benefit", curves=curves)
    for model, one in models.items():
        if one.groups:
            yield _groups(model if len(models) > 1 else "", one)


def _table(models: Mapping[str, Judgement]) -> Frame:
    """A line a metric, and a model where there are several. With noise it has two intervals."""
    each = [
        (model, name, one) for model, found in models.items() for name, one in found.measures.items() if name != ROWS
    ]
    noisy, several = any(one.noise is not None for _, _, one in each), len(models) > 1
    rows = tuple(
        (
            *((model,) if several else ()),
            TITLES[name],
            one.value,
            *(_cells(one.noise) if noisy else ()),
            *_cells(one.population),
        )
        for model, name, one in each
    )
    head = (*(("model",) if several else ()), "metric", "value", *(NOISE if noisy else ()), *POPULATION)
    return Frame(head=head, rows=rows, note=NOTE if noisy else f"95 % intervals, {OF_ROWS}", name="numbers")


def _cells(ends: Interval | None) -> tuple[Cell, Cell]:
    low, high = as_json(ends) if ends else (None, None)
    return low, high


def _dot(name: str, one: Measure) -> Dot:
    low, high = as_json(one.population) if one.population else (None, None)
    return Dot(name=name, value=one.value, low=low, high=high)


def _benefit(name: str, one: Judgement) -> Curve:
    ends = [two.net_benefit.population or two.net_benefit.noise for two in one.thresholds]
    drawn = all(end is not None for end in ends)
    return Curve(
        name=name,
        x=tuple(two.at for two in one.thresholds),
        y=tuple(two.net_benefit.value for two in one.thresholds),
        low=tuple(end[0] for end in ends if end) if drawn else (),
        high=tuple(end[1] for end in ends if end) if drawn else (),
    )


def _every(one: Judgement) -> Curve:
    """That of calling all positive, where it is worth a look."""
    points = [(two.at, two.treat_all.value) for two in one.thresholds]
    known = [(at, value) for at, value in points if value is not None and value >= LOW]
    return Curve(name="all positive", x=tuple(at for at, _ in known), y=tuple(value for _, value in known))


def _groups(model: str, one: Judgement) -> Frame:
    names = list(next(iter(one.groups.values())))
    rows: list[tuple[Cell, ...]] = [
        (group, *(measures[name].value for name in names)) for group, measures in one.groups.items()
    ]
    rows.append(("largest less smallest", *(one.gaps[name].value if name in one.gaps else None for name in names)))
    title = f"groups{f' by {model}' if model else ''}"
    return Frame(title=title, name="groups", head=("group", *(TITLES[name] for name in names)), rows=tuple(rows))
