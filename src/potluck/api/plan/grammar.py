"""The plan's grammar: TOML tables -> `core.plan.Plan`; errors name the file, the key and the nearest known one."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from potluck.api.plan.lines import lines
from potluck.api.plan.mistakes import mistakes, shown
from potluck.core.errors import PlanError, UsageError, reason
from potluck.core.plan import Plan
from potluck.core.strict import Strict
from potluck.core.traits import traits_of

Toml = Mapping[str, object]

_NUMBER, _CATEGORY, _DATE = 'kind = "number"', 'kind = "category" with its values', 'kind = "date" with its format'
MEANT: Mapping[str, Mapping[str, str]] = {
    "statistics.kind": {
        **dict.fromkeys(("median", "percentile", "iqr"), 'a median is kind = "quantile", q = [0.5]'),
        **dict.fromkeys(("std", "sd", "stddev"), 'kind = "variance", whose root it is'),
        "average": 'kind = "mean"',
        "correlation": 'kind = "test", test = "correlation"',
        "logrank": 'kind = "survival" with by',
    },
    "data.columns.kind": {
        **dict.fromkeys(("int", "integer", "float", "double", "numeric"), _NUMBER),
        **dict.fromkeys(("bool", "boolean", "flag", "binary", "factor", "enum"), _CATEGORY),
        **dict.fromkeys(("datetime", "timestamp", "day"), _DATE),
        "id": 'data.person where it says whose row it is; else leave it out, or kind = "ignore"',
    },
}
"""By key, words that other tools have for what has another word here."""
RENAMED = {"protect.servers": "protect.compute", "training.server": "training.aggregation"}


def read_text(path: Path) -> str:
    """The text of a plan. Raises UsageError: no such file, or it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError("no such plan", where=str(path), hint="give the path of a plan in TOML") from None
    except (OSError, UnicodeDecodeError) as error:
        hint = "give the path of a plan in TOML, in UTF-8"
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path), hint=hint) from None


_BETWEEN = re.compile(r"[=,{}\[\]\n]")
_TEXT = re.compile(
    r"""\"{3}(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5})?|'{3}.*?'{3,5}|"(?:[^"\\\n]++|\\.)*+"?|'[^'\n]*+'?|\#[^\n]*+""",
    re.DOTALL,
)
"""A text, which may hold marks that stand between keys, or a remark."""
_DEEP = re.compile(r"""\s*+(?:(?:[\w-]++|"")[ \t]*+[.][ \t]*+){64}""")
"""A key of so many parts. The library that reads TOML takes seconds, and a gigabyte, for one of some ten thousand."""


def read_toml(text: str, where: str) -> Toml:
    """The tables of a TOML text. Raises PlanError."""
    try:
        bare = _TEXT.sub(lambda found: "" if found[0][0] == "#" else '""', text)
        if any(map(_DEEP.match, _BETWEEN.split(bare))):
            raise RecursionError
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(text, str(error), where) from None
    except RecursionError:
        raise PlanError("lists or tables are nested too deeply", where=where, hint="a plan has a few levels") from None
    except ValueError:  # TOML sets no bound on a whole number, Python's reader of digits does
        raise PlanError("a number has too many digits", where=where, hint="write it shorter") from None


def _no_toml(text: str, why: str, where: str) -> PlanError:
    """The first mistake, with all others. why: of who read it as a whole, where each of its statements is TOML."""
    found = [
        PlanError(f"not TOML: {one.shown}", where=f"{where}, line {one.line}", hint=one.hint) for one in mistakes(text)
    ]
    if not found:
        hint = 'each key stands once; one with a point in it needs quotes, as in "north.labs" = "labs.csv"'
        place = re.search(r"at line ([0-9]+)", why)
        line = shown(text.split("\n")[int(place[1]) - 1]) if place else ""
        return PlanError(f"not TOML: {why}{f': {line}' if line else ''}", where=where, hint=hint)
    last = PlanError("the rest was not looked at", where=where, hint="it is once all of it is TOML")
    found[0].others = (*found[1:], last)
    return found[0]


