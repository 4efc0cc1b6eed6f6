"""New rows -> the features of a model: the encoding that training used, whoever holds rows and model.

Messages name column and line, never a value. What became of the values is counted for whoever holds the rows, and is no
error: one row may well hold a value that no row of the training had.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.core.spelling import normal
from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding, encode, referred
from potluck.learning.data.expressions import derived
from potluck.learning.data.files.cells import Cells, Found, whole
from potluck.learning.data.mixed import Inputs as Taken
from potluck.learning.data.mixed import inputs as mixed
from potluck.learning.data.parts import Wish, parts
from potluck.learning.data.problems import Problems, carefully
from potluck.learning.data.source import Rows, Source, names_of, opened
from potluck.learning.data.tally import Counting, Tally
from potluck.learning.data.tensors import looked_into, readers_of
from potluck.learning.data.texts.worded import Tokenizers

NO_TOKENIZERS: Tokenizers = {}
AWAY = "or leave the row out: the model needs a value of this column"


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Rows as a model takes them. features [n, p]: NaN in rows that the plan drops; kept [n]: False there; cells:
    columns of tensors, by name; tally: what became of their values, for whoever holds the rows alone. ids [n]: texts of
    the column that rows are known by, where one was asked for; "" where a row has none."""

    features: Floats = field(repr=False)
    kept: NDArray[np.bool_] = field(repr=False)
    cells: Mapping[str, Cells] = field(default_factory=dict, repr=False)
    tally: Tally = field(default=Tally(), repr=False)
    ids: tuple[str, ...] = field(default=(), repr=False)

    @property
    def taken(self) -> Taken:
        """All of a row, features and tensors."""
        return mixed(self.features, self.cells)


def inputs(
    how: Encoding,
    layout: Sequence[str] | None,
    frame: Source,
    where: str,
    tokenizers: Tokenizers = NO_TOKENIZERS,
    known_by: str | None = None,
) -> Inputs:
    """Raw rows (a frame, an array, a CSV file) as a model takes them.

    layout: the columns in file order where the source does not name them; tokenizers: those of its columns of texts;
    known_by: the column of `Inputs.ids`. Raises DataError.
    """
    if any(one.name == known_by and derived(one) for one in (*how.fields, *how.beside)):
        what = f"column {known_by!r} is derived, and says of no row which it is"
        raise DataError(what, where=where, hint="name a column of the file")
    wish = Wish(how.fields, how.notation, tuple(layout) if layout else None, person=known_by, helpers=how.beside)
    rows = opened(frame, where, how.limits)
    return carefully(lambda careful: _inputs(how, wish, rows, Problems(where, careful), tokenizers))


def _inputs(how: Encoding, wish: Wish, frame: Rows, problems: Problems, tokenizers: Tokenizers) -> Inputs:
    blocks, kept, counting = [np.zeros((0, len(how.names)))], [np.zeros(0, np.bool_)], Counting()
    readers = readers_of(how, frame, problems.where, tokenizers)
    held: dict[str, list[Found]] = {name: [reader.read([])] for name, reader in readers.items()}
    ids: list[str] = []
    with problems:
        for part in parts(frame, wish, problems, f"correct the cell, {AWAY}"):
            keep = np.ones(len(part.lines), dtype=np.bool_)
            columns = {one.name: referred(one, part.columns[one.name]) for one in how.fields}
            found = looked_into(readers, part, columns, keep, how, problems, counting)
            for one in how.fields:
                gone = np.isnan(columns[one.name])
                if one.missing == "refuse":
                    problems.gaps(one.name, one.lacks, part.lines[gone].tolist(), one.remedy(f"fill it, {AWAY}"))
                if one.missing == "drop":
                    counting.drop(one, part.columns[one.name], keep & gone)
                    keep &= ~gone
            for one in how.fields:
                counting.column(one, columns[one.name] if one.apart else part.columns[one.name], keep)
            for name, cells in found.items():
                counting.tensors(name, cells.of(keep))
                held[name].append(cells)
            counting.read += len(part.lines)
            counting.used += int(keep.sum())
            features = encode(how, columns)
            features[~keep] = np.nan
            blocks.append(features)
            kept.append(keep)
            ids += part.persons
    tensors = {name: whole(reader, held[name]) for name, reader in readers.items()}
    nothing = how.notation.gone | {""}
    names = tuple("" if how.notation.key(normal(text)) in nothing else text.strip() for text in ids)
    return Inputs(np.vstack(blocks), np.concatenate(kept), tensors, counting.done(how.fields, None), names)


def layout_of(how: Encoding, target: Collection[str], frame: Source, where: str) -> tuple[str, ...]:
    """The file order of a source without a header: as in the plan's files, with or without the target."""
    without = tuple(name for name in how.layout if name not in target)
    return without if len(names_of(frame, where, how.limits)) == len(without) else how.layout
