"""How far apart shares are, as far as noise tells: L1, from 0, the same, to 2, no cell in common."""

import math
from dataclasses import dataclass

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.evaluation.ranking import Z
from potluck.learning.synthesis.tables import Counts

ABSOLUTE = math.sqrt(2 / math.pi)
"""Of noise of standard deviation 1 the mean of what it is without its sign."""
LOUD = 0.5
"""Where noise alone makes so much of a distance, little is left of a table."""
FARTHEST = 2.0
STEPS = 60


@dataclass(frozen=True, slots=True)
class Apart:
    """error: a distance, None where noise hides it; most: it is hardly larger (95 %), None where that says nothing;
    blur: what noise adds to a distance of nothing."""

    error: float | None
    most: float | None
    blur: float


def apart(counts: Counts, rows: float, wanted: Floats) -> Apart:
    """Noised counts beside shares. rows: of the table.

    Noise does not simply add to a distance: of one that is spread over all cells it hides most. So the error is the
    one that makes the sum as long as it is, were it spread evenly, where noise hides most; concentrated on few cells
    it is less. What noise alone may well make is no error, and none of 0 is told where there is noise.
    """
    found, noise, cells = length(counts, rows, wanted), counts.std / rows, counts.values.size
    if not noise:
        return Apart(found, found, 0.0)
    loud, width = blur(counts, rows), Z * noise * math.sqrt(cells)
    if loud >= LOUD:
        return Apart(None, None, min(loud, FARTHEST))
    told = found > loud + width * math.sqrt(1 - ABSOLUTE**2)
    error = min(_spread(found, noise, cells), FARTHEST) if told else None
    return Apart(error, min(_spread(found + width, noise, cells), FARTHEST), loud)


def length(counts: Counts, rows: float, wanted: Floats) -> float:
    """L1 between counts as shares and other shares."""
    return float(np.abs(counts.values / rows - wanted).sum())


def blur(counts: Counts, rows: float) -> float:
    """How far from itself noise takes a table of so many rows, on average."""
    return counts.values.size * counts.std * ABSOLUTE / rows


def _spread(wanted: float, noise: float, cells: int) -> float:
    """The distance, alike in all cells, that with noise is so long on average (of a folded normal distribution)."""
    low, high = 0.0, wanted / cells
    for _ in range(STEPS):
        middle = (low + high) / 2
        far = middle / noise
        long = noise * ABSOLUTE * math.exp(-far * far / 2) + middle * math.erf(far / math.sqrt(2))
        low, high = (middle, high) if long < wanted / cells else (low, middle)
    return low * cells
