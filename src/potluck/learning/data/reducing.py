"""Rows become persons inside the query: what the rows of each come to, one row a person.

Rows that meet the conditions count. A person is a text without blanks around it, or a number. Numbers that are spelt in
two ways are found here; whether other names look alike is for `persons` to tell, where any could.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from potluck.core.plan import Plan, required
from potluck.core.tables.derived import Reduced
from potluck.learning.data import encode
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.declared import declared
from potluck.learning.data.expressions import Expressions
from potluck.learning.data.notation import Notation
from potluck.learning.data.parts import Wish
from potluck.learning.data.persons import NOBODY
from potluck.learning.data.reduce import REDUCTIONS, ROWS, Given, column_of_persons, source_of
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.sql.values import CASE, Cell, absent, unfit
from potluck.learning.data.target import Goal, goal_of, of_derived

DIGITS = "^0*([0-9]+)$"
SEEN = "^([!-~]+( [!-~]+)*)$"
NUMBER = "^([+-]?([0-9_]+[.,]?[0-9_]*|[.,][0-9_]+)([eE][+-]?[0-9_]+)?)$"
"""Names that are digits, but for zeros before them; of letters that everybody sees; that may be numbers."""
NOTHING = encode.field("", ROWS)


@dataclass(frozen=True, slots=True)
class Reducing:
    """How a plan's rows become persons. rows: what is read of them; entries: by column of persons; order: the field of
    rows by which they follow one another; goals: of each column of the persons' target, with its field; values: of
    rows, each field whose undeclared values a target would keep, with the goal that refuses them."""

    rows: Wish
    entries: Mapping[str, Reduced]
    order: Field | None = None
    goals: tuple[tuple[Goal, Field], ...] = ()
    values: tuple[tuple[Goal, Field], ...] = ()

    @property
    def person(self) -> str:
        """The column that says whose a row is."""
        return required(self.rows.person)

    @property
    def shown(self) -> tuple[Field, ...]:
        """The fields of rows that their owner hears of."""
        return tuple(one for one in self.rows.fields if not COLUMNS.of(one.kind).dated)

    @property
    def counted(self) -> dict[str, Field]:
        """Columns of persons that count rows, as fields that their owner hears of: only then it is known which are
        beyond their range."""
        taken = {one.name for one in self.shown}
        return {
            name: encode.field(f"{name} (count)" if name in taken else name, column_of_persons(one, None))
            for name, one in self.entries.items()
            if REDUCTIONS.of(one.kind).counts
        }

    @property
    def told(self) -> tuple[Field, ...]:
        """All that their owner hears of."""
        return (*self.shown, *self.counted.values())

    def source(self, name: str) -> Field | None:
        """The field that a column of persons is made of; None: it counts rows."""
        source = source_of(name, self.entries[name])
        return next((one for one in self.rows.fields if one.name == source), None)


def reducing(plan: Plan) -> Reducing:
    """As a plan with `data.reduce` says it."""
    data, reduce = plan.data, required(plan.data.reduce)
    fields = encode.fields_of_rows(plan)
    direct = {source_of(name, one) for name, one in reduce.columns.items()} | {reduce.order}
    rows = Wish(
        tuple(one for one in fields if one.name in direct),
        encode.encoding(plan).notation,
        None if data.header else tuple(data.columns),
        person=data.person,
        helpers=tuple(one for one in fields if one.name not in direct),
        where=data.where,
    )
    found = Reducing(rows, reduce.columns, next((one for one in fields if one.name == reduce.order), None))
    if not plan.traits.labelled:
        return found
    columns, goals = declared(plan), goal_of(plan).each
    kept = ((one, found.source(one.column)) for one in goals if _keeps(found, one))
    return Reducing(
        rows,
        found.entries,
        found.order,
        tuple((one, encode.field(one.column, columns[one.column])) for one in goals),
        tuple((one, source) for one, source in kept if source is not None),
    )


def _keeps(found: Reducing, one: Goal) -> bool:
    """Whether a target's column would keep values of rows that the plan does not declare."""
    return REDUCTIONS.of(found.entries[one.column].kind).keeps and one.side != "number" and not one.open


@dataclass(frozen=True, slots=True)
class Persons:
    """A query of persons, whose layer gives a row each, and one of nobody for all rows that do not count. values: by
    column; kept: 1 of a person, 0 of nobody; None: there is none; name: of the person. Numbers of rows: read, and of
    them met, which count; wrong: 1 where something of a row does not fit, or a row that counts is nobody's; twice: 1
    where a number is spelt in two ways; odd: 1 where only `persons` can tell; columns: by column of rows that count,
    and of persons that count rows, how many values are what, as `Counting.add` takes them: `missing` where it is not
    the rest of the rows."""

    layer: Layer
    values: Mapping[str, str]
    kept: str | None
    name: str
    read: str
    met: str
    wrong: str
    twice: str
    odd: str
    columns: Mapping[str, Mapping[str, str]]


