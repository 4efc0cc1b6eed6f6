"""What held-out rows say of a model, counted in secret: cells of a histogram, or four sums. No row's score is opened.

A score falls into one of 16 x 16 bins: 15 comparisons find the coarse one, 15 more the fine one inside it. The joint
counts are products of the two indicators, added up over the rows.
"""

import jax.numpy as jnp

from potluck.engines.spu.program import Array

SIDE = 16
BINS = SIDE * SIDE
REACH = 8.0
"""Log-odds beyond +-REACH fall into the last bins. A coarse bin is 1 wide, a fine one 1/16, so that 0 is an edge."""
MOST = 2.0
"""A number's prediction is cut off here: its target lies on [-1, 1]."""


def cells(margins: Array, target: Array, keep: Array) -> Array:
    """margins [m] real, target and keep [m], integers 0 or 1 -> how many kept rows there are, [2, BINS]: class, bin."""
    lifted = jnp.clip(margins, -REACH, REACH) + REACH
    coarse = _at_least(lifted, 1.0)
    fine = _at_least(lifted - coarse.sum(axis=1), 1.0 / SIDE)
    high, low = _only(coarse), _only(fine)
    positive = target * keep
    return jnp.stack([_joint(high, low, one).reshape(-1) for one in (keep - positive, positive)])


def sums(margins: Array, target: Array, keep: Array) -> Array:
    """margins and target [m] real, keep [m] 0 or 1 -> [4]: kept rows, squared errors, targets, squared targets."""
    weight = keep.astype(jnp.float64)
    error = (jnp.clip(margins, -MOST, MOST) - target) * weight
    seen = target * weight
    return jnp.stack([weight.sum(), (error * error).sum(), seen.sum(), (seen * seen).sum()])


def _at_least(values: Array, width: float) -> Array:
    """[m, SIDE - 1] integers: whether a value on [0, SIDE width] reaches each inner edge."""
    edges = jnp.arange(1, SIDE) * width
    return (values[:, None] >= edges[None, :]).astype(jnp.int64)


def _only(reached: Array) -> Array:
    """Edges reached, [m, SIDE - 1] -> the one bin, [m, SIDE], as 0 and 1."""
    return jnp.pad(reached, ((0, 0), (1, 0)), constant_values=1) - jnp.pad(reached, ((0, 0), (0, 1)))


def _joint(high: Array, low: Array, weight: Array) -> Array:
    """[SIDE, SIDE] how much weight falls into each pair. A row at a time: the library is slow at long wide products."""
    return jnp.stack([(high[:, one] * weight) @ low for one in range(SIDE)])
