"""How long an answer takes and what its model fills, estimated from shapes: what would outlast a wait is not begun.

Counted in transforms of a tower and in products of two, at paces measured on one core that had other work beside. They
are estimates, within a factor of two or so; `SLACK` is for slower machines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log2

from potluck.he.predict import polynomial
from potluck.he.predict.diagonals import Turns
from potluck.he.predict.levels import WORD, Levels

HOPS = 4
"""Times the runner's patience that one wait may last: the other end makes keys, or scores rows."""
SLACK = 4.0
"""How much slower than estimated a machine may be before an answer comes too late."""
ANSWER = 5.0
"""Seconds of work that one letter should ask for, about, where rows are scored one after another."""
MOST = 4 << 30
"""Bytes of an encoded model and a client's keys together: half of what an engine may take."""
TURN = 6e-9
"""Seconds of a transform, a coefficient and a binary digit of the ring: key switches are made of them."""
TIMES = 8e-9
"""Seconds of a product with an encoded vector, a coefficient of a ciphertext."""
SERIES = {0: 1, 5: 5, 13: 9, 27: 11, 59: 18}
"""Products of ciphertexts in an activation, by the degree of its fit; a square is one."""


@dataclass(frozen=True, slots=True)
class Work:
    """seconds: of a row (single) or of a block (batch). bytes: of the encoded model in its owner's engine."""

    seconds: float
    bytes: int

    @property
    def together(self) -> int:
        """Rows that one letter should hold, by time."""
        return max(1, int(ANSWER / self.seconds))


def of_rows(levels: Levels, start: int, turns: Sequence[Turns], widths: Sequence[int], degree: int) -> Work:
    """One row after another, each in a ciphertext of its own. turns: of each layer."""
    seconds, held, level = 0.0, 0, start
    for index, turn in enumerate(turns):
        rotations = turn.babies + -(-turn.count // turn.babies) - 2 + len(turn.folds)
        seconds += rotations * switch(levels, level) + turn.count * product(levels, level)
        held += turn.count * encoded(levels, level)
        level += 1
        if index + 2 < len(widths):
            seconds += SERIES[degree] * switch(levels, level)
            level += polynomial.LEVELS[degree] if degree else 1
    return Work(seconds, held)


def of_block(levels: Levels, start: int, widths: Sequence[int], degree: int) -> Work:
    """As many rows as slots, a feature a ciphertext. The last layer is encoded twice: for whole blocks and the rest."""
    seconds, level = 0.0, start
    for index, (before, after) in enumerate(pairwise(widths)):
        seconds += before * after * product(levels, level)
        level += 1
        if index + 2 < len(widths):
            seconds += after * SERIES[degree] * switch(levels, level)
            level += polynomial.LEVELS[degree] if degree else 1
    wide = max(before + after for before, after in pairwise(widths))
    return Work(seconds, 2 * widths[-2] * widths[-1] * encoded(levels, level - 1) + wide * levels.ciphertext(start))


def switch(levels: Levels, level: int) -> float:
    """Seconds of a rotation at a level."""
    towers = levels.depth + 1 - level
    digits = -(-levels.digits * towers // (levels.depth + 1)) if levels.digits else 3 * towers
    return digits * (towers + levels.special) * levels.ring * log2(levels.ring) * TURN


def product(levels: Levels, level: int) -> float:
    """Seconds of a product with an encoded vector at a level."""
    return levels.ciphertext(level) / WORD * TIMES


def encoded(levels: Levels, level: int) -> int:
    """Bytes of an encoded vector at a level."""
    return levels.ciphertext(level) // 2
