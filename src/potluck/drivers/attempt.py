"""One try at one sum, as the driver sees it, whoever moved the letters; and who can make such tries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from potluck.core.asks import Answer, Ask
from potluck.core.desk import Desk
from potluck.core.fitting import TOO_FEW_ROWS
from potluck.core.party import SERVER, Party, Role
from potluck.core.rounds import ENCLAVE, SURVIVORS, Abort, Cause
from potluck.drivers.transcript import Traffic

QUIET = (Cause.SILENT, Cause.STOPPED, Cause.LATE, Cause.TOO_FEW)
"""Causes that say less than a site's own."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a round ended: with an answer, or with an abort.

    lost: who did not take part to the end, and why; accused: who accused whom (both sides);
    paid: whose contribution left, as far as is known; left: whether any may have; agreed: over whom the sum was said
    to be, empty where it did not come so far: sites may have signed that, and without noise sign nothing else.
    """

    answer: Answer | None
    abort: Abort | None
    traffic: Traffic
    lost: Mapping[Party, Cause] = field(default_factory=dict)
    accused: Mapping[Party, Cause] = field(default_factory=dict)
    paid: frozenset[Party] = frozenset()
    left: bool = False
    agreed: frozenset[Party] = frozenset()


class RoundRunner(Protocol):
    """Where the parties meet: makes one try at one sum under a fresh round number."""

    def attempt(self, ask: Ask, number: int, absent: Mapping[Party, Cause], must: frozenset[Party]) -> Attempt:
        """absent: those who are left out, and why; must: those without whom it could only fail."""
        ...


STAND_BY = {
    SURVIVORS: (
        "without noise the sites of the first sum stay those of the whole run, since two sums over different sites "
        "differ by one site's update. hint: run again, or add noise"
    ),
    ENCLAVE: (
        "the owners stay with the enclave that the run began with; one that was started again has other keys. "
        "hint: start a new run (across machines: --fresh)"
    ),
}
"""What it means that one refuses as a replay what differs from its record under this prefix."""


def quarrel(server: Desk[object], here: frozenset[Party]) -> dict[Party, Cause]:
    """Who accused whom, of those that still take part."""
    found: dict[Party, Cause] = {}
    for accuser, cause, accused in server.notices:
        if accused in here and accuser in here and accuser != accused:
            found |= {accuser: cause, accused: cause}
    return found


def root_cause(abort: Abort, reasons: Mapping[Party, Abort]) -> Abort:
    """The abort to raise: one that names a party; else a party's own reason, which says more than "too few answers"."""
    if abort.party is not None and abort.party != SERVER:
        return abort
    for party, why in reasons.items():
        if why.cause not in QUIET:
            named = why.party or (None if why.cause is Cause.ROWS else party)
            return Abort(why.cause, party=named, step=why.step or abort.step, detail=_more(party, why, abort.stands))
    for why in reasons.values():  # a compute party that others miss; of a site that is gone, the server knows itself
        if why.party is not None and why.party.role is Role.COMPUTE:
            return Abort(why.cause, party=why.party, step=why.step or abort.step, detail=why.detail)
    return abort


def _more(party: Party, why: Abort, stands: str) -> str:
    if why.cause is Cause.ROWS:
        return TOO_FEW_ROWS
    if why.cause is Cause.CHANGED:
        return "a run is over the rows that it began with. hint: they put them back, or start a new run with --fresh"
    about = f"{why.detail}/" if why.detail else stands  # across machines no detail travels
    if why.cause is Cause.REPLAY and about in STAND_BY:
        return STAND_BY[about]
    return f"says {party}: {why.detail}" if why.party else why.detail


def named(abort: Abort, restarted: Sequence[Party]) -> Abort:
    """If an engine failed or answers were missing, blame the party that restarted: the others failed because of it."""
    wanting = abort.cause is Cause.ENGINE or (abort.cause is Cause.TOO_FEW and abort.party is None)
    if not wanting or not restarted:
        return abort
    detail = "it was started again in the middle of the round"
    return Abort(Cause.SILENT, party=restarted[0], step=abort.step, detail=detail)
