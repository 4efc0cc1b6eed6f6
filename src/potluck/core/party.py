"""Who takes part in a federation."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Draw = Callable[[int], bytes]
"""Secret randomness as an argument: `draw(n)` gives n fresh random bytes."""


class Role(StrEnum):
    """What a party does in a federation."""

    SITE = "site"
    SERVER = "server"
    COMPUTE = "compute"
    ENCLAVE = "enclave"
    BROKER = "broker"

    __hash__ = str.__hash__  # an enum's own runs in Python, and parties are keys everywhere


@dataclass(frozen=True, slots=True, order=True)
class Party:
    """One participant, by role and name; its keys are pinned in the federation's roster."""

    role: Role
    name: str

    def __str__(self) -> str:
        return str(self.role) if self.role is Role.SERVER or self.role is Role.BROKER else self.name


SERVER = Party(Role.SERVER, "server")
BROKER = Party(Role.BROKER, "broker")
"""Carries letters between machines, and takes no other part."""


def site(name: str) -> Party:
    """The site called `name`."""
    return Party(Role.SITE, name)
