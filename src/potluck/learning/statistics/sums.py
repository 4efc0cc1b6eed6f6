"""The opened numbers of one statistic in one round, and how exact they are."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.core.stages import Floats

DOUBLES = 2.0**-51
"""More than what doubles get wrong about a mean of numbers on [-1, 1]. Whole steps would gain little: a grid has none
finer than 2^-48."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """values, std [size] or [groups, width]: opened, and the noise in each; step: of the grid, which cuts off less than
    one a row."""

    values: Floats = field(repr=False)
    std: Floats = field(repr=False)
    step: float

    @property
    def blur(self) -> float:
        """How far off a mean of numbers on [-1, 1] may be. With noise 0: this is nothing beside it."""
        return 0.0 if self.std.any() else self.step + DOUBLES

    def groups(self) -> Iterator["Part"]:
        """Each group's, [width]."""
        for values, std in zip(self.values, self.std, strict=True):
            yield replace(self, values=values, std=std)

    def together(self) -> "Part":
        """[width] of all groups, "other" included."""
        return replace(self, values=self.values.sum(axis=0), std=np.sqrt((self.std**2).sum(axis=0)))
