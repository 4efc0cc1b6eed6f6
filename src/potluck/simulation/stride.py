"""Steps of several models side by side: what each takes in one step, filled up to the same number of rows.

A row's loss counts by a factor. The mean over b places of a batch of n rows, each times b / n, and the filling times 0,
is the mean over the batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.core.stages import Floats
from potluck.learning.models.form import Batch


@dataclass(frozen=True, slots=True, eq=False)
class Stride:
    """One step of the first a models. rows [a, b]: row numbers; factors [a, b]: see the module, None: all are 1."""

    rows: NDArray[np.int64]
    factors: Floats | None


def strides(batches: Sequence[Sequence[Batch]]) -> Iterator[Stride]:
    """All steps, by model the batches of each. A model that has fewer steps stands behind those that have more.

    Raises ValueError: it does not, or a batch is empty.
    """
    counts = [len(one) for one in batches]
    if counts != sorted(counts, reverse=True):
        raise ValueError("models with more steps come first")
    for step in range(counts[0] if counts else 0):
        some = [one[step].rows for one in batches[: sum(count > step for count in counts)]]
        sizes = np.array([len(rows) for rows in some])
        if not sizes.all():
            raise ValueError("a step over no row")
        widest = int(sizes.max())
        if (sizes == widest).all():
            yield Stride(np.stack(some), None)
            continue
        there = np.arange(widest) < sizes[:, None]
        rows = np.repeat(np.array([one[0] for one in some])[:, None], widest, axis=1)
        rows[there] = np.concatenate(some)
        yield Stride(rows, there * (widest / sizes[:, None]))
