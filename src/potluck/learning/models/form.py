"""What trains of a model, whatever it is made of: how many weights, the first ones, and steps down its mean loss."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from potluck.core.stages import Floats
from potluck.learning.data.mixed import Inputs


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one step, by number. seed: public, of whatever the step draws."""

    rows: NDArray[np.int64]
    seed: int


@dataclass(frozen=True, slots=True)
class Steps:
    """How far a step goes: rate times the gradient, `pull` times each weight that a ridge holds, `mu` times each
    weight's distance from `anchor` [d] (None: from none), and `shift` [d] (None: nothing). The last two are of the
    weights that sites share."""

    rate: float
    pull: float
    mu: float = 0.0
    anchor: Floats | None = None
    shift: Floats | None = None


class Form(Protocol):
    """Weights that train, as one vector: [d] that sites share, and behind them [h] that stay at each site."""

    @property
    def size(self) -> int:
        """d."""
        ...

    @property
    def held(self) -> int:
        """h, mostly 0."""
        ...

    @property
    def at_once(self) -> int:
        """How many rows a sum of gradients goes through at a time: always as many, so that a site repeats its bits."""
        ...

    def penalised(self) -> NDArray[np.bool_]:
        """[d] which weights a ridge holds."""
        ...

    def initial(self) -> Floats:
        """The first weights that sites share [d], from the plan alone."""
        ...

    def initial_held(self) -> Floats:
        """The first weights that stay at each site [h], likewise."""
        ...

    def descend(self, weights: Floats, batches: Iterable[Batch], x: Inputs, y: Floats, steps: Steps) -> None:
        """Steps of SGD, a batch each, on rows x (n) with targets y [n]; weights [d + h] change in place."""
        ...

    def add_slope(self, total: Floats, weights: Floats, batches: Iterable[Batch], x: Inputs, y: Floats) -> None:
        """Add to `total` [d], in place, the gradient at `weights` [d] of the loss of all rows of these batches."""
        ...
