"""How each column that becomes features is read of a raw one, for other programs (`raw.said`)."""

from potluck.core.tables.derived import Derive
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.derive import DERIVATIONS, named
from potluck.learning.data.encode import Encoding
from potluck.learning.data.raw.said import Dated, Measured, Reading, Worded, unsaid


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
