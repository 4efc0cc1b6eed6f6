"""How each column that becomes features is read of a raw one, for other programs (`raw.said`)."""

from potluck.core.tables.derived import Derive
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.derive import DERIVATIONS
from potluck.learning.data.encode import Encoding
from potluck.learning.data.raw.said import Measured, Reading, Worded, unsaid


def reading_of(how: Encoding, one: Field) -> Reading:
    """Of one of its fields. Raises UsageError, by name: it is of files, of texts, or of a day."""
    kind = COLUMNS.of(one.kind)
    if kind.reader is not None or kind.dated:
        raise unsaid(one.name, f"is of kind {one.kind!r}")
    if not isinstance(one.derive, Derive):
        return (
            Measured(one.name)
            if kind.measured
            else Worded(one.name, {text: place for place, text in enumerate(one.values)})
        )
    made = DERIVATIONS.of(one.derive.kind)
    if made.read is None:
        raise unsaid(one.name, f"is {made.said(one.derive)}")
    below = next(field for field in (*how.beside, *how.fields) if field.name == one.derive.source)
    return made.read(one.derive, below, reading_of(how, below))
