"""Frictionless Data: a Table Schema, or a Data Package with one a resource (specs.frictionlessdata.io, 1.0 and 2.0).

A schema that is named by a path or an address is not opened.
"""

from potluck.api.dictionary.described import FLAGS, Described, Format, Sheet, highest, lowest, number, together, values
from potluck.api.dictionary.document import name, part, parts, word
from potluck.core.errors import UsageError
from potluck.learning.data.notation import Notation

NUMBERS = ("integer", "number", "year")
DAYS = {"date": "%Y-%m-%d", "datetime": "%Y-%m-%dT%H:%M:%S"}
"""What it writes where it names no format."""
PLAIN = {"string": "text without declared values"}
"""Why a type is left to the reader, in words that say more than its name."""


def claims(document: object) -> bool:
    """A package's resources that have schemas, or a schema's fields."""
    return isinstance(part(document, "resources"), list) or isinstance(part(document, "fields"), list)


def sheets(document: object) -> list[str]:
    """The resources; of a schema alone one without a name."""
    resources = part(document, "resources")
    return [name(one, "a resource") for one in resources] if isinstance(resources, list) else [""]


def read(document: object, sheet: str) -> Sheet:
    """A resource's columns."""
    found = document
    if sheet:
        found = part(next(one for one in parts(document, "resources") if name(one, "a resource") == sheet), "schema")
    if isinstance(found, str):
        raise UsageError(f"the schema of {sheet!r} is in another file", hint="give that file: nothing is fetched")
    if not isinstance(part(found, "fields"), list):
        raise UsageError("there is a schema without fields", hint="a Table Schema lists them under fields")
    missing = _missing(found)
    how = Notation(missing or ("",))
    return Sheet(sheet, tuple(_column(one, how, _keys(found)) for one in parts(found, "fields")), missing)


def _missing(schema: object) -> tuple[str, ...] | None:
    """Since 2.0 a text may stand in a table, with a label beside it."""
    if part(schema, "missingValues") is None:
        return None
    given = parts(schema, "missingValues")
    return tuple(one for one in ((part(each, "value") or each) for each in given) if isinstance(one, str))


def _keys(schema: object) -> frozenset[str]:
    return frozenset(one for one in parts(schema, "primaryKey") if isinstance(one, str))


def _column(field: object, how: Notation, keys: frozenset[str]) -> Described:
    called, kind, rules = name(field, "a field"), word(field, "type") or "any", part(field, "constraints")
    note = "" if part(rules, "required") is True else "may be missing"
    listed = parts(rules, "enum") or [
        one if part(one, "value") is None else part(one, "value") for one in parts(field, "categories")
    ]
    if called in keys or part(rules, "unique") is True:
        return Described(called, why="a key, no two rows have the same")
    if kind == "boolean":
        written = [*parts(field, "falseValues"), *parts(field, "trueValues")]
        note = note if written else together(note, "as the file writes them")
        return Described(called, "category", values=values(written or list(FLAGS), how), note=note)
    if listed:
        return Described(called, "category", values=values(listed, how), note=note)
    if kind in NUMBERS:
        low = highest([number(part(rules, "minimum")), number(part(rules, "exclusiveMinimum"))])
        high = lowest([number(part(rules, "maximum")), number(part(rules, "exclusiveMaximum"))])
        comma = "decimal comma" if word(field, "decimalChar") == "," else ""
        return Described(called, "number", low, high, note=together(note, comma))
    if kind in DAYS:
        said = word(field, "format") or "default"
        form = DAYS[kind] if said == "default" else said
        return Described(called, "" if said == "any" else "date", format=form, note=note, why="a date of any format")
    return Described(called, why=PLAIN.get(kind, f"of type {kind}"))


FRICTIONLESS = Format("frictionless", claims, sheets, read)
