"""How well noise will leave a survival curve known, from the plan alone: by how much each opened number moves it.

Of made-up rows half have an event, as many at each time, and all others leave at the end. A curve is a product of
1 - d / r, and r adds up all who leave later: so noise in any count moves it, by the derivative. Running totals that are
made monotone hold a little less noise than this says, and the steps of a few rows more. `moved.py` finds the same of
all times, and of rows that are there; of a few times this is fast also with thousands of bins.
"""

import math

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.statistics.spread import Spread

EVENTS = 0.5
PLACES = 12
"""Of so many points of a curve the one that is known worst."""


def curve(how: Spread) -> float:
    """The standard deviation of a point of the curve of one row, where each opened number has noise of 1."""
    size = len(how.column)
    d, c = np.full(size, EVENTS / size), np.zeros(size)
    c[-1] = 1 - EVENTS
    at_risk = (d + c)[::-1].cumsum()[::-1]
    survival = np.cumprod(1 - d / at_risk)
    later = np.cumsum(d / (at_risk * (at_risk - d)))
    found = []
    for at in np.unique(np.linspace(0, size - 1, PLACES).astype(int)):
        of_exits = survival[at] * later[np.minimum(np.arange(size), at)]
        of_events = of_exits - survival[at] * np.where(np.arange(size) <= at, 1 / (at_risk - d), 0.0)
        found.append(sum(float(_opened(one, how) @ _opened(one, how)) for one in (of_exits, of_events)))
    return math.sqrt(max(found))


def _opened(counts: Floats, how: Spread) -> Floats:
    """[m] by how much opened numbers move what counts move by `counts` [m]."""
    totals = counts - np.append(counts[1:], 0.0)
    size = 2 * len(totals)
    both = np.fft.rfft(totals[::-1], size) * np.fft.rfft(how.reach, size)
    return np.asarray(np.fft.irfft(both, size)[: len(totals)], np.float64)
