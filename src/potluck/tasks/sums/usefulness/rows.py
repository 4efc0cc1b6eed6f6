"""Rows of nobody on which a plan's training is rehearsed: as the plan declares its columns, and as rows often are.

Of a declared range real values mostly fill a part, somewhere in it; of a category some values are frequent; and columns
go together. So each table has its own: a standard deviation of a twelfth to a sixth of the range, in the log even,
anywhere in it; shares of values that are even over all shares; and a factor that all numbers have in common, which is
up to MOST_SHARED of what they vary by. Each feature weighs in the target what a normal draw says, so that some say much
and others little; in half of the tables these draws are around 1, so that most columns say alike. The best model of a
table has an AUC of about .8, an r2 of .5, or takes most rows of several classes for what they are. All draws have
public seeds: who checks a plan twice reads the same.

It does NOT know a real row. What noise does to a model depends on how many rows and columns there are and how wide
these are declared, more than on what they say; a target that is easier to say is learnt beside more noise than these.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import msgspec
import numpy as np

from potluck.core.schema import readable
from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding, encode
from potluck.learning.data.target import Goal, scores

NARROW, WIDE = 1 / 6, 1 / 3
"""Standard deviations of numbers on [-1, 1]."""
MOST_SHARED = 0.5
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
    how, goal = msgspec.json.decode(known, type=readable(tuple[Encoding, Goal]))
    draw = generator(0, "rehearsal", number, "rows")
    shared, factor = draw.uniform(0, MOST_SHARED), draw.normal(size=rows)

    def number_of(low: float, high: float) -> Floats:
        spread = np.exp(draw.uniform(np.log(NARROW), np.log(WIDE)))
        centre = draw.uniform(-1, 1) * (1 - 2 * spread)
        lies = np.sqrt(shared) * factor + np.sqrt(1 - shared) * draw.normal(size=rows)
        return np.asarray(low + (np.clip(centre + spread * lies, -1.0, 1.0) + 1) / 2 * (high - low))

    def place_of(values: int) -> Floats:
        return draw.choice(values, size=rows, p=draw.dirichlet(np.ones(values))).astype(np.float64)

    raw = {one.name: number_of(one.low, one.high) if one.measured else place_of(len(one.values)) for one in how.fields}
    x = encode(how, raw)
    alike = number // 2 % 2  # so that each share of positive rows has both
    weights = alike + generator(0, "rehearsal", number, "weights").normal(size=(goal.outputs, x.shape[1])).T
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
