"""What follows from noised sums that a site takes by itself, beside what should follow from as much noise as promised.

A site without rows walks along noise alone. The auditor takes the same walk many times, along Gaussian noise of its own
that is as large as each sum's should be. Where a site's noise is smaller, it stays nearer to where it began: that its
walks are as long as the auditor's is tested by their ranks, which supposes nothing of how a step follows from a sum.
Reference: Mann, Whitney 1947 (the rank test).
"""

from dataclasses import replace

import numpy as np
from scipy import stats

from potluck.audits.promises.scene import Scene, Sum
from potluck.core.fixed import decode
from potluck.core.seeded import Generator
from potluck.core.stages import Floats, Walk
from potluck.dp.mechanism import Walked, guarded
from potluck.learning.data.table import Table

WALKS, FEWEST = 200, 40
NUMBERS = 1 << 25
"""That are drawn for all walks, about."""


def walked(scene: Scene, one: Sum, table: Table) -> Floats:
    """[n, d] where walks along noise of the promised size end."""
    bound, draw = one.bound, scene.public("walks")
    assert isinstance(bound, Walked)
    many = max(FEWEST, min(WALKS, NUMBERS // (bound.times * len(one.sigma))))
    return np.array([_end(one, table, scene, one.sigma, draw) for _ in range(many)])


def _end(one: Sum, table: Table, scene: Scene, sigma: Floats, draw: Generator) -> Floats:
    (walk,) = one.given(table, scene.draw)
    assert isinstance(walk, Walk)
    try:
        next(walk.steps)
        while True:
            walk.steps.send(sigma * draw.standard_normal(len(sigma)))
    except StopIteration as stop:
        found: Floats = stop.value
        return found


def quiet(scene: Scene, one: Sum, table: Table | None) -> Floats:
    """[d] where a walk of these rows ends that has no noise."""
    (walk,) = one.given(table, scene.draw)
    assert isinstance(walk, Walk)
    inside = replace(one.inside, word="reveal", sampling=None)
    try:
        units = next(walk.steps)
        while True:
            units = walk.steps.send(decode(guarded(inside, units, scene.draw).words, inside.grid))
    except StopIteration as stop:
        found: Floats = stop.value
        return found


def nearer(ends: Floats, known: Floats) -> tuple[float, float]:
    """(how likely ends [m, d] are as near to the start as they are, of walks that end as `known` [n, d] do; how long
    they are, beside these)."""
    scale = known.std(axis=0)
    some = scale > 0
    if not some.any():
        return 1.0, 1.0  # nothing that leaves follows from the sums
    lengths, others = (((of[:, some] / scale[some]) ** 2).sum(axis=1) for of in (ends, known))
    chance = stats.mannwhitneyu(lengths, others, alternative="less", method="asymptotic").pvalue
    return float(chance), float(np.sqrt(np.median(lengths) / np.median(others)))