def gathered(made: Expressions, how: Reducing, cells: Mapping[str, Cell], careful: bool) -> Persons:
    """The query, over the values of rows. careful: names are trimmed; else one with a blank around it is `odd`, as to
    trim each takes as long as all else."""
    d, notation, person = made.top.dialect, how.rows.how, cells[how.person]
    below = made.top.above("y")
    spelt = bool(person.words) or not person.typed
    said = _number(person, notation, d) if not spelt else person.words or person.sql
    name = below.define(_only(made, _text(said, notation, d) if spelt and careful else said))
    rows = below.above("z")
    key = name
    if spelt:
        digits = d.captured(name, d.text(DIGITS), 1)
        key = rows.define(f"CASE WHEN {name} LIKE '0%' AND {digits} <> '' THEN {digits} ELSE {name} END")
    meant = rows.define(_only(made, "1"))
    values = {one.name: rows.define(_only(made, made.values[one.name], _fits(one, made, d))) for one in how.rows.fields}
    order = values[how.order.name] if how.order else ""
    wrong = rows.define(cases([(_wrong(how, made, name, spelt), "1")], "0"))
    asked: dict[str, str] = {}

    def ask(aggregate: str) -> str:
        return asked.setdefault(aggregate, f"u{len(asked)}")

    parts: dict[str, list[str]] = {}
    for column, entry in how.entries.items():
        source = how.source(column)
        given = Given(values[source.name] if source else meant, order)
        some = REDUCTIONS.of(entry.kind).gathered(entry, source or NOTHING, given, notation, d)
        parts[column] = [ask(one) for one in some]
    counts = {
        one.name: {what: ask(f"count({sql})") for what, sql in _counts(one, values[one.name], d).items()}
        for one in how.shown
    }
    first, last = ask(f"min({name})"), ask(f"max({name})")
    read, met, failed = ask("count(*)"), ask(f"count({meant})"), ask(f"max({wrong})")
    nobody = [condition for condition, _ in absent(first, notation, d)] if spelt and not careful else []
    persons = rows.grouped(key, {alias: sql for sql, alias in asked.items()}, "m")
    found = {
        column: REDUCTIONS.of(entry.kind).value(how.source(column) or NOTHING, parts[column], d)
        for column, entry in how.entries.items()
    }
    counts |= {one.name: _beyond(one, found[column], met, d) for column, one in how.counted.items()}
    return Persons(
        persons,
        {column: persons.define(value) for column, value in found.items()},
        persons.define(cases([(f"{first} IS NULL", "0")], "1")) if made.kept else None,
        persons.define(first),
        persons.define(read),
        persons.define(met),
        persons.define(cases([(f"{met} > 0 AND ({condition})", "1") for condition in nobody], failed)),
        persons.define(cases([(f"{first} <> {last}", "1")], "0")),
        persons.define(_odd(first, d) if spelt else "0"),
        {name: {what: persons.define(sql) for what, sql in some.items()} for name, some in counts.items()},
    )


def _only(made: Expressions, value: str, when: str = "") -> str:
    """A value in rows that count, else NULL."""
    conditions = [*([f"{made.kept} = 1"] if made.kept else []), *([when] if when else [])]
    return f"CASE WHEN {' AND '.join(conditions)} THEN {value} END" if conditions else value


def _fits(one: Field, made: Expressions, d: Dialect) -> str:
    return d.finite(made.values[one.name]) if one.numeric else ""


def _number(cell: Cell, how: Notation, d: Dialect) -> str:
    """Whose a row is that says it by a number; NULL: nobody's."""
    gone = [(f"{cell.sql} = {d.double(number)}", "NULL") for number in how.numbers]
    return cases(gone, f"{cell.sql} + {d.double(0)}")  # minus zero is zero


def _text(said: str, how: Notation, d: Dialect) -> str:
    """The same of a text, without blanks around it."""
    bare = d.trimmed(said)
    return cases([*absent(bare, how, d), (f"{bare} = ''", "NULL")], bare)


def _odd(name: str, d: Dialect) -> str:
    """Of a name, 1 where others may look like it: a letter that is not of ASCII, blanks, a number that is not digits
    alone."""
    plain = f"{d.captured(name, d.text(SEEN), 1)} = {name}"
    number = f"{d.captured(name, d.text(NUMBER), 1)} = {name}"
    digits = f"{d.captured(name, d.text(DIGITS), 1)} <> ''"
    return cases([(f"{name} IS NULL OR {digits}", "0"), (number, "1"), (plain, "0")], "1")


def _wrong(how: Reducing, made: Expressions, name: str, spelt: bool) -> str:
    """Whether something of a row does not fit: of columns that others or conditions rest on in every row, else in rows
    that count. spelt: its person is a text."""
    d, early = made.top.dialect, {one.name for one in how.rows.early}
    found = [unfit(made.values[one.name], d) for one in how.rows.every if one.numeric and one.name in early]
    mine = [unfit(made.values[one.name], d) for one in how.rows.every if one.numeric and one.name not in early]
    mine.append(f"{name} IS NULL")
    mine.append(f"{name} IN ({', '.join(map(d.text, NOBODY))})" if spelt else unfit(name, d))
    if how.order is not None:
        mine.append(f"{made.values[how.order.name]} IS NULL")
    for goal, field in how.values:
        mine.append(f"{of_derived(goal, field, made.values[field.name], how.rows.how, d)} < {d.double(0)}")
    counts = f"{made.kept} = 1 AND " if made.kept else ""
    return " OR ".join([*found, f"({counts}({' OR '.join(mine)}))"])


def _counts(one: Field, value: str, d: Dialect) -> dict[str, str]:
    """What is counted of a column's values: each NULL where it is not counted."""
    if one.measured:
        below, above = f"{value} < {d.double(one.low)}", f"{value} > {d.double(one.high)}"
        return {"values": value, "below": _one(below), "above": _one(above)}
    undeclared, case = f"{value} < {d.double(0)}", f"{value} = {d.double(CASE)}"
    return {"values": value, "undeclared": _one(undeclared), "case": _one(case)}


def _beyond(one: Field, value: str, met: str, d: Dialect) -> dict[str, str]:
    """The same of a column of persons, of whom each has a value."""
    conditions = {
        "values": f"{met} > 0",
        "below": f"{met} > 0 AND {value} < {d.double(one.low)}",
        "above": f"{met} > 0 AND {value} > {d.double(one.high)}",
    }
    return {what: cases([(condition, "1")], "0") for what, condition in conditions.items()} | {"missing": "0"}


def _one(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 1 END"
