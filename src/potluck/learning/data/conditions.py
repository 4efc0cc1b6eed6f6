"""Which rows a plan is about: every condition of `data.where` holds for them. No SQL stands in a plan.

A row without a value in a condition's column does not meet it, `not_in` included: nobody knows. How many rows are left
out is told to their owner alone.
"""

from collections.abc import Mapping

from potluck.core.plan import Column, Plan
from potluck.core.tables.derived import Where
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.declared import of_rows
from potluck.learning.data.notation import Notation
from potluck.learning.data.sql.dialect import Dialect

WORDS = {"at_least": (">=", "at least"), "at_most": ("<=", "at most"), "above": (">", "above"), "below": ("<", "below")}
"""Of a bound: how it is compared, and what people say."""
LISTS = ("in", "not_in")


def of_where(plan: Plan, how: Notation) -> list[str]:
    """What is wrong with the conditions. One line a problem."""
    columns = of_rows(plan) if plan.data.where else {}
    found = []
    for number, one in enumerate(plan.data.where, 1):
        at = f"data.where.{number}"
        column = columns.get(one.column)
        if column is None or column.ignored or one.column == plan.data.person:
            hint = "declare it in data.columns, or derive it"
            found.append(f"{at}.column: {one.column} is not a declared column. hint: {hint}")
        else:
            found += demanded(at, one, column, how)
    return found


def demanded(at: str, one: Where, column: Column, how: Notation) -> list[str]:
    """What is wrong with one condition on a declared column."""
    if len(one.said) != 1:
        hint = f"one of {', '.join((*WORDS, *LISTS))}; two bounds are two conditions"
        return [f"{at}: says {len(one.said)} conditions. hint: {hint}"]
    (word, value), bound = next(iter(one.said.items())), COLUMNS.of(column.kind).bound
    if COLUMNS.of(column.kind).reader is not None:
        return []  # that it has no value is said elsewhere, as of all keys that want one
    if bound is None:
        if isinstance(value, tuple):
            known = how.places(column.values)
            odd = [text for text in value if how.key(text) not in known]
            if odd:
                hint = f"values are {', '.join(column.values)}"
                return [f"{at}.{word}: {odd[0]} is no value of {one.column}. hint: {hint}"]
            return [] if value else [f"{at}.{word}: lists none. hint: list some of its values"]
        return [f"{at}.{word}: {one.column} is a {column.kind}. hint: in = [...] or not_in = [...] lists its values"]
    if isinstance(value, tuple):
        return [f"{at}.{word}: {one.column} is a {column.kind}. hint: {', '.join(WORDS)} bound it"]
    if bound(value) is None:
        hint = 'a day, as "2025-12-31"' if COLUMNS.of(column.kind).dated else "a number, without quotes"
        return [f"{at}.{word}: does not fit {one.column}, a {column.kind}. hint: {hint}"]
    return []


def said(plan: Plan) -> str:
    """The conditions, as people read them; empty where there are none."""
    each = [_said(one) for one in plan.data.where]
    return f"Only rows count where {'; '.join(each)}" if each else ""


def _said(one: Where) -> str:
    word, value = next(iter(one.said.items()))
    if isinstance(value, tuple):
        listed = ", ".join(map(repr, value))
        return f"{one.column} is {'' if word == 'in' else 'not '}{listed if len(value) == 1 else f'one of {listed}'}"
    return f"{one.column} is {WORDS[word][1]} {value if isinstance(value, str) else f'{value:.15g}'}"


def kept(
    conditions: tuple[Where, ...],
    fields: Mapping[str, Field],
    values: Mapping[str, str],
    how: Notation,
    d: Dialect,
) -> str:
    """SQL of whether a row meets all conditions. fields, values: of their columns, and the names of their values."""
    return " AND ".join(f"({_condition(one, fields[one.column], values[one.column], how, d)})" for one in conditions)


def _condition(one: Where, field: Field, value: str, how: Notation, d: Dialect) -> str:
    word, demanded = next(iter(one.said.items()))
    if isinstance(demanded, tuple):
        codes = how.places(field.values)
        listed = ", ".join(d.double(codes[how.key(text)]) for text in demanded)
        return f"{value} {'' if word == 'in' else 'NOT '}IN ({listed})"
    bound = COLUMNS.of(field.kind).bound
    found = bound(demanded) if bound else None
    assert found is not None  # a checked plan
    return f"{value} {WORDS[word][0]} {d.double(found)}"
