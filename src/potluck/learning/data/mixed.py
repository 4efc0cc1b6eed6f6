"""Rows of which some columns are tensors: features and cells, taken together, a batch at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from potluck.core.stages import Floats
from potluck.learning.data.files.cells import Cells, Index
from potluck.learning.data.texts.cells import MASK, TextCells

FEATURES = "features"
"""What a network calls the encoded table."""


@dataclass(frozen=True, slots=True, eq=False)
class MixedRows:
    """Some rows n. features [n, p]; cells: of all rows, of which `index` [n] are these."""

    features: Floats = field(repr=False)
    cells: Mapping[str, Cells] = field(repr=False)
    index: Index = field(repr=False)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, some: NDArray[np.generic] | slice) -> "MixedRows":
        """Of these some, by place or by a mask. Nothing is decoded."""
        return replace(self, features=self.features[some], index=self.index[some])


Inputs = Floats | MixedRows
"""What a model takes: features [n, p] alone where no column is one of tensors."""


def inputs(features: Floats, cells: Mapping[str, Cells]) -> Inputs:
    """All rows of a table."""
    return MixedRows(features, cells, np.arange(len(features))) if cells else features


def with_features(rows: Inputs, made: Callable[[Floats], Floats]) -> Inputs:
    """The same rows with what is made of their features."""
    return replace(rows, features=made(rows.features)) if isinstance(rows, MixedRows) else made(rows)


def taken(rows: Inputs, name: str) -> NDArray[np.generic]:
    """What a network calls so, of all rows: the features [n, p], a column of tensors [n, *shape], or which tokens of a
    column of texts are real [n, length]. Raises as `Cells.take`."""
    if not isinstance(rows, MixedRows):
        return rows
    if name == FEATURES:
        return rows.features
    if name in rows.cells:
        return rows.cells[name].take(rows.index)
    texts = rows.cells[name.removesuffix(MASK)]
    assert isinstance(texts, TextCells)  # of a checked plan
    return texts.mask(rows.index)
