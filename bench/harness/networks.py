"""Models for predictions: as large as training leaves them, from a fixed seed."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from potluck.core.predicting import Activation, Dense, Net


def drawn(widths: Sequence[int], activation: Activation) -> Net:
    """A network with weights as large as training leaves them, for features in [0, 1].

    Hidden layers have no bias: TenSEAL adds it to the first slots only, while its next product reads further ones, and
    its scores come out wrong by some tenths.
    """
    rng = np.random.default_rng(0)
    layers = tuple(
        Dense(rng.normal(size=(after, before)) / before**0.5, rng.normal(size=after) / 4 * (after == widths[-1]))
        for before, after in pairwise(widths)
    )
    return Net(layers, activation, np.zeros(widths[0]), np.ones(widths[0]))
