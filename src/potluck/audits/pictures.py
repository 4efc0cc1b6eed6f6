"""Made-up pictures: a digit somewhere on a dark ground, so that people can see whether an attack found it."""

import math

import numpy as np

from potluck.core.seeded import Generator
from potluck.core.stages import Floats

GLYPHS = (
    "699996", "262227", "691248", "e1611e", "26af22", "f8e11e", "68e996", "f12444", "696996", "699716",
)  # fmt: skip
"""0 to 9, of 6 rows of 4 pixels: a hexadecimal digit a row."""
GROUND, INK = 0.08, 0.92


def picture(shape: tuple[int, ...], low: float, high: float, rng: Generator) -> Floats:
    """[*shape] between low and high: with two axes or more a digit on the last two, else numbers drawn evenly."""
    if len(shape) < 2 or min(shape[-2:]) < 6:
        return low + (high - low) * rng.uniform(size=shape)
    glyph = [[int(row, 16) >> place & 1 for place in (3, 2, 1, 0)] for row in GLYPHS[rng.integers(len(GLYPHS))]]
    height, width = shape[-2:]
    by = max(1, math.floor(rng.uniform(0.6, 0.9) * min(height / 6, width / 4)))
    drawn = np.kron(np.array(glyph, dtype=np.float64), np.ones((by, by)))
    found = np.full((height, width), GROUND)
    top, left = (rng.integers(whole - part + 1) for whole, part in zip((height, width), drawn.shape, strict=True))
    found[top : top + drawn.shape[0], left : left + drawn.shape[1]] += (INK - GROUND) * drawn * rng.uniform(0.7, 1.0)
    return np.broadcast_to(low + (high - low) * found, shape)
