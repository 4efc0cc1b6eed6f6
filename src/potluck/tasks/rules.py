"""Rules of a plan that no single room knows: who takes part, and which tables a task needs."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache

import msgspec

from potluck.core.bounds import Bounds, Size, outside
from potluck.core.plan import Model, Plan, repeated, required
from potluck.core.registry import Known, known_of
from potluck.core.traits import TRAITS, own_tables
from potluck.learning.data.reduce import REDUCTIONS
from potluck.learning.models.kinds import MODELS
from potluck.members.names import LONGEST, TAKEN, file_name

MOST_VALUES = 100_000
"""Values of all declared categories together."""
MOST_LETTERS = 3_000_000
"""Of all texts of a plan together: its JSON, which a site keeps, has room for no more."""


def errors_of(plan: Plan) -> list[str]:
    """One line a problem: `key: what. hint: what to do`. Empty where the plan can be handed to the rooms."""
    if early := too_long(plan) or [*_words("", plan)]:
        return early
    return [*_names(plan), *outside(plan, Bounds), *_federation(plan), *_tables(plan), *_data(plan), *_permit(plan)]


def over(plan: Plan, now: datetime) -> list[str]:
    """Whether its permit is over, as an error of the plan. now: with its time zone."""
    if not plan.ended(now):
        return []
    return [f"permit.expires: {required(plan.permitted).expires} is over. hint: ask for a new permit, and say its days"]


def too_long(plan: Plan) -> list[str]:
    """Lists and texts beyond what any plan needs. Asked first: a plan may come from anybody, and other rules look at
    each name."""
    return outside(plan, Size) or [*_values(plan), *_letters(plan)]


def _values(plan: Plan) -> Iterator[str]:
    data = plan.data
    of_rows = {name: len(column.values) for name, column in data.columns.items()}
    of_rows |= {name: len(one.values) + len(one.map) + len(one.edges) for name, one in data.derive.items()}
    values = sum(of_rows.values())
    for name, one in data.reduce.columns.items() if data.reduce else ():
        kind = REDUCTIONS.entries.get(one.kind)
        kept = of_rows.get(one.source or name, 0) if kind and kind.keeps else 0  # persons have each of them again
        values += len(one.values) + kept
    if values > MOST_VALUES:
        what = f"{values} values of categories are more than the {MOST_VALUES} that a plan may have"
        yield f"data.columns: {what}. hint: fewer, or columns of numbers"


def _letters(plan: Plan) -> Iterator[str]:
    letters = sum(map(len, _texts(plan)))
    if letters > MOST_LETTERS:
        what = f"all its texts have {letters} letters, more than the {MOST_LETTERS} that a plan may have"
        yield f"name: {what}. hint: fewer columns, or shorter names"


def _words(key: str, value: object) -> Iterator[str]:
    """Words that stand in no table: the grammar refuses them, and a plan may come from anybody."""
    if isinstance(value, msgspec.Struct):
        for name, known in _tables_of(type(value)):
            inner = getattr(value, name)
            at = f"{key}.{name}" if key else name
            if known is not None and inner is not None and inner not in known.words():
                yield f"{at}: is not known here. hint: known: {', '.join(known.words())}"
            yield from _words(at, inner)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _words(f"{key}.{name}", one)
    elif isinstance(value, tuple):
        for one in value:
            yield from _words(key, one)


@cache
def _tables_of(kind: type[msgspec.Struct]) -> tuple[tuple[str, Known | None], ...]:
    """The fields of a struct that may hold words of a table, with the table of those that are such words."""
    return tuple((one.name, known_of(one.type)) for one in msgspec.structs.fields(kind))


def _texts(value: object) -> Iterator[str]:
    """Every text of a plan, names of columns too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from _texts(getattr(value, field))
    elif isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from _texts(one)


def _names(plan: Plan) -> list[str]:
    found = []
    if not plan.name.strip():
        found.append("name: is empty. hint: give the plan a name")
    if not plan.purpose.strip():
        found.append("purpose: is empty. hint: say what is to be learnt, and why")
    return found


