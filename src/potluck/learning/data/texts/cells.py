"""Cells that are texts: tokens are found once, while rows are read, and filled up when a batch is taken."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.learning.data.files.cells import DIGEST, DType, Found, Index
from potluck.learning.data.files.raster import Unreadable
from potluck.learning.data.texts.tokenizer import Tokenizer

MASK = ".mask"
"""What stands behind a column's name where a network asks which tokens are real."""


@dataclass(frozen=True, slots=True, eq=False)
class TextReader:
    """See `files.cells.Reader`. fewest: a text of fewer tokens cannot be used."""

    tokenizer: Tokenizer
    length: int
    fewest: int = 0

    def read(self, texts: Sequence[object]) -> Found:
        """The tokens of each text. Of the text itself its SHA-256 alone is kept."""
        held, digests = np.full(len(texts), b"", object), np.zeros((len(texts), DIGEST), np.uint8)
        cut, wrong = np.zeros(len(texts), np.int64), dict[int, Unreadable]()
        for place, cell in enumerate(texts):
            if cell is None:
                continue
            text = str(cell)
            try:
                tokens, more = self.tokenizer.tokens(text, self.length)
                digest = hashlib.sha256(text.encode()).digest()
            except (DataError, UnicodeEncodeError):
                wrong[place] = Unreadable("a text that its tokenizer cannot read")
                continue
            if len(tokens) < self.fewest:
                wrong[place] = Unreadable(f"a text of fewer than {self.fewest} tokens, of which none follows another")
                continue
            held[place], digests[place], cut[place] = tokens.tobytes(), np.frombuffer(digest, np.uint8), more
        none = np.zeros(len(texts), np.int64)
        return Found(held, digests, none, none, wrong, cut)

    def cells(self, held: NDArray[np.generic], digests: NDArray[np.uint8]) -> "TextCells":
        """The column of all rows."""
        return TextCells(held, digests, self.length, self.tokenizer.pad)


@dataclass(frozen=True, slots=True, eq=False)
class TextCells:
    """See `files.cells.Cells`. held [n]: the bytes of each row's tokens; pad: what fills up."""

    held: NDArray[np.generic] = field(repr=False)
    digests: NDArray[np.uint8] = field(repr=False)
    length: int
    pad: int
    dtype: DType = "int64"

    @property
    def shape(self) -> tuple[int, ...]:
        """One number a token."""
        return (self.length,)

    def take(self, rows: Index) -> NDArray[np.int64]:
        """[b, length] the places of tokens; a row without a value is all filling."""
        out = np.full((len(rows), self.length), self.pad, np.int64)
        for place, tokens in enumerate(self._tokens(rows)):
            out[place, : len(tokens)] = tokens
        return out

    def mask(self, rows: Index) -> NDArray[np.int64]:
        """[b, length] 1 for a token, 0 for filling."""
        sizes = np.array([len(tokens) for tokens in self._tokens(rows)], np.int64)
        return (np.arange(self.length) < sizes.reshape(-1, 1)).astype(np.int64)

    def _tokens(self, rows: Index) -> list[NDArray[np.uint32]]:
        return [np.frombuffer(self.held[row], np.uint32) for row in rows.tolist()]
