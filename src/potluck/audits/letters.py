"""Whether a masked letter holds what its site gave, word for word: by the record itself, which has both.

No party of a run has both but the site, so that this is nothing that a coalition finds. It is exact where `uniform`
counts: of a few words, with noise or without, and of one word among many. Under masks four bytes of a letter are those
of what was given by a chance of 2^-32.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from potluck.audits.attack import Sort, Verdict, named
from potluck.audits.record import HINT, Letter, Record
from potluck.audits.trial import Result
from potluck.core.errors import UsageError
from potluck.mpc.mask.messages import INPUT
from potluck.tasks.sums.halves import GAVE

NAME, LEVEL = "letters", 1e-9
BYTES = 4
ROUNDS = 20
"""Of a record, the first ones: who leaves masks out does it in all."""


def letters(record: Record) -> Result | None:
    """What the comparison comes to. None: nothing was masked. Raises UsageError: a body is not as the index says, or
    not as long as what was given.

    Its control is what the sites gave, as if it were their letters.
    """
    pairs = list(_pairs(record))
    if not pairs:
        return None
    of, bare, works, alike, every = set[str](), set[str](), True, 0, 0
    for letter, given in pairs:
        sent, gave = _numbers(letter), _numbers(given)
        if len(sent) != len(gave):
            raise UsageError("is not as long as what its site gave", where=str(letter.path), hint=HINT)
        same = int((sent == gave).sum())
        of.add(letter.line.sender)
        bare |= {letter.line.sender} if _rare(same, len(gave), len(pairs)) else set()
        works &= _rare(len(gave), len(gave), len(pairs))
        alike, every = alike + same, every + len(gave)
    whose = frozenset(bare or of)
    said = "hold what was given, as it is" if bare else "hold nothing of what was given as it is"
    how = f"{alike:,} of {every:,} times four bytes of all letters are alike, by the record, which has both"
    verdict = Verdict(bool(bare), f"masked letters of {named(whose)} {said} ({how})")
    return Result(NAME, Sort.AGGREGATION, tuple(sorted(whose)), True, verdict, works)


def _pairs(record: Record) -> Iterator[tuple[Letter, Letter]]:
    """Masked letters, and what their sites gave in the same round."""
    gave = {
        (one.line.round, one.line.sender): one
        for one in record.letters
        if one.line.step == GAVE and one.line.to == one.line.sender
    }
    rounds = sorted({one.line.round for one in record.letters if one.line.step == INPUT})[:ROUNDS]
    for letter in record.letters:
        key = letter.line.round, letter.line.sender
        if letter.line.step == INPUT and letter.line.to == "server" and key[0] in rounds and key in gave:
            yield letter, gave[key]


def _numbers(letter: Letter) -> NDArray[np.uint32]:
    body = letter.body()
    return np.frombuffer(body[: len(body) // BYTES * BYTES], "<u4")


def _rare(alike: int, every: int, letters: int) -> bool:
    """Whether random masks leave so many of these four bytes alike less often than LEVEL, in any of so many letters."""
    from scipy.stats import binom

    return bool(binom.sf(alike - 1, every, 2.0 ** (-8 * BYTES)) * letters < LEVEL)
