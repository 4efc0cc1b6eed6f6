"""The only maker of a `Release`: what may be shown.

Whoever makes one has a `Settled` sum in hand, with whatever noise the plan owes inside; no other module makes one,
which an architecture test checks. It does NOT clamp or round: intervals stay honest.
"""

from potluck.core.fixed import decode
from potluck.core.party import Party
from potluck.core.stages import Floats, Grid, Release, Settled


def reveal(settled: Settled, grid: Grid) -> Release:
    """The sum [d] in real units, with its standard deviation. Reveals: exactly that, to whoever reads it."""
    return Release(decode(settled.words, grid), settled.std, settled.givers)


def recalled(values: Floats, std: Floats, givers: frozenset[Party]) -> Release:
    """A release that was made before, as the coordinator's own journal kept it. Reveals: nothing new."""
    return Release(values, std, givers)
