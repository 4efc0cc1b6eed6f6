"""What a site answers to a proposal, and how its access log calls that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from potluck.core.errors import PotluckError
from potluck.engines.environment import NotInstalled
from potluck.members.files import full
from potluck.owner.access import Outcome
from potluck.owner.denial import FEW, TooFew
from potluck.parties.admission.session import Verdict
from potluck.tasks.participation import Participation

FORM = ("federation", "expired", "version", "ledger", "plan", "initial", "graph")
"""Codes of proposals that are wrong in themselves, whatever the owner wants."""
Lack = Literal["engine", "disk", "data"]
"""What a site may lack to carry a plan out."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is answered; part: where it is granted. words: why not, for the owner alone; here: further codes, for the
    owner's log alone.

    told: lines about rows that were just read, for the owner's screen and log; None: none were.
    form: the proposal itself is wrong, which says nothing about a run of its name that goes on.
    """

    verdict: Verdict
    codes: tuple[str, ...] = ()
    part: Participation | None = None
    words: tuple[str, ...] = ()
    form: bool = False
    told: tuple[str, ...] | None = None
    here: tuple[str, ...] = ()


OUTCOMES: dict[Verdict, Outcome] = {
    "granted": "approved",
    "pending": "pending",
    "denied": "denied",
    "unable": "refused",
    "lacking": "pending",
}


def unable(error: PotluckError, home: Path) -> Decision:
    """Rows or files of the owner's are in the way. home: on whose disk it has to write."""
    code: Lack = "engine" if isinstance(error, NotInstalled) else "disk" if full(home) else "data"
    here = (FEW,) if isinstance(error, TooFew) and code == "data" else ()
    return Decision("unable", (code,), words=(str(error),), here=here)
