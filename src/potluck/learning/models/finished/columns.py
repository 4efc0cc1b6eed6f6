"""What rows have to look like for finished models: columns and target, which a plan need not write.

A model says how its features are made, so a plan that writes no column reads those that its models read, as they were
declared when they were trained. A plan may write a column itself, and must say the same of it: but that a row without
a value is refused or left out, and in which texts files say "no value", is each plan's own.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from potluck.core.errors import PlanError
from potluck.core.plan import IGNORED, Column, Data, Plan, Target
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.encode import Encoding, encoding
from potluck.learning.data.notation import key
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.models.model import Model

OWN = "declare it as the model's own plan did, or leave it out"
WRITTEN = ("missing", "decimal", "fold", "separator", "encoding")
"""How files are spelt: as the plan writes it, else as the models' files were."""


def filled(plan: Plan, models: Sequence[Model], written: Mapping[str, object]) -> Plan:
    """The plan with the columns and the target of its models, where it does not say its own. A pattern that it says
    goes: models have names. written: its `[data]`, as its author wrote it.

    Raises PlanError: a column would stand behind others in files without a header.
    """
    data, first = plan.data, models[0]
    bare = not data.header and not data.columns
    notation = {name: _unset(getattr(first.encoding, name), name, data) for name in WRITTEN if name not in written}
    data = _with_target(msgspec.structs.replace(data, **notation), first.target, bare)
    if bare:
        data = _in_order(data, first.encoding)
    taken = [field for model in models for field in (*model.encoding.beside, *model.encoding.fields)]
    names = {one.name for one in taken}
    columns = {name: one for name, one in data.columns.items() if "*" not in name or name in names or not data.header}
    derive, known = dict(data.derive), {*columns, *data.derive, *(data.reduce.columns if data.reduce else ())}
    for one in taken:
        if one.name in known:
            continue
        known.add(one.name)
        if one.derive:
            derive[one.name] = one.derive
        elif data.header:
            columns[one.name] = column_of(one)
        else:
            what = f"data.columns: the model takes {one.name}, and without a header each column has its place"
            raise PlanError(what, hint="declare all columns, in file order")
    return msgspec.structs.replace(plan, data=msgspec.structs.replace(data, columns=columns, derive=derive))


def _unset(value: object, name: str, data: Data) -> object:
    """What a model says of files, or the plan's own default."""
    return getattr(data, name) if value is msgspec.UNSET else value


def column_of(one: Field) -> Column:
    """The column that is encoded as this field."""
    kind = COLUMNS.of(one.kind)
    ranged = kind.measured or (kind.reader is not None and not kind.worded)
    low, high = (one.low, one.high) if ranged else (None, None)
    return Column(
        kind=one.kind,
        low=low,
        high=high,
        values=one.values,
        reference=one.reference or None,
        missing=one.missing,
        format=one.format or None,
        shape=one.shape or None,
        length=one.length or None,
        digest=one.tokenizer or None,
        alphabet=one.alphabet,
    )


def _with_target(data: Data, goal: Goal, bare: bool) -> Data:
    """The model's target, or the plan's own column with what the model says of it. What else than positive there may be
    is said by the column, or by the model. bare: files have no header, and the plan declares no column."""
    target = data.target or (Target(columns=goal.columns) if goal.columns else Target(column=goal.column))
    columns = dict(data.columns)
    for name in target.names if data.header or bare else ():
        if name not in columns and name not in data.derive:
            columns |= {name: one} if (one := _declared(goal, data.target)) is not None else {}
    if target.positive is None and target.classes is None and goal.side != "number":
        sides = {"classes": goal.classes} if goal.side == "classes" else {"positive": goal.positive}
        target = msgspec.structs.replace(target, **sides)
    return msgspec.structs.replace(data, target=target, columns=columns)


def _declared(goal: Goal, own: Target | None) -> Column | None:
    """How a target's column is declared; None where any value counts as negative. own: the plan's: it says then how
    sides are spelt."""
    if goal.side == "number":
        return Column(kind="number", low=goal.low, high=goal.high)
    said = own is not None and (own.positive is not None or own.classes is not None)
    return Column(kind="category", values=goal.values) if goal.values and not said else None


def _in_order(data: Data, how: Encoding) -> Data:
    """Columns in the order of the files that the model was trained on, which had no header either."""
    fields = {one.name: one for one in how.fields} | {one.name: one for one in how.beside if not one.derive}
    columns = {name: column_of(fields[name]) for name in how.layout if name in fields}
    order = {name: columns.get(name, data.columns.get(name, Column(kind=IGNORED))) for name in how.layout}
    return msgspec.structs.replace(data, columns=order)


def unlike(plan: Plan, models: Sequence[Model]) -> Iterator[str]:
    """What of a plan, whose columns are known and declared well, does not fit its models. One line a problem."""
    declared = {one.name: one for one in encoding(plan).fields}
    for number, model in enumerate(models, 1):
        which = "the model" if len(models) == 1 else f"model {number}"
        for one in model.encoding.fields:
            mine = declared.get(one.name)
            if mine is None:
                yield f"data.columns.{one.name}: {which} takes it, and it is no feature here. hint: {OWN}"
            elif _alike(mine) != _alike(one) or (mine.missing == "mean") > (one.missing == "mean"):
                yield f"data.columns.{one.name}: {which} was trained on it as declared otherwise. hint: {OWN}"
        if different := _apart(goal_of(plan), model.target):
            yield f"data.target: {which} predicts {different}. hint: {OWN}"


def _alike(one: Field) -> Field:
    """What of a field makes features: whether a row without a value is refused or left out does not, nor what a model
    fills it with."""
    return msgspec.structs.replace(one, missing="flag" if one.missing == "flag" else "refuse", fill=msgspec.UNSET)


def _apart(mine: Goal, its: Goal) -> str:
    """What a model predicts, where the plan's target is of another sort. Hospitals may call a column and its positive
    values otherwise: only what numbers mean has to be the same."""
    if mine.side != its.side:
        return "a target of another sort"
    if mine.side == "classes" and list(map(key, mine.classes)) != list(map(key, its.classes)):
        return "other classes, or these in another order"
    if len(mine.names) != len(its.names):
        return f"{len(its.names)} labels"
    return "numbers on another range" if mine.side == "number" and (mine.low, mine.high) != (its.low, its.high) else ""


def spelt_otherwise(plan: Plan, models: Sequence[Model]) -> Iterator[str]:
    """What gives pause: other values are positive here than were when a model was trained."""
    goal = goal_of(plan)
    if any(set(map(key, one.target.positive)) != set(map(key, goal.positive)) for one in models):
        what = "other values are positive here than when the model was trained"
        yield f"data.target.positive: {what}. hint: nothing, where these hospitals spell them so"
