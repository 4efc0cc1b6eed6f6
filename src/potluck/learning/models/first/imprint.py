"""Whether a first layer is an imprint: units that all measure one direction of a row, and begin at graded thresholds.

Of a row that lies between two neighbouring thresholds, one unit has a slope and the next has none; of all other rows
both have the same. So the difference of neighbours' slopes is of that row alone, however many rows and sites a sum is
over: masks, shares and clips do not help. A plan fixes its first model, and owners approve that with its hash; this
says when to look twice. It does NOT find every model that singles rows out: rows of the matrix that are only nearly
parallel would escape it, or traps of other shapes (Boenisch et al. 2023, arXiv 2112.02918).
Reference: Fowl et al. 2022, "Robbing the Fed", arXiv 2110.13057.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import PotluckError
from potluck.core.plan import Plan
from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.models.first.layer import layer_of
from potluck.learning.models.forms import form_of

WIDE, LEAST = 4, 4
"""Inputs below which any rows of a matrix are nearly parallel; units with one direction that chance does not make."""
PARALLEL = 1e-3
"""How far two directions of length 1 may be apart. With 4 inputs and 4,096 units of a usual first model, some unit has
3 others so near with a chance below 1e-9."""

Bins = NDArray[np.int64]


def bins_of(weights: Floats, bias: Floats) -> Iterator[Bins]:
    """Groups of at least LEAST units that measure one direction, each in the order in which rows reach them: the one
    that most rows reach first. weights [h, p], bias [h]."""
    norms = np.linalg.norm(weights, axis=1)
    if weights.shape[1] < WIDE:
        return
    ways = weights / np.where(norms > 0, norms, 1.0)[:, None]
    # Seen along any line, near directions are near: so few are compared.
    line = generator(0, "imprint").normal(size=weights.shape[1])
    along = ways @ (line / np.linalg.norm(line))
    left = np.flatnonzero(norms > 0)
    left = left[np.argsort(along[left], kind="stable")]
    while len(left) >= LEAST:
        window = left[: np.searchsorted(along[left], along[left[0]] + PARALLEL, side="right")]
        near = np.linalg.norm(ways[window] - ways[left[0]], axis=1) <= PARALLEL
        some = window[near]
        begins = -bias[some] / norms[some]
        if len(np.unique(begins)) >= LEAST:
            yield some[np.argsort(begins, kind="stable")]
        left = np.concatenate([window[~near], left[len(window) :]])


def imprint_in(plan: Plan, weights: Floats | None = None) -> str | None:
    """Why a model of this plan looks like an imprint, in words. None: it does not, or it is not here, or no layer
    stands first. plan: its column patterns resolved; weights [d]: the model; None: the plan's first."""
    try:
        layer = layer_of(plan)
        if layer is None or layer.outputs < LEAST:
            return None
        if weights is None:
            weights = form_of(plan, goal_of(plan), len(encoding(plan).names)).initial()
    except PotluckError:
        return None  # whoever reads the model says what is wrong with it
    matrix, bias = layer.of(weights)
    groups: Sequence[Bins] = list(bins_of(matrix, bias))
    if not groups:
        return None
    most = max(len(one) for one in groups)
    return (
        f"{most} of the {layer.outputs} units of the model's first layer measure one direction at graded thresholds: "
        "differences of their slopes give single rows away, through masks too"
    )
