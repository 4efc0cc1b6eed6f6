"""A reason of an owner's policy against a plan: only its code, a key of the policy, ever travels."""

from dataclasses import dataclass
from typing import Literal

from potluck.core.errors import Refused

Code = Literal[
    "who",
    "tasks",
    "models",
    "columns",
    "tables",
    "protect",
    "intersect",
    "readers",
    "compute",
    "attestation",
    "server",
    "noise",
    "units",
    "person",
    "epsilon_per_plan",
    "epsilon_per_year",
    "min_rows",
    "min_sites",
    "min_corrupt",
    "looks",
    "hours",
    "memory",
    "permit",
]
FEW: Code = "min_rows"
"""The one that never travels: it tells about the rows. It is for the owner's log."""


@dataclass(frozen=True, slots=True)
class Denial:
    """One reason against a plan. code: the policy's key, or `permit`; words and hint: for the owner alone."""

    code: Code
    words: str
    hint: str


class TooFew(Refused):
    """Fewer rows than the policy wants: for the owner alone, who hears it in the access log, too."""
