"""A site's rows, read as the plan declares them: features, target, persons, and which rows are held out.

What does not fit the plan is a DataError that names the column, the line and the kind of error, never a value.
Columns that the plan does not name are not kept; with a header they are not even looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Votes
from potluck.core.plan import Column, Plan, Split
from potluck.core.stages import Floats, Unlaid
from potluck.learning.data.declared import declared
from potluck.learning.data.encode import Encoding, encode, encoding, referred
from potluck.learning.data.files.cells import Cells, Found, Reader, whole
from potluck.learning.data.mixed import Inputs, inputs
from potluck.learning.data.parts import RowBatch, Wish, joined, parts
from potluck.learning.data.persons import by_name, coded, one_row_each, one_side, persons
from potluck.learning.data.problems import GAP, Problems, carefully
from potluck.learning.data.reduced import reduced
from potluck.learning.data.reducing import reducing
from potluck.learning.data.source import Rows, Source, limits_of, most_read, names_of, opened
from potluck.learning.data.split import by_person, by_row, folds, keys_of, sides
from potluck.learning.data.tally import Counting, Tally
from potluck.learning.data.tally_words import nothing_left
from potluck.learning.data.target import Goal, goal_of, lacking, settled
from potluck.learning.data.tensors import looked_into, readers_of
from potluck.learning.data.texts.worded import tokenizers_of
from potluck.learning.data.units import Index, Mask, counted, most_rows, untrained, with_persons
from potluck.learning.kept import InMemory, Kept, after
from potluck.learning.statistics.parts import with_values


class Added(Unlaid, Protocol):
    """Rows that were added up while they were read."""

    def body(self) -> bytes:
        """What they add, as bytes."""
        ...


@dataclass(frozen=True, eq=False)
class Table:
    """One site's rows. Never leaves the site; its repr shows no value. Nobody writes to its arrays.

    features [n, p] on [-1, 1], NaN where a mean is to fill them; target [n] (side, class or scaled number; zeros where
    the plan has none), of labels [n, labels]; person [n] codes in order of appearance, or None; test [n]: held out;
    validation [n]: not trained on but looked at, or empty; columns: for statistics, every declared column [n] as
    numbers or codes (-1: undeclared value, NaN: missing), where models are judged that of groups; tally: what became of
    its values. sums: of statistics, what the rows add, where all arrays are empty. cells: by name, columns [n] of
    tensors, beside the features. site: whose rows they are. kept: what it keeps of its run between steps of training.
    places [n]: to train, which row of the source each is, from 0; names, of rows that persons were reduced to: whose
    each is, else empty; people: to train, the name of each code in `person`; known: as of `RowBatch`; beyond: as of
    `units.untrained`; losses: of its run, by step, that of the announced model where the site votes on it
    (`learning.voting`), and votes: what all sites said of it. gapped: of rows whose gaps were filled, the same as they
    were. folds [n]: where training rows are dealt to folds, that of each, from 1, and 0 of other rows; else empty.
    """

    features: Floats = field(repr=False)
    target: Floats = field(repr=False)
    person: Index | None = field(repr=False)
    test: Mask = field(repr=False)
    columns: Mapping[str, Floats] = field(repr=False)
    schema: tuple[tuple[str, Column], ...]
    tally: Tally = field(default=Tally(), repr=False)
    sums: Added | None = field(default=None, repr=False)
    validation: Mask = field(default_factory=lambda: np.zeros(0, np.bool_), repr=False)
    cells: Mapping[str, Cells] = field(default_factory=dict, repr=False)
    site: str = field(default="", repr=False)
    kept: Kept = field(default_factory=InMemory, repr=False)
    places: Index = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    names: Sequence[str] = field(default=(), repr=False)
    people: Sequence[str] = field(default=(), repr=False)
    known: Index = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    beyond: Mask = field(default_factory=lambda: np.zeros(0, np.bool_), repr=False)
    losses: dict[int, float] = field(default_factory=dict, repr=False)
    votes: dict[int, Votes] = field(default_factory=dict, repr=False)
    folds: Index = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    gapped: "Table | None" = field(default=None, repr=False)
    apart: "dict[tuple[int, int], Table]" = field(default_factory=dict, init=False, repr=False)
    filled: "dict[bytes, Table]" = field(default_factory=dict, init=False, repr=False)
    """By what `without` was asked for, and by what gaps were filled with."""
    within: bool = field(init=False, repr=False)
    """Whether all features are where they should be: looked at once, not in each of many sums."""

    def __post_init__(self) -> None:
        some = self.features
        object.__setattr__(self, "within", some.size == 0 or bool(some.max() <= 1 and some.min() >= -1))

    @property
    def inputs(self) -> Inputs:
        """What a model takes of each row."""
        return inputs(self.features, self.cells)

    @property
    def marks(self) -> NDArray[np.uint8] | None:
        """[n, k] what a row is beside its numbers: digests of its tensors; None: it has none."""
        return np.hstack([one.digests for one in self.cells.values()]) if self.cells else None

    @cached_property
    def keys(self) -> NDArray[np.uint64]:
        """[n] by which rows are drawn: of what each is, not of where it stands. Found when they are first asked for."""
        return (
            self.gapped.keys if self.gapped is not None else keys_of(self.site, self.features, self.target, self.marks)
        )

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.target) if self.sums is None else self.tally.used

    @property
    def train(self) -> Mask:
        """[n] which rows are trained on."""
        return _others(self.test, self.validation, self.beyond)

    def without(self, fold: int, steps: int) -> "Table":
        """The same rows where this fold is held out instead of the test rows, which are in nothing. steps: of the
        training before its own, in what the site keeps."""
        if (fold, steps) not in self.apart:
            held = self.folds == fold
            beyond = self.test | self.beyond if len(self.beyond) else self.test
            self.apart[fold, steps] = replace(self, test=held, beyond=beyond, kept=after(self.kept, steps))
        return self.apart[fold, steps]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Some rows that stay, as `Table` has them; held: held-out marks; found: what is held of tensors."""

    columns: dict[str, Floats]
    features: Floats
    target: Floats
    persons: list[str]
    held: Mask
    found: Mapping[str, Found]
    places: Index
    known: Index


