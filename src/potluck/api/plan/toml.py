"""Keys and values as TOML has them on one line, for whoever writes a plan or a part of one."""

import re
from collections.abc import Mapping

import tomli_w


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
