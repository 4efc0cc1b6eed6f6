"""What is wrong with a plan's declared columns and its split. One line a problem, with a hint."""

import codecs
from collections.abc import Callable, Mapping, Sequence

import msgspec

from potluck.core.plan import IGNORED, Column, Data, Plan, repeated
from potluck.core.prose import a
from potluck.learning.data.column import COLUMNS, ColumnKind
from potluck.learning.data.conditions import of_where
from potluck.learning.data.declared import of_rows
from potluck.learning.data.derive import named, of_derive
from potluck.learning.data.joining import of_join
from potluck.learning.data.mixed import FEATURES
from potluck.learning.data.notation import notation
from potluck.learning.data.reduce import of_reduce
from potluck.learning.data.texts.cells import MASK


def of_columns(plan: Plan) -> list[str]:
    """What is wrong with the declared columns. One line a problem."""
    found, how = [], notation(plan.data)
    for name, column in plan.data.columns.items():
        at = f"data.columns.{name}"
        if column.owner is not None and not plan.traits.joins:
            found.append(f'{at}: an owner is named where columns are at different ones. hint: task = "fit"')
        if not column.ignored:
            found += COLUMNS.of(column.kind).check(at, column, how)
            found += _unworded(at, column)
            if COLUMNS.of(column.kind).dated and not plan.traits.sums:
                found.append(
                    f'{at}: a {column.kind} is of no use to this task. hint: kind = "{IGNORED}", or leave it out'
                )
        if not plan.data.header and "*" in name:
            found.append(f"{at}: a pattern needs a header. hint: name the columns one by one, in file order")
    derived = of_derive(plan, how) or _means(plan)
    found += derived or [*of_where(plan, how), *of_reduce(plan, how, of_rows(plan))]
    found += [*of_join(plan), *_roles(plan), *_apart(plan), *of_files(plan.data.separator, plan.data.encoding)]
    if not plan.data.header:
        needed = {"data.person": plan.data.person, "data.split.column": plan.data.split and plan.data.split.column}
        found += [
            f"{at}: {name} is not among data.columns. hint: without a header every column is declared, in file order"
            for at, name in needed.items()
            if name and name not in plan.data.columns
        ]
    return found