def _others(held: Mask, *more: Mask) -> Mask:
    """[n] the rows of none of these. more: [n] each, or empty where there are none."""
    for some in more:
        held = held | some if len(some) else held
    return ~held


def header(source: Source, plan: Plan, site: str) -> tuple[str, ...]:
    """The names of a source's columns; those of the plan where it has no header. Raises DataError."""
    return names_of(source, site, limits_of(plan.data)) if plan.data.header else tuple(plan.data.columns)


def read(source: Source, plan: Plan, site: str, known: tuple[str, ...] = ()) -> Table:
    """All rows of a site's source. known: as of `Wish`. Raises DataError, told to the site's owner only."""
    return carefully(lambda careful: read_once(source, plan, Problems(site, careful), known))


def read_once(source: Source, plan: Plan, problems: Problems, known: tuple[str, ...] = ()) -> Table:
    """The same in one way of reading. Raises DataError, Doubt."""
    how = encoding(plan)
    goal = goal_of(plan) if plan.traits.labelled else None
    fold = plan.data.split.column if plan.data.split and goal else None
    layout, person = how.layout or None, plan.data.person
    if plan.data.reduce is not None:
        wish = Wish(how.fields, how.notation, goal=goal, person=person)
    else:
        wish = Wish(how.fields, how.notation, layout, goal, person, fold, how.beside, plan.data.where, known)
    return _table(opened(source, problems.where, limits_of(plan.data)), plan, how, wish, problems)


