"""A kind of derived column as one object: what it is made of, and how.

A kind is a file in `derivations/` and a line in its table. It is arithmetic that every engine does alike. What it is
made of may itself be derived, by an entry that stands above it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Column, Plan
from potluck.core.registry import Registry, table
from potluck.core.stages import Floats
from potluck.core.tables.derived import Derive
from potluck.learning.data.column import COLUMNS, ColumnKind, Field
from potluck.learning.data.notation import Notation
from potluck.learning.data.raw.said import Reading
from potluck.learning.data.sql.layers import Layer

Days = NDArray[np.datetime64]
UNREAD = ("low", "high", "values", "edges", "map", "reference", "to")
"""Keys that some kinds read and others do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """One kind of derived column.

    keys: of `data.derive`, those that it reads beside kind, from, missing and unit. takes: whether it is made of a
    column of this kind, which `taken` calls by name.
    said: in a few words what it is.
    check: what of an entry at this key of the plan does not fit, given the column that it is made of.
    column: what it becomes, as a plan would declare it. value: SQL of it, given what it is made of, the names of the
    values of `from` and, where it has one, `to`, and a layer to define parts of it in; the values are there.
    unfit: what is wrong with a value that is infinite. back: of a number between a day and another, a day of which it
    says so, given numbers [n], the other day, and where among such days [n] it lies, from 0 up to 1.
    read: how other programs read it, given what it is made of and how they read that; None: they cannot.
    """

    keys: frozenset[str]
    taken: str
    takes: Callable[[ColumnKind], bool]
    said: Callable[[Derive], str]
    check: Callable[[str, Derive, Column], list[str]]
    column: Callable[[Derive], Column]
    value: Callable[[Derive, Field, Sequence[str], Layer], str]
    unfit: str = ""
    back: Callable[[Floats, date, Floats], Days] | None = None
    read: Callable[[Derive, Sequence[Field], Sequence[Reading]], Reading] | None = None


DERIVATIONS: Registry[Derivation] = table("data.derive.kind")


def column_of(one: Derive) -> Column:
    """What an entry becomes, as a plan would declare it."""
    found = DERIVATIONS.of(one.kind).column(one)
    return msgspec.structs.replace(found, missing=one.missing, unit=one.unit, reference=one.reference)


def named(one: Derive) -> tuple[str, ...]:
    """The columns that a checked entry is made of."""
    return (one.source,) if one.to is None or day(one.to) is not None else (one.source, one.to)


def day(text: str) -> float | None:
    """A day that an entry names, as a value; None: it names a column."""
    dated = next(kind for kind in COLUMNS.entries.values() if kind.dated)
    return dated.bound(text) if dated.bound else None


SHOWN = 8
"""Edges, or values, of one entry that people are told; the plan has the others."""


def said(plan: Plan) -> str:
    """The derived columns, as people read them; empty where there are none."""
    each = [f"{name} is {DERIVATIONS.of(one.kind).said(one)}" for name, one in plan.data.derive.items()]
    return f"Derived: {'; '.join(each)}" if each else ""


def listed(some: Sequence[str]) -> str:
    """The first few of these, and how many there are besides."""
    more = f" and {len(some) - SHOWN} more" if len(some) > SHOWN else ""
    return ", ".join(some[:SHOWN]) + more


DEEPEST = 20
"""How often a column may be derived from a derived one: each time is a layer of the query."""


def of_derive(plan: Plan, how: Notation) -> list[str]:
    """What is wrong with the derived columns. One line a problem."""
    data, found = plan.data, list[str]()
    above: dict[str, Column] = dict(data.columns)
    depth: dict[str, int] = {}
    for name, one in data.derive.items():
        at = f"data.derive.{name}"
        if name in data.columns:
            found.append(f"{at}: is a column of data.columns too. hint: give it a name of its own")
            continue
        if "*" in name or not name.strip():
            found.append(f"{at}: is no name. hint: letters, and no *")
            continue
        wrong = wrong_with(at, one, above, data.person) or _becomes(at, one, how)
        depth[name] = 1 + max((depth.get(other, 0) for other in named(one)), default=0)
        if depth[name] > DEEPEST:
            wrong = [f"{at}: is derived from derived columns {DEEPEST} times over. hint: derive it from fewer"]
        found += wrong
        if not wrong:
            above[name] = column_of(one)
    return found


def wrong_with(at: str, one: Derive, above: Mapping[str, Column], person: str | None = None) -> list[str]:
    """What is wrong with one entry, given all that it may be made of, but for what it becomes."""
    kind = DERIVATIONS.of(one.kind)
    bare = Derive(kind=one.kind, source=one.source)
    for key in UNREAD:
        if key not in kind.keys and getattr(one, key) != getattr(bare, key):
            what = f"{one.kind} does not read it"
            return [f"{at}.{key}: {what}. hint: leave it out; it reads {', '.join(sorted(kind.keys))}"]
    for key, name in (("from", one.source), ("to", one.to)):
        if name is None or (key == "to" and day(name) is not None):
            continue
        column = above.get(name)
        if column is None or column.ignored or name == person:
            hint = f"declare it in data.columns as {kind.taken}, or derive it in an entry above"
            hint += ', or write a day as "2025-12-31"' if key == "to" else ""
            return [f"{at}.{key}: {name} is not a declared column. hint: {hint}"]
        if not kind.takes(COLUMNS.of(column.kind)):
            return [f"{at}.{key}: {name} is a {column.kind}. hint: {one.kind} takes {kind.taken}"]
    return kind.check(at, one, above[one.source])


def _becomes(at: str, one: Derive, how: Notation) -> list[str]:
    column = column_of(one)
    return COLUMNS.of(column.kind).check(at, column, how)


def of_range(at: str, one: Derive) -> list[str]:
    """That a number's entry has a range."""
    if one.low is None or one.high is None:
        return [f"{at}: needs low and high. hint: the range that is public knowledge, e.g. low = 0, high = 110"]
    return []
