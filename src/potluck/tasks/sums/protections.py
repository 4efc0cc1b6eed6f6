"""One table: a plan's word -> the room that adds up. A new one: a folder, a line here and in `core.schemes`."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from potluck.core.plan import Plan
from potluck.core.registry import Registry
from potluck.core.rounds import Sum
from potluck.core.views import View
from potluck.he.sum import protection as he
from potluck.mpc.clear import protection as clear
from potluck.mpc.mask import protection as mask
from potluck.mpc.share import protection as share
from potluck.tee.attestation.demand import Demand
from potluck.tee.sum import protection as tee

Build = Callable[[Plan, Demand | None], Sum]
"""The two halves of a plan's sums, for a party of this process."""


@dataclass(frozen=True, slots=True)
class Row:
    """check: what of a plan it cannot keep; views: who sees what; build: the two halves. The first two need no keys.

    build takes what an owner demands of an enclave beside the plan; protections without an enclave ignore it. across:
    the same for a process in which nobody computes, where that needs less. robust: it also joins updates by a rule that
    is no sum.
    """

    check: Callable[[Plan], list[str]]
    views: Callable[[Plan], list[View]]
    build: Build
    across: Build | None = None
    robust: bool = False


PROTECTIONS: Registry[Row] = Registry("protect.with")
PROTECTIONS.register("clear", Row(clear.check, clear.views, lambda plan, demand: clear.Clear()))
PROTECTIONS.register("mask", Row(mask.check, mask.views, lambda plan, demand: mask.build(plan)))
PROTECTIONS.register(
    "share",
    Row(share.check, share.views, lambda plan, demand: share.build(plan), lambda plan, demand: share.across(plan)),
)
PROTECTIONS.register("he", Row(he.check, he.views, lambda plan, demand: he.build(plan)))
PROTECTIONS.register("tee", Row(tee.check, tee.views, tee.build, robust=True))


def row(plan: Plan) -> Row:
    """The room for this plan's sums."""
    return PROTECTIONS.of(plan.protect.scheme)


def across(plan: Plan, demand: Demand | None = None) -> Sum:
    """The halves of a site or server whose process computes nothing for others: compute parties have their own."""
    room = row(plan)
    return (room.across or room.build)(plan, demand)


def rehearsed(plan: Plan) -> Sum:
    """Both halves for a rehearsal on numbers of no one, in this process: where the plan names an enclave, a simulated
    one."""
    return row(plan).build(simulated(plan), None)


def simulated(plan: Plan) -> Plan:
    """The plan with a simulated enclave, for rehearsals."""
    return msgspec.structs.replace(plan, protect=msgspec.structs.replace(plan.protect, enclave="simulated"))