WORDS: Mapping[str, Callable[[ColumnKind], bool]] = {
    "tokenizer": lambda kind: kind.worded,
    "length": lambda kind: kind.worded or kind.spelled,
    "digest": lambda kind: kind.worded,
    "alphabet": lambda kind: kind.spelled,
}
"""Keys of a column of texts or strings, and whether a kind takes them."""
SEPARATORS = (",", ";", "\t", "|", ":")
CODED = frozenset({"utf_7", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
"""Codecs of texts in which no file of rows is written."""


def of_files(separator: str, encoding: str) -> list[str]:
    """What is wrong with how files are said to be written."""
    found = list[str]()
    if separator not in SEPARATORS:
        known = "a comma, a semicolon, a tab, a bar or a colon"
        found.append(f'data.separator: is none that is known. hint: {known}, as separator = ";"')
    try:
        codec = codecs.lookup(encoding) if encoding.isascii() and encoding.isprintable() else None
    except LookupError:
        codec = None
    if codec is None or codec.name.replace("-", "_") in CODED or not codec._is_text_encoding:
        hint = 'e.g. "utf-8", "latin-1", "cp1252", "utf-16", "shift_jis"'
        found.append(f"data.encoding: is none that is known. hint: {hint}")
    return found


def _means(plan: Plan) -> list[str]:
    """Gaps that nothing can be filled with."""
    found = list[str]()
    for name, one in of_rows(plan).items():
        if one.missing != "mean":
            continue
        at = f"data.{'derive' if name in plan.data.derive else 'columns'}.{name}.missing"
        kind, hint = COLUMNS.of(one.kind), 'missing = "flag", "drop" or "refuse"'
        if not kind.measured or not kind.spread:
            found.append(f"{at}: a mean is of numbers, and this is {a(one.kind)}. hint: {hint}")
        elif not (plan.traits.trains or plan.traits.brings):
            found.append(f'{at}: a mean is found to train a model with. hint: {hint}, or task = "train"')
    return found


def _roles(plan: Plan) -> list[str]:
    """Columns that would be two of target, person and split."""
    data, taken, found = plan.data, dict[str, str](), []
    split = data.split.column if data.split else None
    others = [("data.person", data.person), ("data.split.column", split)]
    for at, name in [*_target(data), *others]:
        if name and taken.setdefault(name, at) != at:
            found.append(f"{at}: {name} is {taken[name]} too. hint: each takes a column of its own")
        if name and name in data.derive and (at, name) in others:
            found.append(f"{at}: {name} is derived. hint: name a column of the files")
    return found


def _target(data: Data) -> list[tuple[str, str]]:
    """The columns of the target, each with its key."""
    target = data.target
    at = "data.target.columns" if target and target.columns else "data.target.column"
    return [(at, name) for name in target.names] if target else []


def _unworded(at: str, column: Column) -> list[str]:
    """Words of a text or a string where a column is none."""
    found = list[str]()
    for word, taken in WORDS.items():
        if getattr(column, word) not in (None, msgspec.UNSET) and not taken(COLUMNS.of(column.kind)):
            kinds = " or ".join(f'"{one}"' for one, kind in COLUMNS.entries.items() if taken(kind))
            found.append(f"{at}.{word}: {a(column.kind)} has none. hint: kind = {kinds}, or leave it out")
    return found


def _apart(plan: Plan) -> list[str]:
    """Columns of tensors where nothing takes them, or where a value is expected."""
    data, found = plan.data, list[str]()
    apart = {name for name, one in data.columns.items() if not one.ignored and COLUMNS.of(one.kind).reader is not None}
    if FEATURES in apart:
        found.append(f"data.columns.{FEATURES}: is what a graph calls the encoded table. hint: another name")
    strings = {name for name in apart if COLUMNS.of(data.columns[name].kind).spelled}
    for name in sorted(strings) if not plan.traits.counts else ():
        what = f"{a(data.columns[name].kind)} is what statistics take alone"
        found.append(f'data.columns.{name}: {what}. hint: kind = "{IGNORED}", or leave it out')
    for name in sorted(apart - strings):
        if not plan.drawn and not plan.traits.brings:
            what = f"{a(data.columns[name].kind)} is what a network of a graph takes alone"
            found.append(f'data.columns.{name}: {what}. hint: model.kind = "network" with model.graph, or leave it out')
    texts = {name for name in apart if COLUMNS.of(data.columns[name].kind).worded}
    for name in sorted(texts & {name.removesuffix(MASK) for name in apart if name.endswith(MASK)}):
        found.append(f"data.columns.{name}{MASK}: is what a graph calls the tokens of {name}. hint: another name")
    if texts and plan.noisy:
        what = f"noise is not for columns of texts in this version, and {min(texts)} is one"
        found.append(f'privacy.noise: {what}. hint: noise = "none", or leave the column out')
    taken: dict[str, str | None] = {at: name for at, name in _target(data) if name in apart}
    taken |= {"data.person": data.person, "data.split.column": data.split.column if data.split else None}
    taken |= {f"data.where.{number}.column": one.column for number, one in enumerate(data.where, 1)}
    taken |= {f"data.derive.{name}": next(iter(apart & set(named(one))), None) for name, one in data.derive.items()}
    taken["data.join.on"] = data.join.keys[0] if data.join else None
    taken["data.join.columns"] = next(iter(apart & set(data.join.columns)), None) if data.join else None
    for at, one in taken.items():
        if one in apart:
            what = f"{one} is {a(data.columns[one or ''].kind)}, which has no value there"
            found.append(f"{at}: {what}. hint: another column")
    if apart and data.reduce is not None:
        what = "a person is not made of tensors, texts or strings"
        found.append(f"data.reduce: {what}. hint: rows that are persons, without reduce")
    return found


def of_split(plan: Plan) -> list[str]:
    """What is wrong with the split."""
    split = plan.data.split
    if split is None:
        return []
    if (split.test is None) == (split.column is None):
        return ["data.split: takes either test or column. hint: test = 0.25 holds a quarter of the rows out"]
    if split.validation is None:
        return []
    if plan.traits.joins:
        what = "is of no use: a fit over columns is looked at once it has ended"
        return [f"data.split.validation: {what}. hint: leave it out"]
    if (split.test or 0.0) + split.validation >= 1:
        return ["data.split.validation: with test it leaves no row to train on. hint: e.g. 0.1"]
    return []


def of_features(names: Sequence[str], *, alone: bool = True) -> list[str]:
    """What is wrong with the features that columns become, by name. alone: no tensor stands beside them."""
    if not names and alone:
        known = [word for word, one in COLUMNS.entries.items() if not one.dated and one.reader is None]
        return [f"data.columns: there is no feature. hint: declare columns of kind {' or '.join(known)}"]
    clash = sorted({*repeated(names), *({"intercept"} & set(names))})
    return [f"data.columns: two features would be called {clash[0]}. hint: rename a column"] if clash else []
