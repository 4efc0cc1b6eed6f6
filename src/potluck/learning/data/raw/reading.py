"""How each column that becomes features is read of a raw one, for other programs (`raw.said`)."""

import numpy as np

from potluck.core.tables.derived import Derive
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.derive import DERIVATIONS, named
from potluck.learning.data.encode import Encoding
from potluck.learning.data.raw.said import NONE, Dated, Measured, Reading, Worded, unsaid


def one_hot(one: Field) -> None:
    """Of a code that other programs read: each value but the reference is a feature of 0 and 1, any other all zeros.

    Raises UsageError, by name: its kind makes other features of it."""
    wide = len(one.values)
    found = COLUMNS.of(one.kind).features(one, np.array([*range(wide), NONE, np.nan]))
    if not np.array_equal(found, np.eye(wide + 2, wide)[:, list(one.levels)]):
        raise unsaid(one.name, f"is of kind {one.kind!r}")


def reading_of(how: Encoding, one: Field) -> Reading:
    """Of one of its fields. Raises UsageError, by name: it is of files, or of texts."""
    kind = COLUMNS.of(one.kind)
    if isinstance(one.derive, Derive):
        made, known = DERIVATIONS.of(one.derive.kind), {field.name: field for field in (*how.beside, *how.fields)}
        if made.read is None:
            raise unsaid(one.name, f"is {made.said(one.derive)}")
        below = [known[name] for name in named(one.derive)]
        return made.read(one.derive, below, [reading_of(how, field) for field in below])
    if kind.dated:
        return Dated(one.name, str(one.format))
    if kind.reader is not None:
        raise unsaid(one.name, f"is of kind {one.kind!r}")
    places = {text: place for place, text in enumerate(one.values)}
    return Measured(one.name) if kind.measured else Worded(one.name, places)
