"""What is wrong with a plan's target, and with lists of values. One line a problem."""

from collections.abc import Iterator, Mapping

from potluck.core.plan import Column, Model, Plan, Target, repeated
from potluck.core.visible import visible
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.declared import find
from potluck.learning.data.notation import Notation
from potluck.learning.data.target import Side, worded_columns
from potluck.learning.data.texts.next_tokens import FEWEST
from potluck.learning.models.kinds import MODELS

SIDES: dict[Side, str] = {
    "number": "a number",
    "binary": "one of two sides",
    "classes": "one of several classes",
    "labels": "several labels",
    "tokens": "next tokens",
}
KEYS: dict[Side, str] = {
    "number": "leave positive and classes out",
    "binary": 'positive = ["1"]',
    "classes": "classes",
    "labels": "columns with positive",
    "tokens": "model.loss",
}
"""What a target of each sort says."""


def of_target(plan: Plan, how: Notation) -> list[str]:
    """What is wrong with the target, for the plan's kind of model."""
    if plan.model is not None and plan.model.loss is not None:
        return [*_of_next_tokens(plan, plan.model)]
    target = plan.data.target
    if target is None or plan.model is None or plan.model.kind is None:
        return []
    at, columns = "data.target", {name: find(plan, name) for name in target.names}
    if target.positive is not None and target.classes is not None:
        return [f"{at}: has both positive and classes. hint: positive for two sides, classes for several"]
    at_column = f"{at}.columns" if target.columns else f"{at}.column"
    for name, column in columns.items():
        if wrong := _column(name, column, header=plan.data.header):
            return [f"{at_column}: {wrong}"]
    if odd := _labels(target, columns, how):
        return [f"{at_column}: {odd}"]
    ((name, column), *_) = columns.items()
    if target.positive is None and target.classes is None:
        missing = _negative(f"{at}.negative", target, column, how)
        return missing or _predicts(at, plan.model.kind, "number") or _regression(at, name, column)
    key_, given = ("classes", target.classes) if target.classes is not None else ("positive", target.positive)
    assert given is not None
    side: Side = "classes" if key_ == "classes" else "labels" if target.columns else "binary"
    found = _predicts(at_column if target.columns else f"{at}.{key_}", plan.model.kind, side)
    found += [*_sides(at, key_, given, column, how), *how.not_missing(f"{at}.{key_}", given)]
    return [*found, *_negative(f"{at}.negative", target, column, how)]


def _column(name: str, column: Column | None, *, header: bool) -> str:
    """Why a column cannot be predicted, whatever of it."""
    if column is None:
        return "" if header else f"{name} is not among data.columns. hint: without a header declare every column"
    if column.ignored:
        return f"{name} is ignored. hint: declare its kind, or leave its entry out"
    if COLUMNS.of(column.kind).dated:
        return f"{name} is a {column.kind}. hint: predict what data.derive makes of it"
    return ""


def _labels(target: Target, columns: Mapping[str, Column | None], how: Notation) -> str:
    """What is wrong with several labels."""
    if not target.columns:
        return ""
    if twice := repeated(target.columns):
        return f"{twice[0]} is there twice. hint: list each label once"
    if len(target.columns) == 1:
        return f'lists one label. hint: column = "{visible(target.columns[0])}"'
    if target.positive is None:
        left = "" if target.classes is None else ", instead of classes"
        return f'labels are of two sides each. hint: positive = ["1"]{left}'
    known = {frozenset(map(how.key, column.values)) if column else frozenset() for column in columns.values()}
    if len(known) > 1:
        return "labels are declared with different values. hint: declare them alike"
    return ""


def _of_next_tokens(plan: Plan, model: Model) -> Iterator[str]:
    """What of a plan does not fit a language model. Its graph is compared in `models.graph_shapes`."""
    if plan.data.target is not None:
        yield "data.target: a language model predicts the tokens of a text. hint: leave it out, or model.loss"
    if not plan.drawn or model.kind is None or not MODELS.of(model.kind).deep:
        what = "next tokens are predicted by a network of a graph alone"
        yield f'model.loss: {what}. hint: kind = "network" with model.graph, or leave it out and say data.target'
    texts = worded_columns(plan)
    if len(texts) != 1 or "*" in texts[0]:
        found = ", ".join(texts) or "none"
        what = f"next tokens are of one column of texts, by its name, and there is {found}"
        yield f'model.loss: {what}. hint: one with kind = "text"'
        return
    at, column = f"data.columns.{texts[0]}", plan.data.columns[texts[0]]
    if column.length is not None and column.length < FEWEST:
        yield f"{at}.length: of one token none follows another. hint: e.g. length = 128"
    if column.missing == "flag":
        yield f'{at}.missing: a row without a text has no token to predict. hint: "drop" or "refuse"'


def _negative(at: str, target: Target, column: Column | None, how: Notation) -> list[str]:
    given = target.negative
    if given is None:
        return []
    if target.positive is None:
        return [f"{at}: goes with positive. hint: leave it out"]
    if not given:
        return [f"{at}: lists none. hint: list the values that count as 0, or leave it out"]
    again = how.twice((*target.positive, *given))
    if again:
        return [f"{at}: {again} is there twice, or positive too. hint: list each once, on one side"]
    values = {how.key(value) for value in column.values} if column is not None and column.values else None
    odd = [value for value in given if values is not None and how.key(value) not in values]
    if column is not None and odd:
        return [f"{at}: {odd[0]} is no value of the target's column. hint: values are {', '.join(column.values)}"]
    return how.not_missing(at, given)


def _sides(at: str, name: str, given: tuple[str, ...], column: Column | None, how: Notation) -> list[str]:
    least = 1 if name == "positive" else 2
    if len(given) < least:
        return [f"{at}.{name}: the target has one class. hint: list at least {least}"]
    if again := how.twice(given):
        return [f"{at}.{name}: {again} is there twice. hint: list each once"]
    if column is None or not column.values:
        return []
    values, chosen = {how.key(value) for value in column.values}, {how.key(value) for value in given}
    odd = [value for value in given if how.key(value) not in values]
    if odd:
        return [f"{at}.{name}: {odd[0]} is no value of {at}.column. hint: values are {', '.join(column.values)}"]
    if name == "positive" and values == chosen:
        return [f"{at}.positive: holds every value, so the target has one class. hint: leave the negative ones out"]
    return []


def _predicts(at: str, kind: str, side: Side) -> list[str]:
    """That the kind of model predicts nothing of the sort that the target says."""
    known = MODELS.of(kind).targets
    if side in known:
        return []
    others = " or ".join(f'"{word}"' for word, one in MODELS.entries.items() if side in one.targets)
    what = f"a {kind} model predicts {' or '.join(SIDES[one] for one in known)}"
    if side == "number":
        what += ", so it needs positive" if "binary" in known else ", so it needs classes"
    return [f"{at}: {what}. hint: {' or '.join(KEYS[one] for one in known)}, or kind = {others}"]


def _regression(at: str, name: str, column: Column | None) -> list[str]:
    if column is None or not COLUMNS.of(column.kind).measured:
        hint = f'{name} = {{ kind = "number", low = 0, high = 1 }} in data.columns; positive or classes for categories'
        return [f"{at}: a number to predict needs its column's low and high. hint: {hint}"]
    return []
