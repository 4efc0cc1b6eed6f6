"""Tables of a TOML file -> frozen structs, strictly: unknown keys and words are errors that name the nearest known one.

Plans and policies are read by it, each with errors of its own kind. It checks form, never sense.
"""

import difflib
import json
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, NamedTuple, TypeGuard, TypeVar, Union, get_args, get_origin

import msgspec

from potluck.core.errors import PotluckError
from potluck.core.registry import Known, known_of, nearest

S = TypeVar("S", bound=msgspec.Struct)
MOST = 50
"""Faults of a file that are told."""
SHOWN = 60
"""Letters of a value that a message shows."""
_TAKES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _unknown() -> Mapping[str, int]:
    return {}


def as_it_is(kind: object, value: object) -> object:
    """Nothing is prepared."""
    return value


@dataclass(frozen=True, slots=True)
class Strict:
    """How one kind of file is read. where: the file's name; error: what is raised.

    prepare: (type, value) -> value, before it is checked; make: for types of our own that are written as texts;
    meant: by key, words that people write for others, and what is written instead; renamed: old keys, and what they are
    called now; missing: the hint for a missing key, by default what it takes; shown: a word of the file as a message
    may show it; stands: a message says what stands there in place of what fits; lines: where keys stand, by their
    paths, for messages, 0 for none; at: the tables of lists that this one is in.
    """

    where: str
    error: type[PotluckError]
    prepare: Callable[[object, object], object] = as_it_is
    make: Mapping[type, Callable[[str], object]] = field(default_factory=dict)
    meant: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""
    stands: bool = False
    lines: Callable[[], Mapping[str, int]] = _unknown
    at: tuple[tuple[str, int], ...] = ()
    shown: Callable[[object], str] = repr

    def struct(self, kind: type[S], table: object, path: str = "") -> S:
        """The struct that a table says. Raises `error`: the first key that does not fit; `others` has the rest."""
        found: list[_Fault] = []
        made = self._struct(kind, table, path, found)
        if made is not None and not found:
            return made
        lines = self.lines()
        found.sort(key=lambda one: lines.get(one.known(lines), 0))
        first, *rest = [self.error(one.what, where=one.place(lines), hint=one.hint) for one in found]
        first.others = tuple(rest)
        raise first

    def _struct(self, kind: type[S], table: object, path: str, found: "list[_Fault]") -> S | None:
        """None: something does not fit, which is in `found` now."""
        if not isinstance(table, Mapping):
            self._fault(found, path, f"{path} must be a table", f"write [{path}] and its keys below it")
            return None
        before = len(found)
        fields = {one.encode_name: one for one in msgspec.structs.fields(kind)}
        for key in table:
            if key not in fields:
                whole = _join(path, str(key))
                self._fault(found, whole, f"unknown key {self.key(whole)}", self._nearest(path, str(key), fields))
        values: dict[str, object] = {}
        for key, one in fields.items():
            whole = _join(path, key)
            if key in table:
                values[one.name] = self._value(one.type, table[key], whole, found)
            elif one.required:
                hint = self.missing or f"add it: {_expected(one.type)}"
                self._fault(found, whole, f"{whole} is missing", hint)
        return kind(**values) if len(found) == before else None

    def _nearest(self, path: str, key: str, known: Iterable[str]) -> str:
        if new := self.renamed.get(_join(path, key)):
            return f"it is called {new} now"
        near = difflib.get_close_matches(key, list(known), 1)
        return f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(sorted(known))}"

    def key(self, path: str) -> str:
        """A key as a message may show it: as it is where it is plain, else as a word."""
        short = len(path) <= 80 and all(part.isidentifier() for part in path.split("."))
        return path if short else self.shown(path)

    def _value(self, kind: object, value: object, path: str, found: "list[_Fault]") -> object:
        """None where it does not fit, too: then that is in `found` now."""
        kind = plain(kind)
        value = self.prepare(kind, value)
        if is_struct(kind):
            return self._struct(kind, value, path, found)
        if get_origin(kind) is dict and is_struct(get_args(kind)[1]):
            if not isinstance(value, Mapping):
                self._fault(found, path, f"{path} must be a table", f"write [{path}] and its keys below it")
                return None
            inner = get_args(kind)[1]
            return {str(name): self._struct(inner, one, f"{path}.{name}", found) for name, one in value.items()}
        if get_origin(kind) is tuple:
            if not isinstance(value, list | tuple):
                self._fault(found, path, f"{path} must be a list", _expected(kind))
                return None
            inner = get_args(kind)[0]
            if not is_struct(inner):
                return tuple(self._value(inner, item, path, found) for item in value)
            return tuple(
                self._numbered(path, place)._value(inner, one, path, found) for place, one in enumerate(value, 1)
            )
        if known := words(kind):
            variants = known_of(kind)
            return self._word(known, value, path, variants.key if variants else path, found)
        if isinstance(kind, type) and kind in self.make:
            text = self._value(str, value, path, found)
            return self.make[kind](text) if isinstance(text, str) else None
        try:
            return msgspec.convert(value, type=kind, strict=True)
        except msgspec.ValidationError:
            stands = f": {_shortly(value)}" if self.stands else ""
            self._fault(found, path, f"{path} does not fit{stands}", f"it takes {_expected(kind)}")
            return None

    def _numbered(self, path: str, place: int) -> "Strict":
        """The same for one table of a list: its errors say which."""
        return replace(self, where=f"{self.where}, [[{path}]] {place}", at=(*self.at, (path, place)))

    def _word(self, known: tuple[object, ...], value: object, path: str, key: str, found: "list[_Fault]") -> object:
        for word in known:
            if type(value) is type(word) and value == word:
                return word
        instead = self.meant.get(key, {}).get(value.lower()) if isinstance(value, str) else None
        self._fault(found, path, f"{path} does not know {self.shown(value)}", instead or nearest(value, known))
        return None

    def _fault(self, found: "list[_Fault]", path: str, what: str, hint: str = "") -> None:
        if len(found) < MOST:
            for table, place in reversed(self.at):
                path = f"{table}[{place}]{path[len(table) :]}"
            found.append(_Fault(what, hint, self.where, path))


