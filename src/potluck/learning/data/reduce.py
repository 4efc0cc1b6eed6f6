"""A kind of column of persons as one object: what the rows of a person come to. And what is wrong with a plan's.

A kind is a file in `reductions/` and a line in its table. It is an aggregate that does not depend on the order in which
rows stand, and that every engine computes alike.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from potluck.core.plan import Column, Plan
from potluck.core.registry import Registry, table
from potluck.core.tables.derived import Reduce, Reduced
from potluck.learning.data.column import COLUMNS, ColumnKind, Field
from potluck.learning.data.derive import named
from potluck.learning.data.notation import Notation
from potluck.learning.data.sql.dialect import Dialect

UNREAD = ("values", "low", "high", "reference")
"""Keys that some kinds read and others do not."""


@dataclass(frozen=True, slots=True)
class Given:
    """What an aggregate is made of, as names in a query, each NULL in rows that are not meant. value: of the column, or
    of what is 1 in every row; order: of what rows follow one another by, "" where the plan says none."""

    value: str
    order: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """One kind of column of persons.

    keys: of an entry, those that it reads beside kind and from. takes: whether it is made of a column of this kind,
    which `taken` calls by name. counts: it needs no column: it then counts rows. ordered: it needs `data.reduce.order`.
    keeps: its value is that of one of the rows, and its column is theirs.
    check: what of an entry at this key of the plan does not fit, given the column that it is made of.
    said: in a few words what it is, given what its column and `data.reduce.order` are called.
    column: what it becomes, as a plan would declare it. gathered: SQL of aggregates over a person's rows, given the
    field that it is made of. value: SQL of the person's value, given the names of these; NULL: it has none.
    """

    keys: frozenset[str] = frozenset()
    taken: str
    takes: Callable[[ColumnKind], bool]
    said: Callable[[Reduced, str, str], str]
    counts: bool = False
    ordered: bool = False
    keeps: bool = False
    check: Callable[[str, Reduced, Column, Notation], list[str]] = lambda at, one, source, how: []
    column: Callable[[Reduced, Column], Column] = lambda one, source: source
    gathered: Callable[[Reduced, Field, Given, Notation, Dialect], tuple[str, ...]]
    value: Callable[[Field, Sequence[str], Dialect], str] = lambda one, names, d: names[0]


REDUCTIONS: Registry[Reduction] = table("data.reduce.columns.kind")
ROWS = Column(kind="number", low=0, high=1)
"""The column of which a count of rows is made: each row has it."""


def source_of(name: str, one: Reduced) -> str | None:
    """The column that an entry is made of; None: it counts rows."""
    if one.source is None and REDUCTIONS.of(one.kind).counts:
        return None
    return name if one.source is None else one.source


def column_of_persons(one: Reduced, source: Column | None) -> Column:
    """What an entry becomes, as a plan would declare it. source: what it is made of."""
    return REDUCTIONS.of(one.kind).column(one, source or ROWS)


def said(plan: Plan) -> str:
    """How rows become persons, as people read it; empty where they do not."""
    reduce = plan.data.reduce
    if reduce is None:
        return ""
    each = [
        f"{name} is {REDUCTIONS.of(one.kind).said(one, source_of(name, one) or '', reduce.order or '')}"
        for name, one in reduce.columns.items()
    ]
    return f"One row a person ({plan.data.person}): {'; '.join(each)}"


def of_reduce(plan: Plan, how: Notation, rows: Mapping[str, Column]) -> list[str]:
    """What is wrong with how rows become persons. rows: their columns. One line a problem."""
    reduce = plan.data.reduce
    if reduce is None:
        return []
    found = [*_beside(plan), *_order(reduce, rows, plan.data.person)]
    for name, one in reduce.columns.items():
        found += _entry(f"data.reduce.columns.{name}", name, one, plan, how, rows)
    return found or [*_unused(plan, reduce, rows)]


def _beside(plan: Plan) -> Iterator[str]:
    """What other keys say that does not go with it."""
    data, privacy = plan.data, plan.privacy
    if data.person is None:
        yield "data.person: is missing: rows are reduced to persons. hint: name the column that says whose row it is"
    if plan.noisy and privacy.unit == "row":
        yield 'privacy.unit: a row is one of several that make a person\'s. hint: unit = "person"'
    if privacy.rows_per_person not in (None, 1):
        yield "privacy.rows_per_person: a person has one row, as data.reduce says. hint: leave it out"
    if plan.traits.labelled and data.split and data.split.column is not None:
        yield "data.split.column: it is a row's, and persons are held out. hint: data.split.test, e.g. 0.25"
    for target in data.target.names if plan.traits.labelled and data.target else ():
        if data.reduce and target not in data.reduce.columns:
            what = f"nothing says what {target} of a person is"
            yield f"data.target.column: {what}. hint: an entry of data.reduce.columns"


def _order(reduce: Reduce, rows: Mapping[str, Column], person: str | None) -> list[str]:
    at, name = "data.reduce.order", reduce.order
    wanted = [word for word, one in REDUCTIONS.entries.items() if one.ordered]
    uses = [one.kind for one in reduce.columns.values() if one.kind in wanted]
    if name is None:
        return [f"{at}: is missing: {uses[0]} needs it. hint: a column of dates or numbers"] if uses else []
    column = rows.get(name)
    if column is None or column.ignored or name == person:
        return [f"{at}: {name} is not a declared column. hint: declare it in data.columns, or derive it"]
    kind = COLUMNS.of(column.kind)
    if not (kind.dated or kind.measured):
        return [f"{at}: {name} is a {column.kind}. hint: a column of dates or numbers"]
    return [] if uses else [f"{at}: nothing reads it. hint: leave it out; {' and '.join(wanted)} do"]


def _entry(at: str, name: str, one: Reduced, plan: Plan, how: Notation, rows: Mapping[str, Column]) -> list[str]:
    kind, bare, person = REDUCTIONS.of(one.kind), Reduced(kind=one.kind), plan.data.person
    if "*" in name or not name.strip():
        return [f"{at}: is no name. hint: letters, and no *"]
    for key in UNREAD:
        if key not in kind.keys and getattr(one, key) != getattr(bare, key):
            reads = f"it reads {', '.join(sorted(kind.keys | {'from'}))}"
            return [f"{at}.{key}: {one.kind} does not read it. hint: leave it out; {reads}"]
    source = source_of(name, one)
    column = ROWS if source is None else rows.get(source)
    if column is None or column.ignored or source == person:
        hint = f"declare it in data.columns as {kind.taken}, or derive it; from says which column an entry is made of"
        return [f"{at}.from: {source} is not a declared column. hint: {hint}"]
    if (name in rows and source != name) or name == person:
        return [f"{at}: is called as another column of the rows is. hint: give it a name of its own"]
    if not kind.takes(COLUMNS.of(column.kind)):
        return [f"{at}.from: {source} is a {column.kind}. hint: {one.kind} takes {kind.taken}"]
    made = kind.check(at, one, column, how)
    return made or COLUMNS.of(column_of_persons(one, column).kind).check(at, column_of_persons(one, column), how)


def _unused(plan: Plan, reduce: Reduce, rows: Mapping[str, Column]) -> Iterator[str]:
    """Columns of which nothing says what becomes of them: a person has none of them then."""
    used = {source_of(name, one) for name, one in reduce.columns.items()}
    used |= {reduce.order, plan.data.person, *(one.column for one in plan.data.where)}
    for name in reversed(plan.data.derive):
        used |= set(named(plan.data.derive[name])) if name in used else set()
    for name, column in rows.items():
        if name not in used and not column.ignored:
            key = "derive" if name in plan.data.derive else "columns"
            what = "nothing says what it is of a person who has several rows"
            yield f"data.{key}.{name}: {what}. hint: an entry of data.reduce.columns, or leave it out"
