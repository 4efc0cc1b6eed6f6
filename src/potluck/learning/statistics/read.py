"""A site's rows for statistics, added up while they are read: no row is held."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from potluck.core.plan import Plan
from potluck.core.stages import Grid
from potluck.learning.data import table
from potluck.learning.data.column import Field
from potluck.learning.data.declared import declared
from potluck.learning.data.encode import encoding
from potluck.learning.data.expressions import expressions
from potluck.learning.data.parts import Wish, grounded
from potluck.learning.data.problems import Doubt, Problems, carefully
from potluck.learning.data.reducing import gathered, reducing
from potluck.learning.data.source import Source, limits_of, most_read, opened
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import cases, inside
from potluck.learning.data.sql.values import CASE, unfit
from potluck.learning.data.table import Table
from potluck.learning.data.tally import Counting
from potluck.learning.data.units import most_rows
from potluck.learning.statistics.adding import COUNTER, Query, Sums
from potluck.learning.statistics.parts import parted


def read(source: Source, plan: Plan, site: str, grid: Grid) -> Table:
    """A site's rows, added up on this grid while they are read. Raises DataError, told to the site's owner only.

    Where a row does not fit, the rows are read one by one, so that its line can be told.
    """

    def reading(careful: bool) -> Table:
        problems = Problems(site, careful)
        if careful:
            return table.read_once(source, plan, problems)
        return (_added if plan.data.reduce is None else _reduced)(source, plan, problems, grid)

    return carefully(reading)


def _added(source: Source, plan: Plan, problems: Problems, grid: Grid) -> Table:
    how, site = encoding(plan), problems.where
    wish = Wish(how.fields, how.notation, how.layout or None, helpers=how.beside, where=plan.data.where)
    with opened(source, site, limits_of(plan.data)).open(wish.names, wish.layout, problems, careful=False) as relation:
        ground, cells = grounded(relation)
        made = expressions(wish.every, wish.where, wish.how, cells, ground)
        values, d = made.values, relation.dialect
        top = made.top.above("o")
        # What sums ask too is computed once. Other conditions stand where they are asked: what an engine computes of
        # one column alone, it computes once for each entry of a small dictionary.
        summed = {one.column for one in parted(plan)}
        usual = [_usual(one, values[one.name], d) for one in how.fields]
        usual = [
            top.define(sql) if one.measured and one.name in summed else sql
            for one, sql in zip(how.fields, usual, strict=True)
        ]
        counts_of = {
            one.name: _packed(one, values[one.name], sql, made.kept, d)
            for one, sql in zip(how.fields, usual, strict=True)
        }
        query = Query(plan, grid, top, values, made.kept, counts_of)
        dates = query.any_of([unfit(values[one.name], d) for one in how.fields if one.numeric and not one.measured])
        early = query.any_of([unfit(values[one.name], d) for one in wish.early if one.numeric])
        keys = {name: query.ask(sql) for name, sql in counts_of.items()}
        sums, found, others = query.answer(relation)
    unmet = others[query.rows]
    counts = {one.name: _unpacked(one, found[keys[one.name]], sums.rows) for one in how.fields}
    gaps = any(one.missing == "refuse" and counts[one.name]["missing"] for one in how.fields)
    if found[dates] or found[early] or others[early] or gaps:
        raise Doubt
    counting = Counting(read=sums.rows + unmet, used=sums.rows, unmet=unmet)
    return _table(plan, site, sums, counting, counts, how.fields)


def _reduced(source: Source, plan: Plan, problems: Problems, grid: Grid) -> Table:
    """The same of persons."""
    how, site, persons = encoding(plan), problems.where, reducing(plan)
    wish = persons.rows
    with opened(source, site, limits_of(plan.data)).open(wish.names, wish.layout, problems, careful=False) as relation:
        ground, cells = grounded(relation)
        made = gathered(expressions(wish.every, wish.where, wish.how, cells, ground), persons, cells, careful=False)
        d = relation.dialect
        query = Query(plan, grid, made.layer, made.values, made.kept)
        gaps = query.any_of([f"{made.values[one.name]} IS NULL" for one in how.fields if one.missing == "refuse"])
        doubts = query.any_of([f"{name} = 1" for name in (made.wrong, made.twice, made.odd)])
        read, met = query.ask(d.total(made.read)), query.ask(d.total(made.met))
        keys = {
            name: {what: query.ask(d.total(sql)) for what, sql in some.items()} for name, some in made.columns.items()
        }
        sums, found, others = query.answer(relation)
    if found[gaps] or found[doubts] or others[doubts]:
        raise Doubt
    rows, every = found[met], found[read] + others[read]
    counts = {name: {what: found[key] for what, key in some.items()} for name, some in keys.items()}
    counts = {name: {"missing": rows - some["values"]} | some for name, some in counts.items()}
    counting = Counting(read=every, used=sums.rows, unmet=every - rows, persons=sums.rows)
    return _table(plan, site, sums, counting, counts, persons.told)


def _table(
    plan: Plan,
    site: str,
    sums: Sums,
    counting: Counting,
    counts: Mapping[str, Mapping[str, int]],
    fields: Sequence[Field],
) -> Table:
    """What rows or persons add, with what their owner is told. fields: of the rows."""
    most_read(counting.read, plan.data.max_rows, site)
    if not sums.rows:
        raise Doubt
    for name, mine in counts.items():
        counting.add(name, mine)
    told = counting.done(fields, None)
    tally = msgspec.structs.replace(told, most=most_rows(plan), statistics=dict(sums.counted))
    schema = tuple(
        (name, one) for name, one in declared(plan).items() if name in {one.name for one in encoding(plan).fields}
    )
    nothing = np.zeros(0)
    return Table(np.zeros((0, 0)), nothing, None, nothing.astype(np.bool_), {}, schema, tally, sums)


def _usual(one: Field, value: str, d: Dialect) -> str:
    """Whether a value is there and as declared."""
    return inside(value, d.double(one.low), d.double(one.high)) if one.measured else f"{value} >= {d.double(0)}"


def _packed(one: Field, value: str, usual: str, kept: str | None, d: Dialect) -> str:
    """What the owner is told of a column, as one sum: three counts of values that are not as they should be, each in
    COUNTER bits of it. A number that does not fit ends the query. usual: whether a value is as it should be. It is
    NULL then, which an engine adds up faster than 0.
    """
    left_out = [(usual, "NULL"), *([(f"{kept} = 0", "NULL")] if kept else [])]
    missing = (f"{value} IS NULL", "1")
    first, second = (str(1 << COUNTER * place) for place in (1, 2))
    if not one.measured:
        case = (f"{value} = {d.double(CASE)}", first)
        return d.total(cases([*left_out, missing, case], second))
    low, high = d.double(one.low), d.double(one.high)
    above = (f"{value} > {high} AND {d.finite(value)}", second)
    below = (f"{value} < {low} AND {d.finite(value)}", first)
    return d.total(cases([*left_out, missing, below, above], f"CAST({d.stop(value)} AS {d.whole_type})"))


def _unpacked(one: Field, packed: int, rows: int) -> dict[str, int]:
    missing, first, second = (packed >> COUNTER * place & (1 << COUNTER) - 1 for place in range(3))
    counts = {"missing": missing, "values": rows - missing}
    if one.measured:
        return counts | {"below": first, "above": second}
    return counts | {"undeclared": first + second, "case": first}
