"""Means that fill the gaps of columns: one sum over training rows, of all such columns together.

A row adds, for each column, a 1 and its number where it has one, as it is encoded: on [-1, 1]. So of m columns what a
unit adds is at most sqrt(2m) long, and with noise it is clipped to that: the sum is one more release of the run, as
large a part of epsilon as any round. The server divides. Every site fills with what is announced, and the model carries
it, so that new rows are filled alike.

With N and S the opened count and sum of a column and s the standard deviation of the noise in each, the mean is
S N / (N^2 + s^2): without noise the rows' own, and where noise is all there is the middle of the range. It is S / N
shrunk as if means had a variance of 1 around the middle, the most that they can have on [-1, 1], beside the noise's,
(s / N)^2. What is made of opened sums costs nothing more. It does NOT say what a value would have been, nor that gaps
are there by chance.
References: Little and Rubin, "Statistical Analysis with Missing Data" (2019), section 4.2.1 (unconditional means);
Efron and Morris, JASA 70(350), 1975, section 1 (shrinkage).
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
LEAST_ROUNDS = 2
"""One for the means, one to train in."""
SURE = 1.96
"""Standard deviations on either side, of 95 %."""
LOOSE = 0.1
"""A mean that is known to this or less, of [-1, 1], is no matter for a word."""


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
    rows = np.maximum(counts, 0.0)
    weight = rows**2 + float(opened.std[0]) ** 2
    return np.clip(np.divide(sums * rows, weight, out=np.zeros_like(sums), where=weight > 0), -1.0, 1.0)


def minded(plan: Plan, answer: Answer) -> tuple[str, ...]:
    """What to mind: columns that no training row has a value of, and means that noise leaves hardly known."""
    opened, how, known = answer.part(MEANS), encoding(plan), found(plan, answer)
    counts, noise = np.maximum(np.split(opened.values, 2)[0], 0.0), float(opened.std[0])
    beside = np.divide(SURE * noise * np.sqrt(1 + known**2), counts, out=np.full_like(counts, np.inf), where=counts > 0)
    high, low, fills = (with_means(how, one).fills for one in (np.ones_like(known), -np.ones_like(known), known))
    said = []
    for name, count, off in zip(fills, counts.tolist(), beside.tolist(), strict=True):
        fill, width = f"{fills[name]:.4g}", f"{off * (high[name] - low[name]) / 2:.2g}"
        if not plan.noisy and count == 0:
            said.append(f"column {name!r} has no value in any training row: the middle of its range fills its gaps")
        elif plan.noisy and off >= 1:
            said.append(f"noise leaves nothing of the mean of column {name!r}: its gaps are filled with {fill}")
        elif plan.noisy and off > LOOSE:
            what = f"gaps in {name!r} are filled with {fill}, a mean that noise leaves known to"
            said.append(f"{what} +- {width} (95 %)")
    return tuple(said)


def whole(plan: Plan, rows: Table, means: Floats) -> Table:
    """The same rows, their gaps filled with means [m]. Made once for these means."""
    key = means.tobytes()
    if key not in rows.filled:
        features = filled(with_means(encoding(plan), means), rows.features)
        rows.filled[key] = replace(rows, features=features, gapped=rows)
    return rows.filled[key]
