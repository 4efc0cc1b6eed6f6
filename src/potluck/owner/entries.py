"""What the entries of a ledger's chain say: how a run was begun, and what it was charged."""

import contextlib
from dataclasses import dataclass

import msgspec

from potluck.core.errors import Refused
from potluck.core.plan import Unit
from potluck.core.rounds import Abort
from potluck.core.wire import load
from potluck.dp.account import Cost, CostOfOneKind


class Begun(msgspec.Struct, frozen=True, array_like=True):
    """The value of a run's first entry. unit, delta: None without noise; joined: it may go on after a crash."""

    plan: str
    plan_hash: bytes
    unit: Unit | None
    delta: float | None
    joined: bool


@dataclass(frozen=True, slots=True)
class Spending:
    """One run in the ledger. when, last: it began, it was charged last (seconds since 1970).

    epsilon: what its releases cost at `delta` (0: no noise).
    """

    run: str
    plan: str
    plan_hash: bytes
    when: float
    unit: str | None
    delta: float | None
    epsilon: float
    releases: int
    state: str
    last: float


def begun(value: bytes, where: str) -> Begun:
    """How a run was begun. Raises Refused: the entry is damaged."""
    try:
        return load(value, Begun)
    except Abort:
        raise damaged(where) from None


def cost(value: bytes, where: str) -> Cost:
    """What was charged. Raises Refused: the entry is damaged."""
    with contextlib.suppress(Abort):
        return load(value, Cost)
    with contextlib.suppress(Abort):
        return load(value, CostOfOneKind).today()
    raise damaged(where)


def damaged(where: str) -> Refused:
    """An entry that the chain vouches for, and that makes no sense."""
    hint = "restore the newest copy; a fresh file forgets the spending"
    return Refused("an entry of the budget is damaged", where=where, hint=hint)
