"""What of a plan the learners cannot do: combinations of model, method, target and columns. One line a problem."""

from __future__ import annotations

from collections.abc import Iterator

from potluck.core.plan import IGNORED, Plan, repeated
from potluck.learning.data.column import COLUMNS, missing_keys
from potluck.learning.data.encode import encoding
from potluck.learning.models.kinds import MODELS
from potluck.learning.models.layers import MOST_VALUES
from potluck.learning.models.target_check import of_target
from potluck.learning.pauses import pauses
from potluck.learning.statistics import check as statistics_check
from potluck.learning.training.methods import METHODS


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings): `key: what. hint: what to do`."""
    errors = of_columns(plan)
    if plan.traits.counts:
        return [*errors, *statistics_check.check(plan)], [*_ignored(plan), *_measured(plan)]
    errors += [*of_target(plan, missing_keys(plan)), *of_split(plan), *_method(plan)]
    if not errors:
        errors += _features(plan)
    return errors, [*pauses(plan), *_measured(plan)]


def _ignored(plan: Plan) -> list[str]:
    given = {"model": plan.model, "training": plan.training}
    tables = [f"{at}: is ignored beside statistics. hint: remove the table" for at, table in given.items() if table]
    named = [name for name, column in plan.data.columns.items() if column.reference is not None]
    return [
        *tables,
        *(f"data.columns.{name}.reference: is ignored beside statistics. hint: leave it out" for name in named),
    ]


def _measured(plan: Plan) -> Iterator[str]:
    """A person who is a measurement: whoever has k values of it is k persons."""
    name, column = plan.data.person, plan.data.columns.get(plan.data.person or "")
    hides = plan.privacy.noise != "none" and plan.privacy.unit == "person"
    if hides and column is not None and not column.ignored and COLUMNS.of(column.kind).measured:
        what = f"{name} is declared as a {column.kind} with a range: noise then hides each of its values, not who has"
        hint = f'name the column that says whose row it is, or declare it kind = "{IGNORED}"'
        yield f"data.person: {what} several. hint: {hint}"


def of_columns(plan: Plan) -> list[str]:
    """What is wrong with the declared columns. One line a problem."""
    found, gone = [], missing_keys(plan)
    for name, column in plan.data.columns.items():
        at = f"data.columns.{name}"
        if column.owner is not None and not plan.traits.joins:
            found.append(f'{at}: an owner is named where columns are at different ones. hint: task = "fit"')
        if not column.ignored:
            found += COLUMNS.of(column.kind).check(at, column, gone)
        if not plan.data.header and "*" in name:
            found.append(f"{at}: a pattern needs a header. hint: name the columns one by one, in file order")
    found += _roles(plan)
    if not plan.data.header:
        needed = {"data.person": plan.data.person, "data.split.column": plan.data.split and plan.data.split.column}
        found += [
            f"{at}: {name} is not among data.columns. hint: without a header every column is declared, in file order"
            for at, name in needed.items()
            if name and name not in plan.data.columns
        ]
    return found


def _roles(plan: Plan) -> list[str]:
    """Columns that would be two of target, person and split."""
    data, taken, found = plan.data, dict[str, str](), []
    target, split = data.target.column if data.target else None, data.split.column if data.split else None
    for at, name in {"data.target.column": target, "data.person": data.person, "data.split.column": split}.items():
        if name and taken.setdefault(name, at) != at:
            found.append(f"{at}: {name} is {taken[name]} too. hint: each takes a column of its own")
    return found


def of_split(plan: Plan) -> list[str]:
    """What is wrong with the split."""
    split = plan.data.split
    if split is None:
        return []
    if (split.test is None) == (split.column is None):
        return ["data.split: takes either test or column. hint: test = 0.25 holds a quarter of the rows out"]
    return []


def _method(plan: Plan) -> list[str]:
    model, spec = plan.model, plan.training
    if model is None or spec is None:
        return []
    found = []
    method = METHODS.of(spec.method)
    kind = MODELS.of(model.kind)
    if kind.slope is None or method.start is None:
        at, what = ("model.kind", model.kind) if kind.slope is None else ("training.method", spec.method)
        return [f'{at}: {what} is for columns at different owners alone in this version. hint: task = "fit"']
    by_site = " or ".join(f'"{word}"' for word, one in METHODS.entries.items() if one.by_site)
    if spec.aggregation != "mean" and not method.by_site:
        what = f'"{spec.aggregation}" joins what sites trained by themselves, and {spec.method} adds up'
        found.append(f'training.aggregation: {what}. hint: method = {by_site}, or aggregation = "mean"')
    if method.linear and kind.link is None:
        found.append(f"training.method: a {model.kind} is not trained by {spec.method}. hint: method = {by_site}")
    found += kind.check(model)
    if plan.privacy.noise != "none":
        found += method.noised(plan)
    return found


def _features(plan: Plan) -> list[str]:
    names = encoding(plan).names
    if not names:
        return [f"data.columns: there is no feature. hint: declare columns of kind {' or '.join(COLUMNS.words())}"]
    clash = sorted({*repeated(names), *({"intercept"} & set(names))})
    if clash:
        return [f"data.columns: two features would be called {clash[0]}. hint: rename a column"]
    assert plan.training is not None
    values = METHODS.of(plan.training.method).values(plan, len(names))
    if values > MOST_VALUES:
        what = f"the model has {values} values in a sum, {MOST_VALUES} are the most"
        return [f"model.kind: {what}. hint: fewer columns, or narrower layers"]
    return []
