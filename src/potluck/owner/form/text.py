"""Keys of a policy's text set to other values, with every other letter left as it is: comments, order, spaces.

It does NOT judge the values: what comes out is read by `reading`, and refused as any file is.
"""

import tomllib
from collections.abc import Mapping, MutableMapping

import tomlkit
from tomlkit.exceptions import TOMLKitError

from potluck.core.errors import UsageError
from potluck.owner.form.controls import Value

_BY_HAND = "change it in the file, with an editor"


def edited(text: str, changed: Mapping[str, Value], where: str) -> str:
    """The text with other values at some keys. None takes a key out. Raises UsageError: this text has to be changed by
    hand."""
    try:
        document = tomlkit.parse(text)
        if tomlkit.dumps(document) != text:
            raise UsageError("the policy is written in a way that a form would change", where=where, hint=_BY_HAND)
        for key, value in changed.items():
            _set(document, key, value)
        made = tomlkit.dumps(document)
        if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
            made = made.replace("\r\n", "\n").replace("\n", "\r\n")  # new lines end as all others
        same = _expected(tomllib.loads(text), changed) == tomllib.loads(made)
    except (TOMLKitError, ValueError, TypeError, AttributeError, RecursionError):
        same = False
    if not same:
        raise UsageError("the policy is written in a way that a form cannot change", where=where, hint=_BY_HAND)
    return made


def _set(document: MutableMapping[str, object], key: str, value: Value) -> None:
    name, _, last = key.partition(".")
    if name not in document:
        document[name] = tomlkit.table()
    table = document[name]
    if not isinstance(table, MutableMapping):
        raise TypeError(name)
    if value is None:
        table.pop(last, None)
    else:
        table[last] = list(value) if isinstance(value, tuple) else value


def _expected(tables: dict[str, object], changed: Mapping[str, Value]) -> dict[str, object]:
    """What the text has to say in the end: these keys are others, and nothing else is."""
    for key, value in changed.items():
        name, _, last = key.partition(".")
        table = tables.setdefault(name, {})
        if not isinstance(table, dict):
            raise TypeError(name)
        if value is None:
            table.pop(last, None)
        else:
            table[last] = list(value) if isinstance(value, tuple) else value
    return tables
