"""What one sum asks for: the vocabulary between loops over sums (learning), bounds and noise (dp) and drivers.

A task is a generator on the server's side that yields an `Ask` and is resumed with an `Answer`; on a site's side
it is a pure function from (ask, rows) to updates. Both derive the blocks from the plan, never from the peer.

**Banded sums** (`Ask.band`) have correlated noise: each holds what units gave to the last few sums, beside fresh noise.
Units are in `band` groups for a whole run, and group t mod band has its turn in sum t, from 0. With g_t for what its
units then add, each clipped, and c_0 = 1 > c_1 > ... for `coefficients`, sum t is

    E_t = g_t + c_1 g_(t-1) + ... + c_(band-1) g_(t-band+1) + noise of sigma, independent of all before it

and whoever has opened all sums so far solves them for g_t and noise (`solved`). Most of that noise cancels out of the
sums g_0 + ... + g_t, along which training goes. Coefficients are those of (1 - x)^-a, cut off after `band`, in whole
parts of UNIT: whole steps times whole numbers are whole steps, so that nothing is rounded between two sums. With a
of 1/2 they are the root of the matrix of prefix sums; the more turns there are, the more of the noise is due to what
was cut off, and the larger is the best a. What they cost: `dp.banded`.
Reference: Choquette-Choo et al. 2023, arXiv 2306.08153 (banded matrices, minimum separation).
"""

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from potluck.core.party import Draw, Party
from potluck.core.slices import Bytes
from potluck.core.stages import Contribution, Floats, Grid, Release

UNIT = 1 << 12
"""Coefficients are whole multiples of 1 / UNIT."""


class Band(NamedTuple):
    """Banded sums: in how many groups units are, and how many sums a run has."""

    groups: int
    sums: int


