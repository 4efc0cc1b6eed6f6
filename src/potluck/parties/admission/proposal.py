"""Whether a proposal is what it says, before anybody is asked: the federation, the program, the plan and its sums.

It has nothing to do with what an owner wants (`owner.judge`), and reads no row.
"""

import time

import msgspec

from potluck.core.asks import Ask
from potluck.core.errors import PlanError, Refused
from potluck.core.party import Party
from potluck.core.plan import CODE, Plan, canonical
from potluck.core.rounds import Abort
from potluck.core.schema import readable
from potluck.core.wire import load
from potluck.learning.models.sent import awaited
from potluck.members.federation import Federation, titled
from potluck.members.home import Membership
from potluck.members.pinned import Pinned
from potluck.owner import ledger_heads as heads
from potluck.owner.budget import Budget
from potluck.owner.requests import LARGEST, Request, Requests
from potluck.parties.admission.session import Proposal
from potluck.tasks import catalog
from potluck.tasks.participation import Denied, impossible

_PLANS = msgspec.json.Decoder(readable(Plan), strict=True)
"""Made here, once: two threads that make the first one side by side crash the interpreter."""


def of_now(proposal: Proposal, pinned: Pinned, bound: bytes | None) -> Membership:
    """The membership under which a run goes: bound to the file of its first round, until then by the file in force.

    bound: the digest of that file. Raises Denied: the server goes by another file or program, the file in force has
    expired, or the one of the first round does not count here any more.
    """
    it = pinned.federation
    member = pinned.current if bound is None else pinned.under(bound)
    theirs, ours = titled(proposal.membership, proposal.file), titled(it.version, pinned.digest)
    if member is None:
        words = "the run began under a federation file that does not count here any more"
        raise Denied("federation", f"{words} ({ours} does): the server has to begin a new one, with --fresh")
    if proposal.file != (bound or pinned.digest) or proposal.membership != member.federation.version:
        if bound is not None and bound != proposal.file:
            words = f"the run began under another federation file than {theirs}"
            raise Denied("federation", f"{words}: the server has to begin a new one, with --fresh")
        words = f"the server goes by {theirs} of the federation file, here is {ours}"
        if proposal.membership < it.version:
            raise Denied("federation", f"{words}: the coordinator has to begin the run anew, with the newest file")
        raise Denied("federation", f"{words}: it has not come yet, or waits for you: potluck site join")
    try:
        it.current(time.time())
    except Refused as error:
        raise Denied("expired", str(error)) from None
    if proposal.code != CODE:
        raise Denied("version", f"the server runs potluck {proposal.code}, here is {CODE}: update the older one")
    return member


def own_head(shown: bytes, member: Membership, ledger: Budget) -> None:
    """The server shows the latest head of our own ledger that it knows, also one under keys that we had before. Raises
    Denied: a ledger behind it was put back."""
    if not shown:
        return
    try:
        signed = load(shown, heads.SignedHead)
        public, federation = member.federation.cards[member.me].signing, bytes.fromhex(member.federation.id)
        known = heads.own(signed, (public,), member.me.name, federation, ledger)
        if known is not None:
            ledger.holds(known)
    except (Refused, Abort) as error:
        raise Denied("ledger", f"the ledger is not the one that was shown before: {error}") from None


def plan_of(proposal: Proposal, federation: Federation, me: Party) -> Plan:
    """The plan, in its one spelling, with every check passed that needs no graph. Raises Denied: it cannot be carried
    out here."""
    if len(proposal.plan) > LARGEST:
        raise impossible(f"a plan of {len(proposal.plan)} bytes, {LARGEST} are the most")
    try:
        plan = _PLANS.decode(proposal.plan)
        _members(plan, federation, me)  # before any look that costs more than one at each name
        whole = canonical(plan) == proposal.plan and plan.data.files == {}
        errors = catalog.check(plan)[0] if whole else ["not in its one spelling"]
        if awaited(plan, errors):
            errors = []  # it is asked for where the policy has nothing against the plan
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, ValueError, PlanError):
        raise impossible("not a plan of this version") from None
    if errors:
        raise impossible(errors[0])
    if any("*" in name for name in plan.data.columns):
        raise Denied("plan", "a column pattern cannot be used across machines: name the columns")
    return plan


def _members(plan: Plan, federation: Federation, me: Party) -> None:
    """Raises Denied: the plan names strangers, somebody twice, or not this party."""
    named, members = (*plan.sites, *plan.compute), federation.cards
    if any(party not in members for party in named):
        raise Denied("plan", "the plan names parties that are no members of this federation")
    if len(named) > len(members):
        raise Denied("plan", "the plan names a party twice")
    if me not in named:
        raise Denied("plan", "the plan does not name this party")


def first_sum(plan: Plan) -> Ask:
    """The plan's first sum, as everybody derives it from the plan. Raises Denied: nobody has room for it."""
    return catalog.task_of(plan).first(plan)


def asked_of(request: Request) -> Plan:
    """The plan of a request, as it was asked for. Raises Refused: of another version, which this one cannot read."""
    try:
        return _PLANS.decode(request.plan)
    except msgspec.DecodeError:
        hint = "deny it, or read it with the version that took it"
        raise Refused("a plan that this version cannot read", where=request.hash[:16], hint=hint) from None


def read_of(request: Request) -> Plan | None:
    """The plan of a request; None: another version took it, and this one cannot read it."""
    try:
        return asked_of(request)
    except Refused:
        return None


def asked_before(requests: Requests, run: str) -> Plan | None:
    """The plan of a run that some process of this party was asked for; None: none was."""
    found = requests.of(run)
    return None if found is None else asked_of(found)
