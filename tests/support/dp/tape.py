"""Noise that a test looks at, in place of the mechanism's."""

import numpy as np

from potluck.dp import mechanism as mechanisms


class Tape:
    """Noise that is remembered, in place of the mechanism's: as loud, or none."""

    def __init__(self, monkeypatch, loud):
        self.sigmas, self.noise, self._draw, self._loud = [], [], np.random.default_rng(5), loud
        monkeypatch.setattr(mechanisms, "runs", self.runs)

    def runs(self, sigma, size, draw, window=32):
        self.sigmas.append(sigma)
        self.noise.append(np.rint(self._draw.normal(0, sigma, size) * self._loud).astype(np.int64))
        yield 0, self.noise[-1]