def override(tables: Toml, setting: str) -> Toml:
    """`tables` with one `key=value` replaced (TOML on both sides; a table replaces the whole table)."""
    hint = "write --set protect.with='\"mask\"': the value is TOML, so texts need quotes"
    return replaced(tables, *pair(setting, "--set", hint))


def pair(setting: str, flag: str, hint: str) -> tuple[tuple[str, ...], object]:
    """The key, by its parts, and the value of `key=value`, as a flag takes it. Raises UsageError, with the hint."""
    key, _, value = setting.partition("=")
    try:
        path = _path(tomllib.loads(f"{key} = 0"))
        new = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        if bare := re.fullmatch(r"([-+]?)([0-9]*)[.]([0-9]*)", value.strip()):
            sign, whole, rest = bare.groups()
            hint = f"TOML has digits on both sides of a point: {flag} {key}={sign}{whole or 0}.{rest or 0}"
        raise UsageError(f"{flag} {setting}: not key=value in TOML", hint=hint) from None
    if set(new) != {"value"} or not path:
        raise UsageError(f"{flag} {setting}: not one key and one value", hint=hint)
    return path, new["value"]


def inline(value: object) -> str:
    """A value as TOML has it on one line, so that what was set in Python can be set again."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_word(key)} = {inline(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    return _word(value)


def _word(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _path(nested: Toml) -> tuple[str, ...]:
    path: tuple[str, ...] = ()
    level: object = nested
    while isinstance(level, Mapping) and len(level) == 1:
        (name, level) = next(iter(level.items()))
        path = (*path, str(name))
    return path


def dotted(table: Toml, path: str = "") -> Iterator[tuple[str, object]]:
    """Every key of a table and of those in it, as `path.table.key`, with its value."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def replaced(tables: Toml, path: tuple[str, ...], value: object) -> Toml:
    """A copy of `tables` in which the key at `path` is `value`."""
    head, rest = path[0], path[1:]
    if not rest:
        return {**tables, head: value}
    inner = tables.get(head, {})
    if not isinstance(inner, Mapping):
        raise PlanError(f"{head} is no table, so {'.'.join(path)} cannot be set", hint=f"set {head} itself")
    return {**tables, head: replaced(inner, rest, value)}


@dataclass(frozen=True, slots=True)
class Lined:
    """The text of a plan, and what was set over it, of which no line of the text says anything."""

    text: str
    settings: tuple[str, ...] = ()

    def lines(self) -> Mapping[str, int]:
        """Where keys stand; 0 for what was set."""
        over = [".".join(pair(one, "--set", "")[0]) for one in self.settings]
        found = lines(self.text)
        kept = {at: line for at, line in found.items() if not any(f"{at}.".startswith(f"{one}.") for one in over)}
        return kept | dict.fromkeys(over, 0)


def parse(tables: Toml, where: str, text: Lined | None = None) -> Plan:
    """The plan that the tables say. text: of which they were read, so that errors name lines. Raises PlanError: the
    first key that does not fit, with all others (`others`)."""
    if "privacy" not in tables:
        raise PlanError(
            "there is no [privacy] table", where=where, hint='nothing is guessed: write noise = "none" or a budget'
        )
    whole = {**traits_of(tables.get("task")).given, **tables}
    form = Strict(
        where,
        PlanError,
        prepare=_prepared,
        meant=MEANT,
        renamed=RENAMED,
        stands=True,
        lines=text.lines if text else dict[str, int],
    )
    return form.struct(Plan, whole)


def _prepared(kind: object, value: object) -> object:
    """values = [0, 1] means the texts "0" and "1"; a day without quotes is its text."""
    if type(value) is date:
        return value.isoformat()
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value
