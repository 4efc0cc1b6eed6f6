"""Some rows of a table, as a table."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from potluck.learning.data.files.cells import Cells, DType
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index


@dataclass(frozen=True, slots=True, eq=False)
class Some:
    """Cells of some rows. See `learning.data.files.cells.Cells`."""

    of: Cells = field(repr=False)
    index: Index = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one of them."""
        return self.of.shape

    @property
    def dtype(self) -> DType:
        """Of their numbers."""
        return self.of.dtype

    @property
    def digests(self) -> NDArray[np.uint8]:
        """What each is made of."""
        return self.of.digests[self.index]

    def take(self, rows: Index) -> NDArray[np.float32] | NDArray[np.int64]:
        """See `Cells`."""
        return self.of.take(self.index[rows])


def picked(rows: Table, index: Index) -> Table:
    """Some rows of a table."""
    return replace(
        rows,
        features=rows.features[index],
        target=rows.target[index],
        person=None if rows.person is None else rows.person[index],
        test=rows.test[index],
        columns={name: values[index] for name, values in rows.columns.items()},
        places=rows.places[:0],
        names=(),
        known=rows.known[:0],
        cells={name: Some(cells, index) for name, cells in rows.cells.items()},
    )
