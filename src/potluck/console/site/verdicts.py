"""What may be decided about a request, by its state: the buttons that its page has."""

from dataclasses import dataclass, replace
from typing import Literal

from potluck.api.network.inbox import Asked
from potluck.owner.requests import NEAR, REPEATED, State

Word = Literal["approve", "deny", "revoke"]
REASONED = ("deny", "revoke")
"""Those that need a reason."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """word: as the verb is called; label: on the button; means: what follows."""

    word: Word
    label: str
    means: str


APPROVE = Verdict("approve", "Approve", "this run may begin, once as many persons as the policy asks for say so")
EVERY = replace(APPROVE, means=f"{APPROVE.means}; and every later run of this very plan, until somebody revokes")
DENY = Verdict("deny", "Deny", "the run ends or never begins, and so does every later one of this plan")
REVOKE = Verdict("revoke", "Revoke", "all approvals are taken back; a run that began ends before its next round")
NEXT = Verdict("approve", "Approve after all", "the next run of this plan may begin; this one stays denied")


def verdicts(asked: Asked) -> tuple[Verdict, ...]:
    """The buttons. Where the policy said no, there is none: the policy would have to change."""
    request = asked.request
    by_policy = bool(set(request.codes) - {REPEATED, NEAR})
    if request.state is State.PENDING:
        return (DENY,) if asked.unreadable or asked.over else (EVERY if asked.rule == "hash" else APPROVE, DENY)
    if request.state in (State.APPROVED, State.FINISHED):
        return (REVOKE, DENY)
    again = replace(EVERY, label=NEXT.label) if asked.rule == "hash" else NEXT
    return (again,) if request.state is State.DENIED and not by_policy and not (asked.unreadable or asked.over) else ()
