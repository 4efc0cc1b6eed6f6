"""What one sum asks for: the vocabulary between the tasks (fl), the bounds and noise (dp) and the drivers.

A task is a generator on the server's side that yields an `Ask` and is resumed with a `Release`; on a site's side
it is a pure function from (ask, rows) to updates. Both derive the blocks from the plan, never from the peer.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol, TypeVar

from potluck.core.party import Party
from potluck.core.stages import Grid, Release, Update


class Kind(StrEnum):
    """Which sum of a run this is; a prediction is no sum, but has a round of its own too."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    STATISTICS = "statistics"
    PREDICT = "predict"
    INTERSECT = "intersect"
    FIT = "fit"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the vector a task adds up, and what one privacy unit can contribute to it.

    high: bound of |value| of one unit in any coordinate (checked; without noise a value beyond stops the site).
    l2: with noise, the L2 norm that one unit's contribution is clipped to (the sensitivity).
    units: most units that all sites together may add (the headroom of the sum).
    whole: every contribution is a whole number (counts): a step of 1 loses nothing.
    single: with noise, one unit changes one coordinate only (histograms: tighter accounting is allowed).
    """

    name: str
    size: int
    high: float
    l2: float
    units: int
    whole: bool = False
    single: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """One sum of a run. state: the public model that it depends on (hashed into Terms); kind and step: which sum."""

    kind: Kind
    step: int
    blocks: tuple[Block, ...]
    state: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a task gets back: the release and the grid that says where each block lies. refused: as in `Opened`."""

    release: Release
    grid: Grid
    refused: Mapping[Party, str] = field(default_factory=dict)

    def part(self, name: str) -> Release:
        """One block of the release."""
        where = self.grid.slices()[name]
        return replace(self.release, values=self.release.values[where], std=self.release.std[where])


T_co = TypeVar("T_co", covariant=True)
Lead = Generator[Ask, Answer, T_co]
"""The server's side of a task: yields each sum it needs, is resumed with its release, returns the outcome.
Deterministic: after a crash it is replayed from the stored releases."""

R_contra = TypeVar("R_contra", contravariant=True)


class Task(Protocol[R_contra, T_co]):
    """A task on the one sum. `R` is what the site holds (encoded rows), `T` the outcome."""

    def lead(self) -> Lead[T_co]: ...

    def ask(self, kind: Kind, step: int, state: bytes) -> Ask:
        """The site's own view of the sum that the server announced. Raises Abort(TERMS) where it cannot be."""
        ...

    def contribute(self, ask: Ask, rows: R_contra) -> Iterator[Update]:
        """Batches of disjoint privacy units: what this site adds to the sum."""
        ...
