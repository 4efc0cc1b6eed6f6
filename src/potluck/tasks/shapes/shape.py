"""A shape of plans that an attack is known to break: what owners and researchers are told before a run.

Each names the attack of `potluck attack` that proved it, and quotes what was measured with it; `tests/tasks/shapes`
measures it again, and that the mended plan gives nothing. A shape says what is so of this plan: it never warns of what
only might be. That none fits is no proof: other attacks may be known one day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from potluck.core.plan import Plan
from potluck.core.prose import count


@dataclass(frozen=True, slots=True)
class Case:
    """A plan without noise of the sites, and what is known here beside it. rows: of sites, that are in
    sums, where they were counted; before: runs of the plan that this owner has taken part in; beside: other
    plans that train on the same rows, where it is asked what all of them open together."""

    plan: Plan
    rows: Mapping[str, int] = field(default_factory=dict)
    before: int = 0
    beside: tuple[Plan, ...] = ()

    @property
    def summed(self) -> int:
        """Over how many rows a sum is, at most, of those that somebody reads: where the protection hides updates, the
        sum over the sites that do not collude. A site whose rows were not counted has as many as the plan allows."""
        plan = self.plan
        each = sorted(self.rows.get(name, plan.data.max_rows) for name in plan.federation.sites)
        return sum(each[: len(each) - plan.federation.corrupt]) if plan.protect.facts.hides else each[0]

    @property
    def over(self) -> str:
        """The same in words, and whose rows these are."""
        rows, corrupt = f"{self.summed:,} rows at most", self.plan.federation.corrupt
        if not self.plan.protect.facts.hides:
            return f"{rows}, those of one site"
        return f"{rows}, without those of {count(corrupt, 'site')} that may collude" if corrupt else rows


@dataclass(frozen=True, slots=True)
class Shape:
    """One of them. attack: the name of the attack that proved it; said: the line, `key: what. hint: mend`, or None
    where a plan has not this shape."""

    attack: str
    said: Callable[[Case], str | None] = field(repr=False)
