"""The rows of which an attacker wants to know whether they were trained on, and what it is granted beside the record.

It is granted much, so that a failure says something: every row in question with its target and its site, the plan, and
its own sites' rows. It does not know which rows trained. Those that the plan holds out stand for rows of people who
were never there: the plan's seed, by which anybody who has a row can tell on what side it is, is not used by an attack.
A hash holds rows out, so that all orders of the two kinds are alike, and a test of chance is exact. Rows that a column
holds out may differ from the others for other reasons, and are not asked about. Where a plan names persons, a person is
in training or not, with all of their rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, counted
from potluck.simulation.pooled import Pooled, joined

if TYPE_CHECKING:
    from potluck.audits.attack import Scene

LEVEL = 1e-4
"""There are several attacks in a call."""
Mask = NDArray[np.bool_]


class Shadow(NamedTuple):
    """A model that the attacker trained by itself. inside [n]: on which candidates; surer [n, k]: what it says of each
    (`signals`)."""

    inside: Mask
    surer: Floats


@dataclass(eq=False)
class Candidates:
    """of: the sites whose rows are asked about; pool: these rows, and behind them those of the attacker's own sites
    that train; unit [n]: of each candidate its row's or person's number; share: of units, those that train, as the plan
    says; level: how often chance may do as well where an attack succeeds. All attacks share the rest. shadows: what was
    trained so far; controls: runs beside which an attack is tried, once they are made."""

    of: frozenset[str]
    pool: Pooled = field(repr=False)
    unit: Index = field(repr=False)
    share: float
    level: float = LEVEL
    shadows: list[Shadow] = field(default_factory=list, repr=False)
    controls: "Sequence[Scene] | None" = field(default=None, repr=False)

    @property
    def rows(self) -> Table:
        """All rows of the pool."""
        return self.pool.train

    @property
    def count(self) -> int:
        """n."""
        return len(self.unit)

    def by_unit(self, values: Floats) -> Floats:
        """[n] -> [units]: of a person the mean over their rows."""
        return np.asarray(np.bincount(self.unit, values) / np.bincount(self.unit))


def candidates(plan: Plan, truth: Mapping[str, Table], names: frozenset[str]) -> Candidates | None:
    """What is asked of a coalition of these names. None: there is nothing to ask."""
    split, of = plan.data.split, frozenset(truth) - names
    sides = [_asked(plan, truth[name]) for name in sorted(of)]
    if split is None or not any(len(inside) for inside, _ in sides) or not any(len(outside) for _, outside in sides):
        return None
    own = [truth[name] for name in sorted(names & truth.keys())]
    every = [truth[name] for name in sorted(of)] + own
    masks = [_mask(np.concatenate(both), truth[name].rows) for name, both in zip(sorted(of), sides, strict=True)]
    masks += [table.train for table in own]
    free = [_unmarked(table) for table in every]
    rows = joined(free, masks)
    held = joined(free, [np.zeros_like(mask) for mask in masks])
    counts = [int(mask.sum()) for mask in masks]
    count = sum(counts[: len(of)])
    unit = np.arange(count) if rows.person is None else np.unique(rows.person[:count], return_inverse=True)[1]
    share = 1 - (split.validation or 0.0) - (0.0 if split.column is not None else split.test or 0.0)
    return Candidates(of, Pooled(rows, held, np.repeat(np.arange(len(every)), counts)), unit.reshape(-1), share)


def members(plan: Plan, truth: Mapping[str, Table], of: frozenset[str]) -> Mask:
    """[units] who was trained on: what no attack knows."""
    found: list[Mask] = []
    for name in sorted(of):
        table, (inside, outside) = truth[name], _asked(plan, truth[name])
        rows = np.sort(np.concatenate([inside, outside]))
        flags = np.isin(rows, inside)
        if table.person is None:
            found.append(flags)
        else:  # in the order of their numbers, as in `candidates`; all rows of a person are on one side
            found.append(flags[np.unique(table.person[rows], return_index=True)[1]])
    return np.concatenate(found)


def _asked(plan: Plan, table: Table) -> tuple[Index, Index]:
    """(rows that train, rows that a hash holds out): row numbers of those that are asked about."""
    split = plan.data.split
    outside = table.validation.copy() if len(table.validation) else np.zeros(len(table.test), np.bool_)
    if split is not None and split.column is None:
        outside |= table.test
    held = np.flatnonzero(outside)
    if plan.privacy.rows_per_person is not None:  # as many of a person as train
        held = counted(plan, table.person, held)
    return np.flatnonzero(table.train), held


def _mask(rows: Index, count: int) -> Mask:
    found = np.zeros(count, np.bool_)
    found[rows] = True
    return found


def _unmarked(table: Table) -> Table:
    """The table without what tells who trains."""
    nothing = np.zeros(0, np.bool_)
    return replace(table, test=np.zeros(len(table.test), np.bool_), validation=nothing, beyond=nothing)
