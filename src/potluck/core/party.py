"""Who takes part in a federation."""

from __future__ import annotations

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
    CLIENT = "client"


@dataclass(frozen=True, slots=True, order=True)
class Party:
    """One participant, by role and name; its keys are pinned in the federation's roster."""

    role: Role
    name: str

    def __str__(self) -> str:
        return self.name if self.role is not Role.SERVER else "server"


SERVER = Party(Role.SERVER, "server")


def site(name: str) -> Party:
    """The site called `name`."""
    return Party(Role.SITE, name)
