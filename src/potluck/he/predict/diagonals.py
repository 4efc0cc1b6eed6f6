"""A matrix times an encrypted vector: which number lies in which slot, which rotations are made, what is added up.

Reference: diagonals by Halevi and Shoup, CRYPTO 2014 (eprint 2014/106), with baby steps and giant steps; folding of
wide matrices as in Gazelle, USENIX Security 2018 (eprint 2018/073).

A product is fold(sum over b of vectors[b] * turn(x, b)), where turn(x, b) brings slot s + b to slot s and a fold adds
the vector to itself turned by a stride. Rows and columns are padded to powers of two with zero weights. The first
layer's input may be laid out as one likes (the client does it in the clear), so that one multiplication covers as many
weights as there are slots: `columns` says which feature lies where. Its folds run through all slots, hence the result
is periodic whatever was encrypted, and so is everything after it: a ciphertext carries `rows` scores, not more. (That
holds for honest rotation keys; see the views.)
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from potluck.core.stages import Floats


@dataclass(frozen=True, slots=True)
class Turns:
    """The rotations of one product. count: vectors; babies: how many of them share a giant step; folds: strides."""

    count: int
    babies: int
    folds: tuple[int, ...]

    @property
    def rotations(self) -> frozenset[int]:
        """All of them, for the client to make keys for."""
        return frozenset(range(1, self.babies)) | frozenset(range(self.babies, self.count, self.babies)) | {*self.folds}


def padded(size: int) -> int:
    """The next power of two."""
    return 1 << (size - 1).bit_length()


def first(rows: int, columns: int, slots: int) -> Turns:
    """The product of the first layer. Rows and columns, padded, are at most `slots`."""
    high, wide = padded(rows), padded(columns)
    return _turns(max(1, high * wide // slots), _strides(high, slots))


def later(rows: int, columns: int) -> Turns:
    """The product of a later layer, whose input is periodic with the padded number of columns."""
    high, wide = padded(rows), padded(columns)
    return _turns(min(high, wide), _strides(high, wide))


def arrangement(rows: int, columns: int, slots: int) -> NDArray[np.int64]:
    """[slots]: which feature lies in a slot of the first layer's input, -1 for none.

    Slot s is read by row s mod H of H, turned by b < B by the row b before it. Features are dealt to B classes of slots
    by s mod B, so that the B slots that a row reads side by side hold features of all classes: each (row, feature) pair
    meets once.
    """
    high, wide = padded(rows), padded(columns)
    classes = first(rows, columns, slots).count
    slot = np.arange(slots)
    column = (slot // high) * classes + slot % high % classes
    return np.where((column < wide) & (column < columns), column, -1)


def first_vectors(weights: Floats, slots: int) -> Floats:
    """weights [rows, columns] -> [count, slots] for an input as `arrangement` says."""
    rows, columns = weights.shape
    return _vectors(weights, first(rows, columns, slots), arrangement(rows, columns, slots))


def later_vectors(weights: Floats, slots: int) -> Floats:
    """weights [rows, columns] -> [count, slots] for a periodic input."""
    rows, columns = weights.shape
    column = np.arange(slots) % padded(columns)
    return _vectors(weights, later(rows, columns), np.where(column < columns, column, -1))


def spread(values: Floats, slots: int) -> Floats:
    """values [rows] -> [slots], repeated with the padded period: how a bias lies beside a product."""
    whole = np.zeros(padded(len(values)))
    whole[: len(values)] = values
    return np.tile(whole, slots // len(whole))


def _strides(start: int, stop: int) -> tuple[int, ...]:
    """start, 2 start, 4 start ... below stop."""
    return tuple(start << k for k in range((stop // start).bit_length() - 1)) if start < stop else ()


def _turns(count: int, folds: tuple[int, ...]) -> Turns:
    return Turns(count, padded(isqrt(count - 1) + 1) if count > 1 else 1, folds)


def _vectors(weights: Floats, turns: Turns, column: NDArray[np.int64]) -> Floats:
    """Vector b holds, at slot s, the weight of row s mod H and of the feature at slot s + b; its giant step undone."""
    rows, slots = len(weights), len(column)
    table = np.zeros((padded(rows), weights.shape[1] + 1))  # the last column is for "no feature", index -1
    table[:rows, :-1] = weights
    row = np.arange(slots) % padded(rows)
    found = np.empty((turns.count, slots))
    for b in range(turns.count):
        found[b] = np.roll(table[row, np.roll(column, -b)], b // turns.babies * turns.babies)
    return found