def _table(source: Rows, plan: Plan, how: Encoding, wish: Wish, problems: Problems) -> Table:
    site, counting, blocks, goal = problems.where, Counting(), [], wish.goal
    told = how.fields if plan.data.reduce is None else reducing(plan).told
    readers = readers_of(how, source, site, tokenizers_of(plan), goal)
    with problems:
        for part in _parts(source, plan, wish, problems):
            counting.read += part.rows + part.unmet
            counting.unmet += part.unmet
            counting.persons += len(part.lines) if part.counts is not None else 0
            most_read(counting.read, plan.data.max_rows, site)
            blocks.append(_block(part, plan, how, wish, problems, counting, readers))
    if not counting.used:
        raise nothing_left(counting.done(told, goal), site)
    train, columns_of = plan.traits.labelled, declared(plan)
    columns = {name: joined([block.columns.pop(name) for block in blocks]) for name in _held(plan, how)}
    who = [name for block in blocks for name in block.persons]
    target, held = joined([one.target for one in blocks]), joined([one.held for one in blocks])
    rows, known = [one.features for one in blocks], joined([one.known for one in blocks])
    places = joined([one.places for one in blocks])
    cells = {name: whole(reader, [block.found[name] for block in blocks]) for name, reader in readers.items()}
    del blocks  # which would hold what is let go here
    features = joined(rows)
    if plan.data.reduce is not None:
        one_row_each(who, plan.data.person or "", site)
        order = by_name(who)
        target, features, who = target[order], features[order], [who[place] for place in order]
        columns = {name: values[order] for name, values in columns.items()}
    person = coded(who, plan.data.person, site) if plan.data.person else None
    test, validation, dealt = _sides(plan, Table(features, target, None, held, {}, (), cells=cells), who)
    if person is not None and plan.privacy.unit == "person" and wish.held:
        for side in (test, validation) if len(validation) else (test,):
            one_side(person, side, site)
    schema = tuple((one.name, columns_of[one.name]) for one in how.fields)
    beyond = untrained(plan, person, _others(test, validation)) if train else validation[:0]
    tally = _sums(counting.done(told, goal), plan, columns, person, test, validation, beyond)
    if plan.validated:  # these rows stand where test rows stand else, which are in nothing
        test, beyond = validation, test | beyond if len(beyond) else test
    names = who if plan.data.reduce is not None and train else ()
    people = tuple(dict.fromkeys(who)) if train else ()
    return Table(
        features, target, person, test, columns, schema, tally, None, validation, cells, site,
        places=places, names=names, people=people, known=known, beyond=beyond, folds=dealt,
    )  # fmt: skip


def _held(plan: Plan, how: Encoding) -> tuple[str, ...]:
    """The columns that are held by themselves: all of statistics; to train none, since all are in the features."""
    if not plan.traits.labelled:
        return tuple(one.name for one in how.fields)
    return (plan.evaluate.by,) if plan.evaluate is not None and plan.evaluate.by is not None else ()


def _parts(source: Source, plan: Plan, wish: Wish, problems: Problems) -> Iterator[RowBatch]:
    """Rows, or the persons that a plan reduces them to."""
    if plan.data.reduce is None:
        return parts(source, wish, problems)
    return reduced(source, wish, reducing(plan), problems)


def _block(
    part: RowBatch,
    plan: Plan,
    how: Encoding,
    wish: Wish,
    problems: Problems,
    counting: Counting,
    readers: Mapping[str, Reader],
) -> _Block:
    """The rows of a part that stay. What does not fit goes into `problems`, what the owner is told into `counting`."""
    goal, train = wish.goal, plan.traits.labelled
    columns = {one.name: referred(one, part.columns[one.name]) for one in how.fields}
    target = settled(goal, part.target, part.lines, problems) if goal else np.zeros(len(part.lines))
    who = persons(part.persons, part.lines, wish.person, how.notation, problems) if wish.person else []
    found = looked_into(readers, part, columns, ~lacking(target), how, problems, counting)
    keep = _kept(part, columns, target, how, goal, problems, counting)
    for name, some in (part.counts or {}).items():
        counting.add(name, some)
    for one in how.fields if part.counts is None else ():
        counting.column(one, columns[one.name] if one.apart else part.columns[one.name], keep)
    found = {name: cells.of(keep) for name, cells in found.items()}
    for name, cells in found.items():
        counting.tensors(name, cells)
    if goal and (part.counts is None or goal.side != "number"):
        counting.target(goal, part.target, part.other, keep)
    counting.used += int(keep.sum())
    columns = {name: values[keep] for name, values in columns.items()}
    features = encode(how, columns) if train else np.zeros((int(keep.sum()), 0))
    places = part.places[keep] if train and part.counts is None else part.places[:0]
    who = [name for name, stays in zip(who, keep.tolist(), strict=True) if stays] if who else []
    columns, known = {name: columns[name] for name in _held(plan, how)}, part.known[keep[: len(part.known)]]
    return _Block(columns, features, target[keep], who, part.held[keep], found, places, known)


