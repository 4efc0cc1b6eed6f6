"""Rows of nobody, drawn evenly from what a plan declares: numbers over their range, each value of a category alike, and
cells of tensors from -1 to 1. Draws have a public seed, so that every party finds the same rows. They say how a model
behaves before any row may be looked at. It does NOT know where real rows lie: mostly in a corner of what is declared.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import prod

import msgspec
import numpy as np

from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding, encode, tensors
from potluck.learning.data.files.cells import HeldCells
from potluck.learning.data.target import Goal

BATCH = 64
"""Rows of a draw."""
NUMBERS = 1 << 22
"""In tensors that are drawn."""
KEPT = 1 << 16
"""Features of a draw, about: as few are made once for all rounds."""


def features(encoding: Encoding, batch: int) -> Floats:
    """[BATCH, p], which nobody may write into."""
    wide = sum(2 + len(one.values) for one in encoding.fields)
    return _kept(_bare(encoding), batch) if BATCH * wide <= KEPT else _features(encoding, batch)


def _bare(encoding: Encoding) -> Encoding:
    """Without what columns are derived from, which changes no draw and cannot be looked up by: it may hold a map."""
    fields = tuple(msgspec.structs.replace(one, derive=msgspec.UNSET) for one in encoding.fields)
    return msgspec.structs.replace(encoding, fields=fields, helpers=msgspec.UNSET)


def _features(encoding: Encoding, batch: int) -> Floats:
    draw = generator(0, "bins", batch)
    columns = {
        one.name: draw.uniform(one.low, one.high, BATCH)
        if one.measured
        else draw.integers(0, len(one.values), BATCH).astype(np.float64)
        for one in encoding.fields
        if not one.apart
    }
    found = encode(encoding, columns | {name: np.zeros(BATCH) for name in tensors(encoding)})
    found.setflags(write=False)
    return found


_kept = lru_cache(maxsize=64)(_features)


def cells(encoding: Encoding, batch: int) -> Mapping[str, HeldCells]:
    """By column of tensors [BATCH]: some of them, by turns."""
    return {name: _tensors(shape, batch) for name, shape in tensors(encoding).items()}


def _tensors(shape: tuple[int, ...], batch: int) -> HeldCells:
    some = max(1, min(BATCH, NUMBERS // prod(shape)))
    values = generator(0, "bins", batch, "tensors").uniform(-1, 1, (some, *shape)).astype(np.float32)
    return HeldCells(values, np.arange(BATCH) % some)


def targets(goal: Goal, batch: int) -> Floats:
    """[BATCH] or of labels [BATCH, labels], as `Table.target` has them; not of next tokens."""
    draw = generator(0, "made up", batch, "targets")
    if goal.side == "number":
        return draw.uniform(-1, 1, BATCH)
    if goal.side == "classes":
        return draw.integers(0, len(goal.classes), BATCH).astype(np.float64)
    found = draw.integers(0, 2, (BATCH, len(goal.names))).astype(np.float64)
    return found[:, 0] if goal.side == "binary" else found
