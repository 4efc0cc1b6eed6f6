"""Policy files -> `policy.Policy`. What does not fit is a UsageError: file, key, nearest known; never an address."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar, Union, get_args, get_origin

import msgspec

from potluck.core.errors import UsageError
from potluck.owner.hours import ANY, span
from potluck.owner.policy import LONGEST, Allow, Approve, Policy, Source
from potluck.secret.container import Secret

S = TypeVar("S", bound=msgspec.Struct)
_TAKES = {str: "a text", int: "a whole number", float: "a number", Secret: "a text"}


def read(path: Path) -> Policy:
    """The policy in a file. Raises UsageError: it is not there, cannot be read, or says what is not known."""
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise UsageError("is too long for a policy", where=str(path), hint=f"at most {LONGEST} bytes")
        return parse(data.decode("utf-8-sig"), str(path))
    except FileNotFoundError:
        raise UsageError("no such policy", where=str(path), hint="`potluck site new` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        hint = "a policy is TOML in UTF-8, readable by its owner"
        raise UsageError(f"cannot be read ({type(error).__name__})", where=str(path), hint=hint) from None


def parse(text: str, where: str) -> Policy:
    """The policy that a text says. Raises UsageError at the first key that does not fit."""
    policy = _struct(Policy, _tables(text, where), "", where)
    _source(policy.source, where)
    _limits(policy.allow, where)
    _approvers(policy.approve, where)
    return policy


def _tables(text: str, where: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # beyond TOMLDecodeError: numbers of many digits, deep nesting
        place = re.search(r"at (?:line \d+, column \d+|end of document)", str(error))
        what = f"not TOML {place.group()}" if place else "not TOML"
        raise UsageError(what, where=where, hint="texts need quotes, keys need `=` and are written once") from None


def _struct(kind: type[S], table: object, path: str, where: str) -> S:
    if not isinstance(table, Mapping):
        raise UsageError(f"{path} must be a table", where=where)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(sorted(fields))}"
            raise UsageError(f"unknown key {_shown(_join(path, key))}", where=where, hint=hint)
    values: dict[str, object] = {}
    for key, field in fields.items():
        if key in table:
            values[field.name] = _value(field.type, table[key], _join(path, key), where)
        elif field.required:
            raise UsageError(f"{_join(path, key)} is missing", where=where, hint="see docs/reference/policy.md")
    return kind(**values)


def _value(kind: object, value: object, path: str, where: str) -> object:
    kind = _without_none(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, value, path, where)
    if get_origin(kind) is tuple:
        items = [value] if value == ANY else value
        if not isinstance(items, list):
            raise UsageError(f"{path} must be a list", where=where, hint='e.g. ["*"]: any')
        return tuple(_value(get_args(kind)[0], item, path, where) for item in items)
    if get_origin(kind) is Literal:
        return _word(get_args(kind), value, path, where)
    if kind is Secret:
        return Secret(str(_value(str, value, path, where)).encode())
    try:
        return msgspec.convert(value, type=kind, strict=True)
    except msgspec.ValidationError:
        expected = _TAKES.get(kind, "a value") if isinstance(kind, type) else "a value"
        raise UsageError(f"{path} does not fit", where=where, hint=f"it takes {expected}") from None


def _word(known: tuple[object, ...], value: object, path: str, where: str) -> object:
    for word in known:
        if type(value) is type(word) and value == word:
            return word
    near = difflib.get_close_matches(str(value)[:100], [str(word) for word in known], 1)
    words = ", ".join(map(str, known))
    hint = f'did you mean "{near[0]}"? known: {words}' if near else f"known: {words}"
    raise UsageError(f"{path} does not know {_shown(str(value))}", where=where, hint=hint)


def _source(source: Source, where: str) -> None:
    """One source, said one way. An address under `file` is not shown: it may hold a password."""
    given = [name for name in ("file", "url", "url_file") if getattr(source, name) is not None]
    if len(given) != 1:
        what = f"source needs one of file, url and url_file, and has {' and '.join(given) or 'none'}"
        raise UsageError(what, where=where, hint="keep one of them")
    for name in ("file", "url_file"):
        text = getattr(source, name)
        if text is not None and (not text.strip() or not text.isprintable() or "://" in text):
            raise UsageError(f"source.{name} is no path", where=where, hint="an address goes under source.url")
    if source.file is not None and source.query is not None:
        raise UsageError("source.query goes with a database", where=where, hint="leave it out beside source.file")
    if source.file is None and not (source.query or "").strip():
        raise UsageError("source.query is missing", where=where, hint='query = "select ..." says which rows')


def _limits(allow: Allow, where: str) -> None:
    for name in ("epsilon_per_plan", "epsilon_per_year"):
        value = getattr(allow, name)
        if math.isnan(value) or value < 0:
            raise UsageError(f"allow.{name} must be 0 or more", where=where, hint="0 allows no plan with noise")
    for name in ("min_rows", "min_sites"):
        if getattr(allow, name) < 1:
            raise UsageError(f"allow.{name} must be 1 or more", where=where)
    for entry in allow.hours or ():
        if span(entry) is None:
            hint = 'e.g. "08:00-18:00", "mon-fri 08:00-18:00", "sat", "*"'
            raise UsageError(f"allow.hours does not know {_shown(entry)}", where=where, hint=hint)


def _approvers(approve: Approve, where: str) -> None:
    if approve.rule == "policy" and approve.people != 1:
        hint = 'with rule = "policy" nobody is asked; "person" and "hash" count people'
        raise UsageError('approve.people = 2 does not go with rule = "policy"', where=where, hint=hint)


def _shown(text: str) -> str:
    """A text of the file as it may be printed, on one line and short. An address may hold a password: not said."""
    if "://" in text:
        return "(an address)"
    return ascii(text if len(text) <= 80 else f"{text[:80]}...")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _without_none(kind: object) -> object:
    parts = [part for part in get_args(kind) if part is not type(None)]
    optional = get_origin(kind) in (Union, types.UnionType) and len(parts) == 1
    return parts[0] if optional else kind
