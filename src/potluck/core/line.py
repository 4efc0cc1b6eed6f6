"""The network's port: what a runner needs to move letters. `net` implements it over NATS.

A line promises nothing: letters may be lost, repeated, reordered, changed or forged. Whoever reads one verifies it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from potluck.core.errors import PotluckError, Unreachable
from potluck.core.party import Party
from potluck.core.slices import Sliced


@dataclass(frozen=True, slots=True)
class Delivery:
    """One whole letter as it came; a long one lies in a file.

    `done` acknowledges it: called when what follows from it is durable or sent.
    """

    data: Sliced = field(repr=False)
    done: Callable[[], None] = field(repr=False)


class Line(Protocol):
    """One party's connection to all others."""

    def send(self, to: Party, data: Sliced, patience: float) -> None:
        """The letter is durable at the broker when this returns; tried again with back-off for `patience` seconds.

        Raises Unreachable: it could not be handed over in that time.
        """
        ...

    def send_all(self, letters: Sequence[tuple[Party, Sliced]], patience: float) -> Mapping[Party, Unreachable]:
        """Hand over several letters at once, (to, data) each. Gives to whom one could not be handed over, and why."""
        ...

    def receive(self, wait: float) -> Delivery | None:
        """The next whole letter, or None after `wait` seconds. Raises Unreachable: the line is closed or refused."""
        ...

    @property
    def trouble(self) -> PotluckError | None:
        """Why nothing comes now; None where all is well. UsageError: there is no room here for a letter."""
        ...

    def close(self) -> None:
        """Hang up. What was handed over is still carried."""
        ...
