"""What a party of a threshold sum computes with, in one round."""

from __future__ import annotations

from dataclasses import dataclass

from potluck.core.plan import Plan
from potluck.he.sum.bfv import Bfv
from potluck.he.sum.packing import Layout
from potluck.he.sum.parameters import WIRE


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What a party computes with: its engine with the round's parameters, how words lie in slots, the plan's numbers.

    least: shares that open a vault; recheck: whether each site adds up the ciphertexts itself.
    """

    engine: Bfv
    layout: Layout
    least: int
    recheck: bool

    @property
    def ciphertexts(self) -> tuple[int, int, int, int]:
        """The shape [c, 2, 2, N] of one site's ciphertexts, and of their sum."""
        return self.layout.ciphertexts, 2, WIRE, self.engine.parameters.ring


def least_of(plan: Plan) -> int:
    """How many shares open a vault: more than the corrupt, a majority where drop-outs leave one."""
    fed = plan.federation
    n = len(fed.sites)
    return min(n - fed.dropouts, max(fed.corrupt + 1, n // 2 + 1))
