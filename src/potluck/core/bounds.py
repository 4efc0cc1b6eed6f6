"""What a key's value may be, said once beside its field: `Annotated[int, Bounds(ge=1, le=1000)]`.

Plans and policies are checked by it, and `json_schema` reads it. Rules between keys stand elsewhere.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, get_args, get_origin

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Of a number, in the words of JSON Schema: ge is minimum, gt exclusiveMinimum, le maximum, lt exclusiveMaximum.

    hint: an example, or why; may be empty. Infinity fits where le is infinity; what is no number never does.
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    hint: str = ""

    def wrong(self, value: float) -> str:
        """What is wrong with a number; empty: nothing."""
        low = (self.ge is None or value >= self.ge) and (self.gt is None or value > self.gt)
        high = (self.le is None or value <= self.le) and (self.lt is None or value < self.lt)
        if low and high and (isinstance(value, int) or math.isfinite(value) or self.le == math.inf):
            return ""
        return f"{_shown(value)} does not fit. hint: {self.words()}{self.hint and ', '}{self.hint}"

    def words(self) -> str:
        """The bounds as people say them."""
        low = "" if self.ge is None else _shown(self.ge)
        low = f"above {_shown(self.gt)}" if self.gt is not None else low
        if self.lt is not None:
            return f"{low or 'any number'} and below {_shown(self.lt)}"
        if self.le is not None and math.isfinite(self.le):
            return f"{low} {'to' if self.ge is not None else 'and at most'} {_shown(self.le)}"
        return low if self.gt is not None else f"{low} or more"


@dataclass(frozen=True, slots=True)
class Size:
    """At most so many entries of a list or a table, or letters of a text."""

    most: int

    def wrong(self, value: str | tuple[object, ...] | dict[str, object]) -> str:
        """What is wrong with a text, list or table; empty: nothing."""
        if len(value) <= self.most:
            return ""
        if isinstance(value, str):
            return f"{len(value)} letters are more than the {self.most} that it may have. hint: a shorter text"
        what = f"{len(value)} are more than the {self.most} that a plan may have"
        return f"{what}. hint: a smaller plan, or several"


def _shown(value: float) -> str:
    """A number as people write it; a large power of two as such."""
    if not isinstance(value, int):
        return f"{value:g}"
    power = value >= 1 << 20 and value.bit_count() == 1
    return f"2^{value.bit_length() - 1}" if power else str(value)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where a type carries Bounds or Size. fields: (attribute, key, its shape); each: of entries of a list or
    table; names: of a table's keys."""

    marks: tuple[Bounds | Size, ...] = ()
    fields: "tuple[tuple[str, str, _Shape], ...]" = ()
    each: "_Shape | None" = None
    names: "_Shape | None" = None


def outside(value: msgspec.Struct, mark: type[Bounds | Size]) -> list[str]:
    """Every key whose value its marks of this kind refuse: `key: what. hint: what to do`."""
    shape, found = _shape(type(value)), list[str]()
    if shape is not None:
        _look(shape, mark, value, "", found)
    return found


def _look(shape: _Shape, kind: type[Bounds | Size], value: object, key: str, found: list[str]) -> None:
    if value is None or value is msgspec.UNSET:
        return
    for mark in shape.marks:
        if isinstance(mark, kind) and (wrong := mark.wrong(value)):  # type: ignore[arg-type]  # of the value's own type
            found.append(f"{key}: {wrong}")
    for attribute, name, inner in shape.fields:
        _look(inner, kind, getattr(value, attribute), f"{key}.{name}" if key else name, found)
    if isinstance(value, dict):
        for name, one in value.items():
            if shape.names is not None:
                _look(shape.names, kind, name, key, found)
            if shape.each is not None:
                _look(shape.each, kind, one, f"{key}.{name}", found)
    elif shape.each is not None and isinstance(value, tuple):
        for one in value:
            _look(shape.each, kind, one, f"{key}.{one.name}" if hasattr(one, "name") else key, found)


@lru_cache
def _shape(kind: object) -> _Shape | None:
    """None of a type without marks, which is never looked into: a plan may have many columns."""
    if get_origin(kind) is Annotated:
        bare, *said = get_args(kind)
        inner = _shape(bare) or _Shape()
        marks = tuple(one for one in said if isinstance(one, Bounds | Size))
        return _Shape(marks, inner.fields, inner.each, inner.names) if marks else _shape(bare)
    if isinstance(kind, type) and get_origin(kind) is None:
        fields = tuple(_marked(kind)) if issubclass(kind, msgspec.Struct) else ()
        return _Shape(fields=fields) if fields else None
    inside = [_shape(one) for one in get_args(kind)]
    if get_origin(kind) is tuple:
        return _Shape(each=inside[0]) if inside[0] else None
    if get_origin(kind) is dict:
        return _Shape(each=inside[1], names=inside[0]) if any(inside) else None
    return next((one for one in inside if one), None)


def _marked(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str, _Shape]]:
    for one in msgspec.structs.fields(kind):
        if (inner := _shape(one.type)) is not None:
            yield one.name, one.encode_name, inner
