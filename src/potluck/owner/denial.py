"""A reason of an owner's policy against a plan: only its code, a key of the policy, ever travels."""

from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class Denial:
    """One reason against a plan. code: the policy's key, or `permit`; words and hint: for the owner alone."""

    code: Code
    words: str
    hint: str
