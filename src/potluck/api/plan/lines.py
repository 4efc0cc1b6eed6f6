"""Where the keys of a plan stand in its text, for messages: a line by path, as `data.columns.age.high`."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping

LONGEST = 200
"""Lines of one statement: of a plan with a longer one no line after it is told."""


def lines(text: str) -> Mapping[str, int]:
    """By path the line, from 1, at which its statement begins. A table of a list is named by its place, as
    `statistics[2]`. Each statement is read by itself, as soon as it is whole: the text is TOML as a whole."""
    found, tables = dict[str, int](), Counter[str]()
    table, statement, begun = "", "", 0
    for number, line in enumerate(text.split("\n"), 1):
        begun = begun or number
        statement += f"{line}\n"
        try:
            said = tomllib.loads(statement)
        except (ValueError, RecursionError):
            if number - begun >= LONGEST:
                break
            continue
        if statement.lstrip().startswith("["):
            table = _table(said, tables)
            found.setdefault(table, begun)
        else:
            for path in _paths(said, table):
                found.setdefault(path, begun)
        statement, begun = "", 0
    return found


def _table(header: object, tables: Counter[str]) -> str:
    """The path of a table that begins. tables: how many of each list there were."""
    path = ""
    while isinstance(header, Mapping) and header:
        name, header = next(iter(header.items()))
        path = f"{path}.{name}" if path else str(name)
        if isinstance(header, list):
            tables[path] += 1
            header = header[0]
        if tables[path]:
            path = f"{path}[{tables[path]}]"
    return path


def _paths(value: object, path: str) -> Iterator[str]:
    inner = (
        [(f"{path}.{name}" if path else str(name), one) for name, one in value.items()]
        if isinstance(value, Mapping)
        else []
    )
    if isinstance(value, list):
        inner = [(f"{path}[{place}]", one) for place, one in enumerate(value, 1)]
    for below, one in inner:
        yield below
        yield from _paths(one, below)
