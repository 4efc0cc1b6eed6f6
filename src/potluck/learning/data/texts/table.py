"""Tables of a tokenizer's file: JSON whose keys, words and numbers are named one by one, and nothing else.

A file comes from elsewhere, and the library that runs it believes it. So what it says is read here, and written anew
from what was understood: a key that is not known is an error, never passed on.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod

from potluck.core.errors import DataError
from potluck.core.strict import Twice, once
from potluck.core.visible import visible

MOST_BYTES = 32 << 20
"""Of a file."""
MOST_LETTERS = 256
"""Of a token, and of any other text in it."""
MOST_MEMBERS, DEEPEST = 16, 2
"""Of a sequence of steps, those in its sequences among them, and how deep sequences lie in sequences."""
MOST_GROWTH = 128
"""How many times the letters of a text may become more by all steps of a part: each step makes some of what came before
it, so that a chain would double a text with each."""

Table = dict[str, object]
Check = Callable[[object, str], object]
"""(value, where it stands) -> the value as it is passed on. Raises DataError."""


def wrong(what: str, at: str, hint: str = "") -> DataError:
    """Of a tokenizer's file. at: which part of it."""
    return DataError(what, where=f"tokenizer: {at}" if at else "tokenizer", hint=hint)


def loads(data: bytes) -> Table:
    """The JSON of a file. Raises DataError."""
    if len(data) > MOST_BYTES:
        raise wrong(f"has {len(data):,} bytes", "", f"at most {MOST_BYTES:,}")
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=_no_number)
    except Twice as twice:
        raise wrong(f"has a key twice: {visible(twice.key[:80])!r}", "") from None
    except (ValueError, RecursionError):
        raise wrong("is no JSON that can be read", "", "the tokenizer.json of the Hugging Face library") from None
    return table(found, "")


def _no_number(word: str) -> object:
    raise ValueError(word)


def table(value: object, at: str) -> Table:
    """A table. Raises DataError."""
    if not isinstance(value, dict):
        raise wrong("is no table", at)
    return value


def text(value: object, at: str) -> str:
    """A text of some letters, each of which can be written. Raises DataError."""
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_LETTERS:
        raise wrong(f"is no text of 1 to {MOST_LETTERS} letters", at)
    try:
        value.encode()
    except UnicodeEncodeError:  # its message quotes the text
        raise wrong("holds half of a letter (a surrogate)", at) from None
    return value


def perhaps(check: Check) -> Check:
    """What may also be null."""
    return lambda value, at: None if value is None else check(value, at)


def maybe_empty(value: object, at: str) -> object:
    """A text, perhaps an empty one. Raises DataError."""
    return "" if value == "" else text(value, at)


def letter(value: object, at: str) -> object:
    """One letter. Raises DataError."""
    if len(text(value, at)) != 1:
        raise wrong("is not one letter", at)
    return value


def truth(value: object, at: str) -> object:
    """true or false. Raises DataError."""
    if not isinstance(value, bool):
        raise wrong("is neither true nor false", at)
    return value


def whole(low: int, high: int) -> Check:
    """A whole number in a range. Raises DataError."""

    def check(value: object, at: str) -> object:
        if type(value) is not int or not low <= value <= high:
            raise wrong(f"is no whole number from {low} to {high}", at)
        return value

    return check


def word(*known: str) -> Check:
    """One of some words. Raises DataError."""

    def check(value: object, at: str) -> object:
        if not isinstance(value, str) or value not in known:
            raise wrong("is none of the words that are known", at, f"one of {', '.join(known)}")
        return value

    return check


def items(value: object, at: str, most: int = MOST_MEMBERS) -> list[object]:
    """A list of at most so many. Raises DataError."""
    if not isinstance(value, list) or len(value) > most:
        raise wrong(f"is no list of at most {most}", at)
    return value


@dataclass(frozen=True, slots=True)
class Form:
    """One type of a part. keys: what each has to be; left: keys that may be left out; also: what holds between keys;
    grows: how many letters it may make of one."""

    keys: Mapping[str, Check] = field(default_factory=dict)
    left: frozenset[str] = frozenset()
    also: Callable[[Table, str], None] = lambda found, at: None
    grows: int = 1

    def read(self, given: Table, at: str) -> Table:
        """A table of these keys and no others, with its type. Raises DataError."""
        for key in given:
            if key != "type" and key not in self.keys:
                known = ", ".join(self.keys) or "type alone"
                raise wrong(f"{visible(key[:80])!r} is no key that is known", at, f"known: {known}")
        for key in self.keys:
            if key not in given and key not in self.left:
                raise wrong(f"lacks {key}", at)
        found = {key: check(given[key], f"{at}.{key}") for key, check in self.keys.items() if key in given}
        self.also(found, at)
        return {"type": given["type"], **found} if "type" in given else found


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a tokenizer that is one of several types, perhaps a sequence of them. forms: by the word of its type;
    members: the key of a sequence's list; hints: why a type that the library knows is not here."""

    name: str
    forms: Mapping[str, Form]
    members: str = ""
    hints: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: object) -> Table | None:
        """What a file says of it; None: it has none. Raises DataError."""
        if value is None:
            return None
        found = self._read(value, self.name, 0)
        steps = self._steps(found)
        if len(steps) > MOST_MEMBERS:
            raise wrong(f"has {len(steps)} steps", self.name, f"at most {MOST_MEMBERS}")
        if self.growth(found) > MOST_GROWTH:
            hint = "each normalization once; ByteLevel in one of the parts"
            raise wrong(f"could make a text {self.growth(found)} times as long", self.name, hint)
        return found

    def growth(self, found: Table | None) -> int:
        """How many letters at most its steps make of one, by what was read of it."""
        return 1 if found is None else prod(one.grows for one in self._steps(found))

    def _steps(self, found: Table) -> list[Form]:
        inner = found.get(self.members)
        if isinstance(inner, list):
            return [step for one in inner for step in self._steps(one)]
        return [self.forms[str(found["type"])]]

    def _read(self, value: object, at: str, depth: int) -> Table:
        given = table(value, at)
        kind = given.get("type")
        if not isinstance(kind, str):
            raise wrong("says no type", at)
        if self.members and kind == "Sequence":
            if set(given) != {"type", self.members} or depth >= DEEPEST:
                raise wrong(f"is no sequence of {self.members}, or lies too deep", at)
            found = [self._read(one, f"{at}.{n}", depth + 1) for n, one in enumerate(items(given[self.members], at), 1)]
            return {"type": kind, self.members: found}
        form = self.forms.get(kind)
        if form is None:
            known = ", ".join(self.forms)
            raise wrong(f"{visible(kind[:40])!r} may not be used", at, self.hints.get(kind, f"one of {known}"))
        return form.read(given, at)
