"""How an owner's files spell what they say: which texts mean "no value", the decimal mark, whether case tells values
apart.

Letters are folded one by one, by a table that is written into the query, so that every engine folds alike. A letter
whose small form is more than one letter stays as it is.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from potluck.core.plan import Data

CASED = 0x1E944
"""No letter from here on has a small form."""
BLOCK = 256
"""Letters that are looked at together."""
Key = float | str


def key(text: str) -> Key:
    """What a text is compared by: as a number where it is one, else as trimmed text."""
    trimmed = text.strip()
    number = to_number(trimmed)
    return trimmed if number is None else number


def to_number(text: str) -> float | None:
    """The finite number that a text is, or None. Its digits are ASCII."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text and text.strip().isascii() else None


@dataclass(frozen=True)
class Notation:
    """missing: texts that mean "no value"; decimal: of texts that are numbers, "." or ","; fold: letters that differ in
    case are the same."""

    missing: tuple[str, ...] = ("",)
    decimal: str = "."
    fold: bool = False

    def plain(self, text: str) -> str:
        """A text as others are compared with it: without blanks around it, folded where case does not count."""
        return folded(text.strip()) if self.fold else text.strip()

    def number(self, text: str) -> float | None:
        """The finite number that a text is in this notation, or None."""
        if self.decimal == ".":
            return to_number(text)
        return None if "." in text else to_number(text.replace(",", "."))

    def key(self, text: str) -> Key:
        """What a text is compared by: as a number where it is one, else as text."""
        found = self.number(text.strip())
        return self.plain(text) if found is None else found

    @cached_property
    def gone(self) -> frozenset[Key]:
        """The keys of what means "no value"."""
        return frozenset(map(self.key, self.missing))

    def places(self, values: tuple[str, ...]) -> Mapping[Key, int]:
        """By key the place of each declared value. Made once for each tuple: thousands of a plan's entries may be about
        one long category."""
        if id(values) not in self._places:
            self._places[id(values)] = values, {self.key(text): place for place, text in enumerate(values)}
        return self._places[id(values)][1]

    @cached_property
    def _places(self) -> dict[int, tuple[tuple[str, ...], Mapping[Key, int]]]:
        """The tuples themselves are kept, so that no other one gets their `id`."""
        return {}

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """Those of them that are numbers, in order."""
        return tuple(dict.fromkeys(key for key in map(self.key, self.missing) if isinstance(key, float)))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The others."""
        return tuple(dict.fromkeys(key for key in map(self.key, self.missing) if isinstance(key, str)))

    def twice(self, values: Iterable[str]) -> str:
        """The first value that repeats another ("1" and "1.0" are one), or ""."""
        seen: set[Key] = set()
        for value in values:
            if self.key(value) in seen:
                return value
            seen.add(self.key(value))
        return ""

    def not_missing(self, at: str, values: Sequence[str]) -> list[str]:
        """Values that also mean "no value"."""
        return [
            f'{at}: "{value}" is in data.missing too. hint: a text is a value or means "no value"; list it in one place'
            for value in values
            if self.key(value) in self.gone
        ][:1]


def notation(data: Data) -> Notation:
    """As a plan says it."""
    return Notation(data.missing, data.decimal, data.fold)


def folded(text: str) -> str:
    """A text in small letters."""
    return "".join(map(_small, text))


def _small(letter: str) -> str:
    small = letter.lower()
    return small if len(small) == 1 else letter


@cache
def _large() -> dict[str, str]:
    """By small letter, all letters that fold to it."""
    found: dict[str, str] = {}
    for start in range(0, CASED, BLOCK):
        block = "".join(map(chr, range(start, min(start + BLOCK, CASED))))
        if block.lower() == block:  # as most are
            continue
        for letter in block:
            if (small := _small(letter)) != letter:
                found[small] = found.get(small, "") + letter
    return found


def folding(texts: Iterable[str]) -> tuple[str, str]:
    """(letters, what each becomes) such that a cell, so translated, equals one of these folded texts exactly where it
    folds to it: of letters that stand in none of them the case does not matter."""
    small = sorted({letter for text in texts for letter in text} & _large().keys())
    pairs = [(large, letter) for letter in small for large in _large()[letter]]
    return "".join(large for large, _ in pairs), "".join(letter for _, letter in pairs)
