"""A policy's keys as controls of a form, and what was typed into them as values again.

Which keys: those that say what others may ask, who says yes and what is kept; none that names a file, a program or an
address. A control follows from the key's type in `owner.policy`, so that nothing is said twice. It does NOT check a
value: `reading` does, once what was typed stands in the policy's text (`owner.form.text`).
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, get_args, get_origin

import msgspec

from potluck.core.bounds import Bounds
from potluck.core.errors import UsageError
from potluck.core.strict import is_struct, parts, plain, words
from potluck.owner.policy import Policy

TABLES = ("allow", "approve", "federation", "keep")
"""Tables whose keys a form may change. All others stay as the file has them."""
ANY = "*"
ON = "on"
_NUMBER = 40
"""Letters of a number that is looked at."""
_NAMES = 6
"""Names of one line, of which a hint says so many at most."""
Value = bool | int | float | str | tuple[str, ...] | None
"""None: a number's key is left out, which means no limit."""


@dataclass(frozen=True, slots=True)
class Control:
    """One key. kind: of its control; words: those it knows, of words and choice; bounds: of a number, in words; whole:
    without a fraction; free: it may also be any, or without limit; endless: that is written as infinity."""

    key: str
    kind: Literal["words", "lines", "amount", "choice", "switch"]
    words: tuple[str, ...] = ()
    bounds: str = ""
    whole: bool = False
    free: bool = False
    endless: bool = False


@cache
def controls() -> tuple[Control, ...]:
    """Every key that a form may change, in the order of `owner.policy`."""
    return tuple(_controls())


def _controls() -> Iterator[Control]:
    for table in msgspec.structs.fields(Policy):
        kind: object = table.type
        if table.name in TABLES and is_struct(kind):
            for one in msgspec.structs.fields(kind):
                yield _control(f"{table.encode_name}.{one.encode_name}", one.type)


def _control(key: str, kind: object) -> Control:
    bare = plain(kind)
    if get_origin(bare) is tuple:
        known = tuple(str(word) for word in words(get_args(bare)[0]) if word != ANY)
        return Control(key, "words" if known else "lines", known, free=True)
    if some := words(bare):
        return Control(key, "choice", tuple(map(str, some)))
    if bare is bool:
        return Control(key, "switch")
    bounds = next((mark for mark in get_args(kind)[1:] if isinstance(mark, Bounds)), None)
    endless = bounds is not None and bounds.le == math.inf
    optional = get_origin(kind) is Annotated and bool(parts(get_args(kind)[0]))
    said = bounds.words() if bounds else ""
    return Control(key, "amount", (), said, bare is int, optional or endless, endless)


def differ(one: Value, other: Value) -> bool:
    """Whether two values of a key are not the same. The order of a list says nothing."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return set(one) != set(other)
    return one != other


def value_of(policy: Policy, key: str) -> Value:
    """What a policy has under a key. A list that is left out, which means any, is the list of it."""
    table, _, name = key.partition(".")
    found: Value = getattr(getattr(policy, table), name)
    control = next(one for one in controls() if one.key == key)
    return (ANY,) if found is None and control.kind in ("words", "lines") else found


def typed(policy: Policy) -> dict[str, str]:
    """A policy as its form's fields have it. A word, or `any`, is a field of its own: `allow.tasks.train`."""
    fields: dict[str, str] = {}
    for one in controls():
        value = value_of(policy, one.key)
        if isinstance(value, tuple):
            fields |= {f"{one.key}.{word}": ON for word in value if one.kind == "words" or word == ANY}
            if one.kind == "lines":
                fields[one.key] = "\n".join(_line(word) for word in value if word != ANY)
        elif one.kind == "switch":
            fields |= {one.key: ON} if value else {}
        elif one.kind == "amount" and (value is None or value == math.inf):
            fields |= {f"{one.key}.{ANY}": ON, one.key: ""}
        else:
            fields[one.key] = f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
    return fields


