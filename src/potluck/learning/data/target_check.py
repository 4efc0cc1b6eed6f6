"""What is wrong with a plan's target, and with lists of values. One line a problem."""

from __future__ import annotations

from potluck.core.plan import Column, Plan, Target
from potluck.learning.data.encode import Key, key


def of_target(plan: Plan, gone: frozenset[Key]) -> list[str]:
    """What is wrong with the target, for the plan's kind of model. gone: the keys of what means "no value"."""
    target = plan.data.target
    if target is None or plan.model is None or plan.model.kind is None:
        return []
    column = plan.data.columns.get(target.column)
    at, kind = "data.target", plan.model.kind
    if target.positive is not None and target.classes is not None:
        return [f"{at}: has both positive and classes. hint: positive for two sides, classes for several"]
    if not plan.data.header and column is None:
        return [f"{at}.column: {target.column} is not among data.columns. hint: without a header declare every column"]
    if column is not None and column.kind == "ignore":
        return [f"{at}.column: {target.column} is ignored. hint: declare its kind, or leave its entry out"]
    if target.positive is None and target.classes is None:
        odd = _negative(f"{at}.negative", target, column, gone)
        return odd or _regression(at, kind, target.column, column)
    key_, given = ("classes", target.classes) if target.classes is not None else ("positive", target.positive)
    assert given is not None
    found = []
    if kind == "linear":
        found.append(f'{at}.{key_}: a linear model predicts a number. hint: kind = "logistic", or leave {key_} out')
    if kind == "logistic" and target.classes is not None:
        found.append(
            f'{at}.classes: logistic knows two sides. hint: kind = "network", or `positive` for one against all'
        )
    found += [*_sides(at, key_, given, column), *not_missing(f"{at}.{key_}", given, gone)]
    return [*found, *_negative(f"{at}.negative", target, column, gone)]


def _negative(at: str, target: Target, column: Column | None, gone: frozenset[Key]) -> list[str]:
    given = target.negative
    if given is None:
        return []
    if target.positive is None:
        return [f"{at}: goes with positive. hint: leave it out"]
    if not given:
        return [f"{at}: lists none. hint: list the values that count as 0, or leave it out"]
    again = twice((*target.positive, *given))
    if again:
        return [f"{at}: {again} is there twice, or positive too. hint: list each once, on one side"]
    values = {key(value) for value in column.values} if column is not None and column.kind == "category" else None
    odd = [value for value in given if values is not None and key(value) not in values]
    if column is not None and odd:
        return [f"{at}: {odd[0]} is no value of the target's column. hint: values are {', '.join(column.values)}"]
    return not_missing(at, given, gone)


def _sides(at: str, name: str, given: tuple[str, ...], column: Column | None) -> list[str]:
    least = 1 if name == "positive" else 2
    if len(given) < least:
        return [f"{at}.{name}: the target has one class. hint: list at least {least}"]
    if twice(given):
        return [f"{at}.{name}: {twice(given)} is there twice. hint: list each once"]
    if column is None or column.kind != "category":
        return []
    values, chosen = {key(value) for value in column.values}, {key(value) for value in given}
    odd = [value for value in given if key(value) not in values]
    if odd:
        return [f"{at}.{name}: {odd[0]} is no value of {at}.column. hint: values are {', '.join(column.values)}"]
    if name == "positive" and values == chosen:
        return [f"{at}.positive: holds every value, so the target has one class. hint: leave the negative ones out"]
    return []


def _regression(at: str, kind: str, name: str, column: Column | None) -> list[str]:
    if kind == "logistic":
        return [f'{at}: a logistic model needs positive. hint: positive = ["1"], or kind = "linear" for a number']
    if column is None or column.kind != "number":
        hint = f'{name} = {{ kind = "number", low = 0, high = 1 }} in data.columns; positive or classes for categories'
        return [f"{at}: a number to predict needs its column's low and high. hint: {hint}"]
    return []


def missing_keys(plan: Plan) -> frozenset[Key]:
    """The keys of what means "no value". Made once a plan: a plan may list many columns and many such texts."""
    return frozenset(map(key, plan.data.missing))


def not_missing(at: str, values: tuple[str, ...], gone: frozenset[Key]) -> list[str]:
    """Values that also mean "no value"."""
    return [
        f'{at}: "{value}" is in data.missing too. hint: a text is a value or means "no value"; list it in one place'
        for value in values
        if key(value) in gone
    ][:1]


def twice(values: tuple[str, ...]) -> str:
    """The first value that repeats another ("1" and "1.0" are one), or ""."""
    seen: set[Key] = set()
    for value in values:
        if key(value) in seen:
            return value
        seen.add(key(value))
    return ""
