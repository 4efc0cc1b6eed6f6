"""How often a site begins a round of one step of a plan, and which steps a plan has.

A server that was killed, or a site, begins a step again; a lying one would do so for ever, and each round leaves
entries in the ledger and a line in the access log. So after TRIES rounds of one step the owner is asked again: what a
run leaves on a disk is bounded by its plan, however often any process is started again. The count is the ledger's: each
round's marker says of which step it is.
"""

from collections import Counter

from potluck.core.asks import Kind
from potluck.core.party import SERVER
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause, Record, RoundId
from potluck.core.slices import Sliced
from potluck.core.wire import load
from potluck.owner.budget import Budget
from potluck.tasks.announcement import Announcement

TRIES = 8
"""Rounds of one step of one run, after which the owner is asked again."""
REPEATS, REPEATS_A_SECOND = 64.0, 1.0
"""Rounds of a step that was begun before: so many at once, and for ever."""
FIRSTS, FIRSTS_A_SECOND = 2_000.0, 50.0
"""First rounds of steps: far more than a network carries, and a plan of very many rounds fills no disk at once."""
_ROUND, _AGAIN = "round/", "again/"


def most(plan: Plan) -> int:
    """How many rounds of one step: those that the plan has paid for come on top."""
    return TRIES + (0 if plan.exact else plan.privacy.redo)


def step_of(plan: Plan, body: Sliced) -> str:
    """Which step a round begins, as the marker says it. Raises Abort: MALFORMED; TERMS: the plan has no such step."""
    said = load(body, Announcement, SERVER)
    if not 0 <= said.step < _steps(plan, said.kind):
        raise Abort(Cause.TERMS, party=SERVER, detail="the plan has no such step")
    return f"{said.kind}/{said.step}"


def possible(plan: Plan, rounds: int, step: str) -> bool:
    """Whether a party's word can be true, that so many rounds of a run are unknown elsewhere, the last of this step."""
    kind, _, number = step.partition("/")
    steps = {str(one): _steps(plan, one) for one in Kind}
    known = number.isascii() and number.isdecimal() and int(number) < steps.get(kind, 0)
    return known and rounds <= most(plan) * sum(steps.values())


def marker(round_: RoundId, step: str) -> Record:
    """What is durable before a round's first letter: a number is begun once, whatever was killed."""
    return Record(f"{_ROUND}{round_.run}/{round_.number}", step.encode())


def made(ledger: Budget, run: str, *, ever: bool = False) -> Counter[str]:
    """How many rounds of each step of a run were begun here, since its owner was asked last, or ever."""
    since = 0 if ever else max((entry for entry, _ in _own(ledger, f"{_AGAIN}{run}/")), default=0)
    return Counter(value.decode() for entry, value in _own(ledger, f"{_ROUND}{run}/") if entry > since)


def newest(ledger: Budget, run: str) -> tuple[int, str]:
    """Number and step of the newest round of a run that was begun here, by whichever process; 0 and "": of none."""
    begun = ((int(key.rpartition("/")[2]), step.decode()) for _, key, step in ledger.facts(f"{_ROUND}{run}/"))
    return max(begun, default=(0, ""))


def counted_anew(ledger: Budget, run: str) -> None:
    """The owner is asked again. Approval resets the count of tries."""
    ledger.write(Record(f"{_AGAIN}{run}/{len(_own(ledger, f'{_AGAIN}{run}/'))}", b""))


def _own(ledger: Budget, start: str) -> list[tuple[int, bytes]]:
    """(number of the entry, value) of a run's own facts: a run of another name may begin with this one's and "/"."""
    return [(entry, value) for entry, key, value in ledger.facts(start) if "/" not in key[len(start) :]]


def _steps(plan: Plan, kind: Kind) -> int:
    """How many steps of a kind the plan has."""
    if kind is Kind.EVALUATE:
        return plan.trainings if plan.traits.labelled else 0
    if kind is Kind.VALIDATE:
        return plan.looks
    return plan.steps if kind is plan.traits.kind else 0
