"""Rows of nobody on which a plan's training is rehearsed: as the plan declares its columns, and as rows often are.

Of a number's declared range real values mostly fill a part, somewhere in it; of a category some values are frequent. So
each table has its own: a standard deviation of a twelfth to a sixth of the range, in the log even, anywhere in it, and
shares of values that are even over all shares. Each feature weighs in the target what a normal draw says, so that some
say much and others little. The best model of such a table has an AUC of .8, an r2 of .5, or takes three of four rows of
two classes for what they are. All draws have public seeds: who checks a plan twice reads the same.

It does NOT know a real row, nor how columns go together: here they do not. What noise does to a model depends on how
many rows and columns there are and how wide these are declared, more than on what they say.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import msgspec
import numpy as np

from potluck.core.seeded import Generator, generator
from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding, encode
from potluck.learning.data.target import Goal, scores

NARROW, WIDE = 1 / 6, 1 / 3
"""Standard deviations of numbers on [-1, 1]."""
STEEP = 1.35
"""Of log-odds: the standard deviation at which their AUC is .8, of a normal (checked in a test)."""
KNOWN = 0.5
"""Of a number: the part of its variance that features say."""
SPREAD = 0.25
"""Of a number that is predicted: its standard deviation on [-1, 1]."""


@dataclass(frozen=True, slots=True)
class MadeUp:
    """features [n, p]; target [n], as `Table` has them; best [n, outputs]: the margins of the model that made it."""

    features: Floats = field(repr=False)
    target: Floats = field(repr=False)
    best: Floats = field(repr=False)


def made_up(how: Encoding, goal: Goal, share: float, rows: int, number: int) -> MadeUp:
    """share: of positive rows, of a target of two sides; number: which table. Nobody may write into it: it is kept."""
    return _kept(msgspec.json.encode((how, goal)), share, rows, number)


@lru_cache(maxsize=32)
def _kept(known: bytes, share: float, rows: int, number: int) -> MadeUp:
    how, goal = msgspec.json.decode(known, type=tuple[Encoding, Goal])
    draw = generator(0, "rehearsal", number, "rows")
    x = encode(how, {one.name: _column(one.measured, one.low, one.high, len(one.values), draw, rows)
                     for one in how.fields})  # fmt: skip
    weights = generator(0, "rehearsal", number, "weights").normal(size=(goal.outputs, x.shape[1])).T
    spread = x.std(axis=0)
    z = np.divide(x - x.mean(axis=0), spread, out=np.zeros_like(x), where=spread > 0)
    margins = z @ weights
    margins /= np.maximum(margins.std(axis=0), 1e-12)
    coin = generator(0, "rehearsal", number, "target")
    if goal.side == "number":
        best = SPREAD * np.sqrt(KNOWN) * margins
        noise = SPREAD * np.sqrt(1 - KNOWN) * coin.normal(size=best.shape)
        return MadeUp(x, np.clip(best + noise, -1.0, 1.0)[:, 0], best)
    best = STEEP * margins
    if goal.side == "binary":
        best += _shift(best, share)
        return MadeUp(x, (coin.random(rows) < scores(goal, best)[:, 0]).astype(np.float64), best)
    chance = np.cumsum(scores(goal, best), axis=1)
    drawn = (coin.random(rows)[:, None] > chance[:, :-1]).sum(axis=1)
    return MadeUp(x, drawn.astype(np.float64), best)


def _column(measured: bool, low: float, high: float, values: int, draw: Generator, rows: int) -> Floats:
    """[rows] raw values, or places of a category's values."""
    if not measured:
        found = draw.choice(values, size=rows, p=draw.dirichlet(np.ones(values)))
        return found.astype(np.float64)
    spread = np.exp(draw.uniform(np.log(NARROW), np.log(WIDE)))
    centre = draw.uniform(-1, 1) * (1 - 2 * spread)
    on_scale = np.clip(centre + spread * draw.normal(size=rows), -1.0, 1.0)
    return np.asarray(low + (on_scale + 1) / 2 * (high - low))


def _shift(margins: Floats, share: float) -> float:
    """What to add to log-odds, so that so many are positive."""
    low, high = -50.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        if (1 / (1 + np.exp(-(margins + middle)))).mean() < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2
