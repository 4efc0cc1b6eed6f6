"""One owner's columns of a plan whose columns are at different owners: read, and put into the common order.

An owner reads the columns that the plan says are its own, encoded as `data.encode` does for all tasks. What does not
fit is a DataError that names column and line, never a value; rows that no other owner has are not looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Column, Fit, Plan, required
from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.learning.data import encode
from potluck.learning.data.encode import Encoding, referred
from potluck.learning.data.parts import Wish, parts
from potluck.learning.data.problems import GAP, Problems, carefully, together
from potluck.learning.data.source import Source, limits_of, opened
from potluck.learning.data.split import by_key
from potluck.learning.data.tally import Counting, Tally
from potluck.learning.data.target import goal_of, settled

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """An owner's rows as its file has them. columns: raw, by name; target, test: at the target's owner, else None.

    tally: what became of the values, of all its rows: which of them are common ones is not known yet.
    """

    columns: dict[str, Floats] = field(repr=False)
    target: Floats | None = field(repr=False)
    test: Mask | None = field(repr=False)
    rows: int
    encoding: Encoding
    tally: Tally = field(default=Tally(), repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """An owner's rows in the common order, the training rows first.

    features [n, p]: its own columns' features on [-1, 1]; keep [n]: False where a value is missing that drops the row,
    whose features and target are then 0; target [n]: at the target's owner, else None; train: how many rows train.
    """

    features: Floats = field(repr=False)
    keep: Mask = field(repr=False)
    target: Floats | None = field(repr=False)
    train: int

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.keep)

    def trained(self) -> "Columns":
        """The training rows alone."""
        target = None if self.target is None else self.target[: self.train]
        return Columns(self.features[: self.train], self.keep[: self.train], target, self.train)


def special(plan: Plan) -> frozenset[str]:
    """Columns that are no features: the target, the split, and the keys."""
    data, keys = plan.data, plan.align.keys if plan.align else ()
    split = data.split.column if data.split else None
    return frozenset({*(data.target.names if data.target else ()), *([split] if split else []), *keys})


def features_of(plan: Plan, owner: str | None = None) -> dict[str, Column]:
    """The columns that become features, in the plan's order: of one owner, or of all."""
    outside = special(plan)
    return {
        name: column
        for name, column in plan.data.columns.items()
        if name not in outside and not column.ignored and owner in (None, column.owner)
    }


def encoding(plan: Plan, owner: str | None = None) -> Encoding:
    """How one owner's columns are encoded, or those of all, in the plan's order."""
    fields = tuple(encode.field(name, column) for name, column in features_of(plan, owner).items())
    data = plan.data
    return Encoding(
        fields=fields,
        missing=data.missing,
        decimal="," if data.decimal == "," else msgspec.UNSET,
        fold=data.fold or msgspec.UNSET,
        separator=msgspec.UNSET if data.separator == "," else data.separator,
        encoding=msgspec.UNSET if data.encoding == "utf-8" else data.encoding,
    )


def by_owner(plan: Plan) -> list[str]:
    """The names of all features as programs have them: owner after owner."""
    found: dict[str | None, list[str]] = {owner: [] for owner in plan.federation.sites}
    for one in encoding(plan).fields:
        found.get(plan.data.columns[one.name].owner, []).extend(one.features)
    return [name for names in found.values() for name in names]


def target_owner(plan: Plan) -> str:
    """Who has the target, as its column says."""
    return required(plan.data.columns[required(required(plan.data.target).column)].owner)


def reader_names(plan: Plan) -> tuple[str, ...]:
    """Who reads the model: whom [fit] names, else the target's owner."""
    names = plan.fit.to if plan.fit and plan.fit.to else (target_owner(plan),)
    return tuple(one for one in plan.federation.sites if one in names)


def least(plan: Plan) -> int:
    """How many rows are there at least, of those to train on and of those held out, where anything is opened: common
    ones, and, without noise, kept ones."""
    return (plan.fit or Fit()).min_rows


def read(source: Source, plan: Plan, owner: str) -> Own:
    """An owner's own columns. Raises DataError: a file that cannot be read, a column that is absent, a cell that does
    not fit."""
    how, mine = encoding(plan, owner), owner == target_owner(plan)
    goal = goal_of(plan) if mine else None
    split = plan.data.split.column if plan.data.split and mine else None
    wish = Wish(how.fields, how.notation, goal=goal, held=split)
    rows = opened(source, owner, limits_of(plan.data))
    return carefully(lambda careful: _own(rows, how, wish, Problems(owner, careful)))


def _own(source: Source, how: Encoding, wish: Wish, problems: Problems) -> Own:
    columns: dict[str, list[Floats]] = {one.name: [np.empty(0)] for one in how.fields}
    target, held, counting, goal = [np.empty(0)], [np.empty(0, np.bool_)], Counting(), wish.goal
    with problems:
        for part in parts(source, wish, problems):
            counting.read += len(part.lines)
            every = np.ones(len(part.lines), np.bool_)
            for one in how.fields:
                counting.column(one, part.columns[one.name], every)
                columns[one.name].append(referred(one, part.columns[one.name]))
            if goal:
                found = settled(goal, part.target, part.lines, problems)
                counting.target(goal, part.target, part.other, ~np.isnan(found))
                target.append(found)
            held.append(part.held)
    counting.used = counting.read
    whole = {name: np.concatenate(found) for name, found in columns.items()}
    test = np.concatenate(held) if wish.held else None
    tally = counting.done(how.fields, goal)
    return Own(whole, np.concatenate(target) if goal else None, test, counting.read, how, tally)


def held_out(plan: Plan, own: Own, rows: NDArray[np.int64], keys: Sequence[bytes]) -> Mask | None:
    """Which of the common rows are held out [k]: as the split column says, or by a keyed hash of each row's key. At the
    target's owner; None at others. keys: of the common rows."""
    split = plan.data.split
    if own.target is None:
        return None
    if own.test is not None:
        return own.test[rows]
    if split is None or split.test is None:
        return np.zeros(len(rows), np.bool_)
    return by_key(split.seed, split.test, keys)


def ordered(own: Own, rows: NDArray[np.int64], test: Mask, owner: str) -> Columns:
    """The common rows, those to train on first. Raises DataError: a value is missing that may not be."""
    rows = np.concatenate([rows[~test], rows[test]])
    columns = {name: values[rows] for name, values in own.columns.items()}
    keep, gaps, hints = np.ones(len(rows), np.bool_), [], []
    for one in own.encoding.fields:
        gone = np.isnan(columns[one.name])
        if one.missing == "refuse" and gone.any():
            gaps.append(f"column {one.name!r} {one.lacks} in {int(gone.sum())} of the common rows")
            hints.append(one.remedy(GAP))
        if one.missing == "drop":
            keep &= ~gone
    if gaps:
        raise together(gaps, hints, owner)
    target = None if own.target is None else own.target[rows]
    if target is not None:
        keep &= ~np.isnan(target)
        target = np.where(keep, target, 0.0)
    found = encode.encode(own.encoding, columns) if columns else np.zeros((len(rows), 0))
    return Columns(found * keep[:, None], keep, target, int((~test).sum()))


def shuffled(columns: Columns, seed: int) -> Columns:
    """The same rows, those to train on in the public order of (seed, how many they are): the same at every owner."""
    order = np.arange(columns.rows)
    order[: columns.train] = generator(seed, "fit").permutation(columns.train)
    target = None if columns.target is None else columns.target[order]
    return Columns(columns.features[order], columns.keep[order], target, columns.train)
