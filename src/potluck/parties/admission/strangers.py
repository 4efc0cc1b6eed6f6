"""Members that nobody here agreed to: a run that names one waits for a person, whatever the policy's rule is.

The federation file comes by itself. Without this a coordinator could list parties of its own making, and a policy that
asks nobody would add up its rows with theirs alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

from potluck.core.plan import Plan, canonical, digest
from potluck.members.card import fingerprint
from potluck.members.change import called
from potluck.members.federation import Federation
from potluck.members.pinned import Pinned
from potluck.owner.policy import Approve
from potluck.owner.requests import STRANGERS, Request, Requests, State


class Asked(NamedTuple):
    """A request, and words about members that are new here: of each who it is."""

    request: Request
    new: tuple[str, ...]


def asked(
    requests: Requests,
    pinned: Pinned,
    under: Federation,
    run: str,
    plan: Plan,
    now: float,
    codes: Sequence[str],
    approve: Approve,
) -> Asked:
    """`Requests.ask` of a run under a file; one that nobody need approve, or somebody approved before, waits all the
    same where its plan names somebody whom nobody here agreed to. Raises as `ask`; UsageError: the list is damaged."""
    with requests.change():
        request = requests.ask(run, digest(plan), canonical(plan), under.name, now, codes, approve)
        new = pinned.home.known.strangers(under, (*plan.sites, *plan.compute), pinned.federation)
        if new and request.state is State.APPROVED:
            request = requests.again(run, STRANGERS)
    marks = ((called(card.party), fingerprint(card)) for card in new)
    return Asked(request, tuple(f"{name} ({mark}) is new here: compare by voice, then approve" for name, mark in marks))
