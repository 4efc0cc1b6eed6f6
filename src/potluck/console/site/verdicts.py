"""What may be decided about a request, by its state: the buttons that its page has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from potluck.api.network.asked import Asked
from potluck.api.network.history import OURS, Fate, Voices
from potluck.core.prose import count
from potluck.owner.access import Entry
from potluck.owner.requests import State

Word = Literal["approve", "deny", "revoke"]
REASONED = ("deny", "revoke")
"""Those that need a reason."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """word: as the verb is called; label: on the button; means: what follows."""

    word: Word
    label: str
    means: str


APPROVE = Verdict("approve", "Approve", "this run may begin")
EVERY = replace(APPROVE, means=f"{APPROVE.means}; and every later run of this very plan, until somebody revokes")
DENY = Verdict("deny", "Deny", "neither this run goes on, nor a later one of this plan")
REVOKE = Verdict("revoke", "Revoke", "all approvals are taken back; a run that began ends before its next round")
NEXT = Verdict("approve", "Approve after all", "the next run of this plan may begin; this one stays denied")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person decided last about a run, as its page says it. what: approved, denied or revoked; then: what
    follows."""

    what: str
    person: str
    when: str
    then: str


DONE = {"approve": "Approved", "deny": "Denied", "revoke": "Taken back"}
SAID = {"approve": "approved it", "deny": "denied it", "revoke": "took every approval back"}
"""What somebody did, as a line of the page's history says it."""


def standing(asked: Asked, decided: Sequence[Entry], against: bool, heard: Voices, fate: Fate) -> Standing | None:
    """None: nobody decided about this run. against: the policy of now does not allow it; fate: what became of it."""
    last = next((one for one in reversed(decided) if one.run == asked.request.run), None)
    if last is None:
        return None
    denied = bool(fate.codes) and asked.request.state in (State.APPROVED, State.FINISHED)
    then = "The policy has denied it since." if denied else _then(asked, against, heard)
    return Standing(DONE[last.event], last.person, last.when, then)


def who_can(heard: Voices) -> str:
    """Who else can approve, in words."""
    if heard.can:
        return f"{' or '.join(heard.can[:5])}{' or others' if len(heard.can) > 5 else ''} can"
    if heard.invited:
        return "nobody else has signed in here yet, and whoever has the terminal can invite somebody"
    return "whoever opens these pages under another name can"


def _then(asked: Asked, against: bool, heard: Voices) -> str:
    state, people = asked.request.state, count(asked.missing, "more person")
    if against and state in (State.PENDING, State.APPROVED):
        return "It does not begin here while the policy is against it."
    if state is State.PENDING:
        return f"It does not begin yet: {people} must approve: {who_can(heard)}."
    if state is State.APPROVED:
        return "The run begins here once the other parties approve, too. Nothing is left to do."
    if state is State.FINISHED:
        return "The run has ended."
    return "The run does not go on here. Whoever asked is told so, and not why: the reason stays at this site."


def verdicts(asked: Asked, against: bool = False, newest: bool = True) -> tuple[Verdict, ...]:
    """The buttons. Where the policy said no, there is none: the policy would have to change. against: it would now;
    newest: no later run of the plan was asked for. What is over has none where one was: that one is decided about."""
    request = asked.request
    if not newest and request.state not in (State.PENDING, State.APPROVED):
        return ()
    by_policy = bool(set(request.codes) - OURS)
    if request.state is State.PENDING:
        stays = asked.unreadable or asked.over or against
        return (DENY,) if stays else (EVERY if asked.rule == "hash" else APPROVE, DENY)
    if request.state in (State.APPROVED, State.FINISHED):
        return (REVOKE, DENY)
    again = replace(EVERY, label=NEXT.label) if asked.rule == "hash" else NEXT
    stays = by_policy or asked.unreadable or asked.over or against
    return (again,) if request.state is State.DENIED and not stays else ()
