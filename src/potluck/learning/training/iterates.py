"""The mean of a run's models, where a plan asks for it.

References: Polyak and Juditsky 1992 (the mean of iterates); Rakhlin, Shamir, Sridharan 2012, arXiv 1109.5647 (that of
the last half of them).
"""

from dataclasses import dataclass, field

from potluck.core.plan import Training
from potluck.core.stages import Floats


@dataclass(slots=True)
class Mean:
    """The mean of the models after each of the last half of the rounds. total: so far, None where none is asked for."""

    spec: Training
    total: Floats | None = field(default=None, repr=False)

    def add(self, number: int, weights: Floats) -> None:
        """The model after round `number`, from 0."""
        if self.spec.iterates == "averaged" and number >= self.spec.rounds // 2:
            self.total = weights if self.total is None else self.total + weights

    def of(self, last: Floats) -> Floats:
        """The model of the run."""
        return last if self.total is None else self.total / (self.spec.rounds - self.spec.rounds // 2)
