"""Keys and values as TOML has them on one line, for whoever writes a plan or a part of one."""

import re
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from potluck.core.errors import UsageError, unwritable


def key(name: str) -> str:
    """A name before `=`."""
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else value(name)


def table(entries: Mapping[str, object]) -> str:
    """A table on one line."""
    return "{ " + ", ".join(f"{key(name)} = {value(one)}" for name, one in entries.items()) + " }"


def value(one: object) -> str:
    """A value on one line."""
    if isinstance(one, Mapping):
        return table(one)
    if isinstance(one, list):
        return f"[{', '.join(map(value, one))}]"
    if isinstance(one, float) and one.is_integer() and abs(one) < 1e15:
        one = int(one)
    return tomli_w.dumps({"v": one})[len("v = ") : -1]


def create(text: str, path: Path) -> None:
    """A text into a new file. Raises UsageError: there is one, or it cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError("is there already", where=str(path), hint="name a new file with -o") from None
    except OSError as error:
        raise unwritable(error, path, "name another file with -o") from None
