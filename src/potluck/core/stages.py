"""The stops on the one way through: rows -> Update -> Bounded -> Encoded -> Guarded -> Opened -> Settled -> Release.

Each stop is a frozen type and each arrow a function, so that forgetting to bound, to clip or to noise does not
pass the type checker (tests/typing holds the bad examples).
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import Draw, Party

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GridBlock:
    """One block of the vector: `size` values in steps of `step` (a power of two); |sum| of each stays below `high`."""

    name: str
    size: int
    step: float
    high: float


@dataclass(frozen=True, slots=True)
class Grid:
    """How real values become words of a ring of 2^bits. A gradient, a Gram matrix and a count are a part each."""

    parts: tuple[GridBlock, ...]
    bits: int

    @property
    def length(self) -> int:
        """The number of words d."""
        return sum(part.size for part in self.parts)

    def slices(self) -> dict[str, slice]:
        """Where each part lies in the vector."""
        found: dict[str, slice] = {}
        start = 0
        for part in self.parts:
            found[part.name] = slice(start, start + part.size)
            start += part.size
        return found


@dataclass(frozen=True, slots=True)
class Clip:
    """A sensitivity: one privacy unit contributes at most `l2[i]` (L2 norm) to part i."""

    l2: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """No value of one unit in part i exceeds `high[i]`, so that sums fit the ring. No privacy follows from it."""

    high: tuple[float, ...]


L = TypeVar("L", Clip, Range)
L_co = TypeVar("L_co", Clip, Range, covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """values [units, d]: a row is what ONE privacy unit contributes. Never leaves the site."""

    values: Floats = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Bounded(Generic[L]):
    """values [units, d], each unit within `limit`."""

    values: Floats = field(repr=False)
    grid: Grid
    limit: L


@dataclass(frozen=True, slots=True, eq=False)
class Encoded(Generic[L]):
    """words [d]: the site's units, truncated toward zero on the grid, checked again and added up, mod 2^bits."""

    words: NDArray[np.unsignedinteger] = field(repr=False)
    grid: Grid
    limit: L


@dataclass(frozen=True, slots=True, eq=False)
class Guarded:
    """words [d] as the protection receives them, with the site's share of the noise inside.

    charge: what the site's ledger must hold before these words leave (empty: nothing is owed).
    """

    words: NDArray[np.unsignedinteger] = field(repr=False)
    charge: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """words [d]: the sum mod 2^bits over `givers`.

    refused: whose contributions the protection did not accept, and the value of the `Cause`.
    """

    words: NDArray[np.unsignedinteger] = field(repr=False)
    givers: frozenset[Party]
    refused: Mapping[Party, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """The opened sum with whatever noise the plan owes inside. std [d]: its standard deviation, in real units."""

    words: NDArray[np.unsignedinteger] = field(repr=False)
    givers: frozenset[Party]
    std: Floats = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """values [d], std [d] in real units: may be shown. Made by dp.reveal alone."""

    values: Floats
    std: Floats
    givers: frozenset[Party]

    def part(self, grid: Grid, name: str) -> Floats:
        """The values of one part."""
        return self.values[grid.slices()[name]]


class Unlaid(Protocol):
    """Units that are not laid out row by row, such as ghost norms of a network or the cells of a query.

    One function clips each unit, puts it on the grid and adds all up. Its docstring proves the bound, rounding
    included, and a test compares it with the same units laid out.
    """

    def encode(self, grid: Grid, limit: L) -> Encoded[L]: ...


RARE = 2.0**-100
"""With this chance at most a sum may be of fewer units than were drawn for it. Noise is calibrated with it."""
Coins = Callable[[int], NDArray[np.bool_]]
"""coins(n) [n]: which of the next n privacy units are drawn for this sum. Nobody but their site may know."""


@runtime_checkable
class Drawable(Unlaid, Protocol):
    """Units that are not laid out, of which some can be drawn for a sum."""

    def among(self, coins: Coins) -> Unlaid:
        """The same units, of which those that are not drawn add nothing. `coins` is asked once for each unit. The work
        is the same however many are drawn: time must not tell. So some may be left out, as rarely as RARE says."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """What a site adds that follows from noised sums of its own.

    steps: yields what units add to the next of them, is resumed with that sum [d], noise inside, and returns what
    leaves [d']. So what leaves follows from nothing of a unit but such sums.
    """

    steps: "Generator[Iterable[Contribution], Floats, Floats]" = field(repr=False)


Contribution = Update | Unlaid | Walk
"""A batch of disjoint privacy units, as a task hands it over."""


class Privacy(Protocol[L]):
    """A bound and its noise, one object: noise always has a clip and is added exactly once."""

    @property
    def grid(self) -> Grid: ...

    @property
    def limit(self) -> L: ...

    def clip(self, update: Update) -> Bounded[L]: ...

    def at_site(self, encoded: Encoded[L], draw: Draw) -> Guarded: ...

    def at_reveal(self, opened: Opened, draw: Draw) -> Settled: ...
