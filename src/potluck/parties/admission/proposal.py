"""Whether a proposal is what it says, before anybody is asked: the federation, the program, the plan and its sums.

It has nothing to do with what an owner wants (`owner.judge`), and reads no row.
"""

from __future__ import annotations

import time

import msgspec

from potluck.core.asks import Ask, Kind
from potluck.core.errors import PlanError, Refused
from potluck.core.party import Party
from potluck.core.plan import CODE, Plan, canonical
from potluck.core.schema import readable
from potluck.dp.bound import privacy
from potluck.learning.models.layers import MOST_VALUES
from potluck.learning.tasks import build
from potluck.members.federation import Federation, titled
from potluck.owner.requests import LARGEST
from potluck.parties import catalog
from potluck.parties.admission.costs import sums
from potluck.parties.admission.session import Proposal

ONE_ROUND = ("predict", "fit", "intersect")
"""Tasks that are one round, and no sum."""
_PLANS = msgspec.json.Decoder(readable(Plan), strict=True)
"""Made here, once: two threads that make the first one side by side crash the interpreter."""


class Denied(Exception):
    """A proposal that nobody need be asked about. code travels, words are the owner's."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


def of_now(proposal: Proposal, federation: Federation) -> None:
    """Raises Denied: of another version of the federation file or the program, or the file has expired."""
    if proposal.membership != federation.version or proposal.file != federation.digest:
        theirs, ours = titled(proposal.membership, proposal.file), titled(federation.version, federation.digest)
        words = f"the server goes by {theirs} of the federation file, here is {ours}"
        raise Denied("federation", f"{words}: potluck site join, with the newest file; or ask the coordinator for it")
    try:
        federation.current(time.time())
    except Refused as error:
        raise Denied("expired", str(error)) from None
    if proposal.code != CODE:
        raise Denied("version", f"the server runs potluck {proposal.code}, here is {CODE}")


def plan_of(proposal: Proposal, federation: Federation, me: Party) -> Plan:
    """The plan, in its one spelling, with every check passed. Raises Denied: it cannot be carried out here."""
    if len(proposal.plan) > LARGEST:
        raise impossible(f"a plan of {len(proposal.plan)} bytes, {LARGEST} are the most")
    try:
        plan = _PLANS.decode(proposal.plan)
        _members(plan, federation, me)  # before any look that costs more than one at each name
        whole = canonical(plan) == proposal.plan and plan.data.files == {}
        errors = catalog.check(plan)[0] if whole else ["not in its one spelling"]
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


def calibrate(plan: Plan) -> None:
    """Reckon the noise of every sum once, before the answer: it can take seconds, and a round's patience is short.

    Raises Denied: a sum cannot be computed with, so no row is read for it.
    """
    for ask in sums(plan):
        try:
            privacy(plan, ask)
        except PlanError as error:
            raise impossible(str(error)) from None


def first_sum(plan: Plan) -> Ask:
    """The plan's first sum, as everybody derives it from the plan. Raises Denied: nobody has room for it.

    What is one round and no sum has none: it depends on no public model.
    """
    if plan.task in ONE_ROUND:
        return Ask(Kind.PREDICT, 0, (), b"")
    ask = next(build(plan).lead())
    values = sum(block.size for block in ask.blocks)
    if values > MOST_VALUES:
        raise impossible(f"a sum has {values} values")
    return ask


def impossible(why: str) -> Denied:
    """What is said of a plan that nobody could carry out."""
    return Denied("plan", f"the plan cannot be carried out as it is: {why}")
