"""Croissant: the record sets of a dataset's JSON-LD (mlcommons.org/croissant, 1.0 and 1.1).

Names of properties are taken as the specification's own context writes them; another context is not expanded. A
category's values come from the enumeration that its field refers to, where that is written in the file. Ranges have no
place in the format.
"""

from potluck.api.dictionary.described import FLAGS, Described, Format, Sheet, values
from potluck.api.dictionary.document import name, part, parts, word
from potluck.core.errors import UsageError

WHOLE = ("Integer", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
NUMBERS = ("Float", "Number", "Float16", "Float32", "Float64", *WHOLE)


def claims(document: object) -> bool:
    """A dataset with record sets."""
    return part(document, "recordSet") is not None and part(document, "@context") is not None


def sheets(document: object) -> list[str]:
    """The record sets that are no enumeration."""
    return [_called(one) for one in parts(document, "recordSet") if "Enumeration" not in _kinds(one)]


def read(document: object, sheet: str) -> Sheet:
    """A record set's columns."""
    found = next(one for one in parts(document, "recordSet") if _called(one) == sheet)
    fields = parts(found, "field")
    if not fields:
        raise UsageError(f"the record set {sheet!r} has no field", hint="see the specification of Croissant")
    return Sheet(sheet, tuple(_column(document, one) for one in fields))


def _called(of: object) -> str:
    return word(of, "name") or word(of, "@id") or name(of, "a record set")


def _kinds(of: object) -> set[str]:
    """The last part of each type: `sc:Integer` and `https://schema.org/Integer` are one."""
    return {
        one.replace("#", "/").split("/")[-1].split(":")[-1] for one in parts(of, "dataType") if isinstance(one, str)
    }


def _column(document: object, field: object) -> Described:
    called = word(part(part(field, "source"), "extract"), "column") or name(field, "a field")
    kinds = _kinds(field)
    refers = _enumeration(document, field)
    if part(field, "subField") is not None or part(field, "repeated") is True:
        return Described(called, why="several values a row")
    if refers:
        return Described(called, "category", values=refers)
    if "Enumeration" in kinds:
        return Described(called, "category")
    if kinds & {"Boolean", "Bool"}:
        return Described(called, "category", values=values(list(FLAGS)), note="as the file writes them")
    if kinds & set(NUMBERS):
        return Described(called, "number")
    if kinds <= {"Text"}:
        return Described(called, why="text without declared values")
    return Described(called, why=f"of type {', '.join(sorted(kinds))}")


def _enumeration(document: object, field: object) -> tuple[str, ...]:
    """The values of the field that a field refers to, as they are written beside it."""
    target = part(field, "references")
    target = part(target, "field") if part(target, "field") is not None else target
    wanted = target if isinstance(target, str) else word(target, "@id")
    if not wanted:
        return ()
    for one in parts(document, "recordSet"):
        for other in parts(one, "field"):
            if wanted in (word(other, "@id"), f"{_called(one)}/{word(other, 'name')}"):
                keys = (word(other, "@id"), word(other, "name"))
                rows = parts(one, "data")
                return values(
                    [next((row[key] for key in keys if key in row), None) for row in rows if isinstance(row, dict)]
                )
    return ()


CROISSANT = Format("croissant", claims, sheets, read)
