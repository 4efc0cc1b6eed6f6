"""Means that fill the gaps of columns: one sum over training rows, of all such columns together.

A row adds, for each column, a 1 and its number where it has one, as it is encoded: on [-1, 1]. So of m columns what a
unit adds is at most sqrt(2m) long, and with noise it is clipped to that: the sum is one more release of the run, as
large a part of epsilon as any round. The server divides. Every site fills with what is announced, and the model carries
it, so that new rows are filled alike.

With N and S the opened count and sum of a column and s the standard deviation of the noise in each, the mean is
S / (N + PRIOR s): without noise the rows' own, and where noise is all there is the middle of the range. What is made of
opened sums costs nothing more. It does NOT say what a value would have been, nor that gaps are there by chance.
References: Little and Rubin, "Statistical Analysis with Missing Data" (2019), section 4.2.1 (unconditional means).
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from potluck.core.asks import Answer, Block
from potluck.core.plan import Plan
from potluck.core.stages import Floats, Update
from potluck.learning.data.encode import UNKNOWN, encoding, filled, with_means
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, most_units, updates

MEANS = "means"
PRIOR = 4.0
LEAST_ROUNDS = 2
"""One for the means, one to train in."""


def averaged(plan: Plan) -> int:
    """m: how many columns of a plan, whose columns are known by name, are filled with their means."""
    return len(encoding(plan).averaged)


def unknown(plan: Plan) -> Floats:
    """[m] in place of the means, until they are opened."""
    return np.full(averaged(plan), UNKNOWN)


def block(plan: Plan) -> Block:
    """How many rows have a value, and these added up [2m]."""
    size = 2 * averaged(plan)
    return Block(MEANS, size, 1.0, math.sqrt(size), most_units(plan))


def added(plan: Plan, rows: Table) -> Iterator[Update]:
    """What training rows add to it, each unit's summed."""
    places = encoding(plan).averaged

    def each(index: Index) -> Floats:
        x = rows.features[index][:, places]
        return np.hstack([~np.isnan(x), np.nan_to_num(x)])

    return updates(plan, np.flatnonzero(rows.train), rows.person, 2 * len(places), each)


def found(plan: Plan, answer: Answer) -> Floats:
    """[m] the means of an opened sum, as columns are encoded."""
    opened = answer.part(MEANS)
    counts, sums = np.split(opened.values, 2)
    rows = np.maximum(counts, 0.0) + PRIOR * float(opened.std[0])
    return np.clip(np.divide(sums, rows, out=np.zeros_like(sums), where=rows > 0), -1.0, 1.0)


def nowhere(plan: Plan, answer: Answer) -> tuple[str, ...]:
    """What to mind: columns that no training row has a value of, where the counts are exact."""
    counts, fields = np.split(answer.part(MEANS).values, 2)[0], encoding(plan).fields
    names = [one.name for one in fields if one.missing == "mean"]
    return tuple(
        f"column {name!r} has no value in any training row: its gaps are filled with the middle of its range"
        for name, count in zip(names, counts.tolist(), strict=True)
        if not plan.noisy and count == 0
    )


def whole(plan: Plan, rows: Table, means: Floats) -> Table:
    """The same rows, their gaps filled with means [m]. Made once for these means."""
    key = means.tobytes()
    if key not in rows.filled:
        features = filled(with_means(encoding(plan), means), rows.features)
        rows.filled[key] = replace(rows, features=features, gapped=rows)
    return rows.filled[key]