def values(fields: Mapping[str, str], shown: Mapping[str, str]) -> tuple[dict[str, Value], dict[str, UsageError]]:
    """What was typed, and what of it cannot be, by key. shown: the fields as the form had them: of a number and "no
    limit" beside it the one counts that was changed. A number that is none stays a text, which its reader refuses.
    Raises UsageError: the form was cut off."""
    found: dict[str, Value] = {}
    wrong: dict[str, UsageError] = {}
    for one in controls():
        if one.kind not in ("switch", "words") and one.key not in fields and f"{one.key}.{ANY}" not in fields:
            raise UsageError(f"the form came without {one.key}", hint="load the page again")
        try:
            found[one.key] = _value(one, fields, shown)
        except UsageError as error:
            wrong[one.key] = error
    return found, wrong


def named(what: str) -> str:
    """The key that the words of an error begin with; empty: none of the form's."""
    return next((one.key for one in controls() if re.match(rf"{re.escape(one.key)}(?![\w.])", what)), "")


def _value(one: Control, fields: Mapping[str, str], shown: Mapping[str, str]) -> Value:
    free = one.free and f"{one.key}.{ANY}" in fields
    if one.kind == "switch":
        return one.key in fields
    text = fields.get(one.key, "")
    if one.kind in ("words", "lines"):
        found = _list(one, fields)
        if one.kind == "lines" and one.key != "allow.hours":
            _one_a_line(one.key, fields.get(one.key, ""))
        if free and len(found) > 1 and differ(found, _list(one, shown)):
            raise UsageError(f"{one.key} has others beside any", hint="untick any, or take the others out")
        return found
    if one.kind == "choice":
        return int(text) if text.isascii() and text.isdecimal() and len(text) < _NUMBER else text
    text = text.strip()
    if free and text:
        before, ticked = shown.get(one.key, ""), f"{one.key}.{ANY}" not in shown
        if ticked == (text != before):
            raise UsageError(f"{one.key} has a number, and no limit", hint="untick the one, or empty the other")
        free = ticked
    if free:
        return math.inf if one.endless else None
    return _number(one, text)


def _list(one: Control, fields: Mapping[str, str]) -> tuple[str, ...]:
    some = (ANY, *one.words) if one.free else one.words
    lines = fields.get(one.key, "").splitlines() if one.kind == "lines" else []
    return (*(word for word in some if f"{one.key}.{word}" in fields), *map(_word, filter(str.strip, lines)))


def _one_a_line(key: str, text: str) -> None:
    """Raises UsageError: a line has several names. One with a comma of its own stands in quotes."""
    for line in map(str.strip, text.splitlines()):
        if "," in line and not line.startswith('"'):
            names = [part.strip()[:_NUMBER] for part in line.split(",") if part.strip()]
            each = f"type {' and '.join(names)} on a line each" if 1 < len(names) < _NAMES else "type one a line"
            hint = f"{each}; a name with a comma of its own stands in quotes"
            raise UsageError(f"{key} has several on one line, {line[:_NUMBER]!r}", hint=hint)


def _number(one: Control, text: str) -> Value:
    """Raises UsageError: it has a comma, which some write for a point, and some between thousands."""
    if len(text) <= _NUMBER and (found := re.fullmatch(r"(\d+),(\d+)", text)):
        whole, point = "".join(found.groups()), ".".join(found.groups())
        say = whole if one.whole else f"{point}, or {whole}" if len(found[2]) == 3 else point
        raise UsageError(f"{one.key} has a comma, {text!r}", hint=f"type {say}")
    try:
        number = (int if one.whole else float)(text) if len(text) <= _NUMBER else math.nan
    except ValueError:
        return text
    return text if math.isnan(number) else number


def _line(word: str) -> str:
    """A word of a list on a line of its own: quoted where a line would change it."""
    plain_ = word == word.strip() and word.isprintable() and not word.startswith('"') and "," not in word and word
    return word if plain_ else json.dumps(word)


def _word(line: str) -> str:
    text = line.strip()
    if text.startswith('"'):
        try:
            found = json.loads(text)
        except ValueError:
            return text
        return found if isinstance(found, str) else text
    return text
