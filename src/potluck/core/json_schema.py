"""Tables as JSON Schema (2020-12), from the structs that `strict` reads them into and the `bounds` beside their fields.

For editors, and for whoever writes plans or policies by program. It says what a single key may be; rules between keys
are the checks' alone, so what it accepts may still be refused.
"""

from dataclasses import dataclass
from typing import Annotated, get_args, get_origin

import msgspec

from potluck.core.bounds import Bounds, Size
from potluck.core.strict import is_struct, parts, plain, words

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {int: "integer", float: "number", bool: "boolean"}
_NUMBER = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
Schema = dict[str, object]


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """How one kind of file reads its structs. texts: types of JSON that are read as a text; alone: a word that stands
    for a list of it, empty: none does; filled: tables that may be missing although their struct needs them; varied:
    structs, each with a key whose default depends on other keys, so that none stands beside them."""

    texts: tuple[str, ...] = ("string",)
    alone: str = ""
    filled: frozenset[str] = frozenset()
    varied: frozenset[tuple[object, str]] = frozenset()

    def document(self, kind: type[msgspec.Struct]) -> Schema:
        """The schema of a whole file."""
        table = self._table(kind)
        table["required"] = [key for key in _required(kind) if key not in self.filled]
        return {"$schema": DIALECT, **table}

    def _table(self, kind: type[msgspec.Struct]) -> Schema:
        found: Schema = {"type": "object", "description": _first(kind.__doc__ or "")}
        found["properties"] = {one.encode_name: self._key(kind, one) for one in msgspec.structs.fields(kind)}
        return {**found, "required": _required(kind), "additionalProperties": False}

    def _key(self, table: type[msgspec.Struct], one: msgspec.structs.FieldInfo) -> Schema:
        default = one.default if isinstance(one.default, str | int | float | tuple) else None
        varies = (table, one.encode_name) in self.varied
        return self._value(one.type) | ({} if default is None or varies else {"default": default})

    def _value(self, kind: object) -> Schema:
        bare, marks = plain(kind), _marks(kind)
        if known := words(bare):
            return {"enum": list(known)}
        if is_struct(bare):
            return self._table(bare)
        size = next((mark.most for mark in marks if isinstance(mark, Size)), None)
        if get_origin(bare) is dict:
            names, each = map(self._value, get_args(bare))
            names["type"] = "string"
            if each["type"] not in _TYPES.values():  # plain tables accept only strings
                each["type"] = "object" if "properties" in each else "string"
            table: Schema = {"type": "object", "propertyNames": names, "additionalProperties": each}
            return table | ({} if size is None else {"maxProperties": size})
        if get_origin(bare) is tuple:
            some: Schema = {"type": "array", "items": self._value(get_args(bare)[0])}
            some |= {} if size is None else {"maxItems": size}
            return {"anyOf": [some, {"const": self.alone}]} if self.alone else some
        if isinstance(bare, type) and bare in _TYPES:
            return {"type": _TYPES[bare], **{key: value for mark in marks for key, value in _number(mark).items()}}
        text: Schema = {"type": list(self.texts) if len(self.texts) > 1 else self.texts[0]}
        return text | ({} if size is None else {"maxLength": size})


def _first(text: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(text.partition("\n\n")[0].split())


def _required(kind: type[msgspec.Struct]) -> list[str]:
    return [one.encode_name for one in msgspec.structs.fields(kind) if one.required]


def _marks(kind: object) -> list[object]:
    """What stands beside a type, also beside the type that may be None."""
    if get_origin(kind) is Annotated:
        bare, *said = get_args(kind)
        return [*said, *_marks(bare)]
    return [mark for part in parts(kind) for mark in _marks(part)]


def _number(mark: object) -> Schema:
    if not isinstance(mark, Bounds):
        return {}
    found = {word: getattr(mark, key) for key, word in _NUMBER.items()}
    return {word: value for word, value in found.items() if value is not None and value != float("inf")}
