"""Faults of a site that looks at all of its rows where each is to count for itself: one that comes moves the others."""

from collections.abc import Callable

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data import table
from potluck.learning.synthesis.axes import Axis
from potluck.learning.training import gradient
from potluck.learning.training.boosting.leaves import Leaves

Rule = Callable[[Floats], Floats]
"""Numbers of a column on [-1, 1] -> the same, as all of the site's rows have it."""


def from_the_mean(x: Floats) -> Floats:
    return np.clip(x - x.mean(), -1, 1)


def from_the_median(x: Floats) -> Floats:
    return np.clip(x - np.median(x), -1, 1)


def over_the_largest(x: Floats) -> Floats:
    return np.clip((x + 1) * 2 / max(x.max() + 1, 1e-9) - 1, -1, 1)


def by_ranks(x: Floats) -> Floats:
    """Bins of as many rows each."""
    return np.argsort(np.argsort(x, kind="stable"), kind="stable") * 2 / max(len(x) - 1, 1) - 1


def where_there_are_many(rule: Rule) -> Rule:
    """Of few rows a site makes no mean."""
    return lambda x: rule(x) if len(x) >= 20 else x


def changed(features: Floats, rule: Rule) -> Floats:
    """The first column is a number."""
    found = features.copy()
    if len(found):
        found[:, 0] = rule(found[:, 0])
    return found


def in_boosting(rule):
    def fault(patch):
        bits = Leaves.bits
        patch.setattr(Leaves, "bits", lambda self, features: bits(self, changed(features, rule)))

    return fault


def in_training(rule):
    """Of rows, which are clipped one by one, and of persons, whose gradients are laid out."""

    def fault(patch):
        clipped, design = gradient.clipped, gradient.design
        patch.setattr(gradient, "design", lambda x: design(changed(x, rule)))
        patch.setattr(
            gradient, "clipped", lambda x, off, part, most, space: clipped(changed(x, rule), off, part, most, None)
        )

    return fault


def when_read(rule):
    """Where cells become numbers."""

    def fault(patch):
        encode = table.encode
        patch.setattr(table, "encode", lambda how, columns: changed(encode(how, columns), rule))

    return fault


def in_synthesis(rule):
    def fault(patch):
        codes = Axis.codes

        def moved(self, values):
            there = ~np.isnan(values)
            if not self.lows or not there.any():
                return codes(self, values)
            low, high = self.lows[0], self.highs[-1]
            found = values.astype(np.float64)
            found[there] = low + (rule((found[there] - low) * 2 / (high - low) - 1) + 1) / 2 * (high - low)
            return codes(self, found)

        patch.setattr(Axis, "codes", moved)

    return fault
