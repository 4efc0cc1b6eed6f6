"""A plain table, as people keep one in a spreadsheet: CSV, a row a column, in the words of a plan.

Its header has `column` and `kind`, and of `low`, `high`, `values`, `unit`, `format` and `note` what it has. Values are
parted by bars: `no|yes`.
"""

from collections.abc import Mapping

from potluck.api.dictionary.described import Described, Format, Sheet, number, values
from potluck.api.dictionary.document import word
from potluck.core.errors import UsageError
from potluck.core.registry import nearest
from potluck.learning.data.column import COLUMNS

COLUMN, KIND, BAR = "column", "kind", "|"
AWAY = ("", "ignore", "id")
"""Kinds of columns that no plan reads."""


def claims(document: object) -> bool:
    """Rows of CSV with its two columns."""
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, Mapping) and {COLUMN, KIND} <= set(first)


def sheets(document: object) -> list[str]:
    """It describes one table."""
    return [""]


def read(document: object, sheet: str) -> Sheet:
    """Its columns. Raises UsageError: of no known kind, or with a bound that is no number."""
    return Sheet(sheet, tuple(map(_column, document if isinstance(document, list) else [])))


def _column(row: object) -> Described:
    called, kind = word(row, COLUMN).strip(), word(row, KIND).strip().lower()
    note = word(row, "note").strip()
    if kind in AWAY:
        return Described(called, why=note or "not to be used")
    if kind not in COLUMNS.entries:
        raise UsageError(f"column {called[:100]!r} is of no known kind", hint=nearest(kind, COLUMNS.words()))
    said = word(row, "values")
    return Described(
        called,
        kind,
        _bound(row, called, "low"),
        _bound(row, called, "high"),
        values([text.strip() for text in said.split(BAR)]) if said.strip() else (),
        word(row, "format").strip() or None,
        note,
        unit=word(row, "unit").strip(),
    )


def _bound(row: object, called: str, key: str) -> float | None:
    said = word(row, key).strip()
    found = number(said)
    if said and found is None:
        raise UsageError(f"column {called[:100]!r}: its {key} is no number", hint="with a point, as 0.5")
    return found


PLAIN = Format("plain", claims, sheets, read)
