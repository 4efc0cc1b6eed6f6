"""The rows of which an attacker wants to know whether they were trained on, and what it is granted beside the record.

It is granted much, so that a failure says something: every row in question with its target and its site, the plan, and
its own sites' rows. It does not know which rows trained. Those that the plan holds out stand for rows of people who
were never there: the plan's seed, by which anybody who has a row can tell on what side it is, is not used by an attack.
A hash holds rows out, so that all orders of the two kinds are alike, and a test of chance is exact. It is exact of what
has a hash of its own: equal rows of several sites are one candidate, and so is a person with all rows at all sites.
Rows that a column holds out may differ from the others for other reasons, and are not asked about.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from potluck.audits.seen import Candidates, Mask
from potluck.core.plan import Plan
from potluck.learning.data.split import by_row
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, counted
from potluck.simulation.pooled import Pooled, joined

LEVEL = 1e-4
"""There are several attacks in a call."""


def candidates(plan: Plan, truth: Mapping[str, Table], names: frozenset[str]) -> Candidates | None:
    """What is asked of a coalition of these names. None: there is nothing to ask."""
    split, of = plan.data.split, frozenset(truth) - names
    asked = {name: _asked(plan, truth[name]) for name in sorted(of)}
    trained = [truth[name].train[rows] for name, rows in asked.items()]
    if split is None or not trained or not (np.concatenate(trained).any() and not np.concatenate(trained).all()):
        return None
    own = [truth[name] for name in sorted(names & truth.keys())]
    every = [truth[name] for name in asked] + own
    masks = [_mask(rows, truth[name].rows) for name, rows in asked.items()] + [table.train for table in own]
    free = [_unmarked(table) for table in every]
    rows, held = joined(free, masks), joined(free, [np.zeros_like(mask) for mask in masks])
    homes = np.repeat(np.arange(len(every)), [int(mask.sum()) for mask in masks])
    share = 1 - (split.validation or 0.0) - (0.0 if split.column is not None else split.test or 0.0)
    unit = _unit(truth, asked)
    return Candidates(of, Pooled(rows, held, homes), unit, share, LEVEL, _times(plan, asked, unit))


def members(plan: Plan, truth: Mapping[str, Table], of: frozenset[str]) -> Mask:
    """[units] who was trained on: what no attack knows."""
    asked = {name: _asked(plan, truth[name]) for name in sorted(of)}
    trained = np.concatenate([truth[name].train[rows] for name, rows in asked.items()])
    return np.asarray(trained[np.unique(_unit(truth, asked), return_index=True)[1]])


def _asked(plan: Plan, table: Table) -> Index:
    """The rows that are asked about: that train, or that a hash holds out."""
    split = plan.data.split
    some = table.validation.copy() if len(table.validation) else np.zeros(len(table.test), np.bool_)
    if split is not None and split.column is None:
        some |= table.test
    held = np.flatnonzero(some)
    if plan.privacy.rows_per_person is not None:  # as many of a person as train
        held = counted(plan, table.person, held)
    return np.sort(np.concatenate([np.flatnonzero(table.train), held]))


def _unit(truth: Mapping[str, Table], asked: Mapping[str, Index]) -> Index:
    """[n] the number of each row's unit: what one hash puts on one side. That is a person, at all sites; or a row, with
    those of other sites that equal it and before which as many equal ones stand."""
    found: list[str | float] = []
    for name, rows in asked.items():
        table = truth[name]
        if table.person is None:
            found += by_row(0, table.features, table.target, table.marks)[rows].tolist()
        else:
            found += [table.people[code] for code in table.person[rows].tolist()]
    known = {one: number for number, one in enumerate(dict.fromkeys(found))}
    return np.array([known[one] for one in found], np.int64)


def _times(plan: Plan, asked: Mapping[str, Index], unit: Index) -> int:
    """How many of what the plan's noise hides, rows, persons of a site or sites, one unit is at most."""
    sites = np.repeat(np.arange(len(asked)), [len(rows) for rows in asked.values()])
    if plan.privacy.unit == "row":
        return int(np.bincount(unit).max())
    return int(np.bincount(np.unique(np.stack([unit, sites]), axis=1)[0]).max())


def _mask(rows: Index, count: int) -> Mask:
    found = np.zeros(count, np.bool_)
    found[rows] = True
    return found


def _unmarked(table: Table) -> Table:
    """The table without what tells who trains."""
    nothing = np.zeros(0, np.bool_)
    return replace(table, test=np.zeros(len(table.test), np.bool_), validation=nothing, beyond=nothing)
