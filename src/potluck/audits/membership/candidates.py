"""The rows of which an attacker wants to know whether they were trained on, and what it is granted beside the record.

It is granted much, so that a failure says something: every row in question with its target and its site, the plan, and
its own sites' rows. It does not know which rows trained. Those that the plan holds out stand for rows of people who
were never there: the plan's seed, by which anybody who has a row can tell on what side it is, is not used by an attack.
A hash holds rows out, so that all orders of the two kinds are alike, and a test of chance is exact. Rows that a column
holds out may differ from the others for other reasons, and are not asked about. Where a plan names persons, a person is
in training or not, with all of their rows.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from potluck.audits.seen import Candidates, Mask
from potluck.core.plan import Plan
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, counted
from potluck.simulation.pooled import Pooled, joined

LEVEL = 1e-4
"""There are several attacks in a call."""


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
    return Candidates(of, Pooled(rows, held, np.repeat(np.arange(len(every)), counts)), unit.reshape(-1), share, LEVEL)


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
