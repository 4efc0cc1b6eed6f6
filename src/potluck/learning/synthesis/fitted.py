"""Noised tables made into distributions that agree with each other: nothing below zero, and one margin a column.

Reference: Deming and Stephan 1940, "On a least squares adjustment of a sampled frequency table when the expected
marginal totals are known" (iterative proportional fitting).
"""

from collections.abc import Sequence

import numpy as np

from potluck.core.stages import Floats

FAINT = 3.0
"""So many times the noise a count has to be to be told from none."""
TIMES = 100
"""Rounds of fitting, where margins do not agree before."""
CLOSE = 1e-9
FILL = 1e-9
"""A part of a table that is as if columns were independent, so that no margin is out of its reach."""


def shares(counts: Floats, std: float, prior: Floats) -> Floats:
    """Noised counts as a distribution. prior: another one, of the same shape.

    Counts that noise may have made are not believed one by one: together they have what they add up to, and divide it
    as the prior does. So a rare value keeps about its share. Where they add up to less than nothing, the others have
    as much too much: it is taken from each alike, so that those which noise made go first.
    """
    faint, rows = counts < FAINT * std, float(counts.sum())
    few, wanted = float(counts[faint].sum()), np.where(faint, prior, 0.0)
    found = np.where(faint, 0.0, counts)
    if few < 0:
        found = _lowered(found, rows)
    elif wanted.sum() > 0:
        found = found + wanted / wanted.sum() * few
    if found.sum() > 0:
        return np.asarray(found / found.sum())
    return np.asarray(prior / prior.sum() if prior.sum() > 0 else np.full(prior.shape, 1 / prior.size))


def _lowered(counts: Floats, rows: float) -> Floats:
    """Counts of so many rows in all: as much is taken from each, down to nothing. It is the projection onto the simplex
    of Duchi et al. 2008, "Efficient projections onto the l1-ball for learning in high dimensions"."""
    if rows <= 0:
        return np.zeros_like(counts)
    down = np.sort(counts.ravel())[::-1]
    above = np.cumsum(down) - rows
    last = int(np.flatnonzero(down * np.arange(1, len(down) + 1) > above)[-1])
    return np.asarray(np.maximum(counts - above[last] / (last + 1), 0.0))


def fitted(table: Floats, margins: Sequence[tuple[tuple[int, ...], Floats]], prior: Floats) -> Floats:
    """A distribution with these margins, nearest to a table in relative entropy. margins: the axes that each keeps, and
    its shares; they agree where they share axes. prior: has these margins, and stands in where the table has none."""
    found = (1 - FILL) * table + FILL * prior
    for _ in range(TIMES):
        before = found
        for kept, wanted in margins:
            found = _scaled(found, kept, wanted)
        if np.abs(found - before).sum() < CLOSE:
            break
    return found


def _scaled(table: Floats, kept: tuple[int, ...], wanted: Floats) -> Floats:
    """The table with one margin as wanted; what is zero stays."""
    gone = tuple(axis for axis in range(table.ndim) if axis not in kept)
    has = table.sum(axis=gone, keepdims=True)
    aim = np.expand_dims(wanted, gone)
    return np.asarray(table * np.divide(aim, has, out=np.zeros_like(has), where=has > 0))
