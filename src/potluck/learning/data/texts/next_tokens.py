"""Next tokens: what a language model is to say at each place of a row's text, which is the token behind that place.

The last real token has none behind it, and filling is none. Which tokens are real follows from how many the tokenizer
made of the text, never from their numbers: what fills up may be a token that texts have too.
"""

import numpy as np
from numpy.typing import NDArray

from potluck.learning.data.mixed import Inputs, taken
from potluck.learning.data.texts.cells import MASK

NONE = -100
"""Where no token follows: what torch's cross-entropy leaves out by default."""
FEWEST = 2
"""Tokens of a text of which one follows another."""


def following(rows: Inputs, column: str) -> NDArray[np.int64]:
    """rows b -> [b, length] the token behind each place of the column's texts, or NONE."""
    tokens, real = taken(rows, column), taken(rows, f"{column}{MASK}")
    found = np.full(tokens.shape, NONE, np.int64)
    found[:, :-1] = np.where(real[:, 1:] == 1, tokens[:, 1:], NONE)
    return found
