"""Declared columns as SQL, in layers: what cells say, then what is derived of it, then which rows a plan is about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from potluck.core.plan import Column
from potluck.core.tables.derived import Derive, Where
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.conditions import kept
from potluck.learning.data.derive import DEEPEST, DERIVATIONS, column_of, day, named, wrong_with
from potluck.learning.data.notation import Notation
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.sql.values import Cell, looked_at, unfit


@dataclass(frozen=True, slots=True)
class Expressions:
    """below, top: the layers in which cells are looked at, and in which the rest has names. values: by column; kept: 1
    where a row meets all conditions, else 0; None: there are none."""

    below: Layer
    top: Layer
    values: Mapping[str, str]
    kept: str | None


def expressions(
    fields: Sequence[Field], where: tuple[Where, ...], how: Notation, cells: Mapping[str, Cell], ground: Layer
) -> Expressions:
    """The values of fields, those of a source over its cells, derived ones over the others."""
    first = looked_at(ground)
    top = first.above("v")
    values = {one.name: top.define(value_of(one, cells[one.name], how, first)) for one in fields if not derived(one)}
    known = {one.name: one for one in fields}
    for depth, some in enumerate(by_depth(fields)):
        below = top.above(f"p{depth}_")
        top = below.above(f"w{depth}_")
        values |= {one.name: top.define(_made(one, known, values, below)) for one in some}
    if not where:
        return Expressions(first, top, values, None)
    last = top.above("k")
    condition = kept(where, known, values, how, ground.dialect)
    return Expressions(first, last, values, last.define(cases([(condition, "1")], "0")))


def derived(one: Field) -> bool:
    """Whether a field stands in no source."""
    return one.derive is not msgspec.UNSET


def value_of(one: Field, cell: Cell, how: Notation, layer: Layer) -> str:
    """SQL of what a cell says."""
    return COLUMNS.of(one.kind).value(one, cell, how, layer)


def _of(one: Field) -> Derive:
    assert isinstance(one.derive, Derive)
    return one.derive


def by_depth(fields: Sequence[Field]) -> list[list[Field]]:
    """Derived fields such that each is made of those of a source, and of those in lists before its own.

    Raises LookupError: one is made of itself, or of what is not there.
    """
    known = {one.name for one in fields if not derived(one)}
    rest = [one for one in fields if derived(one)]
    found: list[list[Field]] = []
    while rest:
        found.append([one for one in rest if known.issuperset(named(_of(one)))])
        if not found[-1] or len(found) > DEEPEST:
            raise LookupError(f"column {rest[0].name!r} is made of what is not there")
        known |= {one.name for one in found[-1]}
        rest = [one for one in rest if one.name not in known]
    return found


def _made(one: Field, known: Mapping[str, Field], values: Mapping[str, str], layer: Layer) -> str:
    """NULL where something that it is made of has no value; what does not fit there is told there, and is 0 here."""
    entry, d = _of(one), layer.dialect
    names = [values[name] for name in named(entry)]
    to = day(entry.to) if entry.to is not None else None
    given = names if to is None else [*names, d.double(to)]
    made = DERIVATIONS.of(entry.kind).value(entry, known[entry.source], given, layer)
    absent = " OR ".join(f"{name} IS NULL" for name in names)
    return cases([(absent, "NULL"), (" OR ".join(unfit(name, d) for name in names), d.double(0))], made)


def made_wrong(fields: Sequence[Field]) -> Iterator[str]:
    """What of the derived fields of a model file cannot be."""
    if len({one.name for one in fields}) < len(fields):
        yield "a column of it is there twice"
        return
    some = [one for one in fields if derived(one)]
    if any(_of(one).kind not in DERIVATIONS.entries for one in some):
        yield "a column of it is derived in a way that is not in this version"
        return
    try:
        by_depth(fields)
    except LookupError as error:
        yield str(error.args[0])
        return
    known = {one.name: Column(kind=one.kind, low=one.low, high=one.high, values=one.values) for one in fields}
    for one in some:
        if wrong_with("it", _of(one), known) or not _as_made(one):
            yield f"column {one.name!r} cannot be derived as it says"


def _as_made(one: Field) -> bool:
    """Whether a field is what its entry makes."""
    column = column_of(_of(one))
    made = COLUMNS.of(column.kind).field(one.name, column)
    return msgspec.structs.replace(made, derive=one.derive) == msgspec.structs.replace(one, reference=made.reference)


def misfit(one: Field, typed: bool) -> tuple[str, str]:
    """What is wrong with an infinite value of a field, and a hint. typed: its source has numbers there."""
    if derived(one):
        return DERIVATIONS.of(_of(one).kind).unfit, f"see data.derive.{one.name}"
    return COLUMNS.of(one.kind).unfit(one, typed)
