"""All sites' rows as one table, from which simulated clients get theirs, and the rows that are held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError, UsageError
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.learning.data.encode import encoding
from potluck.learning.data.files.cells import Cells, DType
from potluck.learning.data.parts import Wish, parts
from potluck.learning.data.persons import persons
from potluck.learning.data.problems import Problems, carefully
from potluck.learning.data.source import Rows
from potluck.learning.data.table import Table
from potluck.learning.data.texts.cells import TextCells
from potluck.learning.data.units import Index
from potluck.learning.kept import InMemory


@dataclass(frozen=True, slots=True, eq=False)
class JoinedCells:
    """A column's cells of several sites. See `Cells`. sites: each one's cells and the rows of them that are meant."""

    sites: Sequence[tuple[Cells, Index]] = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """As the plan says."""
        return self.sites[0][0].shape

    @property
    def dtype(self) -> DType:
        """As the plan says."""
        return self.sites[0][0].dtype

    @property
    def digests(self) -> NDArray[np.uint8]:
        """Of all rows."""
        return np.concatenate([cells.digests[rows] for cells, rows in self.sites])

    def take(self, rows: Index) -> NDArray[np.float32] | NDArray[np.int64]:
        """See `Cells`."""
        out = np.empty((len(rows), *self.shape), self.dtype)
        start = 0
        for cells, own in self.sites:
            here = (start <= rows) & (rows < start + len(own))
            if here.any():
                out[here] = cells.take(own[rows[here] - start])
            start += len(own)
        return out


def _cells(sites: Sequence[tuple[Cells, Index]]) -> Cells:
    texts = [(cells, rows) for cells, rows in sites if isinstance(cells, TextCells)]
    if not texts:
        return JoinedCells(sites)
    held = np.concatenate([cells.held[rows] for cells, rows in texts])
    digests = np.concatenate([cells.digests[rows] for cells, rows in texts])
    return replace(texts[0][0], held=held, digests=digests)


def joined(tables: Sequence[Table], masks: Sequence[NDArray[np.bool_]]) -> Table:
    """These rows of several sites as one table, in their order. Persons are told apart by site."""
    rows = [np.flatnonzero(mask) for mask in masks]
    who, start = [], 0
    for table, some in zip(tables, rows, strict=True):
        if table.person is not None:
            who.append(table.person[some] + start)
            start += int(table.person.max(initial=-1)) + 1
    validation = [one.validation if len(one.validation) else np.zeros(len(one.test), np.bool_) for one in tables]
    return Table(
        np.concatenate([table.features[some] for table, some in zip(tables, rows, strict=True)]),
        np.concatenate([table.target[some] for table, some in zip(tables, rows, strict=True)]),
        np.concatenate(who) if who else None,
        np.concatenate([table.test[some] for table, some in zip(tables, rows, strict=True)]),
        {},
        tables[0].schema,
        validation=np.concatenate([one[some] for one, some in zip(validation, rows, strict=True)]),
        cells={
            name: _cells([(table.cells[name], some) for table, some in zip(tables, rows, strict=True)])
            for name in tables[0].cells
        },
    )


@dataclass(frozen=True, eq=False)
class Pooled:
    """train: all training rows n; held: all others; sites [n]: of which site each training row is."""

    train: Table = field(repr=False)
    held: Table = field(repr=False)
    sites: Index = field(repr=False)

    @cached_property
    def bytes(self) -> int:
        """What they take. Tensors that lie in files are not among them."""
        return sum(one.features.nbytes + one.target.nbytes + one.test.nbytes for one in (self.train, self.held))

    def typed(self, kind: str | None) -> "Pooled":
        """The same, with the features of training rows in this type. None: as they are."""
        if kind is None:
            return self
        return replace(self, train=replace(self.train, features=self.train.features.astype(kind, copy=False)))

    def some(self, rows: Index, site: str, owners: Index | None = None) -> Table:
        """The table of a client with these training rows. owners: of rows of several clients, whose each is: persons of
        two clients are two."""
        table = self.train
        person = None if table.person is None else table.person[rows]
        if person is not None and owners is not None:
            person = np.unique(np.stack([owners, person]), axis=1, return_inverse=True)[1].reshape(-1)
        cells = {name: _cells([(one, rows)]) for name, one in table.cells.items()}
        nothing = np.zeros(len(rows), np.bool_)
        return Table(
            table.features[rows], table.target[rows], person, nothing, {}, table.schema,
            validation=nothing if len(table.validation) else table.validation, cells=cells, site=site, kept=InMemory(),
        )  # fmt: skip


def pooled(tables: Mapping[Party, Table]) -> Pooled:
    """Of all sites. Raises DataError: nobody has a row to train on."""
    every = list(tables.values())
    masks = [table.train for table in every]
    if not sum(int(mask.sum()) for mask in masks):
        raise DataError("there are no rows to train on", hint="lower data.split.test, or see the split column")
    sites = np.repeat(np.arange(len(every)), [int(mask.sum()) for mask in masks])
    return Pooled(joined(every, masks), joined(every, [~mask for mask in masks]), sites)


def values_of(column: str, plan: Plan, sources: Mapping[str, Rows], tables: Mapping[Party, Table]) -> Index:
    """[n] a number for each value of a column, of all training rows: a value at two sites is one.

    Raises DataError: there is no such column, or a row has no value; UsageError: rows are persons.
    """
    if plan.data.reduce is not None:
        hint = "--split even, or a plan without data.reduce"
        raise UsageError("rows are reduced to persons, and have no column of their own", where="--split", hint=hint)
    found: list[str] = []
    for site, table in tables.items():
        each = _texts(column, plan, sources[site.name], site.name)
        found += [each[place] for place in table.places[table.train].tolist()]
    known = {name: code for code, name in enumerate(dict.fromkeys(found))}
    return np.array([known[name] for name in found], dtype=np.int64)


def _texts(column: str, plan: Plan, source: Rows, site: str) -> list[str]:
    """The column's cells, of all rows of a source, each in one spelling."""
    how = encoding(plan)
    wish = Wish((), how.notation, layout=how.layout or None, person=column)

    def read(careful: bool) -> list[str]:
        problems, names = Problems(site, careful), list[str]()
        with problems:
            for part in parts(source, wish, problems):
                names += persons(part.persons, part.lines, column, how.notation, problems)
        return names

    return carefully(read)
