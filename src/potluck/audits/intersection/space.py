"""Keys that somebody makes up who knows some: texts of the same form, and, of several columns, other pairs of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from string import ascii_lowercase, ascii_uppercase, digits

from potluck.core.seeded import Generator

Key = tuple[str, ...]
WIDE = 10**7
"""A column of more possible texts is not tried text by text: those that are known are used again."""
ALPHABETS = (digits, ascii_uppercase, ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Space:
    """All keys of a form: of each column the texts of each place, which are strung together."""

    columns: tuple[tuple[Sequence[str], ...], ...]

    @property
    def size(self) -> int:
        """How many keys it has."""
        return prod(len(place) for column in self.columns for place in column)

    def every(self) -> Iterator[Key]:
        """All of them, in order."""
        columns = [["".join(places) for places in product(*column)] for column in self.columns]
        yield from product(*columns)

    def drawn(self, rng: Generator) -> Key:
        """One of them, all alike."""
        return tuple("".join(place[int(rng.integers(len(place)))] for place in column) for column in self.columns)


def space_of(known: Sequence[Key]) -> Space:
    """The space that keys [at least one] are of."""
    return Space(tuple(_column(sorted(set(texts))) for texts in zip(*known, strict=True)))


def _column(texts: list[str]) -> tuple[Sequence[str], ...]:
    if len({len(text) for text in texts}) == 1:
        places = tuple(_place(set(letters)) for letters in zip(*texts, strict=True))
        if prod(map(len, places)) <= WIDE:
            return places
    return (texts,)


def _place(letters: set[str]) -> Sequence[str]:
    """What may stand where these do: one letter is part of the form, and of digits and letters there may be others."""
    if len(letters) == 1:
        return tuple(letters)
    return next((some for some in ALPHABETS if letters <= set(some)), sorted(letters))


def guesses(space: Space, known: Sequence[Key], most: int, rng: Generator) -> list[Key]:
    """So many keys of a space at most, none twice, that are not known."""
    own = set(known)
    if space.size <= most + len(own):
        return [key for key in space.every() if key not in own][:most]
    return list(dict.fromkeys(key for key in (space.drawn(rng) for _ in range(2 * most)) if key not in own))[:most]
