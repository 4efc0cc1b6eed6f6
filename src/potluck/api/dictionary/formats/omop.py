"""OMOP: the field level of the Common Data Model as its CSV has it (ohdsi.github.io/CommonDataModel, 5.3 and 5.4).

It says of each column its type and whether it refers to another table, and no ranges or values: a concept's values are
those of a vocabulary, of which a study uses a few.
"""

from collections.abc import Mapping

from potluck.api.dictionary.described import Described, Format, Sheet
from potluck.api.dictionary.document import word

TABLE, FIELD, KIND = "cdmTableName", "cdmFieldName", "cdmDatatype"
NUMBERS = ("integer", "bigint", "float", "numeric", "double precision")


def claims(document: object) -> bool:
    """Rows of CSV with its three columns."""
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, Mapping) and {TABLE, FIELD, KIND} <= set(first)


def sheets(document: object) -> list[str]:
    """The tables, in its order."""
    rows = document if isinstance(document, list) else []
    return list(dict.fromkeys(word(row, TABLE).lower() for row in rows))


def read(document: object, sheet: str) -> Sheet:
    """One table's columns."""
    rows = document if isinstance(document, list) else []
    return Sheet(sheet, tuple(_column(row) for row in rows if word(row, TABLE).lower() == sheet))


def _column(row: object) -> Described:
    called, kind = word(row, FIELD).strip('" '), word(row, KIND).lower()
    note = "" if _yes(row, "isRequired") else "may be missing"
    if _yes(row, "isPrimaryKey"):
        return Described(called, why="a key, no two rows have the same")
    if called == "person_id":
        return Described(called, why='whose row it is: [data] person = "person_id"')
    if word(row, "fkTableName").upper() == "CONCEPT":
        return Described(called, "category", note=note)
    if _yes(row, "isForeignKey"):
        return Described(called, why=f"a key of the table {word(row, 'fkTableName').lower()}")
    if kind in NUMBERS:
        return Described(called, "number", note=note)
    return Described(called, why="text without declared values" if kind.startswith("varchar") else f"of type {kind}")


def _yes(row: object, key: str) -> bool:
    return word(row, key).strip().lower() == "yes"


OMOP = Format("omop", claims, sheets, read)
