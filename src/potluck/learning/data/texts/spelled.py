"""Strings that are spelled in a declared alphabet: a cell is the places of its characters.

Texts are brought to Unicode's normal form NFKC, so that a ligature is its letters and an accent its letter's; blanks
around them are left away, and with `data.fold` case is too. A character that the alphabet lacks is OTHER, one for all.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.learning.data.files.cells import DIGEST, DType, Found, Index
from potluck.learning.data.notation import folded

USUAL = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -'./"
OTHER = "\N{REPLACEMENT CHARACTER}"
"""How a character that the alphabet lacks is shown."""
MOST = 200
"""Characters of an alphabet: with END and OTHER their places fit a byte."""
END = 0
"""The place behind a string's last character."""
GROWN = 18
"""Characters that NFKC makes of one, at most: of a cell so many a character of the plan are looked at."""


class _Places(dict[int, str]):
    """For `str.translate`: what each character's place is, as a character."""

    def __init__(self, letters: str) -> None:
        super().__init__((ord(letter), chr(place)) for place, letter in enumerate(letters, 1))
        self._other = chr(len(letters) + 1)

    def __missing__(self, letter: int) -> str:
        return self._other


@dataclass(frozen=True)
class Alphabet:
    """letters: each once, their places from 1 on; fold: cells are folded too."""

    letters: str
    fold: bool

    @property
    def other(self) -> int:
        """The place of all other characters."""
        return len(self.letters) + 1

    @property
    def base(self) -> int:
        """What places stay below."""
        return len(self.letters) + 2

    @cached_property
    def _places(self) -> _Places:
        return _Places(self.letters)

    def plain(self, text: str) -> str:
        """A text as it is spelled."""
        found = unicodedata.normalize("NFKC", text).strip()
        return folded(found) if self.fold else found

    def places(self, text: str, length: int) -> tuple[bytes, bool]:
        """The places of a text's first characters, and whether there are more."""
        found = self.plain(text[: GROWN * length + len(text) - len(text.lstrip())])
        return found[:length].translate(self._places).encode("latin-1"), len(found) > length

    def word(self, places: Sequence[int]) -> str:
        """The string of such places, up to its end."""
        shown, found = f"{self.letters}{OTHER}", ""
        for place in places:
            if place == END:
                break
            found += shown[place - 1]
        return found


def alphabet_of(letters: str | msgspec.UnsetType, fold: bool) -> Alphabet:
    """As a column declares it; folded where case does not count."""
    usual = letters or USUAL
    return Alphabet("".join(dict.fromkeys(folded(usual) if fold else usual)), fold)


def odd(letters: str) -> str:
    """What is wrong with an alphabet; empty: nothing."""
    if not 1 <= len(letters) <= MOST:
        return f"has {len(letters)} characters. hint: 1 to {MOST}"
    for place, letter in enumerate(letters):
        if letter in letters[:place]:
            return f"has U+{ord(letter):04X} twice. hint: each character once"
        if not letter.isprintable() or unicodedata.normalize("NFKC", letter) != letter or letter == OTHER:
            return f"U+{ord(letter):04X} cannot stand in it. hint: printable characters in Unicode's form NFKC"
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class SpelledReader:
    """See `files.cells.Reader`."""

    alphabet: Alphabet
    length: int

    def read(self, texts: Sequence[object]) -> Found:
        """The places of each string's characters. Of the text itself its SHA-256 alone is kept."""
        held, digests = np.zeros((len(texts), self.length), np.uint8), np.zeros((len(texts), DIGEST), np.uint8)
        cut = np.zeros(len(texts), np.int64)
        for row, cell in enumerate(texts):
            if cell is None:
                continue
            text = str(cell)
            places, more = self.alphabet.places(text, self.length)
            held[row, : len(places)] = np.frombuffer(places, np.uint8)
            digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
            digests[row], cut[row] = np.frombuffer(digest, np.uint8), more
        none = np.zeros(len(texts), np.int64)
        foreign = (held == self.alphabet.other).any(axis=1).astype(np.int64)
        return Found(held, digests, none, none, {}, cut, foreign)

    def cells(self, held: NDArray[np.generic], digests: NDArray[np.uint8]) -> "SpelledCells":
        """The column of all rows."""
        return SpelledCells(held.astype(np.uint8, copy=False), digests)


@dataclass(frozen=True, slots=True, eq=False)
class SpelledCells:
    """See `files.cells.Cells`. held [n, length]: places, END behind the last one."""

    held: NDArray[np.uint8] = field(repr=False)
    digests: NDArray[np.uint8] = field(repr=False)
    dtype: DType = "int64"

    @property
    def shape(self) -> tuple[int, ...]:
        """A place a character."""
        return self.held.shape[1:]

    def take(self, rows: Index) -> NDArray[np.int64]:
        """[b, length]; of a row without a value END alone."""
        return self.held[rows].astype(np.int64)
