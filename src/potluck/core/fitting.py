"""A model fitted over columns at different owners: what its program takes from whom, and what all parties agree on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import Draw, Party
from potluck.core.rounds import Label, RoundId

Sort = Literal["integer", "fixed", "bit"]
"""integer: mod 2^64; fixed: a real in steps of 2^-18; bit: 0 or 1, which travels as one bit."""
Array = NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_]
SECONDS = 600
"""The longest that one program may run."""
TOO_FEW_ROWS = (
    "of the rows to train on, or of those held out, fewer are kept than the plan's fit.min_rows; nothing was opened. "
    "hint: see missing values and targets, hold out another share, or agree on a lower fit.min_rows"
)
"""The words for it. They hold no number and nobody's name."""


@dataclass(frozen=True, slots=True)
class Give:
    """A result of a program. kind: how its elements are represented."""

    kind: Sort
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Take:
    """An argument of a program. owner: whose it is, by the plan's order of sites."""

    owner: int
    kind: Sort
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Noise:
    """What each compute party draws by itself and shares: one argument each, after the owners', by rank.

    sigma: of ONE party's whole numbers, in steps of 2^-18.
    """

    shape: tuple[int, ...]
    sigma: float


Sampler = Callable[[float, int, Draw], NDArray[np.int64]]
"""(sigma in steps, how many, draw) -> whole numbers of steps."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A program of the engine, from public numbers alone.

    takes, gives: arguments and results, in the program's order. noise: None: compute parties add none.
    The first result counts faults: an integer for each owner, and a last one that is 1 where too few rows are kept. It
    is opened to the compute parties, and any number but 0 ends the round. All other results are opened to the model's
    readers.
    """

    program: str
    numbers: Mapping[str, object]
    takes: tuple[Take, ...]
    gives: tuple[Give, ...]
    noise: Noise | None = None

    def of(self, owner: int) -> tuple[Take, ...]:
        """What one owner gives."""
        return tuple(take for take in self.takes if take.owner == owner)


@dataclass(frozen=True, slots=True)
class Fitting:
    """What all parties of the round agree on.

    digest: 32 bytes over plan, run, round and federation file, in every signature.
    owners: in the plan's order. target: the owner of the target column. to: who reads the model.
    ranks: the compute parties. patience: seconds. split: whether some rows are held out.
    """

    round: RoundId
    digest: bytes
    owners: tuple[Party, ...]
    target: Party
    to: tuple[Party, ...]
    ranks: tuple[Party, ...]
    patience: float
    split: bool

    def label(self, step: str) -> Label:
        """The label of `step` in this round."""
        return Label(self.round, step)

    def hops(self, seconds: float) -> int:
        """How many patiences to wait for a party that may work for `seconds`."""
        return 3 + math.ceil(seconds / self.patience)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What an owner brings.

    arrays: what the recipe takes from this owner, in order; training rows come before held-out rows.
    train, test: how many rows of each.
    order: 32 bytes over the common keys, their order and the split; the same at every owner.
    charge: what the owner's ledger must hold before anything leaves. Empty: nothing is owed.
    """

    arrays: Sequence[Array] = field(repr=False)
    train: int
    test: int
    order: bytes
    charge: bytes = b""