def _federation(plan: Plan) -> list[str]:
    fed = plan.federation
    found = []
    twice = repeated(fed.sites)
    if not fed.sites:
        found.append("federation.sites: is empty. hint: name the sites")
    if twice:
        found.append(f"federation.sites: {', '.join(twice)} is there twice. hint: name each site once")
    files: dict[str, str] = {}
    for name in fed.sites:
        first = files.setdefault(file_name(name), name)
        if first != name:
            found.append(f"federation.sites: {first} and {name} would share one file. hint: give one another name")
    if any(not name.strip() or len(name) > LONGEST or name in TAKEN for name in fed.sites):
        what = 'a name is empty, "server", "broker" or over 100 letters'
        found.append(f"federation.sites: {what}. hint: use short names")
    for key, value in (("corrupt", fed.corrupt), ("dropouts", fed.dropouts)):
        if value >= max(len(fed.sites), 1):
            found.append(f"federation.{key}: {value} does not fit {len(fed.sites)} sites. hint: 0 or more, below n")
    return found


def _tables(plan: Plan) -> list[str]:
    traits = plan.traits
    need = (key for key in traits.needs if not getattr(plan, key))
    found = [f'{key}: is missing. hint: task = "{plan.task}" needs it' for key in need]
    for key in own_tables():
        if key not in traits.tables and getattr(plan, key) is not None:
            words = " or ".join(f'"{name}"' for name, one in TRAITS.entries.items() if key in one.tables)
            found.append(f"{key}: is for task = {words}. hint: leave the table out, or change the task")
    if traits.learns:
        if plan.model is not None:
            found += _trained(plan, plan.model)
        if plan.data.target is None and (plan.model is None or plan.model.loss is None):
            found.append("data.target: is missing. hint: say which column is predicted")
    return found


def _data(plan: Plan) -> Iterator[str]:
    """Words of [data] that only tasks of sums have, or that nothing of the task reads."""
    data, traits = plan.data, plan.traits
    if data.target is not None and bool(data.target.column) == bool(data.target.columns):
        yield 'data.target: takes column or columns. hint: column = "ill", or columns for several labels of a row'
    known = " or ".join(f'"{name}"' for name, one in TRAITS.entries.items() if one.sums)
    for key in ("join", "derive", "where", "reduce"):
        if getattr(data, key) and not traits.sums:
            yield f"data.{key}: is for task = {known} in this version. hint: leave it out, or prepare the rows before"
    if traits.scores and data.fold:
        yield "data.fold: the model says how values compare. hint: leave it out"
    if traits.keyed:
        for key, value in (("fold", data.fold), ("decimal", data.decimal != ".")):
            if value:
                yield f"data.{key}: keys compare as they are written. hint: leave it out"


def _permit(plan: Plan) -> Iterator[str]:
    permit = plan.permitted
    if permit is None:
        return
    if not permit.said:
        yield "permit: says nothing. hint: number, basis, controller, contact, retention or expires; or leave it out"
    for key, said in permit.said.items():
        if not said.strip():
            yield f"permit.{key}: is empty. hint: leave the key out"
    try:
        _ = permit.last
    except ValueError:
        yield "permit.expires: is no day. hint: the last day on which rows may be used, as 2027-12-31"


def _trained(plan: Plan, model: Model) -> list[str]:
    """What training needs of its model table, which a prediction's has not."""
    found = []
    if model.kind is None:
        found.append(f"model.kind: is missing. hint: add it: one of {', '.join(MODELS.words())}")
    if model.file is not None:
        found.append('model.file: is for task = "predict". hint: leave it out')
    for key, given in (("graph", plan.drawn), ("loss", model.loss is not None)):
        if given and not plan.traits.labelled:
            found.append(f'model.{key}: task = "{plan.task}" trains none. hint: task = "train", or leave it out')
    if plan.begun and not plan.traits.labelled:
        found.append(f'model.start: task = "{plan.task}" begins anew. hint: task = "train", or leave it out')
    return found