class _Fault(NamedTuple):
    """What does not fit. path: of the key, with the places of tables in lists, as `statistics[2].kind`."""

    what: str
    hint: str
    where: str
    path: str

    def known(self, lines: Mapping[str, int]) -> str:
        """The key, or the table in which it is missing, of which the line is known; empty: of neither."""
        path = self.path
        while path and path not in lines:
            path = path.rpartition(".")[0]
        return path

    def place(self, lines: Mapping[str, int]) -> str:
        """The file, and the line."""
        line = lines.get(self.known(lines), 0)
        return f"{self.where}, line {line}" if line else self.where


def _shortly(value: object) -> str:
    """A value that is no table or list, as a message may show it."""
    if isinstance(value, Mapping | list | tuple):
        return "a table stands there" if isinstance(value, Mapping) else "a list stands there"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"{text if len(text) <= SHOWN else f'{text[:SHOWN]}...'} stands there"


class Twice(ValueError):
    """A key is there twice, and which is meant cannot be told."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key!r} is there twice")
        self.key = key


def once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """A table of JSON or YAML, by its keys and values. Raises Twice."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise Twice(key)
        found[key] = value
    return found


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def is_struct(kind: object) -> TypeGuard[type[msgspec.Struct]]:
    """Is this a table?"""
    return isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, msgspec.Struct)


def plain(kind: object) -> object:
    """A type without None, and without what stands beside it, unless that is its words."""
    if get_origin(kind) is Annotated:
        return kind if words(kind) else plain(get_args(kind)[0])
    some = parts(kind)
    return plain(some[0]) if len(some) == 1 else kind


def words(kind: object) -> tuple[object, ...]:
    """The words that a key takes, beside its type or in a table that rooms fill; empty where it takes other values."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) is Annotated:
        return tuple(word for one in get_args(kind)[1:] if isinstance(one, Known) for word in one.words())
    every = [words(part) for part in parts(kind)]
    return tuple(word for some in every for word in some) if all(every) else ()


def parts(kind: object) -> list[object]:
    """Of a union, without what stands for a key that is absent; empty: it is none."""
    union = get_origin(kind) in (Union, types.UnionType)
    return [part for part in get_args(kind) if part not in (type(None), msgspec.UnsetType)] if union else []


def _expected(kind: object) -> str:
    """What a key takes, in words."""
    kind = plain(kind)
    if some := words(kind):
        return "one of " + ", ".join(map(str, some))
    if get_origin(kind) is tuple:
        inner = plain(get_args(kind)[0])
        known = {str: "texts", int: "whole numbers"}
        what = known.get(inner, "tables") if isinstance(inner, type) else "texts"
        return f"a list of {what}"
    if get_origin(kind) is dict or is_struct(kind):
        return "a table"
    return _TAKES.get(kind, "a value") if isinstance(kind, type) else "a value"
