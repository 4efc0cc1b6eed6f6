"""What ties a run to the rows that it began with.

Without noise the same sum over other rows, at the same model, gives by its difference the rows that came or went: one
approval would answer any number of such questions, whoever changed the rows. So before the first letter of a round that
this party takes part in, a keyed digest of what it brings is durable under the run, and other rows are refused for the
rest of it. It is over the ENCODED rows as the run uses them (features, digests of files, target, side of the split,
which rows are one person's), and their order does not count: a database gives them in any. Where the sum depends on it,
it does: FedAvg takes its batches in the order of rows, and a network's gradients are added up in it, so that the same
rows in another one give another exact sum. It counts too where a site keeps something from round to round: rows that
have their turns do so by their numbers (`training.turns`), and in another order would stand in one sum twice.

With noise every release is charged whatever rows it is over; the same rule holds, so that a model is of the rows of one
day, and no row is both trained on and tested.

It does NOT compare rows across runs: a plan that is approved again is approved for the rows of then. Which rows of a
person are the first, that count, may differ where they come in another order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.rounds import Cause, Record
from potluck.learning.data.columns import Own
from potluck.learning.data.table import Table
from potluck.learning.training.local import keeps
from potluck.learning.training.methods import method_of
from potluck.members.files import kept_secret
from potluck.mpc.psi.curve import split
from potluck.mpc.spu import DIGEST
from potluck.secret.container import Secret
from potluck.secret.multiset import SIZE, grouped, mark, total
from potluck.secret.random import system
from potluck.tasks.matching.alignment import Keys

TIED = "rows/"
"""Prefix of the `Record` of what a run began with."""
_BATCH = 1 << 14


@dataclass(frozen=True, slots=True)
class Tie:
    """What a party brings, as a digest under a key of its own."""

    key: Secret = field(repr=False)
    digest: bytes = field(repr=False)

    def record(self, run: str) -> Record:
        """What is durable under the run. Refused as CHANGED: it began with something else."""
        return Record(f"{TIED}{run}", mark(self.key, self.digest, run.encode()), again=True, other=Cause.CHANGED)


def by_order(plan: Plan) -> bool:
    """Whether a plan's sums depend on the order of rows."""
    return plan.training is not None and (method_of(plan).whole(plan) or keeps(plan))


def of_table(table: Table, key: Secret, ordered: bool = False) -> Tie:
    """The rows of a site, or, where it holds none, what they add. ordered: their order counts."""
    if table.sums is not None:
        return Tie(key, total(key, [table.sums.body()], b"potluck sums"))
    rows: Iterator[bytes] = _rows(table)
    if ordered:
        rows = (number.to_bytes(8, "little") + row for number, row in enumerate(rows))
    if table.person is None:
        return Tie(key, total(key, rows, b"potluck row"))
    return Tie(key, grouped(key, rows, table.person.tolist(), b"potluck row", b"potluck person"))


def of_keys(keys: Keys, key: Secret) -> Tie:
    """The keys of an owner."""
    return Tie(key, total(key, split(keys.digests, DIGEST), b"potluck key"))


def of_columns(keys: Keys, own: Own, key: Secret) -> Tie:
    """The columns of an owner, each row with its key; rows without one are not used."""
    columns = [own.columns[name] for name in own.columns]
    columns += [] if own.target is None else [own.target]
    columns += [] if own.test is None else [own.test.astype(np.float64)]
    rows = np.column_stack([np.zeros((own.rows, 0)), *columns]).astype("<f8")[keys.rows]
    members = (one + row.tobytes() for one, row in zip(split(keys.digests, DIGEST), rows, strict=True))
    return Tie(key, total(key, members, b"potluck column"))


def key_of(path: Path, draw: Draw = system) -> Secret:
    """A party's key for its ties, made where there is none. If the key is lost, running runs cannot continue.

    Raises UsageError: it cannot be read or made, or is damaged. Refused: others can read it.
    """
    return kept_secret(path, SIZE, draw)


def _rows(table: Table) -> Iterator[bytes]:
    """Each row, as the run uses it: 8 bytes a number, and the digests of its files."""
    marks = table.marks
    sides = table.test + 2.0 * table.validation if len(table.validation) else table.test
    columns = [table.features, table.target, sides, *table.columns.values()]
    for start in range(0, table.rows, _BATCH):
        batch = np.column_stack([column[start : start + _BATCH] for column in columns]).astype("<f8")
        whole, width = batch.tobytes(), 8 * batch.shape[1]
        rows = (whole[at : at + width] for at in range(0, len(whole), width))
        if marks is None:
            yield from rows
        else:
            yield from (row + mark.tobytes() for row, mark in zip(rows, marks[start : start + _BATCH], strict=True))
