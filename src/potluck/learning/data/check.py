"""What is wrong with a plan's declared columns and its split. One line a problem, with a hint."""

from collections.abc import Sequence

from potluck.core.plan import Plan, repeated
from potluck.learning.data.column import COLUMNS, missing_keys


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


def of_features(names: Sequence[str]) -> list[str]:
    """What is wrong with the features that columns become, by name."""
    if not names:
        return [f"data.columns: there is no feature. hint: declare columns of kind {' or '.join(COLUMNS.words())}"]
    clash = sorted({*repeated(names), *({"intercept"} & set(names))})
    return [f"data.columns: two features would be called {clash[0]}. hint: rename a column"] if clash else []