def _kept(
    part: RowBatch,
    columns: Mapping[str, Floats],
    target: Floats,
    how: Encoding,
    goal: Goal | None,
    problems: Problems,
    counting: Counting,
) -> Mask:
    """Which rows stay [n]. Statistics keep all: a row without a value adds nothing to those that need it."""
    gaps = {name: np.isnan(values) for name, values in columns.items()}
    keep = ~lacking(target)
    if goal:
        counting.without(goal, part.target)
        for one in how.fields:
            if one.missing == "drop":
                gone = keep & gaps[one.name]
                counting.drop(one, part.columns[one.name], gone)
                keep &= ~gone
    for one in how.fields:
        if one.missing == "refuse":
            gone = keep & gaps[one.name]
            if part.counts is not None:
                problems.persons(one.name, one.lacks, int(gone.sum()), one.remedy(GAP))
            else:
                problems.gaps(one.name, one.lacks, part.lines[gone].tolist(), one.remedy(GAP))
    return keep


def _sums(
    tally: Tally,
    plan: Plan,
    columns: Mapping[str, Floats],
    person: Index | None,
    test: Mask,
    looked: Mask,
    beyond: Mask,
) -> Tally:
    """A tally with what its rows add to statistics, or to training and metrics."""
    train = plan.traits.labelled
    index = np.flatnonzero(looked if plan.validated else test) if train else np.arange(len(test), dtype=np.int64)
    judged = not plan.traits.trains or plan.privacy.unit != "person" or plan.privacy.evaluation is not None
    mine = counted(plan, person, index) if judged else index  # without metrics there is nothing to be left out of
    out = len(index) - len(mine)
    return msgspec.structs.replace(
        tally,
        held=int(test.sum()) if train else 0,
        validation=int(looked.sum()),
        validated=plan.validated,
        beyond=out + int(beyond.sum()),
        beyond_held=out if train else 0,
        most=most_rows(plan),
        people=0 if person is None or plan.data.reduce is not None else len(np.unique(person)),
        statistics={} if train else with_values(plan, with_persons(plan, columns, person), mine),
    )


def _sides(plan: Plan, rows: Table, who: list[str]) -> tuple[Mask, Mask, Index]:
    """(test, validation, folds): the second is empty where the plan looks at no row, the third where it deals them to
    none. rows: with what a column said of them."""
    split, number, held = plan.data.split, plan.trainings - 1, rows.test
    none, undealt = np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64)
    if split is None and not number:
        every = np.ones if plan.traits.brings else np.zeros
        return every(len(rows.target), dtype=np.bool_), none, undealt
    if not plan.traits.labelled:
        return np.zeros(len(rows.target), dtype=np.bool_), none, undealt
    split = split or Split()  # to folds rows are dealt without one too
    named = split.column is not None
    if named and split.validation is None and not number:
        return held, none, undealt
    if who:
        places = by_person(split.seed, who)
    else:  # beside a split column: else a row for the test would move an equal one out of training
        rest: Mask | slice = ~held if named else slice(None)
        marks = None if rows.marks is None else rows.marks[rest]
        places = np.ones(len(held))
        places[rest] = by_row(split.seed, rows.features[rest], rows.target[rest], marks)
    test, validation = sides(split, places, held)
    validation = none if split.validation is None else validation
    return test, validation, folds(split, number, places, _others(test, validation)) if number else undealt
