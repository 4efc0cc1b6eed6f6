"""What two columns have to do with each other, as far as it is told from noise.

How a table differs from that of two independent columns is mostly a few patterns: a matrix of low rank. Noise has all
patterns alike, and how loud each of them may be is known; so each singular value is shrunk by what noise adds to it.

Reference: Gavish and Donoho 2017, "Optimal shrinkage of singular values", IEEE Transactions on Information Theory
63(4), for the squared error, where the standard deviation of the noise is known.
"""

import math

import numpy as np

from potluck.core.stages import Floats


def related(shares: Floats, std: float, apart: Floats) -> Floats:
    """[a, b] a noised table of shares without what noise alone may be. std: in each share; apart: the table, were
    columns not related, which is known better: what a row or a column of it adds up to is not asked of `shares`."""
    rest = shares - apart
    rest = rest - rest.mean(axis=0) - rest.mean(axis=1, keepdims=True) + rest.mean()
    return apart + (_shrunk(rest, std) if std else rest)


def _shrunk(matrix: Floats, std: float) -> Floats:
    """A matrix whose rows and columns add up to nothing, so that it has the freedom of one less of each."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    few, many = sorted(max(size - 1, 1) for size in matrix.shape)
    unit, ratio = std * math.sqrt(many), few / many
    heard = np.maximum(values / unit, 1 + math.sqrt(ratio))  # as loud as noise alone: nothing is kept
    kept = np.sqrt(np.maximum((heard**2 - ratio - 1) ** 2 - 4 * ratio, 0.0)) / heard
    return np.asarray((left * kept * unit) @ right)
