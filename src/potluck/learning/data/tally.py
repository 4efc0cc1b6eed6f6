"""What became of a site's values, counted for its owner: left out, undeclared, clamped, taken for negative.

None of it is an error of form, and all of it can be a plan that does not fit: 27 rows spelled "yes" where the plan says
"Yes". So it is counted and told to the owner of the rows. A count is a statistic of private values: it does NOT go
into a letter, a code, or a file that is made for others.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.core.tables.statistic import named
from potluck.learning.data.column import Field
from potluck.learning.data.declared import there
from potluck.learning.data.files.cells import Found
from potluck.learning.data.notation import Key, key
from potluck.learning.data.problems import Places
from potluck.learning.data.sql.values import CASE
from potluck.learning.data.target import Goal

Mask = NDArray[np.bool_]
OF_TENSORS = {"numbers", "clamped", "unusable", "cut", "foreign"}
WORD_OF_CASE = {"undeclared": "case", "left_out": "left_out_case"}
"""Of undeclared values, those whose case alone differs: the word for them in a tally."""
Index = NDArray[np.int64]


class ColumnTally(msgspec.Struct, frozen=True, kw_only=True):
    """One column over the rows that stay. values: of them have one; missing: have none.

    undeclared: of a category, values that the plan does not declare; case: of these, differ from a declared one in case
    alone; left_out, left_out_case: the same beside a reference, of the rows that this column left out. below, above: of
    a number, values beyond the declared range, which are clamped to it. declared: what a hint repeats of the plan;
    referred: undeclared values count as missing. numbers, clamped: of a column of tensors, how many numbers these have,
    and of them lie beyond the declared range; unusable: why files count as missing, with their lines; cut: texts that
    are longer than the plan says; foreign: strings with a character that their alphabet lacks.
    """

    column: str
    values: int
    missing: int
    undeclared: int = 0
    case: int = 0
    left_out: int = 0
    left_out_case: int = 0
    below: int = 0
    above: int = 0
    declared: tuple[str, ...] = ()
    referred: bool = False
    numbers: int = 0
    clamped: int = 0
    unusable: tuple[str, ...] = ()
    cut: int = 0
    foreign: int = 0

    @property
    def useless(self) -> bool:
        """Whether no value of it is as the plan declares."""
        if self.numbers:
            return self.clamped == self.numbers
        return self.values > 0 and self.undeclared + self.below + self.above + self.foreign == self.values


class TargetTally(msgspec.Struct, frozen=True, kw_only=True):
    """A target of two sides, over the rows that stay. other: values that nothing declares, taken for negative; kinds:
    how many different ones; case: of them differ from a positive one in case alone. open: the plan declares only what
    is positive."""

    column: str
    rows: int
    positive: int
    other: int
    kinds: int
    case: int
    open: bool
    declared: tuple[str, ...] = ()


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """One site's source. read: rows that it has; used: rows that stay; unmet: rows that do not meet `data.where`;
    dropped: rows left out, by the column that had no value; held: of those that stay, held out; validation: of them
    left out of training to be looked at, or, where `validated`, to judge the model in the place of held-out ones.

    persons: to whom the other rows were reduced (`data.reduce`), 0 where they are not: then a row that stays is a
    person, and `columns` are those of the rows that were reduced.

    targets: of one of two sides, or of each label.

    beyond: with noise for persons, rows that stay and count in no statistic, do not train, or, of the held-out ones,
    count in no metric (these are `beyond_held`): each is beyond the first `most` (`privacy.rows_per_person`) of its
    person. statistics: by name, rows that count and have a value in each of its columns.

    people: how many different persons the rows that stay are of, where a column says whose each is; else 0.
    """

    read: int = 0
    used: int = 0
    unmet: int = 0
    persons: int = 0
    held: int = 0
    validation: int = 0
    validated: bool = False
    beyond: int = 0
    beyond_held: int = 0
    most: int = 0
    dropped: dict[str, int] = {}
    columns: tuple[ColumnTally, ...] = ()
    targets: tuple[TargetTally, ...] = ()
    statistics: dict[str, int] = {}
    people: int = 0

    @property
    def counted(self) -> int:
        """How many rows statistics are of, before any lacks a value."""
        return self.used - self.beyond

    @property
    def trained(self) -> int:
        """How many rows are to train, those of `beyond` among them."""
        return self.used - self.held - self.validation

    @property
    def judging(self) -> int:
        """How many rows judge the model, those of `beyond_held` among them."""
        return self.validation if self.validated else self.held

    @property
    def untrained(self) -> int:
        """How many of them do not: they are beyond the first of their person."""
        return self.beyond - self.beyond_held

    def document(self) -> dict[str, object]:
        """The JSON, for the owner of the rows."""
        hidden = {"declared", "referred", "open"}
        targets = [
            {name: value for name, value in msgspec.to_builtins(one).items() if name not in hidden}
            for one in self.targets
        ]
        return {
            "read": self.read,
            "used": self.used,
            "unmet": self.unmet,
            **({"persons": self.persons} if self.persons else {}),
            **({"people": self.people} if self.people else {}),
            **({"validation": self.validation} if self.validation else {}),
            "beyond": self.beyond,
            **({"beyond_held": self.beyond_held} if self.beyond_held else {}),
            "dropped": self.dropped,
            "columns": [_shown(one, hidden) for one in self.columns],
            "target": targets[0] if len(targets) == 1 else targets or None,
            "statistics": self.statistics,
        }


def _shown(one: ColumnTally, hidden: set[str]) -> dict[str, object]:
    hidden = hidden if one.numbers or one.unusable or one.cut or one.foreign else hidden | OF_TENSORS
    return {name: value for name, value in msgspec.to_builtins(one).items() if name not in hidden}


@dataclass(slots=True)
class Counting:
    """A tally while rows are read, some at a time. sums: by column, how many values are what; sides: the same of the
    columns of a target of two sides; spellings: what else its values are, as they are compared."""

    read: int = 0
    used: int = 0
    unmet: int = 0
    persons: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    sums: dict[str, Counter[str]] = field(default_factory=dict)
    sides: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    spellings: defaultdict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    faults: dict[str, dict[str, Places]] = field(default_factory=dict)
    placed: bool = True

    def unusable(self, name: str, why: str, lines: Iterable[int], placed: bool) -> None:
        """Cells of a column of tensors that count as missing. placed: lines mean something to their owner."""
        self.faults.setdefault(name, {}).setdefault(why, Places()).add(lines)
        self.placed = placed

    def tensors(self, name: str, found: Found) -> None:
        """The numbers of some cells of a column of tensors."""
        sums = {"numbers": found.numbers, "clamped": found.clamped, "cut": found.cut}
        sums |= {} if found.foreign is None else {"foreign": found.foreign}
        self.add(name, {word: int(one.sum()) for word, one in sums.items()})

    def drop(self, one: Field, values: Floats, gone: Mask) -> None:
        """Some values of a column, before it is known whether they count as missing; gone: rows that it leaves out."""
        self.dropped[one.name] += int(gone.sum())
        if one.referred:
            self._undeclared(self._of(one.name), values, gone, "left_out")

    def column(self, one: Field, values: Floats, keep: Mask) -> None:
        """Some values of a column, likewise; keep: which rows stay."""
        gone = np.isnan(values)
        self.add(one.name, {"missing": int((keep & gone).sum()), "values": int((keep & ~gone).sum())})
        if one.measured:
            self._clamped(one.name, (one.low, one.high), values, keep)
        else:
            self._undeclared(self._of(one.name), values, keep, "undeclared")

    def without(self, goal: Goal, values: Mapping[str, Floats]) -> None:
        """Rows that a target leaves out, each by its first column that has no value."""
        before: Mask | np.bool_ = np.False_
        for one in goal.each:
            gone = np.isnan(values[one.column]) & ~before
            self.dropped[one.column] += int(gone.sum())
            before = before | gone

    def target(
        self, goal: Goal, values: Mapping[str, Floats], other: Mapping[str, NDArray[np.generic]], keep: Mask
    ) -> None:
        """The same of a target, by column. other: the texts of values that nothing declares."""
        for one in goal.each:
            self._target_column(one, values[one.column], other[one.column], keep)

    def _target_column(self, one: Goal, values: Floats, other: NDArray[np.generic], keep: Mask) -> None:
        if one.side == "number":
            self.add(one.column, {"values": int((keep & ~np.isnan(values)).sum())})
            self._clamped(one.column, (one.low, one.high), values, keep)
        elif one.side == "binary":
            sums = self.sides[one.column]
            self._undeclared(sums, values, keep, "undeclared")
            self.spellings[one.column].update(key(str(text)) for text in other[keep & (values < 0)])
            sums.update(values=int(keep.sum()), positive=int((keep & (values == 1)).sum()))

    def add(self, name: str, counts: Mapping[str, int]) -> None:
        """More values of a column, counted elsewhere: of each kind that `ColumnTally` knows, how many."""
        self._of(name).update(counts)

    def done(self, fields: Sequence[Field], goal: Goal | None) -> Tally:
        """The tally, before any row is held out. Of a target that is a number as of any column, at the end.

        fields: of the rows, also where these become persons: a target is then made of one of them.
        """
        columns = [self._column(one.name, one.values, one.referred) for one in fields]
        if goal is not None and goal.side == "number" and not self.persons:
            columns.append(self._column(goal.column))
        return Tally(
            read=self.read,
            used=self.used,
            unmet=self.unmet,
            persons=self.persons,
            dropped=dict(+self.dropped),
            columns=tuple(columns),
            targets=tuple(self._target(one) for one in goal.each if one.side == "binary") if goal is not None else (),
        )

    def _clamped(self, name: str, bounds: tuple[float, float], values: Floats, keep: Mask) -> None:
        below, above = keep & (values < bounds[0]), keep & (values > bounds[1])
        self.add(name, {"below": int(below.sum()), "above": int(above.sum())})

    def _of(self, name: str) -> Counter[str]:
        return self.sums.setdefault(name, Counter())

    def _undeclared(self, into: Counter[str], values: Floats, of: Mask, what: str) -> None:
        case = of & (values == CASE)
        into.update({what: int((of & (values < 0)).sum()), WORD_OF_CASE[what]: int(case.sum())})

    def _column(self, name: str, declared: tuple[str, ...] = (), referred: bool = False) -> ColumnTally:
        counts = {"values": 0, "missing": 0} | self.sums.get(name, {})
        faults = (f"{at.said(self.placed)}: {why}" for why, at in self.faults.get(name, {}).items())
        return ColumnTally(column=name, declared=declared, referred=referred, unusable=tuple(faults), **counts)

    def _target(self, goal: Goal) -> TargetTally:
        sums = self.sides[goal.column]
        return TargetTally(
            column=goal.column,
            rows=sums["values"],
            positive=sums["positive"],
            other=sums["undeclared"],
            kinds=len(self.spellings[goal.column]),
            case=sums["case"],
            open=goal.open,
            declared=goal.positive,
        )


def having(plan: Plan, one: Statistic, columns: Mapping[str, Floats]) -> Mask:
    """Which rows [n] have a value in every column of a statistic, and of one with features a declared one: the others
    add nothing to it. columns: those that it names, [n]."""
    mine = {name: columns[name] for name in named(one)}
    if one.features:
        return there(plan, tuple(mine), mine)
    found = np.ones(len(next(iter(columns.values()), ())), np.bool_)
    for values in mine.values():
        found &= ~np.isnan(values)
    return found


def with_value(plan: Plan, one: Statistic, columns: Mapping[str, Floats], index: Index) -> int:
    """How many of the rows in `index` these are."""
    mine = {name: columns[name][index] for name in named(one)}
    return int(having(plan, one, mine).sum()) if mine else len(index)


def rests_on(plan: Plan, tally: Tally) -> int:
    """How many rows what is learnt rests on at least: those that train, or, of exact statistics, those of the one that
    fewest rows add to (but for those that none adds to, which say nothing of any row), of noised ones those that
    count; of finished models those that judge them."""
    if plan.traits.brings:
        return tally.held - tally.beyond_held
    if not plan.traits.counts:
        return tally.trained - tally.untrained
    if not plan.noisy:
        return min((count for count in tally.statistics.values() if count), default=0)
    return tally.counted
