"""Pandera: a DataFrameSchema as its `to_json` and `to_yaml` write it (pandera.io, since 0.6).

A check stands under its name or in a list, alone or beside options: all of these spellings are read. What pandera's
own code would check by a function is not in the file.
"""

from collections.abc import Iterator, Mapping

from potluck.api.dictionary.described import FLAGS, Described, Format, Sheet, highest, lowest, number, together, values
from potluck.api.dictionary.document import part, word
from potluck.core.errors import UsageError

LOWER, UPPER = ("greater_than", "greater_than_or_equal_to"), ("less_than", "less_than_or_equal_to")


def claims(document: object) -> bool:
    """Its own mark."""
    return word(document, "schema_type") == "dataframe"


def sheets(document: object) -> list[str]:
    """It describes one table."""
    return [""]


def read(document: object, sheet: str) -> Sheet:
    """Its columns."""
    columns = part(document, "columns")
    if not isinstance(columns, Mapping):
        raise UsageError("there are no columns", hint="schema.to_json(FILE) writes them")
    return Sheet(sheet, tuple(_column(str(called), one) for called, one in columns.items()))


def _column(called: str, column: object) -> Described:
    checks, kind = list(_checks(column)), word(column, "dtype").lower()
    note = "may be missing" if part(column, "nullable") is True or part(column, "required") is False else ""
    if part(column, "regex") is True:
        return Described(called, why="a regular expression for several columns")
    if part(column, "unique") is True:
        return Described(called, why="a key, no two rows have the same")
    for check, stands in checks:
        if check == "isin":
            return Described(called, "category", values=values(stands.get("value")), note=note)
    if kind.startswith("bool"):
        return Described(called, "category", values=values(list(FLAGS)), note=together(note, "as the file writes them"))
    if kind.startswith(("int", "uint", "float", "decimal")):
        low = [stands.get("value") for check, stands in checks if check in LOWER]
        high = [stands.get("value") for check, stands in checks if check in UPPER]
        for check, stands in checks:
            if check == "in_range":
                low.append(stands.get("min_value"))
                high.append(stands.get("max_value"))
        return Described(called, "number", highest([*map(number, low)]), lowest([*map(number, high)]), note=note)
    text = kind.startswith(("str", "object", "category"))
    return Described(called, why="text without declared values" if text else f"of type {kind or 'unknown'}")


def _checks(column: object) -> Iterator[tuple[str, Mapping[object, object]]]:
    """The name of each check, and its statistics: one alone stands under "value"."""
    checks = part(column, "checks")
    if isinstance(checks, Mapping):
        for check, stands in checks.items():
            yield str(check), stands if isinstance(stands, Mapping) else {"value": stands}
    for one in checks if isinstance(checks, list) else ():
        named = word(part(one, "options"), "check_name")
        if named and isinstance(one, Mapping):
            yield named, one


PANDERA = Format("pandera", claims, sheets, read)
