"""Whether words look like random ones as they reach the server: what hides a summand must leave nothing of it.

Four bits at a time, in each place of a word, are counted over all words of a site; and over the differences of two
words in the same place of two rounds, where a mask that was used twice drops out. For uniform words such a count of 16
cells has a chi-square of 15 degrees of freedom. Few words are looked at for another sign: numbers that nothing hides
are small beside what a word holds, so that their highest bits are alike, which of k bits uniform words have by a chance
of 2^(1 - k) each. Success is a chance below LEVEL, over all counts of all sites together.
Under `clear` the same test is of words that nothing hides: that it succeeds there is its control.
Reference: Knuth, "The Art of Computer Programming", volume 2, section 3.3.1 (chi-square of counts).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from potluck.audits.attack import Found, Sort, Truth, Until, Verdict, named
from potluck.audits.seen import Seen
from potluck.core.rounds import Words

LEVEL = 1e-9
"""Low, since counts of few words are far from their middle more often than a chi-square says."""
CELLS = 16
LEAST, FEW = 8 * CELLS, 8
"""Words, below which a count of four bits says nothing, and one of words whose highest bits are alike."""
ALIKE = (3, 4, 6, 8, 12)
"""How many highest bits are compared."""


@dataclass(frozen=True, slots=True)
class Uneven:
    """How little likely words of sites would be, were they random."""

    of: frozenset[str]
    chance: float
    words: int

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where they are not random. score: how unlikely, as the negative decimal logarithm of the chance;
        baseline: of the level."""
        told = self.chance < LEVEL
        said = "are not random, so that something of what they hide shows" if told else "look like random ones"
        how = f"counts of bits of {self.words:,} words and of their differences: {_rare(self.chance)}"
        rare = -float(np.log10(max(self.chance, np.finfo(float).tiny)))
        return Verdict(told, f"the words that {named(self.of)} sent {said} ({how})", rare, -float(np.log10(LEVEL)))


def _rare(chance: float) -> str:
    """In words, how often counts of all sites are as uneven, were words random."""
    if chance < LEVEL:
        return f"random words are as uneven less than once in {1 / LEVEL:,.0f} times"
    return f"random words are as uneven {'most times' if chance > 0.5 else f'once in {1 / chance:,.0f} times'}"


@dataclass(frozen=True, slots=True)
class Uniform:
    """See the module."""

    name: str = "uniform"
    sort: Sort = Sort.AGGREGATION
    reference: str = "counts of bits; chi-square, Knuth, volume 2, 3.3.1"

    def fits(self, seen: Seen) -> str | None:
        """It needs words as sites sent them, masked or plain, and enough of them."""
        if seen.plain and seen.plan.noisy:
            return "what sites sent is not masked, and its noise is no uniform one"
        return None if _told(seen) else f"no site's words were read, masked or plain, or fewer than {FEW} of each"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """All sites' words."""
        chances, words = list[float](), 0
        for stretch in _told(seen).values():
            words += len(stretch[0])
            chances += [one for some in stretch if len(some) for one in (*_chances(some), *_small(some))]
        return [Uneven(frozenset(name for name, _ in _told(seen)), min(1.0, min(chances) * len(chances)), words)]


def _told(seen: Seen) -> Mapping[tuple[str, int], tuple[Words, Words]]:
    """By site and bytes of a word: its words of all rounds, and their differences from round to round; where there are
    enough words."""
    found = dict[tuple[str, int], tuple[Words, Words]]()
    for name, rounds in seen.sent.items():
        for size in {one.dtype.itemsize for one in rounds}:
            alike = [one for one in rounds if one.dtype.itemsize == size]
            moved = [after - before for before, after in pairwise(alike) if len(before) == len(after)]
            if sum(map(len, alike)) >= FEW:
                found[name, size] = np.concatenate(alike), np.concatenate([alike[0][:0], *moved])
    return found


def _chances(words: Words) -> Iterator[float]:
    """Of each four bits of a word, where there are enough: the chance of counts so uneven, were they random."""
    from scipy.stats import chi2

    if len(words) < LEAST:
        return
    for place in range(0, 8 * words.dtype.itemsize, 4):
        bits: NDArray[np.int64] = ((words >> words.dtype.type(place)) & words.dtype.type(CELLS - 1)).astype(np.int64)
        counts, even = np.bincount(bits, minlength=CELLS), len(words) / CELLS
        yield float(chi2.sf(((counts - even) ** 2 / even).sum(), CELLS - 1))


def _small(words: Words) -> Iterator[float]:
    """Of so many highest bits: the chance that so many words have them all alike, were they random."""
    from scipy.stats import binom

    signed = words.view(np.dtype(f"<i{words.dtype.itemsize}"))
    for bits in ALIKE:
        top = signed >> (8 * words.dtype.itemsize - bits)
        hits = int(((top == 0) | (top == -1)).sum())
        yield float(binom.sf(hits - 1, len(words), 2.0 ** (1 - bits)))


UNIFORM = Uniform()
