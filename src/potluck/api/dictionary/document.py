"""A data dictionary from anywhere, read with limits: its size, how deep it is, what its parts are.

Nothing is fetched and no other file is opened, whatever a dictionary names.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from potluck.core.errors import UsageError, reason
from potluck.core.strict import once

if TYPE_CHECKING:
    import yaml

LARGEST = 16 << 20
"""Bytes. The whole of OMOP has a tenth of a mebibyte."""
DEEPEST, MOST = 64, 1_000_000
"""Levels of YAML, and words, brackets and line ends that it is read as."""
PLAIN = (
    ("null", r"^(?:~|null|Null|NULL|)$", ("~", "n", "N", "")),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
)
"""Words of YAML that are no texts: their kind, their spelling, and how they begin. An int is looked for first."""
CSV = ".csv"
YAML = (".yaml", ".yml")


def read(path: Path) -> object:
    """The value of a JSON or YAML file, or of a CSV file its rows, each a dict by header. Raises UsageError."""
    where = path.name
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
    ending = path.suffix.lower()
    return _rows(said, where) if ending == CSV else _yaml(said, where) if ending in YAML else _json(said, where)


def _json(said: str, where: str) -> object:
    try:
        msgspec.json.decode(said)  # strictly, and with the place of what is wrong
        return json.loads(said, object_pairs_hook=once)
    except RecursionError:
        raise UsageError("is nested too deeply", where=where, hint="a dictionary has a few levels") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"is not JSON ({error})", where=where, hint="or, of OMOP, CSV named .csv") from None


def _yaml(said: str, where: str) -> object:
    """A YAML file. What refers to another place of it is refused: few words could stand for very many."""
    try:
        import yaml
    except ImportError:
        hint = "pip install 'potluck[yaml]'; or write it as JSON: schema.to_json(FILE)"
        raise UsageError("reading YAML needs PyYAML", where=where, hint=hint) from None
    loader, depth = _loader(), 0
    try:
        for number, event in enumerate(yaml.parse(said, Loader=loader)):
            if isinstance(event, yaml.AliasEvent):
                raise UsageError("refers to another place of itself (*)", where=where, hint="write it out")
            if getattr(event, "tag", None) is not None:
                raise UsageError("says of a value what type it is (!)", where=where, hint="leave tags out")
            if number > MOST:
                raise UsageError(f"has more than {MOST:,} parts", where=where, hint="save it as JSON")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise UsageError("is nested too deeply", where=where, hint="a dictionary has a few levels")
        return yaml.load(said, Loader=loader)  # noqa: S506 - it is made of the safe one
    except (yaml.YAMLError, ValueError) as error:
        what = f"is not YAML ({getattr(error, 'problem', None) or error})"
        raise UsageError(what, where=where, hint="or save it as JSON") from None


@cache
def _loader() -> "type[yaml.CSafeLoader]":
    """PyYAML's safe loader, but for plain words it goes by YAML 1.2's core schema (section 10.3), as JSON would have
    them: yes, no, 1:30, 010 and days are texts."""
    import yaml

    made: type[yaml.CSafeLoader] = type("Loader", (yaml.CSafeLoader,), {"yaml_implicit_resolvers": {}})
    made.add_constructor("tag:yaml.org,2002:map", _mapping)
    for kind, shape, first in PLAIN:
        made.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(shape), list(first))
    return made


def _mapping(loader: "yaml.CSafeLoader", node: "yaml.MappingNode") -> dict[str, object]:
    """Keys as they are written, each once."""
    return once((str(key.value), loader.construct_object(value, deep=True)) for key, value in node.value)


def _rows(said: str, where: str) -> list[dict[str, str]]:
    try:
        first = said.partition("\n")[0]
        mark = ";" if first.count(";") > first.count(",") else ","  # as spreadsheets of many countries save it
        lines = list(csv.reader(io.StringIO(said, newline=""), strict=True, delimiter=mark))
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
