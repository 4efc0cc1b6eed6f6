"""What may be decided about a request, by its state: the buttons that its page has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from potluck.api.network.asked import Asked
from potluck.api.network.history import OURS, Fate, Voices
from potluck.core.prose import count
from potluck.members.persons import folded
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
NEXT = Verdict("approve", "Approve after all", "your no is taken back: the plan's next run may begin, not this one")
STOP = Verdict("deny", "Do not let this plan run again", "every later run of it is denied here, until you approve it")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person decided last about a run, as its page says it. what: approved, denied or revoked; then: what
    follows; holds: it is what holds for this run."""

    what: str
    person: str
    when: str
    then: str
    holds: bool = True


NEXT_RUN = "Approved for the next run"
DONE = {"approve": "Approved", "deny": "Denied", "revoke": "Taken back"}
SAID = {
    "approve": "approved it",
    "deny": "denied it",
    "revoke": "took every approval back",
    "members": "compared the fingerprint of",
}
"""What somebody did, as a line of the page's history says it."""


def standing(asked: Asked, decided: Sequence[Entry], against: bool, heard: Voices, fate: Fate) -> Standing | None:
    """None: nobody decided about this run. against: the policy of now does not allow it; fate: what became of it."""
    last = next((one for one in reversed(decided) if one.run == asked.request.run and one.event in DONE), None)
    if last is None:
        return None
    state = asked.request.state
    if last.event == "approve" and state in (State.DENIED, State.REVOKED):
        then = f"The plan's next run may begin here; this one stays {state.value}."
        return Standing(NEXT_RUN, last.person, last.when, then, holds=False)
    denied = bool(fate.codes) and state in (State.APPROVED, State.FINISHED)
    then = "The policy has denied it since." if denied else _then(asked, against, heard, fate)
    holds = not (denied or fate.stays) and state is not State.WITHDRAWN
    return Standing(DONE[last.event], last.person, last.when, then, holds=holds)


def who_can(heard: Voices, missing: int = 1) -> str:
    """Who else can approve, in words. missing: approvals."""
    late = f"{' and '.join(heard.awaited[:5])}{' and others' if len(heard.awaited) > 5 else ''}"
    late += f" {'was' if len(heard.awaited) == 1 else 'were'} invited, and did not come yet" if late else ""
    if heard.can:
        if missing > 1 and len(heard.can) <= missing:
            can = f"{' and '.join(heard.can)} must"
            return f"{can}; {late}" if late else can
        can = f"{' or '.join(heard.can[:5])}{' or others' if len(heard.can) > 5 else ''} can"
        return f"{can}; {late}" if late else can
    if late:
        return late
    if heard.invited:
        return "nobody else has signed in here yet, and whoever has the terminal can invite somebody"
    return "whoever opens these pages under another name can"


def _then(asked: Asked, against: bool, heard: Voices, fate: Fate) -> str:
    state, people = asked.request.state, count(asked.missing, "more person")
    if against and state in (State.PENDING, State.APPROVED):
        return "It does not begin here while the policy is against it."
    if heard.refuse and state is State.FINISHED:
        whose = [one for one in heard.refuse if one not in heard.gone] or ["somebody"]
        return f"No later run of this plan begins here, until {' and '.join(whose)} approved it."
    if state is State.PENDING:
        return f"It does not begin yet: {people} must approve: {who_can(heard, asked.missing)}."
    if state is State.APPROVED and fate.stays:
        return f"The run does not go on: {fate.word}. The approval stays, as is said beside the decision."
    if state is State.APPROVED and fate.rounds:
        return "The run goes on here."
    if state is State.APPROVED:
        return "The run begins here once the other parties approve, too. Nothing is left to do."
    if state is State.WITHDRAWN:
        return "The run does not go on."
    if state is State.FINISHED:
        return "The run has ended."
    return "The run does not go on here. Whoever asked is told so, and not why: the reason stays at this site."


def verdicts(
    asked: Asked, heard: Voices, person: str, *, against: bool = False, newest: bool = True
) -> tuple[Verdict, ...]:
    """The buttons for a person. Where the policy says no, there is none to approve: the policy would have to change.

    heard: who said what of the plan; against: the policy of now does not allow it; newest: no later run of the plan was
    asked for: of what is over that one is decided about. Whoever approved what waits for others is not asked again.
    """
    request = asked.request
    yes = EVERY if asked.rule == "hash" else APPROVE
    stays = bool(asked.unreadable or asked.over or against or set(request.codes) - OURS)
    if request.state is State.PENDING:
        said = bool(asked.missing) and folded(person) in map(folded, heard.gave)
        return (DENY,) if stays or said else (replace(yes, means=_first(yes.means, asked.missing)), DENY)
    if request.state is State.APPROVED:
        return (REVOKE, DENY)
    if not newest:
        return ()
    if not heard.refuse:
        return (STOP,)
    again = replace(EVERY, label=NEXT.label) if asked.rule == "hash" else NEXT
    if others := [one for one in heard.gone if folded(one) != folded(person)]:
        whose = " and ".join(others)
        again = replace(again, means=f"the no of {whose}, who cannot sign in here, is taken back, which the log says;"
                                     " the plan's next run may begin, not this one")  # fmt: skip
    mine = folded(person) in map(folded, heard.refuse)
    return (again,) if (mine or len(heard.gone) == len(heard.refuse)) and not stays else ()


def _first(means: str, missing: int) -> str:
    """What a yes does, where it is the first of several that are needed."""
    return f"once {count(missing - 1, 'more person')} approved, {means}" if missing > 1 else means