@lru_cache(maxsize=64)
def coefficients(band: Band) -> tuple[int, ...]:
    """[groups] of the last sums, the newest first, times UNIT: the nearest whole numbers to UNIT a (a + 1) ...
    (a + j - 1) / j!, where 32 a is 16 and the whole part of the binary logarithm of how often a group has its turn."""
    turns = -(-band.sums // band.groups)
    part, above, below, found = min(31, 15 + turns.bit_length()), 1, 1, [UNIT]
    for j in range(band.groups - 1):
        above, below = above * (part + 32 * j), below * 32 * (j + 1)
        found.append((2 * UNIT * above + below) // (2 * below))
    return tuple(found)


def solved(opened: Floats, before: Sequence[Floats], band: Band) -> Floats:
    """[d] g_t and its noise. opened: E_t; before: what was solved of the last sums, the newest first: all that it
    holds."""
    found = np.array(opened)
    for factor, past in zip(coefficients(band)[1:], before, strict=False):
        found -= factor / UNIT * past
    return found


class Kind(StrEnum):
    """What a round of a run computes. The first four are sums; the others are a round of their own.

    A task takes one of them, and of rows that are held out `validate` and `evaluate` beside. They are a closed list
    because they are the protocol's: the word is in announcements, terms, markers and ledgers, and a ledger has to know
    how one kind's costs compose with another's.
    """

    TRAIN = "train"
    VALIDATE = "validate"
    EVALUATE = "evaluate"
    STATISTICS = "statistics"
    PREDICT = "predict"
    INTERSECT = "intersect"
    FIT = "fit"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the vector a task adds up, and what one privacy unit can contribute to it.

    size: how many values.
    high: the largest |value| of one unit in any coordinate. It is checked; without noise a larger one stops the site.
    l2: with noise, the L2 norm to which one unit's contribution is clipped (the sensitivity).
    units: the most units that all sites together may add. The sum of so many fits a word.
    parts: every contribution is made of whole multiples of 1 / parts, a power of two: of 1 a count. A grid step of
    that loses nothing. 0: of any numbers.
    single: with noise, one unit changes one coordinate only, as in a histogram. Tighter accounting is then allowed.
    coarsest: the largest step of the grid; without noise for contributions up to 8, above which it grows with them.
    cost: with noise, its share of what the sum costs; those of a sum come to 1. None: all blocks share alike.
    """

    name: str
    size: int
    high: float
    l2: float
    units: int
    parts: int = 0
    single: bool = False
    coarsest: float = math.inf
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class OwnSums:
    """With noise: sums that each site takes over its rows by itself, one after another, each with all of its noise
    inside, before it adds what follows from them. blocks: of each; times: how many."""

    blocks: tuple[Block, ...]
    times: int


@dataclass(frozen=True, slots=True)
class Votes:
    """What sites said of an announced model before they added anything. voted: who did; against: of them those whose
    rows find it worse than the plan tolerates."""

    voted: frozenset[Party]
    against: frozenset[Party]

    @property
    def down(self) -> bool:
        """Whether the model is voted down: by at least half of those who voted. Who was silent counts as neither."""
        return 2 * len(self.against) >= len(self.voted)


@dataclass(frozen=True, slots=True)
class Ask:
    """One sum of a run.

    kind, step: which sum it is.
    state: the public model that the sum depends on, as bytes; its hash enters the Terms.
    chance: (k, n): with noise, each unit is in the sum with the chance k/n alone, which its site draws in secret, anew
    for every sum (`dp.sampling`). None: every unit is.
    band: with noise, units are in groups which have their turns, and sums hold what groups gave before: the groups, and
    how many such sums there are in a run (see above). None: every sum is by itself.
    own: what each site adds follows from noised sums of its own (`dp.mechanism.Walked`), over which units count and are
    drawn. None: units add to this sum.
    votes: sites vote on the model before they add anything. Without blocks they do nothing else.
    fold: of a run that trains several models, the rows that its model does without; 0: the model of all. Steps are
    numbered through the run, so that each has a number of its own.
    """

    kind: Kind
    step: int
    blocks: tuple[Block, ...]
    state: Bytes = field(repr=False)
    chance: tuple[int, int] | None = None
    own: OwnSums | None = None
    band: Band | None = None
    votes: bool = False
    fold: int = 0

    @property
    def only_votes(self) -> bool:
        """Whether sites vote and add nothing."""
        return self.votes and not self.blocks


@dataclass(frozen=True, slots=True)
class Answer:
    """What a task gets back.

    grid: where each block lies in the release.
    refused: as in `Opened`: whose contributions the protection did not accept, and the value of the cause.
    votes: where sites voted; of a model that they voted down nothing is opened, and the grid is empty.
    """

    release: Release
    grid: Grid
    refused: Mapping[Party, str] = field(default_factory=dict)
    votes: Votes | None = None

    def part(self, name: str) -> Release:
        """One block of the release."""
        where = self.grid.slices()[name]
        return replace(self.release, values=self.release.values[where], std=self.release.std[where])


T_co = TypeVar("T_co", covariant=True)
Lead = Generator[Ask, Answer, T_co]
"""The server's side of a task. It yields each sum that it needs, is resumed with the release, and returns the outcome.
It is deterministic: after a crash it is replayed from the stored releases."""

R_contra = TypeVar("R_contra", contravariant=True)


class Task(Protocol[R_contra, T_co]):
    """A task on the one sum. `R` is what the site holds (encoded rows), `T` the outcome."""

    def lead(self) -> Lead[T_co]: ...

    def ask(self, kind: Kind, step: int, state: Bytes) -> Ask:
        """The site's own view of the sum that the server announced. Raises Abort(TERMS) where it cannot be."""
        ...

    def contribute(self, ask: Ask, rows: R_contra, draw: Draw) -> Iterator[Contribution]:
        """Batches of disjoint privacy units: what this site adds to the sum. draw: for whoever samples its units, whose
        coins nobody else may know."""
        ...
