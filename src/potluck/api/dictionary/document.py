"""A data dictionary from anywhere, read with limits: its size, how deep it is, what its parts are.

Nothing is fetched and no other file is opened, whatever a dictionary names.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import msgspec

from potluck.core.errors import UsageError, reason

LARGEST = 16 << 20
"""Bytes. The whole of OMOP has a tenth of a mebibyte."""
CSV = ".csv"
YAML = (".yaml", ".yml")


def read(path: Path) -> object:
    """The JSON value of a file, or of a CSV file its rows, each a dict by header. Raises UsageError."""
    where = path.name
    if path.suffix.lower() in YAML:
        hint = "write it as JSON: pandera has schema.to_json(FILE), frictionless has schema.to_json(FILE)"
        raise UsageError("YAML is not read", where=where, hint=hint)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path), hint="name a file") from None
    if len(data) > LARGEST:
        raise UsageError(
            f"has more than {LARGEST >> 20} MiB", where=where, hint="a dictionary describes, it holds no rows"
        )
    try:
        said = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=where, hint="save it in UTF-8") from None
    return _rows(said, where) if path.suffix.lower() == CSV else _json(said, where)


def _json(said: str, where: str) -> object:
    try:
        return msgspec.json.decode(said)
    except RecursionError:
        raise UsageError("is nested too deeply", where=where, hint="a dictionary has a few levels") from None
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise UsageError(f"is not JSON ({error})", where=where, hint="or, of OMOP, CSV named .csv") from None


def _rows(said: str, where: str) -> list[dict[str, str]]:
    try:
        lines = list(csv.reader(io.StringIO(said, newline=""), strict=True))
    except csv.Error as error:
        raise UsageError(f"is not CSV ({error})", where=where, hint="fields with commas stand in quotes") from None
    if not lines or len(set(lines[0])) < len(lines[0]):
        raise UsageError("has no header, or a column of it twice", where=where, hint="its first line names the columns")
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(lines[0]):
            raise UsageError(f"row {number} has another number of fields than the header", where=where)
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def part(of: object, key: str) -> object:
    """What stands under a key; None where there is no such key, or nothing has keys there."""
    return of.get(key) if isinstance(of, Mapping) else None


def parts(of: object, key: str) -> list[object]:
    """The list under a key, or the one entry that stands there without a list; empty where there is none."""
    found = part(of, key)
    return found if isinstance(found, list) else [] if found is None else [found]


def name(of: object, what: str) -> str:
    """The name of a table or column. Raises UsageError: it has none."""
    found = part(of, "name")
    if not isinstance(found, str) or not found.strip():
        raise UsageError(f"{what} has no name", hint="see the format's specification")
    return found


def word(of: object, key: str) -> str:
    """The text under a key, "" where there is none."""
    found = part(of, key)
    return found if isinstance(found, str) else ""
