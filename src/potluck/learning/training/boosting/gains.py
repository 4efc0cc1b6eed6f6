"""The best cut of each node, and what its leaves say, from summed derivatives.

Gain and leaf of XGBoost: G^2 / (H + l2) of both sides, less that of the node, and -G / (H + l2). Gains are compared as
float32, as its program does; of equal ones the first is taken. Each cut of a column with missing values is tried with
them on either side. A node parts nothing where no gain is above LEAST. There is no least weight of a leaf but l2.
Reference: Chen, Guestrin, XGBoost, KDD 2016, equations 5 and 7, and section 3.4 (missing values).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from potluck.core.predicting import Asked
from potluck.core.stages import Floats
from potluck.learning.models.boosted.forest import NOTHING
from potluck.learning.models.boosted.layout import Layout

LEAST = 1e-6
"""XGBoost's kRtEps: less is no gain."""


class Parted(NamedTuple):
    """asked, gains [nodes]: what each node asks, and gains by it. first, second [2 * nodes]: the sums on both sides of
    it, left and right."""

    asked: Asked
    gains: Floats
    first: Floats
    second: Floats


def score(first: Floats, second: Floats, l2: float) -> Floats:
    """G^2 / (H + l2) of any shape; 0 where nothing lies."""
    return np.asarray(np.divide(first**2, second + l2, out=np.zeros_like(first), where=second + l2 > 0))


def says(first: Floats, second: Floats, l2: float) -> Floats:
    """-G / (H + l2) of any shape; 0 where nothing lies."""
    return np.asarray(np.divide(-first, second + l2, out=np.zeros_like(first), where=second + l2 > 0))


def parted(how: Layout, first: Floats, second: Floats, l2: float, among: NDArray[np.bool_]) -> Parted:
    """first, second [nodes, cells]: sums of one output's tree. among [q]: the questions that there are."""
    asked, (_, cuts) = how.questions(), how.cuts()
    sides = [(how.right(sums), sums[:, :1]) for sums in (first, second)]
    (g_right, g), (h_right, h) = sides
    g_left, h_left = g - g_right, h - h_right
    gains = score(g_left, h_left, l2) + score(g_right, h_right, l2) - score(g, h, l2)
    gains[(h_left <= 0) | (h_right <= 0) | ~among] = 0.0
    rows, best = np.arange(len(first)), gains.astype(np.float32).argmax(axis=1)
    none = gains[rows, best] <= LEAST
    right = [np.where(none, 0.0, one[rows, best]) for one in (g_right, h_right)]
    both = [np.stack([whole[:, 0] - one, one], axis=1).ravel() for (_, whole), one in zip(sides, right, strict=True)]
    gained = np.where(none, 0.0, gains[rows, best])
    nodes = Asked(
        np.where(none, 0, asked.features[best]), np.where(none, NOTHING, cuts[asked.of[best]]), none | asked.left[best]
    )
    return Parted(nodes, gained, *both)
