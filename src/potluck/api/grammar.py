"""The plan's grammar: TOML tables -> `core.plan.Plan`; errors name the file, the key and the nearest known one."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar, Union, get_args, get_origin

import msgspec

from potluck.core.errors import PlanError, UsageError
from potluck.core.plan import Column, Plan

S = TypeVar("S", bound=msgspec.Struct)
Toml = Mapping[str, object]

LATER = {
    "protect.with": ("share", "he", "tee"),
    "task": ("fit", "predict", "intersect"),
    "model.kind": ("trees",),
    "training.method": ("boosting",),
    "training.server": ("median", "trimmed", "krum", "norm"),
    "statistics.kind": ("quantile", "correlation", "top", "survival", "logrank", "cox", "regression"),
}
"""Words that plans may come to hold and that this version does not know: said as such, never guessed around."""


def read_text(path: Path) -> str:
    """The text of a plan. Raises UsageError: no such file, or it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError("no such plan", where=str(path), hint="give the path of a plan in TOML") from None
    except (OSError, UnicodeDecodeError) as error:
        hint = "give the path of a plan in TOML, in UTF-8"
        raise UsageError(f"cannot be read ({type(error).__name__})", where=str(path), hint=hint) from None


def read_toml(text: str, where: str) -> Toml:
    """The tables of a TOML text. Raises PlanError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"not TOML: {error}", where=where, hint="texts need quotes, keys need `=`") from None


def override(tables: Toml, setting: str) -> Toml:
    """`tables` with one `key=value` replaced (TOML on both sides; a table replaces the whole table)."""
    key, _, value = setting.partition("=")
    hint = "write --set protect.with='\"mask\"': the value is TOML, so texts need quotes"
    try:
        path = _path(tomllib.loads(f"{key} = 0"))
        new = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        raise UsageError(f"--set {setting}: not key=value in TOML", hint=hint) from None
    if set(new) != {"value"} or not path:
        raise UsageError(f"--set {setting}: not one key and one value", hint=hint)
    return replaced(tables, path, new["value"])


def _path(nested: Toml) -> tuple[str, ...]:
    path: tuple[str, ...] = ()
    level: object = nested
    while isinstance(level, Mapping) and len(level) == 1:
        (name, level) = next(iter(level.items()))
        path = (*path, str(name))
    return path


def replaced(tables: Toml, path: tuple[str, ...], value: object) -> Toml:
    """A copy of `tables` in which the key at `path` is `value`."""
    head, rest = path[0], path[1:]
    if not rest:
        return {**tables, head: value}
    inner = tables.get(head, {})
    if not isinstance(inner, Mapping):
        raise PlanError(f"{head} is no table, so {'.'.join(path)} cannot be set", hint=f"set {head} itself")
    return {**tables, head: replaced(inner, rest, value)}


def parse(tables: Toml, where: str) -> Plan:
    """The plan that the tables say. Raises PlanError at the first key that does not fit."""
    if "privacy" not in tables:
        raise PlanError(
            "there is no [privacy] table", where=where, hint='nothing is guessed: write noise = "none" or a budget'
        )
    return _struct(Plan, tables, "", where)


def _struct(kind: type[S], table: object, path: str, where: str) -> S:
    if not isinstance(table, Mapping):
        raise PlanError(f"{path} must be a table", where=where)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key not in fields:
            _unknown(_join(path, str(key)), str(key), list(fields), where)
    values: dict[str, object] = {}
    for key, field in fields.items():
        if key in table:
            values[field.name] = _value(field.type, table[key], _join(path, key), where)
        elif field.required:
            raise PlanError(f"{_join(path, key)} is missing", where=where, hint=f"add it: {_expected(field.type)}")
    return kind(**values)


def _value(kind: object, value: object, path: str, where: str) -> object:
    kind = _without_none(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, value, path, where)
    if get_origin(kind) is dict and get_args(kind)[1] is Column:
        table = value if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            raise PlanError(f"{path} must be a table", where=where)
        return {str(name): _struct(Column, entry, f"{path}.{name}", where) for name, entry in table.items()}
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        if not isinstance(value, list | tuple):
            raise PlanError(f"{path} must be a list", where=where, hint=_expected(kind))
        return tuple(_value(inner, item, path, where) for item in value)
    if get_origin(kind) is Literal:
        return _word(get_args(kind), value, path, where)
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)  # values = [0, 1] means the texts "0" and "1"
    try:
        return msgspec.convert(value, type=kind, strict=True)
    except msgspec.ValidationError:
        raise PlanError(f"{path} does not fit", where=where, hint=f"it takes {_expected(kind)}") from None


def _word(known: tuple[object, ...], value: object, path: str, where: str) -> object:
    if type(value) is type(known[0]) and value in known:
        return value
    words = ", ".join(map(str, known))
    later = value in LATER.get(path, ())
    what = f'{path} = "{value}" is not in this version' if later else f"{path} does not know {value!r}"
    near = difflib.get_close_matches(str(value), [str(word) for word in known], 1)
    hint = f'did you mean "{near[0]}"? known: {words}' if near else f"known: {words}"
    raise PlanError(what, where=where, hint=hint)


def _unknown(path: str, key: str, known: list[str], where: str) -> None:
    near = difflib.get_close_matches(key, known, 1)
    hint = f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(sorted(known))}"
    raise PlanError(f"unknown key {path}", where=where, hint=hint)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _without_none(kind: object) -> object:
    parts = [part for part in get_args(kind) if part is not type(None)]
    is_optional = type(None) in get_args(kind)
    return parts[0] if is_optional and len(parts) == 1 else kind


def _expected(kind: object) -> str:
    """What a key takes, in words."""
    kind = _without_none(kind)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if get_origin(kind) is tuple:
        return "a list of " + {str: "texts", int: "whole numbers"}.get(get_args(kind)[0], "tables")
    if get_origin(kind) in (dict, Union) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return "a table"
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return words.get(kind, "a value") if isinstance(kind, type) else "a value"
